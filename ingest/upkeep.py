"""upkeep: what has to be done for a store without anybody calling us: its history is loaded, and once a day it is compared.

Each store's work is done by the one process that holds its partition of `backfills`, as member of a consumer group. The group commits
nothing: whoever is given a partition reads it from its beginning, and so knows what was asked for and how far that is.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.partitioner import DefaultPartitioner

from bigcommerce.client import BigCommerce
from ingest.ahead import Ahead
from ingest.backfill import Load
from ingest.daily import DAY_S, Daily, Job
from schemas.backfills import Backfills
from schemas.connection import admin_client, consumer, kafka_options, partitions_of, producer, reaching_kafka, send_all
from schemas.directory import Directory
from schemas.failures import Unavailable, Undecodable
from schemas.membership import Fenced, Heartbeat, member_name, until_told
from schemas.records import Decoder, Message
from schemas.settings import Settings
from schemas.topics import BACKFILLS, Topic, group

log = structlog.get_logger()

TAKE_MS = 500


def main(settings: Settings, slot: int, session_timeout_s: float = 45.0, jobs: Sequence[Job] = (), day_s: float = DAY_S) -> int:
    """Work until SIGTERM or SIGINT, then 0; 75 when it wants to be started again at once; 70 after a bug.

    `jobs` are done for each store once a day, after it was compared or could not be; only a test has shorter days.
    75: another process may own our partitions by now, or Kafka failed us. Raises Unavailable, WrongSetting where it cannot start.
    """
    return asyncio.run(Upkeep(settings, slot, session_timeout_s, jobs, day_s).run())


class Upkeep:
    """One upkeep process."""

    def __init__(self, settings: Settings, slot: int, session_timeout_s: float, jobs: Sequence[Job], day_s: float) -> None:
        """Raises WrongSetting."""
        self._jobs, self._day_s = jobs, day_s
        self._settings = settings
        self._directory = Directory(settings)
        self._topic = settings.topic_prefix + BACKFILLS.name
        self._group, self._member = group(settings.topic_prefix, "upkeep"), member_name(settings, slot)
        self._session_timeout_s = session_timeout_s
        self._decoder = Decoder(BACKFILLS.messages)
        self._held: dict[TopicPartition, Backfills] = {}  # of the partitions that are ours
        self._ends: dict[TopicPartition, int] = {}  # where each partition ended when it was given to us
        self._loads: dict[str, tuple[str, asyncio.Task[None]]] = {}  # by store: the run, and the task that loads it
        self._days: dict[str, asyncio.Task[None]] = {}  # by store

    async def run(self) -> int:
        """As `main`."""
        async with contextlib.AsyncExitStack() as stack:
            await self._directory.start()
            stack.push_async_callback(self._directory.stop)
            self._bigcommerce = await stack.enter_async_context(BigCommerce(self._settings.bigcommerce_api))
            admin = await stack.enter_async_context(admin_client(self._settings))
            await partitions_of(admin, [self._topic])
            reader, sender, member = consumer(self._settings), producer(kafka_options(self._settings)), self._new_member()
            with reaching_kafka(self._settings):
                for client in (reader, sender, member):
                    stack.push_async_callback(_stop, client)
                    await client.start()
            self._consumer, self._heartbeat = member, Heartbeat(member)
            self._records = Writer(sender, self._settings.topic_prefix, self._heartbeat, self._session_timeout_s / 2)
            self._ahead = Ahead(self._settings, admin, reader)
            self._daily = Daily(self._settings, self._directory, self._bigcommerce, self._records, self._jobs, self._day_s)
            member.subscribe(topics=[self._topic], listener=_Listener(self))
            return await until_told("upkeep", self._work(), again=Unavailable)

    def _new_member(self) -> AIOKafkaConsumer:
        timeout_ms = int(self._session_timeout_s * 1000)
        return AIOKafkaConsumer(
            **kafka_options(self._settings),
            group_id=self._group,
            group_instance_id=f"{self._group}-{self._member}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=timeout_ms,
            heartbeat_interval_ms=timeout_ms // 15,
            request_timeout_ms=timeout_ms // 3,
        )

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as self._tasks:
            while True:
                for tp, records in (await self._consumer.getmany(timeout_ms=TAKE_MS)).items():
                    self._take(tp, records)
                for tp in list(self._held):
                    with contextlib.suppress(IllegalStateError):  # no more ours
                        if await self._is_read(tp):
                            await self._do_what_is_asked(tp)
                            self._do_daily(tp)

    def _take(self, tp: TopicPartition, records: Iterable[ConsumerRecord]) -> None:
        for record in records if tp in self._held else ():  # else they came while it was taken from us
            try:
                self._held[tp].take(self._decoder.decode(record.value, record.headers))
            except Undecodable as error:
                log.error(
                    "a record of the backfills topic cannot be read", partition=tp.partition, offset=record.offset, reason=error.reason
                )

    async def _is_read(self, tp: TopicPartition) -> bool:
        """Whether all is known that stood on the partition when it was given to us: the last owner has written nothing since."""
        if tp not in self._ends:
            self._ends[tp] = (await self._consumer.end_offsets([tp]))[tp]
        return bool(await self._consumer.position(tp) >= self._ends[tp])

    async def _do_what_is_asked(self, tp: TopicPartition) -> None:
        """Each load that was asked for runs; one that is of no use any more has ended."""
        held = self._held[tp]
        for store, asked in held.asked.items():
            run, task = self._loads.get(store, ("", None))
            if run == asked.run or held.done(store):
                continue
            if task:
                await _ended([task])
                if self._held.get(tp) is not held:  # taken from us meanwhile
                    return
            load = Load(
                asked,
                {at.resource: at for at in held.progress(store)},
                tp.partition,
                directory=self._directory,
                bigcommerce=self._bigcommerce,
                records=self._records,
                ahead=self._ahead,
            )
            log.info("loads history", store=store, run=asked.run)
            self._loads[store] = asked.run, self._tasks.create_task(load.run())

    def _do_daily(self, tp: TopicPartition) -> None:
        """Each store of the partition has its daily runs."""
        for store, known in self._directory.by_store.items():
            if store not in self._days and not known.removed and self._partition_of(store) == tp.partition:
                self._days[store] = self._tasks.create_task(self._daily.run(store, self._held[tp]))

    def _partition_of(self, store: str) -> int:
        """Where what is asked for the store stands, whether anything was or not."""
        partitions = list(range(self._settings.partitions))
        return int(DefaultPartitioner()(store.encode(), partitions, partitions))

    def assigned(self, assigned: frozenset[TopicPartition]) -> None:
        self._heartbeat.joined()
        self._held = {tp: Backfills() for tp in assigned}

    async def revoked(self) -> None:
        """Returns when nothing is done any more. All partitions are taken at once, and given anew; most come back."""
        work = [*(task for _, task in self._loads.values()), *self._days.values()]
        self._loads.clear()
        self._days.clear()
        await _ended(work)
        self._held.clear()
        self._ends.clear()


class Writer:
    """Records that stand on Kafka when `put` returns; nothing is begun when our partitions may be another's."""

    def __init__(self, sender: AIOKafkaProducer, prefix: str, heartbeat: Heartbeat, fence_s: float) -> None:
        self._sender, self._prefix, self._heartbeat, self._fence_s = sender, prefix, heartbeat, fence_s

    def check(self) -> None:
        """Raises Fenced."""
        if self._heartbeat.age_s > self._fence_s:
            raise Fenced

    async def put(self, topic: Topic, records: list[tuple[str, Message]], partition: int | None = None) -> None:
        """Raises Fenced, KafkaError."""
        self.check()
        await send_all(self._sender, self._prefix + topic.name, records, partition)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep

    async def on_partitions_revoked(self, _: Any) -> None:
        await self._upkeep.revoked()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self._upkeep.assigned(frozenset(assigned))


async def _stop(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    with contextlib.suppress(KafkaError, TimeoutError, asyncio.CancelledError):  # of a fenced member, or while Kafka is away
        await client.stop()


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
