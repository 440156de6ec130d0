"""From settings to Kafka clients: the one place that knows how we log in to Kafka, what we ask of a producer, and how a topic is read."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from schemas.committed import Committed, committed_of
from schemas.failures import Unavailable
from schemas.records import Message, Origin, encode, headers_of
from schemas.settings import Settings

REQUEST_TIMEOUT_MS = 20_000
STALLED_S = 30.0  # a topic of which nothing more comes for this long cannot be read now


def kafka_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments that every aiokafka client takes: address and security."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka.split(","),
        "security_protocol": settings.kafka_security,
    }
    if settings.kafka_security.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=str(settings.kafka_ca) if settings.kafka_ca else None)
    if settings.kafka_security.startswith("SASL"):
        options |= {
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options


def producer(options: dict[str, Any], *, linger_ms: int = 5, request_timeout_ms: int = REQUEST_TIMEOUT_MS) -> AIOKafkaProducer:
    """A producer whose awaited send means: all in-sync replicas have the record, once and in order."""
    return AIOKafkaProducer(**options, acks="all", enable_idempotence=True, linger_ms=linger_ms, request_timeout_ms=request_timeout_ms)


async def send_all(sender: AIOKafkaProducer, topic: str, records: Sequence[tuple[str, Message]], partition: int | None = None) -> None:
    """All in-sync replicas have these messages, by key, that nothing caused but us; `topic` with its prefix. Raises KafkaError."""
    origin = Origin(cause="", observed_at_ms=time.time_ns() // 1_000_000)
    sent = [
        await sender.send(topic, encode(message), key.encode(), partition=partition, headers=list(headers_of(message, origin)))
        for key, message in records
    ]
    await asyncio.gather(*sent)


async def stop_client(client: AIOKafkaConsumer) -> None:
    """It is stopped. aiokafka (0.14) may let a cancel of its own out, where a fetch has just timed out or Kafka is away."""
    try:
        await client.stop()
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) and task.cancelling():
            raise


def consumer(settings: Settings) -> AIOKafkaConsumer:
    """A consumer without a group, for reading that commits nothing."""
    return AIOKafkaConsumer(**kafka_options(settings), enable_auto_commit=False, request_timeout_ms=REQUEST_TIMEOUT_MS)


@contextlib.contextmanager
def reaching_kafka(settings: Settings) -> Iterator[None]:
    """Whatever Kafka refuses inside comes out as Unavailable, which says what to do."""
    try:
        yield
    except (KafkaError, OSError) as error:
        set_by_somebody = "kafka" in settings.model_fields_set
        mend = "check CARTSTREAM_KAFKA and that it runs" if set_by_somebody else "start `cartstream up`, or set CARTSTREAM_KAFKA"
        reason = " ".join(str(error).split())  # some of aiokafka's are a paragraph
        raise Unavailable(f"Kafka at {settings.kafka} cannot be used ({reason}); {mend}") from error


@contextlib.asynccontextmanager
async def admin_client(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client. Whatever Kafka refuses inside comes out as Unavailable."""
    client = AIOKafkaAdminClient(**kafka_options(settings), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        with reaching_kafka(settings):
            await client.start()
            yield client
    finally:
        await client.close()


async def partitions_of(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> list[TopicPartition]:
    """The partitions that these topics really have. Raises Unavailable naming one that does not exist."""
    # All topics are asked for: asking for one by its name would make it, where Kafka creates topics by itself.
    found = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics() if not topic["error_code"]}
    if missing := [topic for topic in topics if topic not in found]:
        raise Unavailable(f"the topic {missing[0]} does not exist; run `cartstream topics`")
    return [TopicPartition(topic, number) for topic in topics for number in sorted(p["partition"] for p in found[topic])]


async def offsets_of(
    admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer, group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, Committed]:
    """Where a consumer group goes on in these partitions. Raises KafkaError."""
    found = await admin.list_consumer_group_offsets(group, partitions=partitions)
    begins = await reader.beginning_offsets(partitions)
    # Below the beginning there is nothing left to do; without a commit the group begins there.
    committed = {tp: committed_of(found[tp].offset, found[tp].metadata) if tp in found else Committed(-1) for tp in partitions}
    return {tp: committed[tp].not_before(begins[tp]) for tp in partitions}


async def read_to_end(reader: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """All records of these partitions, from their beginning to the end that they have now; a partition's own in their order.

    Raises Unavailable when nothing comes for STALLED_S, KafkaError.
    """
    reader.assign(partitions)
    await reader.seek_to_beginning(*partitions)
    ends = await reader.end_offsets(partitions)
    heard = time.monotonic()
    while any([await reader.position(tp) < end for tp, end in ends.items()]):
        batches = await reader.getmany(timeout_ms=200)
        if batches:
            heard = time.monotonic()
        elif time.monotonic() - heard > STALLED_S:
            raise Unavailable(f"nothing more of {partitions[0].topic} came within {STALLED_S:.0f} s; check Kafka")
        for records in batches.values():
            for record in records:
                yield record


async def read_topic(settings: Settings, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
    """All records of a topic (`topic` without its prefix), to its present end. Raises Unavailable."""
    async with admin_client(settings) as admin:
        partitions = await partitions_of(admin, [settings.topic_prefix + topic])
        reader = consumer(settings)
        try:
            await reader.start()
            return [record async for record in read_to_end(reader, partitions)]
        finally:
            await reader.stop()
