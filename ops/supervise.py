"""Parts as child processes: started again when they end, ended in order when we are told to.

A child's stdin is a pipe that only we hold open. When we die, by whatever means, it closes and the child ends itself.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

import structlog

from ops.exits import DONE, FAILED, START_AGAIN, WRONG_USAGE
from ops.slots import Slot
from schemas.waiting import until_set

log = structlog.get_logger()
STOP_S_MAX = 30.0  # a part finishes its batch within this; then it is killed, which is safe
STEADY_S = 60.0  # a life this long was a good one: the pause before the next is short again
PAUSE_S_MIN = 1.0
PAUSE_S_MAX = 30.0


class Child:
    """A child process that is there until `stop`."""

    def __init__(
        self, name: str, command: Sequence[str], environment: dict[str, str], inherits: Iterable[int] = (), log_file: Path | None = None
    ) -> None:
        """`inherits` are file descriptors that the child keeps open: the lock of its slot. Its log goes to our stderr or to `log_file`."""
        self.name = name
        self.ends: Counter[int] = Counter()
        """How often it ended unasked, by exit code; of one that was killed, minus the signal's number."""
        self._command, self._environment, self._inherits, self._log_file = command, environment, tuple(inherits), log_file
        self._process: asyncio.subprocess.Process | None = None
        self._stopping, self._ended = asyncio.Event(), asyncio.Event()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    async def keep_running(self) -> int:
        """Starts the process, and again whenever it ends: at once after START_AGAIN, else after a pause that grows.

        Returns after `stop`, or with WRONG_USAGE when the process says that its settings are wrong.
        """
        try:
            return await self._live_again_and_again()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Ends the process: SIGTERM, after STOP_S_MAX seconds SIGKILL. Returns when it is gone; nothing starts again."""
        self._stopping.set()
        await self._ended.wait()

    async def _live_again_and_again(self) -> int:
        pause_s = 0.0
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._one_life()
            if self._stopping.is_set():
                return DONE if code in (START_AGAIN, -signal.SIGTERM) else code  # -SIGTERM: told before it listened
            if code == WRONG_USAGE:
                return code
            self.ends[code] += 1
            lived_s = time.monotonic() - started
            if code == START_AGAIN and lived_s > 1:
                log.info("starts again at once", child=self.name)
                continue
            pause_s = PAUSE_S_MIN if lived_s > STEADY_S else max(PAUSE_S_MIN, min(2 * pause_s, PAUSE_S_MAX))
            log.warning("ended by itself and starts again", child=self.name, exit_code=code, after_s=round(lived_s, 1), pause_s=pause_s)
            await until_set(self._stopping, pause_s)
        return DONE

    async def _one_life(self) -> int:
        """The exit code of one process, which lives until it ends by itself or until `stop`."""
        with self._stderr() as stderr:
            # A session of its own: Ctrl-C in a terminal is for us, and what the child started can be ended with it.
            process = self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stderr=stderr,
                env=self._environment,
                pass_fds=self._inherits,
                start_new_session=True,
            )
        life, told = asyncio.ensure_future(process.wait()), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait([life, told], return_when=asyncio.FIRST_COMPLETED)
            if not life.done():
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await asyncio.wait([life], timeout=STOP_S_MAX)
            if not life.done():
                log.warning("did not end in time and is killed", child=self.name, after_s=STOP_S_MAX)
        finally:
            told.cancel()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return await life

    def _stderr(self) -> contextlib.AbstractContextManager[IO[bytes] | None]:
        return open(self._log_file, "ab") if self._log_file else contextlib.nullcontext()


def part(name: str, environment: dict[str, str], slot: Slot | None = None, log_file: Path | None = None) -> Child:
    """A part of ours (ingest, upkeep, fetch, resolve, deliver) as a child, which holds the slot with us."""
    number, inherits = (slot.number, [slot.lock]) if slot else (0, [])
    return Child(name, [sys.executable, "-P", "-m", "ops.part", name, str(number)], environment, inherits, log_file)


def stop_signal() -> asyncio.Event:
    """Set when this process is told to end (SIGTERM, Ctrl-C)."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


async def watch_over(children: Sequence[Child], told: asyncio.Event) -> int:
    """Keeps all children running until `told`, or until one cannot run; then ends them one after the other.

    Returns DONE, FAILED where one did not end in order, or the code of the one that cannot run.
    """
    lives = [asyncio.create_task(child.keep_running()) for child in children]
    waiting = asyncio.create_task(told.wait())
    try:
        await asyncio.wait([waiting, *lives], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        for child in children:
            await child.stop()
        codes = await asyncio.gather(*lives)
    if WRONG_USAGE in codes:
        return WRONG_USAGE
    return FAILED if any(codes) else DONE
