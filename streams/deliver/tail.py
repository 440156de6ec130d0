"""What was written before the place where a worker begins: of its topic what is done, and what history may have to know of."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import pairwise
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.committed import Committed

RECORDS_MAX = 5_000
TENANT_RECORDS_MAX = 1_000  # there may be twenty in a partition, and nothing goes before all of them are read


async def read_done(options: Mapping[str, Any], committed: Mapping[TopicPartition, Committed]) -> AsyncIterator[ConsumerRecord]:
    """Records that are done: among the last RECORDS_MAX before each partition's position, and TENANT_RECORDS_MAX before that of a tenant.

    Those of a tenant that is apart may come after later ones of its own, and some come twice. Raises KafkaError.
    """
    async with _reading(options) as consumer:
        begin = await consumer.beginning_offsets(list(committed))
        ends = await consumer.end_offsets(list(committed))
        for ranges in _rounds(committed):
            there = {tp: (max(begin[tp], first), min(ends[tp], end)) for tp, (first, end) in ranges.items()}
            async for record in _read(consumer, there):
                if record.offset < committed[TopicPartition(record.topic, record.partition)].of(record.key):
                    yield record


def _rounds(committed: Mapping[TopicPartition, Committed]) -> Iterator[dict[TopicPartition, tuple[int, int]]]:
    """Ranges of offsets: before the positions of all partitions, and then before those of tenants that are apart, many at a time."""
    yield {tp: (stands.offset - RECORDS_MAX, stands.offset) for tp, stands in committed.items()}
    left = {tp: _ranges(sorted(apart.offset for apart in stands.apart.values())) for tp, stands in committed.items()}
    while left := {tp: ranges for tp, ranges in left.items() if ranges}:
        yield {tp: ranges.pop() for tp, ranges in left.items()}


def _ranges(positions: list[int]) -> list[tuple[int, int]]:
    """What lies before these, ascending: each offset once."""
    return [(max(position - TENANT_RECORDS_MAX, before), position) for before, position in pairwise([0, *positions])]


async def time_of(options: Mapping[str, Any], tp: TopicPartition, offset: int) -> int | None:
    """The timestamp (ms) of the record at this offset; None where there is none. Raises KafkaError."""
    async with _reading(options) as consumer:
        async for record in _read(consumer, {tp: (offset, min(offset + 1, (await consumer.end_offsets([tp]))[tp]))}):
            return int(record.timestamp)
    return None


async def read_since(options: Mapping[str, Any], tp: TopicPartition, since_ms: int, end: int) -> AsyncIterator[ConsumerRecord]:
    """The records of a partition, in order, from the first of a time of `since_ms` or later to before `end`. Raises KafkaError."""
    async with _reading(options) as consumer:
        first = (await consumer.offsets_for_times({tp: max(0, since_ms)}))[tp]
        if first is not None:
            async for record in _read(consumer, {tp: (first.offset, end)}):
                yield record


@contextlib.asynccontextmanager
async def _reading(options: Mapping[str, Any]) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(**options, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


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
