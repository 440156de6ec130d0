"""While Kafka is away webhooks are answered 503, soon enough for BigCommerce to hear it; when it is back so are we."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from ops.embedded_kafka import EmbeddedKafka
from schemas.topics import WEBHOOKS
from tests.ingest.process import ANSWER_S_MAX, IngestProcess, add_stores, create_topics, read_webhooks, settings_of, store, webhook

RECOVERY_S_MAX = 60.0


@pytest.fixture(scope="module")
def broker(kafka_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """One of our own, to stop and to kill."""
    with EmbeddedKafka(kafka_folder, tmp_path_factory.mktemp("kafka")) as embedded:
        yield embedded


@pytest.fixture
def ingest(broker: EmbeddedKafka, prefix: str, tmp_path: Path) -> Iterator[IngestProcess]:
    made = settings_of(broker.address, prefix)
    asyncio.run(create_topics(made))
    asyncio.run(add_stores(made, [store("abc.1")]))
    process = IngestProcess(made, tmp_path / "log").start()
    try:
        process.wait_for("/readyz")
        yield process
    finally:
        process.kill()


def refused_at_once(ingest: IngestProcess) -> None:
    """The first answer may take as long as BigCommerce waits, then many fit into that time."""
    deadline = time.monotonic() + ANSWER_S_MAX
    while ingest.deliver("abc", webhook("abc", id=2)).status_code == 200:  # Kafka is not gone yet
        assert time.monotonic() < deadline
    deadline = time.monotonic() + ANSWER_S_MAX
    for _ in range(8):  # one after the other: without a circuit they would take twice that time
        answer = ingest.deliver("abc", webhook("abc", id=2))
        assert (answer.status_code, answer.text) == (503, "Kafka is away\n")
    assert time.monotonic() < deadline
    assert ingest.status_of("/readyz") == 503
    assert ingest.status_of("/healthz") == 200
    assert ingest.deliver("abc", webhook("abc", id=2), {}).status_code == 401  # a stranger learns nothing new


def taken_again(ingest: IngestProcess) -> None:
    pid = ingest.process.pid
    deadline = time.monotonic() + RECOVERY_S_MAX
    while ingest.deliver("abc", webhook("abc", id=3)).status_code != 200:
        assert time.monotonic() < deadline, ingest.log.read_text()
        time.sleep(0.1)
    ingest.wait_for("/readyz")
    assert ingest.process.pid == pid
    keys = [record.key for record in asyncio.run(read_webhooks(ingest.settings))]
    assert b"abc.1/product/3" in keys


def test_kafka_is_stopped_and_started_again(ingest: IngestProcess, broker: EmbeddedKafka):
    assert ingest.deliver("abc", webhook("abc", id=1)).status_code == 200
    broker.stop()
    refused_at_once(ingest)
    broker.start()
    taken_again(ingest)


def test_kafka_is_killed_without_a_delivery_to_notice_it(ingest: IngestProcess, broker: EmbeddedKafka):
    os.kill(broker.pid, signal.SIGKILL)
    ingest.wait_for("/readyz", 503)
    broker.stop()
    broker.start()
    ingest.wait_for("/readyz", 200)
    taken_again(ingest)


def test_kafka_holds_its_connections_and_says_nothing(ingest: IngestProcess, broker: EmbeddedKafka):
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        refused_at_once(ingest)
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    taken_again(ingest)


def test_ingest_starts_before_kafka(ingest: IngestProcess, broker: EmbeddedKafka):
    ingest.kill()
    broker.stop()
    ingest.start()
    assert ingest.deliver("abc", webhook("abc", id=2)).text == "starting\n"
    assert ingest.status_of("/readyz") == 503
    broker.start()
    taken_again(ingest)


def test_ingest_ends_in_order_while_kafka_is_away(ingest: IngestProcess, broker: EmbeddedKafka):
    broker.stop()
    try:
        refused_at_once(ingest)
        assert ingest.stop() == 0
    finally:
        broker.start()


def test_kafka_refuses_a_record_for_good(ingest: IngestProcess):
    """The record's sequence number is spent: the same producer could never write to that partition again."""
    assert ingest.deliver("abc", webhook("abc", id=3)).status_code == 200
    limit_records(ingest, 100)
    deadline = time.monotonic() + RECOVERY_S_MAX
    while ingest.deliver("abc", webhook("abc", id=3)).status_code == 200:  # the limit does not hold yet
        assert time.monotonic() < deadline
    assert ingest.deliver("abc", webhook("abc", id=3)).status_code == 503
    limit_records(ingest, 1_000_000)
    taken_again(ingest)


def limit_records(ingest: IngestProcess, bytes_max: int) -> None:
    async def alter() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=ingest.settings.kafka)
        await admin.start()
        topic = ingest.settings.topic_prefix + WEBHOOKS.name
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(bytes_max)})])
        await admin.close()

    asyncio.run(alter())
