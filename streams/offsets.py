"""Where a consumer group stands, and where a new one begins, so that no start ever has to guess."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import NotCoordinatorForGroupError, for_code

OFFSET_FETCH = 9  # Kafka's key of the request


class MissingTopic(Exception):
    """A topic does not exist; the message names it."""


def heed_group_errors(consumer: AIOKafkaConsumer) -> None:
    """From now on this (started) consumer asks again where the group's coordinator cannot tell its offsets yet.

    aiokafka (0.14, pinned) overlooks an error that stands beside the partitions, not in them: a coordinator that has just
    started or moved would look like a group that never committed, and all would begin anew.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    send = coordinator._send_req  # noqa: SLF001

    async def send_and_check(request: Any) -> Any:
        answer = await send(request)
        if request.API_KEY == OFFSET_FETCH and (code := getattr(answer, "error_code", 0)):
            error = for_code(code)
            if error is NotCoordinatorForGroupError:
                coordinator.coordinator_dead()
            raise error  # aiokafka tries again after those that pass
        return answer

    coordinator._send_req = send_and_check  # noqa: SLF001


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

    What is committed already stays. While members of the group are alive Kafka refuses the commit: stop them first.
    Raises MissingTopic, aiokafka's CommitFailedError.
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
        heed_group_errors(consumer)
        consumer.assign(partitions)
        new = [partition for partition in partitions if await consumer.committed(partition) is None]
        if new:
            await consumer.commit(await consumer.beginning_offsets(new))
        return len(new)
    finally:
        await consumer.stop()
