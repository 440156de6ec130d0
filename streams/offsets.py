"""Where a new consumer group begins, said once, so that no start ever has to guess."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient


class MissingTopic(Exception):
    """A topic does not exist; the message names it."""


async def partition_counts(kafka: Mapping[str, Any], topics: Iterable[str]) -> dict[str, int]:
    """How many partitions each of `topics` has; a topic that does not exist is left out.

    `kafka` is what aiokafka's clients take: `bootstrap_servers` and the security settings.
    """
    admin = AIOKafkaAdminClient(**kafka)
    await admin.start()
    try:
        there = set(await admin.list_topics()) & set(topics)  # to ask for one that is not there may create it
        found = await admin.describe_topics(list(there)) if there else []
        return {topic["topic"]: len(topic["partitions"]) for topic in found if not topic["error_code"]}
    finally:
        await admin.close()


async def commit_beginning_offsets(kafka: Mapping[str, Any], group: str, topics: Iterable[str]) -> int:
    """Every partition of `topics` has a committed offset in `group`; returns how many had none and got their beginning.

    What is committed already stays. While members of the group are alive Kafka refuses the commit (aiokafka's
    UnknownMemberIdError): stop them first. Raises MissingTopic.
    """
    topics = list(topics)
    counts = await partition_counts(kafka, topics)
    for topic in topics:
        if topic not in counts:
            raise MissingTopic(f"topic {topic} does not exist")
    partitions = [TopicPartition(topic, number) for topic, count in counts.items() for number in range(count)]
    consumer = AIOKafkaConsumer(**kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(partitions)
        new = [partition for partition in partitions if await consumer.committed(partition) is None]
        if new:
            await consumer.commit(await consumer.beginning_offsets(new))
        return len(new)
    finally:
        await consumer.stop()
