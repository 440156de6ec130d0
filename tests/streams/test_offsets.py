import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from streams.offsets import MissingTopic, commit_beginning_offsets, partition_counts


async def committed(kafka: str, group: str, partitions: list[TopicPartition]) -> list[int | None]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        return [await consumer.committed(partition) for partition in partitions]
    finally:
        await consumer.stop()


async def test_a_new_group_begins_where_the_topic_begins_and_keeps_what_it_has(kafka: str, prefix: str):
    topic, group = f"{prefix}in", f"{prefix}group"
    partitions = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1)])
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for _ in range(5):
            await producer.send_and_wait(topic, b"", partition=1)
    await admin.delete_records({partitions[1]: RecordsToDelete(before_offset=3)})

    assert await commit_beginning_offsets({"bootstrap_servers": kafka}, group, [topic]) == 2
    assert await committed(kafka, group, partitions) == [0, 3]

    await admin.delete_records({partitions[1]: RecordsToDelete(before_offset=4)})
    await admin.close()
    assert await commit_beginning_offsets({"bootstrap_servers": kafka}, group, [topic]) == 0
    assert await committed(kafka, group, partitions) == [0, 3]


async def test_a_topic_that_does_not_exist_is_named(kafka: str, prefix: str):
    assert await partition_counts({"bootstrap_servers": kafka}, [f"{prefix}nowhere"]) == {}
    with pytest.raises(MissingTopic, match=f"{prefix}nowhere"):
        await commit_beginning_offsets({"bootstrap_servers": kafka}, f"{prefix}group", [f"{prefix}nowhere"])
