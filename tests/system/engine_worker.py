"""The worker of the kill test: two agents in a chain, a table each. Each row counts its key's facts; each fact is sent on.

usage: engine_worker.py BOOTSTRAP PREFIX STORE FOLDER SLOT SESSION_TIMEOUT_S DEATHS
DEATHS is the chance to be killed at each boundary between two steps of a batch (0: never).
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

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


def mortal(step: Callable, chance: float) -> Callable:
    """The step, before and after which the process may be killed: at once, or when a commit has come in between."""

    def dies() -> bool:
        return random.random() < chance

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def asynchronous(*args: object) -> object:
        for boundary in ("before", "after"):
            if dies():
                await asyncio.sleep(random.choice([0, 1.5 * under_test.COMMIT_S]))
                die()
            if boundary == "before":
                result = await step(*args)
        return result

    def synchronous(*args: object) -> object:
        if dies():
            die()
        result = step(*args)
        if dies():
            die()
        return result

    return asynchronous if step.__name__ in ("_send", "_write") else synchronous


def main() -> None:
    plain = [
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
    structlog.configure(processors=plain)
    bootstrap, prefix, store, folder, slot, session_timeout_s, deaths = sys.argv[1:]
    for owner, step in ((Engine, "_send"), (Engine, "_write"), (under_test._Table, "apply_changelog_batch")):
        setattr(owner, step, mortal(getattr(owner, step), float(deaths)))
    engine = Engine(
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
