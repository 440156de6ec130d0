"""The worker of the kill test: two agents in a chain, a table each. Each row counts its key's facts; each fact is sent on.

usage: engine_worker.py BOOTSTRAP PREFIX STORE FOLDER SLOT SESSION_TIMEOUT_S DEATHS
DEATHS is the chance to be killed at each boundary between two steps of a batch (0: never).
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import structlog

from streams import engine as under_test
from streams.engine import Decide, Decision, Engine, Incoming, Outgoing

PARTITIONS = 4


def count(to: str) -> Decide:
    """Facts of a key have versions 0, 1, 2 …; the row holds the last version and how many were counted."""

    def decide(record: Incoming, row: bytes | None) -> Decision:
        fact = orjson.loads(record.value)
        state = orjson.loads(row) if row else {"version": -1, "count": 0}
        if fact["version"] < state["version"]:
            return Decision()
        if fact["version"] == state["version"]:
            return Decision(row)
        after = orjson.dumps({"version": fact["version"], "count": state["count"] + 1})
        return Decision(after, [Outgoing(to, record.key, after, record.headers)])

    return decide


class MortalEngine(Engine):
    """It may be killed at each boundary between two steps of a batch; told by SIGUSR1, it freezes before its next row is written."""

    def __init__(self, deaths: float, **settings: Any) -> None:
        super().__init__(**settings)
        self.deaths, self.freezes = deaths, False
        signal.signal(signal.SIGUSR1, lambda *_: setattr(self, "freezes", True))

    async def _send(self, outgoing: Iterable[Outgoing]) -> None:
        await self.boundary()
        await super()._send(outgoing)

    async def _write(self, agent: Any, overlay: Any) -> None:
        await self.boundary()
        if self.freezes and overlay:
            self.freezes = False
            os.kill(os.getpid(), signal.SIGSTOP)
        await super()._write(agent, overlay)
        await self.boundary()

    async def boundary(self) -> None:
        if random.random() < self.deaths:
            await asyncio.sleep(random.choice([0, 1.5 * under_test.COMMIT_S]))  # a commit may come in between
            die()


class MortalTable(under_test._Table):
    deaths = 0.0

    def apply_changelog_batch(self, batch: Any) -> None:
        if random.random() < self.deaths:
            die()
        super().apply_changelog_batch(batch)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    plain = [
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
    structlog.configure(processors=plain)
    bootstrap, prefix, store, folder, slot, session_timeout_s, deaths = sys.argv[1:]
    MortalTable.deaths = float(deaths)
    under_test._Table = MortalTable
    engine = MortalEngine(
        float(deaths),
        group=f"{prefix}count",
        kafka={"bootstrap_servers": bootstrap},
        store=store,
        data=Path(folder),
        partitions=PARTITIONS,
        replication=1,
        slot=int(slot),
        lost=lambda topic, partition, first, number: Outgoing(
            f"{prefix}lost", topic.encode(), orjson.dumps({"partition": partition, "first": first, "count": number})
        ),
        session_timeout_s=float(session_timeout_s),
    )
    engine.agent(f"{prefix}in", "first", count(to=f"{prefix}middle"))
    engine.agent(f"{prefix}middle", "second", count(to=f"{prefix}out"))
    engine.run()


if __name__ == "__main__":
    main()
