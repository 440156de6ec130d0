"""A member of a consumer group: its name, the same after a restart, so that it gets its partitions back; when it was last heard of;
and how its process ends."""

import asyncio
import os
import secrets
import signal
import time
import zlib
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from schemas.settings import Settings

log = structlog.get_logger()


class Fenced(Exception):
    """Another process may own our partitions by now: this one must not write or send any more."""


def member_name(settings: Settings, slot: int) -> str:
    """The name of the worker in `slot` among all members of its group; see `instance_id`.

    Slots are numbered for each data folder alone, so the folder's own random name is part of it; a slot that an operator
    numbered (CARTSTREAM_SLOT) is unique by that.
    """
    return str(slot) if settings.slot is not None else f"{_folder_name(settings.data)}-{slot}"


def instance_id(group: str, member: str, topics: Iterable[str]) -> str:
    """The `group.instance.id` of a static member of `group` that reads `topics`; `member` names it among all that live.

    One that is back with other topics is another member: Kafka would give it the partitions of its old ones alone.
    """
    return f"{group}-{member}-{zlib.crc32(' '.join(topics).encode()):08x}"


def _folder_name(data: Path) -> str:
    file = data / "name"
    data.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        made = data / f"name.{os.getpid()}"
        made.write_text(secrets.token_hex(4))
        try:
            os.link(made, file)  # of workers that start together one gives the name
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return file.read_text()


class Heartbeat:
    """When the group last heard of a member: a process that was stopped and wakes sees that another may have its partitions."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        """`consumer` is started, and a member of a group."""
        self._at = time.monotonic()
        # aiokafka (0.14, pinned) tells nobody when its last good heartbeat was; it looks the method up at each beat.
        coordinator = consumer._coordinator  # noqa: SLF001
        beat = coordinator._do_heartbeat  # noqa: SLF001

        async def timed_beat() -> bool:
            sent_at = time.monotonic()  # not the answer's time: the broker counts from when it was asked
            good: bool = await beat()
            if good:
                self._at = sent_at
            return good

        coordinator._do_heartbeat = timed_beat  # noqa: SLF001

    def joined(self) -> None:
        """The broker has just answered that it is a member."""
        self._at = time.monotonic()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._at


async def until_told(part: str, work: Coroutine[Any, Any, None], again: type[Exception] = Fenced) -> int:
    """Works until SIGTERM or SIGINT, then 0; else as `exit_code`. `work` has no end of its own."""
    loop, task = asyncio.get_running_loop(), asyncio.create_task(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info(f"{part} ends")
        return 0
    except ExceptionGroup as failed:
        return exit_code(part, failed, again)
    raise AssertionError("it works for ever")


def exit_code(part: str, failed: ExceptionGroup[Exception], again: type[Exception] = Fenced) -> int:
    """75, to be started again at once, where all that failed is Fenced, KafkaError or `again`; 70 after a bug. Called in its handler."""
    if failed.split((Fenced, KafkaError, again))[1] is None:
        log.warning(f"{part} starts again: it was away for too long, or Kafka failed it", why=repr(failed.exceptions[0]))
        return 75
    log.exception(f"a bug: {part} ends without acknowledging")
    return 70
