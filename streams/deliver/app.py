"""The deliver process: wiring, start and end."""

import asyncio
import contextlib
import signal

import structlog

from engagement.client import Client
from schemas.connection import kafka_options, producer
from schemas.directory import Directory
from schemas.membership import exit_code, member_name
from schemas.settings import Settings
from schemas.topics import HISTORY, STAGES, group
from streams.consumer import BatchConsumer, started
from streams.deliver.history import AHEAD
from streams.deliver.loop import Deliver

log = structlog.get_logger()

IN_FLIGHT_MAX = 10_000  # records, of about a kilobyte each
COMMIT_S = 0.25  # an anonymization waits for two commits


def main(settings: Settings, slot: int, session_timeout_s: float = 45.0) -> int:
    """Work until SIGTERM or SIGINT, then 0; 75 when it wants to be started again at once; 70 after a bug.

    75: another process may own our partitions by now, or Kafka failed us. Raises Unavailable, WrongSetting where it
    cannot start.
    """
    return asyncio.run(_until_signal(settings, slot, session_timeout_s))


async def _until_signal(settings: Settings, slot: int, session_timeout_s: float) -> int:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return await run(settings, slot, session_timeout_s, told)


async def run(settings: Settings, slot: int, session_timeout_s: float, told: asyncio.Event) -> int:
    """As `main`, until `told`."""
    options, prefix = kafka_options(settings), settings.topic_prefix
    directory = Directory(settings)
    async with contextlib.AsyncExitStack() as stack:
        await directory.start()
        stack.push_async_callback(directory.stop)
        dead_letters = producer(options)
        stack.push_async_callback(dead_letters.stop)
        await started(dead_letters)
        deliver = Deliver(settings, directory, dead_letters)
        consumer = BatchConsumer(
            options=options,
            group=group(prefix, "deliver"),
            topics=[prefix + topic.name for topic in STAGES["deliver"]],
            member=member_name(settings, slot),
            session_timeout_s=session_timeout_s,
            in_flight_max=IN_FLIGHT_MAX,
            background={prefix + HISTORY.name: AHEAD},
            commit_s=COMMIT_S,
            on_assigned=deliver.begin,
            on_revoked=deliver.forget,
            on_lost=deliver.lost,
            metadata=deliver.metadata,
            several=directory.has_several,
        )
        client = Client(consumer.call_s_max)
        stack.push_async_callback(client.close)
        await started(consumer)
        stack.push_async_callback(consumer.stop)
        try:
            await deliver.run(consumer, client, told)
        except ExceptionGroup as failed:
            return exit_code("deliver", failed)
    log.info("deliver ends")
    return 0
