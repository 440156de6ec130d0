"""What was written before the place where a worker begins: of its topic what is done, and what history may have to know of."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

RECORDS_MAX = 5_000  # of a partition


async def read_tail(options: Mapping[str, Any], committed: Mapping[TopicPartition, int]) -> AsyncIterator[ConsumerRecord]:
    """The last RECORDS_MAX records, in order, of each partition before its offset in `committed`. Raises KafkaError."""
    consumer = _consumer(options)
    try:
        await consumer.start()
        begin = await consumer.beginning_offsets(list(committed))
        async for record in _read(consumer, {tp: (max(begin[tp], end - RECORDS_MAX), end) for tp, end in committed.items()}):
            yield record
    finally:
        await consumer.stop()


async def read_since(options: Mapping[str, Any], tp: TopicPartition, since_ms: int, end: int) -> AsyncIterator[ConsumerRecord]:
    """The records of a partition, in order, from the first of a time of `since_ms` or later to before `end`. Raises KafkaError."""
    consumer = _consumer(options)
    try:
        await consumer.start()
        first = (await consumer.offsets_for_times({tp: max(0, since_ms)}))[tp]
        if first is not None:
            async for record in _read(consumer, {tp: (first.offset, end)}):
                yield record
    finally:
        await consumer.stop()


def _consumer(options: Mapping[str, Any]) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(**options, enable_auto_commit=False, auto_offset_reset="earliest")


async def _read(consumer: AIOKafkaConsumer, ranges: Mapping[TopicPartition, tuple[int, int]]) -> AsyncIterator[ConsumerRecord]:
    """The records of each partition from its first offset to before its second."""
    left = {tp for tp, (begin, end) in ranges.items() if begin < end}
    if not left:
        return
    consumer.assign(left)
    for tp in left:
        consumer.seek(tp, ranges[tp][0])
    while left:
        for tp, records in (await consumer.getmany(*left, timeout_ms=200)).items():
            for record in records:
                if record.offset < ranges[tp][1]:
                    yield record
        left = {tp for tp in left if await consumer.position(tp) < ranges[tp][1]}
