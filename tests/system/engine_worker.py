"""The worker of the kill test: two agents in a chain, a table each. Each row counts its key's facts; each fact is sent on.

usage: engine_worker.py BOOTSTRAP PREFIX STORE FOLDER SLOT SESSION_TIMEOUT_S TOGETHER [DEATH]
No agent begins before TOGETHER records wait for it: they are its first batch. DEATH is where this life ends, `step:n:wait_s`: it is
killed the n-th time that it stands before that step of a batch, after a wait.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

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


STEPS = ("effects", "row in changelog", "row in store", "acknowledgement")


class Death:
    """Comes the n-th time that this life stands before a step."""

    def __init__(self, named: str) -> None:
        self.step, n, wait_s = named.split(":") if named else ("", "0", "0")
        self.left, self.wait_s = int(n), float(wait_s)

    def comes(self, step: str) -> bool:
        self.left -= step == self.step
        return step == self.step and self.left == 0

    async def before(self, step: str) -> None:
        if self.comes(step):
            await asyncio.sleep(self.wait_s)  # a commit may come in between
            die()


class MortalEngine(Engine):
    """It may be killed between two steps of a batch; told by SIGUSR1, it freezes before its next row is written."""

    def __init__(self, death: Death, together: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.death, self.together, self.freezes = death, together, False
        signal.signal(signal.SIGUSR1, lambda *_: setattr(self, "freezes", True))

    async def work(self, agent: Any, stream: Any) -> NoReturn:
        while stream.channel.queue.qsize() < self.together:
            await asyncio.sleep(0.01)
        await super().work(agent, stream)

    async def _send(self, outgoing: Iterable[Outgoing]) -> None:
        await self.death.before("effects")
        await super()._send(outgoing)

    async def _write(self, agent: Any, overlay: Any) -> None:
        await self.death.before("row in changelog")
        if self.freezes and overlay:
            self.freezes = False
            os.kill(os.getpid(), signal.SIGSTOP)
        await super()._write(agent, overlay)
        await self.death.before("acknowledgement")


def mortal_table(death: Death) -> type:
    class MortalTable(under_test._Table):
        def apply_changelog_batch(self, batch: Any) -> None:
            if death.comes("row in store"):
                die()
            super().apply_changelog_batch(batch)

    return MortalTable


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    plain = [
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
    structlog.configure(processors=plain)
    bootstrap, prefix, store, folder, slot, session_timeout_s, together, *rest = sys.argv[1:]
    death = Death(*rest or [""])
    under_test._Table = mortal_table(death)
    engine = MortalEngine(
        death,
        int(together),
        group=f"{prefix}count",
        kafka={"bootstrap_servers": bootstrap},
        store=store,
        data=Path(folder),
        partitions=PARTITIONS,
        replication=1,
        member=slot,
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
