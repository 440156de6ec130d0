"""The fetch process: the records of `bigcommerce.webhooks` go to their stores, and each store reads by itself; beside it, pages."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from bigcommerce.client import BigCommerce
from schemas.connection import kafka_options, producer
from schemas.directory import Directory
from schemas.failures import Undecodable
from schemas.membership import member_name, until_told
from schemas.records import Decoder, origin_of
from schemas.settings import Settings
from schemas.topics import PAGES, WEBHOOKS, group
from streams.consumer import BatchConsumer, started
from streams.fetch import pages
from streams.fetch.metrics import HELD, RECORDS
from streams.fetch.pages import Pages
from streams.fetch.rules.queue import Claim
from streams.fetch.rules.route import RESOURCES, Look, Nowhere, Told, route
from streams.fetch.store import StoreFetch
from streams.fetch.writer import Writer

log = structlog.get_logger()

IN_FLIGHT_MAX = 20_000  # records, of about 500 bytes; a store that waits holds its own of them
TAKE_S = 0.2


def main(settings: Settings, slot: int, session_timeout_s: float = 45.0) -> int:
    """Work until SIGTERM or SIGINT, then 0; 75 when it wants to be started again at once; 70 after a bug.

    75: another process may own our partitions by now, or Kafka failed us. Raises Unavailable, WrongSetting where it cannot start.
    """
    return asyncio.run(Fetch(settings, slot, session_timeout_s).run())


class Fetch:
    """One fetch process."""

    def __init__(self, settings: Settings, slot: int, session_timeout_s: float) -> None:
        """Raises WrongSetting."""
        self._settings = settings
        self._directory = Directory(settings)
        options, prefix = kafka_options(settings), settings.topic_prefix
        self._pages = Pages(self._directory)
        member = member_name(settings, slot)
        shared: Any = {"options": options, "group": group(prefix, "fetch"), "session_timeout_s": session_timeout_s}
        self._consumer = BatchConsumer(
            **shared,
            topics=[prefix + WEBHOOKS.name],
            member=member,
            in_flight_max=IN_FLIGHT_MAX,
            on_revoked=self._forget,
            on_lost=self._lost,
            several=self._directory.has_several,
        )
        self._page_consumer = BatchConsumer(
            **shared,
            topics=[prefix + PAGES.name],
            member=f"{member}-pages",
            in_flight_max=pages.IN_FLIGHT_MAX,
            on_revoked=self._pages.forget,
            on_lost=self._pages.lost,
        )
        self._options = options
        self._decoder = Decoder(WEBHOOKS.messages)
        self._stores: dict[str, StoreFetch] = {}

    async def run(self) -> int:
        """As `main`."""
        async with contextlib.AsyncExitStack() as stack:
            await self._directory.start()
            stack.push_async_callback(self._directory.stop)
            self._bigcommerce = await stack.enter_async_context(BigCommerce(self._settings.bigcommerce_api))
            self._writer = await self._start_writer(stack, self._consumer)
            self._page_writer = await self._start_writer(stack, self._page_consumer)
            for consumer in (self._consumer, self._page_consumer):
                await started(consumer)
                stack.push_async_callback(consumer.stop)
            return await until_told("fetch", self._work())

    async def _start_writer(self, stack: contextlib.AsyncExitStack, consumer: BatchConsumer) -> Writer:
        sender = producer(self._options)
        stack.push_async_callback(sender.stop)
        await started(sender)
        return Writer(sender, self._settings.topic_prefix, consumer.fenced)

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as self._tasks:
            self._start(self._pages.run(self._page_consumer, self._page_writer))
            while True:
                for record in await self._consumer.take(TAKE_S):
                    await self._route(record)
                for resource in RESOURCES:
                    HELD.labels(resource).set(sum(len(store.queues[resource].entries) for store in self._stores.values()))

    async def _route(self, record: ConsumerRecord) -> None:
        """The record is handed on to its store; it is done when what it causes is."""
        origin = origin_of(record.topic, record.partition, record.offset, record.timestamp, record.headers)
        store = ""
        try:
            message: Any = self._decoder.decode(record.value, record.headers)
            store = message.store
            target = route(message)
        except Undecodable as error:
            self._start(self._refuse(record, store, error))
            return
        match target:
            case Look():
                self._store(store).look(target, record, origin)
            case Told():
                self._start(self._store(store).end(target, record, origin))
            case Nowhere(resource=resource):
                RECORDS.labels(resource, "untracked").inc()
                self._consumer.done(record)

    async def _refuse(self, record: ConsumerRecord, store: str, error: Undecodable) -> None:
        origin = origin_of(record.topic, record.partition, record.offset, record.timestamp, record.headers)
        await (await self._writer.put_dead_letter(record, origin, store, error))
        RECORDS.labels("", "dead_letter").inc()
        self._consumer.done(record)

    def _store(self, name: str) -> StoreFetch:
        if name not in self._stores:
            store = StoreFetch(name, self._directory, self._bigcommerce, self._writer, self._consumer.done)
            self._stores[name] = store
            for resource in RESOURCES:
                self._start(store.run(resource))
        return self._stores[name]

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.create_task(work)

    async def _lost(self, tp: TopicPartition, first: int, count: int) -> None:
        await self._writer.put_lost(tp.topic, tp.partition, first, count)

    async def _forget(self, revoked: frozenset[TopicPartition]) -> None:
        """Nothing more is read for these partitions. What is being written is harmless twice: states carry their versions."""

        def is_lost(claim: Claim) -> bool:
            return TopicPartition(claim.record.topic, claim.record.partition) in revoked

        for store in self._stores.values():
            for queue in store.queues.values():
                queue.forget(is_lost)
