"""The time between accepted and applied. A queue does not keep the order of requests: each waits a time of its own.

(Where the least and the most time are the same, the order is kept.)
"""

import asyncio
import time
from collections.abc import Sequence
from random import Random

from simulators.engagement.project import Command, Project


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Queue:
    """Applies what it was given after a while."""

    def __init__(self, rng: Random) -> None:
        self.pending = 0  # commands
        self._rng = rng
        self._empty = asyncio.Event()
        self._empty.set()

    def put(self, project: Project, commands: Sequence[Command], delay_ms: tuple[int, int], *, shuffled: bool) -> None:
        """One request's commands, applied together after a delay, in an order of their own where `shuffled`."""
        if not commands:
            return
        if shuffled:
            commands = self._rng.sample(commands, len(commands))
        self.pending += len(commands)
        self._empty.clear()
        delay_s = self._rng.uniform(*delay_ms) / 1000
        asyncio.get_running_loop().call_later(delay_s, self._apply, project, commands)

    async def drained(self) -> None:
        """Returns when nothing waits."""
        await self._empty.wait()

    def _apply(self, project: Project, commands: Sequence[Command]) -> None:
        at_ms = now_ms()
        try:
            for command in commands:
                project.apply(command, at_ms)
        finally:
            self.pending -= len(commands)
            if not self.pending:
                self._empty.set()
