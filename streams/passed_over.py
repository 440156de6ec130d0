"""Records that their partitions have passed over, read again for the tenants that are apart (positions.py)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from streams.positions import Positions

log = structlog.get_logger()

RETRY_S = 1.0
LOOK_S = 0.02  # between two looks at what was read
READ_RECORDS_MAX = 500
FETCH_BYTES_MAX = 256 * 1024  # of a partition: what was fetched is thrown away where another place is read next
UPWARDS_MAX = 8  # turns in a row that a partition is read upwards before whoever is furthest behind has one


class PassedOver:
    """A consumer of its own, without a group: it commits nothing, for the group's consumer does.

    It only reads. What becomes of that is decided by `take`, at one instant with what the partition itself hands out.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        partitions: Callable[[], Mapping[TopicPartition, Positions]],
        most: Callable[[TopicPartition], int],
        on_lost: Callable[[TopicPartition, int, int], Awaitable[None]],
    ) -> None:
        """`partitions` that are ours now; `most` a tenant may have under way in one; `on_lost` as the group's consumer has it."""
        self._options = dict(options, max_partition_fetch_bytes=FETCH_BYTES_MAX)
        self._partitions, self._most, self._on_lost = partitions, most, on_lost
        self._read: list[tuple[TopicPartition, Positions, int, list[ConsumerRecord]]] = []
        self._read_at: dict[TopicPartition, int] = {}
        self._upwards: Counter[TopicPartition] = Counter()
        self._needed = asyncio.Event()

    def look(self) -> None:
        """Something was passed over, and may be wanted now."""
        self._needed.set()

    def take(self) -> list[ConsumerRecord]:
        """Of what was read since the last time what is handed out, in order within each tenant."""
        read, self._read = self._read, []
        if read:
            self.look()
        ours = self._partitions()
        return [
            record
            for tp, partition, since, records in read
            if ours.get(tp) is partition  # else it was assigned anew meanwhile
            for record in partition.take_apart(since, records, self._most(tp))
        ]

    async def run(self, found: asyncio.Event) -> None:
        """Reads, for ever, what tenants have room for; `found` is set when there is something to take."""
        await self._needed.wait()
        reader = AIOKafkaConsumer(**self._options)
        try:
            await _started_at_last(reader)
            while True:
                await self._turn(reader, found)
        finally:
            await reader.stop()

    def _wanted(self) -> dict[TopicPartition, tuple[Positions, dict[str, tuple[int, int]]]]:
        wanted = {tp: (partition, partition.to_read(self._most(tp))) for tp, partition in self._partitions().items()}
        return {tp: (partition, tenants) for tp, (partition, tenants) in wanted.items() if tenants}

    async def _turn(self, reader: AIOKafkaConsumer, found: asyncio.Event) -> None:
        """A read of each partition that has something to read, once what was read before is taken."""
        wanted = {} if self._read else self._wanted()
        if not wanted:
            self._needed.clear()
            await self._needed.wait()
            return
        if not wanted.keys() <= reader.assignment():
            reader.assign(list(wanted))
            self._read_at = {}
        for tp, (partition, tenants) in wanted.items():
            offset = self._where(tp, [offset for offset, _ in tenants.values()])
            if self._read_at.get(tp) != offset:
                reader.seek(tp, offset)
                self._read_at[tp] = offset
            most = min(READ_RECORDS_MAX, max(room for _, room in tenants.values()))
            if records := (await reader.getmany(tp, timeout_ms=100, max_records=most)).get(tp, []):
                self._read_at[tp] = records[-1].offset + 1
                if records[0].offset > offset:
                    await self._on_lost(tp, offset, records[0].offset)
                self._read.append((tp, partition, offset, records))
                found.set()

    def _where(self, tp: TopicPartition, offsets: list[int]) -> int:
        """Upwards from where the last read ended, so that one read serves many; whoever is furthest behind does not wait for long."""
        at = self._read_at.get(tp, 0)
        above = [offset for offset in offsets if offset >= at]
        if above and self._upwards[tp] < UPWARDS_MAX:
            self._upwards[tp] += 1
            return min(above)
        self._upwards[tp] = 0
        return min(offsets)


async def _started_at_last(reader: AIOKafkaConsumer) -> None:
    while True:
        try:
            await reader.start()
        except KafkaError as error:
            log.warning("the broker does not answer; what was passed over is read later", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)
        else:
            return
