"""The end of what an earlier life did: the records of a partition right before its committed offset."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

RECORDS_MAX = 5_000  # of a partition


async def read_tail(options: Mapping[str, Any], committed: Mapping[TopicPartition, int]) -> AsyncIterator[ConsumerRecord]:
    """The last RECORDS_MAX records, in order, of each partition before its offset in `committed`. Raises KafkaError."""
    consumer = AIOKafkaConsumer(**options, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await consumer.start()
        begin = await consumer.beginning_offsets(list(committed))
        left = {tp for tp, offset in committed.items() if offset > begin[tp]}
        if not left:
            return
        consumer.assign(left)
        for tp in left:
            consumer.seek(tp, max(begin[tp], committed[tp] - RECORDS_MAX))
        while left:
            for tp, records in (await consumer.getmany(*left, timeout_ms=200)).items():
                for record in records:
                    if record.offset < committed[tp]:
                        yield record
            left = {tp for tp in left if await consumer.position(tp) < committed[tp]}
    finally:
        await consumer.stop()
