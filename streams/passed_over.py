"""Records that their partitions have passed over, read again for the tenants that are apart (positions.py)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from streams.positions import Positions

log = structlog.get_logger()

RETRY_S = 1.0
LOOK_S = 0.2  # between two looks for what may be read


class PassedOver:
    """A consumer of its own, without a group: it commits nothing, for the group's consumer does."""

    def __init__(
        self,
        options: Mapping[str, Any],
        partitions: Callable[[], Mapping[TopicPartition, Positions]],
        most: Callable[[TopicPartition], int],
        on_lost: Callable[[TopicPartition, int, int], Awaitable[None]],
    ) -> None:
        """`partitions` that are ours now; `most` a tenant may have under way in one; `on_lost` as the group's consumer has it."""
        self._options, self._partitions, self._most, self._on_lost = dict(options), partitions, most, on_lost
        self._taken: list[ConsumerRecord] = []
        self._read_at: dict[TopicPartition, int] = {}

    def take(self) -> list[ConsumerRecord]:
        """What was read since the last time, in order within each tenant."""
        taken, self._taken = self._taken, []
        return taken

    def forget(self) -> None:
        """No partition is ours any more."""
        self._taken.clear()

    async def run(self, found: asyncio.Event) -> None:
        """Reads, for ever, what tenants have room for, one of a partition after another; `found` is set when there is something to take."""
        while not self._wanted():
            await asyncio.sleep(LOOK_S)
        reader = AIOKafkaConsumer(**self._options)
        try:
            await _started_at_last(reader)
            while True:
                await self._turn(reader, found)
        finally:
            await reader.stop()

    def _wanted(self) -> dict[TopicPartition, dict[str, tuple[int, int]]]:
        wanted = {tp: partition.to_read(self._most(tp)) for tp, partition in self._partitions().items()}
        return {tp: tenants for tp, tenants in wanted.items() if tenants}

    async def _turn(self, reader: AIOKafkaConsumer, found: asyncio.Event) -> None:
        wanted = self._wanted()
        if not wanted:
            await asyncio.sleep(LOOK_S)
            return
        if not wanted.keys() <= reader.assignment():
            reader.assign(list(wanted))
            self._read_at = {}
        for tp, tenants in wanted.items():
            partition = self._partitions().get(tp)
            for tenant, (offset, room) in tenants.items():
                if self._read_at.get(tp) != offset:
                    reader.seek(tp, offset)
                    self._read_at[tp] = offset
                records = (await reader.getmany(tp, timeout_ms=100, max_records=room)).get(tp, [])
                if records:
                    self._read_at[tp] = records[-1].offset + 1
                    if records[0].offset > offset:
                        await self._on_lost(tp, offset, records[0].offset)
                if partition is None or self._partitions().get(tp) is not partition:  # assigned anew meanwhile
                    return
                if records:
                    self._taken += partition.take_apart(tenant, records)
                    found.set()


async def _started_at_last(reader: AIOKafkaConsumer) -> None:
    while True:
        try:
            await reader.start()
        except KafkaError as error:
            log.warning("the broker does not answer; what was passed over is read later", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)
        else:
            return
