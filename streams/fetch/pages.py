"""Pages of listings become the same records as live reads, beside them: with a member of the consumer group and a producer of their own.

A page is up to 900 kB, so few are in memory; it is acknowledged when Kafka has all that it holds. Between two entities the live reads,
which are in the same process, have their turn.
"""

import asyncio
from collections import defaultdict
from dataclasses import replace
from typing import Any

import msgspec
import structlog
from aiokafka import ConsumerRecord, TopicPartition

from schemas.directory import Directory
from schemas.entities import Page
from schemas.failures import Reject, Undecodable
from schemas.records import Decoder, Origin, encode, origin_of
from schemas.topics import PAGES
from streams.consumer import BatchConsumer
from streams.fetch import metrics
from streams.fetch.rules.page import LIVE_MAX, Unread, entities_of, is_live, left_out, read_entity, unread
from streams.fetch.rules.state import Made
from streams.fetch.writer import Writer

log = structlog.get_logger()

IN_FLIGHT_MAX = 8  # pages, or one of each partition where it has more of these
TAKE_S = 0.2


class Pages:
    """All that is to be done about `bigcommerce.pages`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._decoder = Decoder(PAGES.messages)
        self._under_way: dict[TopicPartition, set[asyncio.Task[None]]] = defaultdict(set)
        self._turn = asyncio.Lock()  # of one page's entities: with two at once live reads would wait twice as long

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
        """What retention removed unread is on record."""
        await self._writer.put_lost(tp.topic, tp.partition, first, count)

    async def _read(self, record: ConsumerRecord) -> None:
        """The page is done when what it holds is on Kafka."""
        origin = origin_of(record.topic, record.partition, record.offset, record.timestamp, record.headers)
        store, resource = "", ""
        try:
            page: Any = self._decoder.decode(record.value, record.headers)
            store, resource = page.store, page.resource
            entities = entities_of(page)
        except Undecodable as error:
            log.warning("a page cannot be read", store=store, field=error.field, reason=error.reason)
            await (await self._writer.put_dead_letter(record, origin, store, error))
            self._done(record, resource, "dead_letter")
            return
        known = self._directory.by_store.get(store)
        if known and known.removed:
            log.warning("a page of a store that was removed is not read", store=store, resource=resource)
            self._done(record, resource, "removed")
            return
        # Pages of an earlier load may still come when `--events none` was said: its purchases are not wanted any more.
        page = msgspec.structs.replace(page, events_from_ms=max(page.events_from_ms, known.events_from_ms if known else 0))
        sent, live_left = [], LIVE_MAX
        async with self._turn:
            for place, entity in enumerate(entities):
                what = read_entity(page, place, entity)
                live = live_left > 0 and isinstance(what, Made) and is_live(page, what)
                live_left -= live
                sent.append(await self._send(record, origin, page, what, live=live))
                await asyncio.sleep(0)
            sent += [await self._send(record, origin, page, what) for what in left_out(page)]
        await asyncio.gather(*sent)
        self._done(record, resource, "read")

    async def _send(
        self, record: ConsumerRecord, origin: Origin, page: Page, what: Made | Unread, *, live: bool = False
    ) -> asyncio.Future[Any]:
        """`live`: the state is its own cause, for whatever has a page for its cause is history."""
        if isinstance(what, Made):
            try:
                sent = await self._writer.put(
                    what.topic, what.key, what.state, msgspec.structs.replace(origin, cause="") if live else origin
                )
            except Reject as error:
                what = unread(page, what.state, error)
            else:
                metrics.WRITTEN.labels(what.state.name).inc()
                return sent
        log.warning("an entity cannot be read", store=page.store, entity=what.name, field=what.error.field, reason=what.error.reason)
        metrics.WRITTEN.labels("dead-letter").inc()
        alone = replace(record, value=encode(what.page))
        return await self._writer.put_dead_letter(alone, origin, page.store, what.error, what.name)

    def _done(self, record: ConsumerRecord, resource: str, outcome: str) -> None:
        metrics.PAGES.labels(resource, outcome).inc()
        self._consumer.done(record)
