"""A small world around deliver: a real Kafka with its topics, a simulated Engagement, a store, and commands."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.partitioner import DefaultPartitioner

from engagement import commands
from schemas.commands import CatalogWrite, Command
from schemas.committed import Committed
from schemas.connection import admin_client, consumer, kafka_options, offsets_of, producer, read_topic
from schemas.dead_letters import DeadLetter
from schemas.records import Decoder, Message, Origin, encode, headers_of
from schemas.settings import Settings
from schemas.stores import Seal, Store
from schemas.topics import CATALOG, COMMANDS, DEAD_LETTERS, HISTORY, STORES, Topic, group
from streams.deliver.app import run

PARTITIONS = 2
SESSION_S = 12.0  # a process that gets no turn for half of it gives up
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
BEGIN_MS = 1_709_566_376_000
ORIGIN = Origin("", BEGIN_MS)


def ids(lane: str) -> dict[str, str]:
    return {"email_id": f"{lane}@example.com"}


def event(lane: str, number: int, store: str = "s.1") -> Command:
    data = commands.event(ids(lane), "purchase", BEGIN_MS + number, {"purchase_id": f"{lane}-{number}"})
    return Command(store=store, number=number, kind="customers/events", data=msgspec.Raw(data))


def consent(lane: str, number: int, store: str = "s.1") -> Command:
    properties = {"category": "bigcommerce", "action": "accept" if number % 2 else "reject", "number": number}
    data = commands.event(ids(lane), "consent", BEGIN_MS + number, properties)
    return Command(store=store, number=number, kind="customers/events", data=msgspec.Raw(data), consent=True)


def anonymize(lane: str, number: int, store: str = "s.1") -> Command:
    return Command(store=store, number=number, kind="anonymize", data=msgspec.Raw(commands.anonymize(ids(lane))))


def write(id: str, catalog: str = "products", store: str = "s.1", **properties: Any) -> CatalogWrite:
    return CatalogWrite(store=store, catalog=catalog, item_id=id, properties=msgspec.Raw(msgspec.json.encode(properties)))


def remove(id: str, catalog: str = "products", store: str = "s.1") -> CatalogWrite:
    return CatalogWrite(store=store, catalog=catalog, item_id=id, properties=msgspec.Raw(b"null"))


async def until(condition: Callable[[], Awaitable[bool] | bool], within_s: float = 40, what: str = "") -> None:
    deadline = time.monotonic() + within_s
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.1)


class World:
    def __init__(self, kafka: str, prefix: str, settle_s: float = 1.2) -> None:
        self.settings = Settings(kafka=kafka, topic_prefix=prefix, partitions=PARTITIONS, settle_s=settle_s, secret_key=KEY)
        self.sent = self.written = 0

    async def start(self) -> None:
        admin = AIOKafkaAdminClient(**kafka_options(self.settings))
        await admin.start()
        try:
            names = [self.topic(topic.name) for topic in (COMMANDS, HISTORY, CATALOG, DEAD_LETTERS, STORES)]
            await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
        finally:
            await admin.close()
        self._producer: AIOKafkaProducer = producer(kafka_options(self.settings))
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    def topic(self, name: str) -> str:
        return self.settings.topic_prefix + name

    async def add(self, store: Store) -> None:
        seal = Seal(self.settings)
        sealed = msgspec.structs.replace(store, api_key_id=seal.close(store.api_key_id), api_secret=seal.close(store.api_secret))
        await (await self._put(STORES.name, store.store, sealed))

    async def send(self, lane: str, *messages: Command, topic: Topic = COMMANDS) -> None:
        for sent in await self.send_soon(lane, *messages, topic=topic):
            await sent

    async def send_soon(self, lane: str, *messages: Command, topic: Topic = COMMANDS) -> list[asyncio.Future[Any]]:
        """In this order; they stand on Kafka when all are awaited."""
        self.sent += len(messages)
        return [await self._put(topic.name, lane, message) for message in messages]

    async def flush(self) -> None:
        """All that was sent stands on Kafka."""
        await self._producer.flush()

    def partition_of(self, lane: str) -> int:
        """The same in every topic."""
        partitions = list(range(PARTITIONS))
        found: int = DefaultPartitioner()(lane.encode(), partitions, partitions)
        return found

    async def write(self, *writes: CatalogWrite, product: str = "7") -> None:
        """They stand on `engagement.catalog`, in this order."""
        for sent in [await self._put(CATALOG.name, f"{write.store}/{product}", write) for write in writes]:
            await sent
        self.written += len(writes)

    async def send_raw(self, lane: str, value: bytes) -> None:
        """A record that is no command."""
        await self._producer.send_and_wait(self.topic(COMMANDS.name), value, lane.encode(), headers=[("schema", b"command/1")])
        self.sent += 1

    async def write_raw(self, value: bytes) -> None:
        """A record that is no catalog write."""
        await self._producer.send_and_wait(self.topic(CATALOG.name), value, b"s.1/7", headers=[("schema", b"catalog-write/1")])
        self.written += 1

    async def _put(self, topic: str, key: str, message: Message) -> asyncio.Future[Any]:
        headers = list(headers_of(message, ORIGIN))
        sent: asyncio.Future[Any] = await self._producer.send(self.topic(topic), encode(message), key.encode(), headers=headers)
        return sent

    async def committed(self) -> int:
        """How many records deliver has acknowledged."""
        return sum(await self.committed_each())

    async def written_each(self) -> list[int]:
        return await self.committed_each((CATALOG,))

    async def all_written(self, within_s: float = 60) -> None:
        """Every record of `engagement.catalog` is acknowledged."""

        async def is_acknowledged() -> bool:
            return sum(await self.written_each()) == self.written

        await until(is_acknowledged, within_s, "every catalog write acknowledged")

    async def committed_each(self, topics: Sequence[Topic] = (COMMANDS, HISTORY)) -> list[int]:
        """Of each partition, how many records."""
        return [stands.done for stands in await self.stands(topics)]

    async def stands(self, topics: Sequence[Topic] = (COMMANDS, HISTORY)) -> list[Committed]:
        """What deliver has committed for each partition."""
        partitions = [TopicPartition(self.topic(topic.name), p) for topic in topics for p in range(PARTITIONS)]
        async with admin_client(self.settings) as admin:
            reader = consumer(self.settings)
            await reader.start()
            try:
                found = await offsets_of(admin, reader, group(self.settings.topic_prefix, "deliver"), partitions)
            finally:
                await reader.stop()
        return [found[tp] for tp in partitions]

    async def shares(self) -> bool:
        """Whether the group has shared its partitions out among two members."""
        admin = AIOKafkaAdminClient(**kafka_options(self.settings))
        await admin.start()
        try:
            [answer] = await admin.describe_consumer_groups([group(self.settings.topic_prefix, "deliver")])
        except GroupCoordinatorNotAvailableError:
            return False
        finally:
            await admin.close()
        _, _, state, _, _, members, *_ = answer.groups[0]
        return state == "Stable" and len(members) == 2

    async def is_acknowledged(self) -> bool:
        return await self.committed() == self.sent

    async def all_acknowledged(self, within_s: float = 60) -> None:
        await until(self.is_acknowledged, within_s, "every record acknowledged")

    async def dead_letters(self) -> list[DeadLetter]:
        decoder = Decoder(DEAD_LETTERS.messages)
        found = [decoder.decode(record.value, record.headers) for record in await read_topic(self.settings, DEAD_LETTERS.name)]
        return [letter for letter in found if isinstance(letter, DeadLetter)]

    @contextlib.asynccontextmanager
    async def delivering(self, slot: int = 0, **settings: object) -> AsyncIterator[asyncio.Task[int]]:
        """deliver works, in this process, with some `settings` of its own, and ends in order."""
        told = asyncio.Event()
        task = asyncio.create_task(run(self.settings.model_copy(update=settings), slot, SESSION_S, told))
        try:
            yield task
        finally:
            told.set()
            assert await asyncio.wait_for(task, 60) == 0


def purchases(events: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(event["properties"]["purchase_id"] for event in events if event["type"] == "purchase")


def consents(events: Iterable[dict[str, Any]]) -> list[float]:
    return sorted(event["timestamp"] for event in events if event["type"] == "consent")
