"""Pages in this process. Real: Pages, its rules, the writer. Doubled: Kafka's consumer and producer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import orjson
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError
from pydantic import SecretStr

from schemas.directory import Directory
from schemas.entities import Page
from schemas.records import Origin, encode, headers_of
from schemas.settings import Settings
from schemas.topics import PAGES
from streams.fetch.pages import Pages
from streams.fetch.writer import Writer
from tests.streams.fetch.stage import SECRET_KEY, STORE

DEADLINE_S = 30
EARLIER = "2020-01-01T00:00:00Z"


def record(partition: int, *ids: int) -> ConsumerRecord:
    """A page of orders."""
    orders = [{"id": id, "status_id": 11, "products": [], "date_created": EARLIER, "date_modified": EARLIER} for id in ids]
    page = Page(store=STORE, resource="order", run="r", page=0, read_at_ms=1, body=msgspec.Raw(orjson.dumps(orders)))
    value, headers = encode(page), headers_of(page, Origin("", 1))
    return ConsumerRecord(PAGES.name, partition, 0, 1, 0, b"key", value, None, 3, len(value), headers)


class Kafka:
    """A consumer that has `waiting`, and a producer whose records are acknowledged when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[ConsumerRecord] = []
        self.acknowledged: list[ConsumerRecord] = []
        self.sent: list[tuple[bytes, asyncio.Future[None]]] = []

    async def take(self, wait_s: float) -> list[ConsumerRecord]:
        await asyncio.sleep(0.001)
        taken, self.waiting = self.waiting, []
        return taken

    def done(self, record: ConsumerRecord) -> None:
        self.acknowledged.append(record)

    async def send(self, topic: str, value: bytes, key: bytes, headers: Any) -> asyncio.Future[None]:
        self.sent.append((key, asyncio.get_running_loop().create_future()))
        return self.sent[-1][1]

    def written(self) -> list[str]:
        return [key.decode().rpartition("-")[2] for key, _ in self.sent]

    def acknowledge(self, count: int | None = None) -> None:
        for _, future in self.sent[:count]:
            if not future.done():
                future.set_result(None)

    async def until_sent(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.sent) < count:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)  # were there more, they would come now


@pytest.fixture
def kafka() -> Kafka:
    return Kafka()


@pytest.fixture
def pages() -> Pages:
    return Pages(Directory(Settings(_env_file=None, secret_key=SecretStr(SECRET_KEY))))


@pytest.fixture
async def running(pages: Pages, kafka: Any) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(pages.run(kafka, Writer(kafka, "", lambda: False)))
    yield task
    task.cancel()
    await asyncio.wait({task})


@pytest.mark.usefixtures("running")
async def test_a_page_is_acknowledged_when_all_its_records_are(kafka: Kafka):
    page = record(0, 1, 2, 3)
    kafka.waiting.append(page)
    await kafka.until_sent(3)
    kafka.acknowledge(2)
    await asyncio.sleep(0.02)
    assert kafka.acknowledged == []
    kafka.acknowledge()
    async with asyncio.timeout(DEADLINE_S):
        while not kafka.acknowledged:
            await asyncio.sleep(0.001)
    assert kafka.acknowledged == [page]


@pytest.mark.usefixtures("running")
async def test_a_page_that_waits_for_its_acknowledgements_holds_back_no_other(kafka: Kafka):
    kafka.waiting += [record(0, 1, 2), record(1, 3)]
    await kafka.until_sent(3)
    assert kafka.written() == ["1", "2", "3"]


async def test_a_record_that_kafka_refuses_ends_the_process_without_acknowledging(kafka: Kafka, running: asyncio.Task[None]):
    kafka.waiting.append(record(0, 1, 2))
    await kafka.until_sent(2)
    kafka.sent[0][1].set_exception(KafkaTimeoutError())
    await asyncio.wait({running}, timeout=DEADLINE_S)
    error = running.exception()
    assert isinstance(error, ExceptionGroup)
    assert error.split(KafkaError)[1] is None
    assert kafka.acknowledged == []


@pytest.mark.usefixtures("running")
async def test_nothing_more_is_written_of_a_page_whose_partition_goes(pages: Pages, kafka: Kafka):
    first, second = record(0, *range(1, 5001)), record(1, 6000)
    kafka.waiting += [first, second]
    await kafka.until_sent(1)
    before = len(kafka.sent)
    await pages.forget(frozenset({TopicPartition(PAGES.name, 0)}))
    async with asyncio.timeout(DEADLINE_S):
        while "6000" not in kafka.written():
            await asyncio.sleep(0.001)
    assert len(kafka.sent) <= before + 2
    kafka.acknowledge()
    async with asyncio.timeout(DEADLINE_S):
        while not kafka.acknowledged:
            await asyncio.sleep(0.001)
    assert kafka.acknowledged == [second]


@pytest.mark.usefixtures("running")
async def test_others_have_their_turn_between_two_entities(kafka: Kafka):
    kafka.waiting.append(record(0, *range(1, 501)))
    turns = 0
    while len(kafka.sent) < 500:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 499
