"""The batch consumer of fetch and deliver: records are taken in order, done in any order, committed as far as all is done.

1. `take` hands out records; each stays held until all before it in its partition, and itself, are done.
2. `done` marks one. The committed offset of a partition is the end of its run of done records, never beyond.
3. Every `commit_s` that is committed. A kill costs what was done and not committed: it is done once more.
4. On a rebalance `on_revoked` lets calls under way end, then what is done is committed and the rest forgotten.
5. Members are static: a process that is back within the session time-out gets its partitions without a rebalance.
6. `metadata` may say more than an offset can: its text is committed with each offset, and the next owner is given both.
7. What retention removed unread is told to `on_lost`, and not passed before that has returned.
8. A background topic is taken from while no other topic has a record at hand, and has its own room.
9. Where there are several tenants, one that has much under way gets a position of its own, so that it makes no other wait
   (positions.py). What was passed over for it is read again by a second consumer.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, KafkaTimeoutError

from schemas.committed import Committed, committed_of
from schemas.connection import stop_client
from schemas.failures import Unavailable
from schemas.membership import Fenced, Heartbeat, instance_id
from schemas.waiting import until_set
from streams.offsets import heed_group_errors
from streams.passed_over import LOOK_S, PassedOver
from streams.positions import AHEAD_MAX, Positions

log = structlog.get_logger()

RETRY_S = 1.0
TAKE_RECORDS_MAX = 500
TENANT_SHARE = 2  # a tenant may have half of a partition's room, where there are several: a store that is merely busy mostly has less


class Bounds(NamedTuple):
    """Of a partition when it is assigned."""

    committed: Committed  # the place to begin at
    end: int


Assigned = Callable[[Mapping[TopicPartition, Bounds]], Awaitable[None]]
Revoked = Callable[[frozenset[TopicPartition]], Awaitable[None]]
Metadata = Callable[[TopicPartition], str | None]
Lost = Callable[[TopicPartition, int, int], Awaitable[None]]
"""(partition, first offset, count) of records that retention removed before they were taken."""


class BatchConsumer:
    """At least once, for stages that wait on an API for many records at once."""

    def __init__(
        self,
        *,
        options: Mapping[str, Any],
        group: str,
        topics: Sequence[str],
        member: str,
        session_timeout_s: float = 45,
        in_flight_max: int = 10_000,
        background: Mapping[str, int] = MappingProxyType({}),
        commit_s: float = 1.0,
        on_assigned: Assigned | None = None,
        on_revoked: Revoked | None = None,
        on_lost: Lost,
        metadata: Metadata | None = None,
        several: Callable[[], bool] = lambda: False,
    ) -> None:
        """`options` are `schemas.connection.kafka_options`; `member` names this process in the group; no other living one has it.

        background: for each background topic how many records of a partition are taken beyond its committed offset at
        most; `in_flight_max` is for all other topics together.
        on_assigned: awaited with the bounds of each partition before any record of them is taken.
        on_revoked: awaited before partitions go, at most `call_s_max`; nothing more may be sent for them.
        on_lost: awaited before anything behind the lost records is committed.
        Exceptions of all three are raised by `take`.
        metadata: asked at each commit what to commit with a partition's offset, of METADATA_BYTES_MAX less APART_BYTES_MAX
        bytes (schemas/committed.py) at most; None: what was committed last.
        several: whether there are several stores. One that is alone is never set apart: its lag is seen by Kafka's own tools.
        """
        self.call_s_max = session_timeout_s / 3  # the time-out of every outside call of the stage is at most this
        self._fence_s = session_timeout_s / 2
        self._topics = tuple(topics)
        self._in_flight_max = in_flight_max
        self._background = background
        self._commit_s = commit_s
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._on_lost = on_lost
        self._metadata = metadata
        self._several = several
        plain = dict(options, enable_auto_commit=False, auto_offset_reset="earliest")
        self._options = dict(
            plain,
            group_id=group,
            group_instance_id=instance_id(group, member, topics),
            partition_assignment_strategy=(RangePartitionAssignor,),  # equal partitions of all topics meet in one worker
            session_timeout_ms=int(session_timeout_s * 1000),
            heartbeat_interval_ms=int(session_timeout_s * 1000 / 15),
            request_timeout_ms=int(self.call_s_max * 1000),
            fetch_max_wait_ms=100,  # a partition that was just emptied joins the next fetch only
        )
        self._open: dict[TopicPartition, Positions] = {}
        self._share = in_flight_max  # of each partition that is open, without those of background topics
        self._passed_over = PassedOver(plain, lambda: self._open, self._most, self._lost)
        self._opening: asyncio.Task[None] | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._rereading: asyncio.Task[None] | None = None
        self._revoking = False
        self._committing = asyncio.Lock()
        self._room = asyncio.Event()
        self._failure: Exception | None = None

    async def start(self) -> None:
        """Connected; records come as soon as the group has given us partitions. Raises KafkaError."""
        self._consumer = AIOKafkaConsumer(**self._options)
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        heed_group_errors(self._consumer)
        self._heartbeat = Heartbeat(self._consumer)
        self._consumer.subscribe(topics=self._topics, listener=_Listener(self))
        self._ticking = asyncio.create_task(self._commit_now_and_then())
        self._rereading = asyncio.create_task(self._read_again())

    async def stop(self) -> None:
        """What is done is committed, unless the broker does not answer; the group keeps our place for the session time-out."""
        await _ended(self._ticking)
        await _ended(self._rereading)
        await _ended(self._opening)
        with contextlib.suppress(KafkaError, TimeoutError):
            await self.commit()
        self._open.clear()
        await stop_client(self._consumer)

    async def take(self, wait_s: float) -> list[ConsumerRecord]:
        """The next records, in order within each tenant of a partition; empty after `wait_s` without any.

        A partition of which a full share of `in_flight_max` is not done, or AHEAD_MAX records wait behind one that is not done,
        gives none until that changes, or until the tenant whose records these are is apart; nor does one of a background
        topic that has no room. During a rebalance it may take longer. To be called at least every five minutes, else the
        group takes the partitions away.
        Raises KafkaError, and what a callback raised.
        """
        if self._failure:
            raise self._failure
        self._room.clear()
        if not self._revoking and (again := self._passed_over.take()):
            return again
        if any(partition.is_behind for partition in self._open.values()):
            self._passed_over.look()
            wait_s = min(wait_s, LOOK_S)
        several = self._several()
        room = self._free(several)
        if not room:
            await self._consumer.getmany(_NONE, timeout_ms=0)  # shows the group that we are alive
            await until_set(self._room, wait_s)
            return []
        first = {tp: free for tp, free in room.items() if tp.topic not in self._background}
        taken = await self._take_of(first, 0.0, several) if 0 < len(first) < len(room) else []
        return taken or await self._take_of(room, wait_s, several)

    def _free(self, several: bool) -> dict[TopicPartition, int]:
        """How many records may be taken of each partition that may give any."""
        room: dict[TopicPartition, int] = {}
        for tp, partition in self._open.items():
            size = self._size(tp)
            free = self._free_of(tp, partition, size)
            if several and free * 10 < size and self._stays_full(tp, partition, size):
                if tp.topic in self._background or partition.behind_first * 10 >= AHEAD_MAX * 9:
                    partition.set_oldest_apart()
                else:
                    partition.set_largest_apart()
                free = self._free_of(tp, partition, size)
            if free * 10 >= size:  # one with little room would make the turn small for all: it waits until a tenth is free
                room[tp] = free
        return room

    def _stays_full(self, tp: TopicPartition, partition: Positions, size: int) -> bool:
        """Whether no commit alone would make room in a partition that has none."""
        return tp.topic not in self._background or (size - (partition.next - partition.position)) * 10 < size

    def _size(self, tp: TopicPartition) -> int:
        """The room of a partition, in records."""
        return self._background.get(tp.topic) or self._share

    def _free_of(self, tp: TopicPartition, partition: Positions, size: int) -> int:
        if tp.topic in self._background:
            return size - (partition.next - partition.committed.offset)
        return min(size - partition.under_way, AHEAD_MAX - partition.behind_first)

    def _most(self, tp: TopicPartition) -> int:
        """How much a tenant may have under way in a partition where it is not alone; where many are apart they share that."""
        return max(1, self._size(tp) // (TENANT_SHARE * max(1, self._open[tp].apart)))

    async def _take_of(self, room: Mapping[TopicPartition, int], wait_s: float, several: bool) -> list[ConsumerRecord]:
        taken: list[ConsumerRecord] = []
        most = min(TAKE_RECORDS_MAX, *room.values())  # of all partitions together: none gets more than its room
        for tp, records in (await self._consumer.getmany(*room, timeout_ms=int(wait_s * 1000), max_records=most)).items():
            if tp in self._open:
                partition = self._open[tp]
                if records[0].offset > partition.next:  # our source topics have no holes: retention passed us
                    await self._lost(tp, partition.next, records[0].offset)
                if self._open.get(tp) is partition:
                    taken += partition.take(records, self._most(tp) if several else None)
            else:  # assigned anew meanwhile, and `on_assigned` has not ended
                self._consumer.seek(tp, records[0].offset)
        return taken

    async def _lost(self, tp: TopicPartition, first: int, end: int) -> None:
        log.error("records are lost: retention passed them", topic=tp.topic, partition=tp.partition, first=first, records=end - first)
        await self._on_lost(tp, first, end - first)

    def done(self, record: ConsumerRecord) -> None:
        """The record's effects stand. Ignored for a record taken before its partition was revoked."""
        partition = self._open.get(TopicPartition(record.topic, record.partition))
        if partition and partition.finish(record):
            self._room.set()

    async def commit(self) -> None:
        """All that can be committed is, or a rebalance is under way (`committed` tells). Raises KafkaError, TimeoutError."""
        async with asyncio.timeout(self.call_s_max), self._committing:
            ready: dict[TopicPartition, tuple[Positions, Committed]] = {}
            for tp, partition in self._open.items():
                stands = partition.to_commit(self._metadata(tp) if self._metadata else None)
                if stands != partition.committed:
                    ready[tp] = partition, stands
            if not ready:
                return
            try:
                await self._consumer.commit({tp: (stands.offset, stands.metadata) for tp, (_, stands) in ready.items()})
            except (CommitFailedError, IllegalStateError) as error:  # no more ours: the revocation that forgets them follows
                log.warning("a commit came too late, the group rebalances", error=type(error).__name__)
                return
            for partition, stands in ready.values():
                partition.committed = stands

    def committed(self, tp: TopicPartition) -> Committed:
        """Where a successor would begin; NOTHING for a partition that is not ours."""
        return self._open[tp].committed if tp in self._open else NOTHING

    def held(self, tp: TopicPartition) -> int:
        """How many records are taken and not ready to commit: not done, or behind one that is not."""
        return self._open[tp].held if tp in self._open else 0

    def fenced(self) -> bool:
        """True when another process may own our partitions before a call that starts now would end: nothing may be sent.

        The broker gives partitions away a session time-out after the last heartbeat. A call takes at most a third of
        that, so it must start within the first half. A process that was stopped and wakes finds its heartbeat old.
        """
        return self._heartbeat.age_s > self._fence_s

    def check_fence(self) -> None:
        """Raises Fenced."""
        if self.fenced():
            raise Fenced

    async def _commit_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._commit_s)
            try:
                await self.commit()
            except TimeoutError:
                log.warning("the broker does not answer to a commit")
            except KafkaError as error:
                self._fail(error)

    async def _read_again(self) -> None:
        try:
            await self._passed_over.run(self._room)
        except Exception as error:  # noqa: BLE001  whatever it is, `take` raises it
            self._fail(error)

    async def _revoke(self, revoked: frozenset[TopicPartition]) -> None:
        await _ended(self._opening)
        self._revoking = True
        if revoked and self._on_revoked:
            try:
                await self._on_revoked(revoked)
            except Exception as error:  # noqa: BLE001  aiokafka would only log it
                self._fail(error)
        with contextlib.suppress(KafkaError, TimeoutError):
            await self.commit()
        self._open.clear()

    def _assign(self, assigned: frozenset[TopicPartition]) -> None:
        self._heartbeat.joined()
        # A task of its own: aiokafka starts the heartbeats only when its listener has returned.
        self._opening = asyncio.create_task(self._open_partitions(assigned))

    async def _open_partitions(self, assigned: frozenset[TopicPartition]) -> None:
        try:
            bounds = await self._bounds(assigned)
            if self._on_assigned and bounds:
                await self._on_assigned(bounds)
        except Exception as error:  # noqa: BLE001  whatever it is, `take` raises it
            self._fail(error)
        else:
            self._open = {tp: Positions(bound.committed, until_committed=tp.topic in self._background) for tp, bound in bounds.items()}
            self._share = max(1, self._in_flight_max // max(1, sum(tp.topic not in self._background for tp in self._open)))
            self._revoking = False
            self._room.set()

    async def _bounds(self, assigned: frozenset[TopicPartition]) -> dict[TopicPartition, Bounds]:
        while True:
            try:
                begin = await self._consumer.beginning_offsets(assigned) if assigned else {}
                end = await self._consumer.end_offsets(assigned) if assigned else {}
                # The consumer's own `committed` leaves the metadata out.
                committed = await self._consumer._coordinator.fetch_committed_offsets(list(assigned))  # noqa: SLF001
            except KafkaTimeoutError:
                log.warning("the broker does not answer to an assignment")
                await asyncio.sleep(RETRY_S)
            else:
                break
        bounds: dict[TopicPartition, Bounds] = {}
        for tp in assigned:
            stands = committed_of(committed[tp].offset, committed[tp].metadata) if tp in committed else Committed(begin[tp])
            if stands.first < begin[tp]:  # there may be nothing left that shows the gap
                await self._lost(tp, stands.first, begin[tp])
                stands = stands.not_before(begin[tp])
            elif stands.offset > end[tp]:  # the broker lost its log's end, or the topic was made anew: aiokafka begins at the start
                log.error("less is there than was done", topic=tp.topic, partition=tp.partition, committed=stands.offset, end=end[tp])
                stands = Committed(begin[tp])
            bounds[tp] = Bounds(stands, end[tp])
        return bounds

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._room.set()


async def started(client: BatchConsumer | AIOKafkaProducer) -> None:
    """The client is connected. Raises Unavailable."""
    try:
        await client.start()
    except KafkaError as error:
        raise Unavailable(f"Kafka cannot be reached ({type(error).__name__}); is it up?") from error


NOTHING = Committed(-1)
_NONE = TopicPartition("", -1)  # no records of it are ever there


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: BatchConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Any) -> None:
        await self._consumer._revoke(frozenset(revoked))  # noqa: SLF001

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self._consumer._assign(frozenset(assigned))  # noqa: SLF001


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
