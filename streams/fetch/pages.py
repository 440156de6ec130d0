"""Pages of listings become the same records as live reads, beside them: with a member of the consumer group and a producer of their own.

A page is up to 900 kB, so few are in memory; it is acknowledged when Kafka has all that it holds. Between two entities the live reads,
which are in the same process, have their turn. A page of a store that is paused, or whose attributes may not be read, waits.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from bigcommerce.attributes import AttributeNames
from schemas.directory import Directory
from schemas.entities import Page
from schemas.failures import AccessLost, Reject, Undecodable
from schemas.records import Decoder, Origin, encode, origin_of
from schemas.stores import Store
from schemas.topics import PAGES
from streams.consumer import BatchConsumer
from streams.fetch import metrics
from streams.fetch.rules.page import Unread, entities_of, left_out, read_entity, unread
from streams.fetch.rules.state import Made, with_names
from streams.fetch.store import ACCESS_LOOK_S, ACCESS_TRIED_EVERY_S, when_readable
from streams.fetch.writer import Writer

log = structlog.get_logger()

IN_FLIGHT_MAX = 8  # pages, or one of each partition where it has more of these
TAKE_S = 0.2


class Pages:
    """All that is to be done about `bigcommerce.pages`."""

    def __init__(self, directory: Directory, names: Callable[[str], AttributeNames]) -> None:
        """`names` are those of a store's customer attributes, by the store's name."""
        self._directory, self._names = directory, names
        self._decoder = Decoder(PAGES.messages)
        self._under_way: dict[TopicPartition, set[asyncio.Task[None]]] = defaultdict(set)
        self._turn = asyncio.Lock()  # of one page's entities: two would make live reads wait twice as long

    async def run(self, consumer: BatchConsumer, writer: Writer) -> None:
        """Work for ever. Raises KafkaError, Fenced."""
        self._consumer, self._writer = consumer, writer
        async with asyncio.TaskGroup() as tasks:
            while True:
                for record in await consumer.take(TAKE_S):
                    task = tasks.create_task(self._read(record))
                    under_way = self._under_way[TopicPartition(record.topic, record.partition)]
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)

    async def forget(self, revoked: frozenset[TopicPartition]) -> None:
        """Nothing more is written of pages in these partitions. What was is harmless twice: states carry their versions."""
        for tp in revoked:
            for task in self._under_way[tp]:
                task.cancel()

    async def lost(self, tp: TopicPartition, first: int, count: int) -> None:
        await self._writer.put_lost(tp.topic, tp.partition, first, count)

    async def _read(self, record: ConsumerRecord) -> None:
        """The page is done when what it holds is on Kafka."""
        origin = origin_of(record.topic, record.partition, record.offset, record.timestamp, record.headers)
        page: Page | None = None
        try:
            page = self._decoder.decode(record.value, record.headers)  # type: ignore[assignment]
            assert isinstance(page, Page)
            found = await self._entities(page)
        except Undecodable as error:
            log.warning("a page cannot be read", store=page.store if page else "", field=error.field, reason=error.reason)
            await (await self._writer.put_dead_letter(record, origin, page.store if page else "", error))
            self._done(record, page, "dead_letter")
            return
        unreadable: Reject | None = None
        wanted = frozenset[str]().union(*(what.attributes for what in found if isinstance(what, Made)))
        while store := await self._open(page.store):
            try:
                unreadable = await self._learn(page.store, wanted)
                break
            except AccessLost as error:
                log.warning("a store's pages wait: access is lost", store=page.store, error=str(error))
                await self._until_changed(store)
        if not store:
            log.warning("a page of a store that was removed is not read", store=page.store, resource=page.resource)
            self._done(record, page, "removed")
            return
        await self._write(record, origin, page, found, unreadable)
        self._done(record, page, "read")

    async def _entities(self, page: Page) -> list[Made | Unread]:
        async with self._turn:
            found: list[Made | Unread] = []
            for place, entity in enumerate(entities_of(page)):
                found.append(read_entity(page, place, entity))
                await asyncio.sleep(0)
            return [*found, *left_out(page)]

    # what waits

    async def _open(self, name: str) -> Store | None:
        """The store, when it may be read; None when it was removed."""
        store = await self._directory.known(name)
        while store.paused and not store.removed:
            await asyncio.sleep(ACCESS_LOOK_S)
            store = self._directory.by_store[name]
        return None if store.removed else store

    async def _learn(self, store: str, wanted: frozenset[str]) -> Reject | None:
        """The names of these attributes are known, or why not. Raises AccessLost."""
        if wanted:
            try:
                await when_readable(lambda: self._names(store).learn(wanted))
            except Reject as error:
                return error
        return None

    async def _until_changed(self, store: Store) -> None:
        until = time.monotonic() + ACCESS_TRIED_EVERY_S
        while self._directory.by_store[store.store] is store and time.monotonic() < until:
            await asyncio.sleep(ACCESS_LOOK_S)

    # effects first, acknowledgement last

    async def _write(
        self, record: ConsumerRecord, origin: Origin, page: Page, found: list[Made | Unread], unreadable: Reject | None
    ) -> None:
        known = self._names(page.store).known
        sent = []
        async with self._turn:
            for what in found:
                sent.append(await self._send(record, origin, page, _named(page, what, known, unreadable)))
                await asyncio.sleep(0)
        await asyncio.gather(*sent)

    async def _send(self, record: ConsumerRecord, origin: Origin, page: Page, what: Made | Unread) -> asyncio.Future[Any]:
        if isinstance(what, Made):
            try:
                sent = await self._writer.put(what.topic, what.key, what.state, origin)
            except Reject as error:
                what = unread(page, what.state, error)
            else:
                metrics.WRITTEN.labels(what.state.name).inc()
                return sent
        log.warning("an entity cannot be read", store=page.store, entity=what.name, field=what.error.field, reason=what.error.reason)
        metrics.WRITTEN.labels("dead-letter").inc()
        alone = replace(record, value=encode(what.page))
        return await self._writer.put_dead_letter(alone, origin, page.store, what.error, what.name)

    def _done(self, record: ConsumerRecord, page: Page | None, outcome: str) -> None:
        metrics.PAGES.labels(page.resource if page else "", outcome).inc()
        self._consumer.done(record)


def _named(page: Page, what: Made | Unread, known: Mapping[str, str], unreadable: Reject | None) -> Made | Unread:
    if isinstance(what, Unread):
        return what
    named = with_names(what, known, unreadable)
    return named if isinstance(named, Made) else unread(page, what.state, named)
