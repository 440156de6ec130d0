"""Faust made safe: agents with tables that lose nothing, double no state and keep the order, whatever is killed and when.

Faust as it comes loses events (docs/facts/faust.md 0, 2 and 11). This file uses it for what it does well (group membership,
co-partitioned assignment, streams, tables and their recovery from changelogs) and keeps three things in its own hands:

1. Effects first, state second, acknowledgement last. A batch is decided against an overlay; what it sends is acknowledged
   by Kafka before its rows go to the changelog, the changelog has acknowledged the rows before they go to the local
   store, and the store has them before the offset counts as done. So a kill costs at most equal effects sent twice, and
   the local store is never ahead of its changelog.
2. Its own offsets. The engine knows the next offset of every partition and takes a record only if it is that one. Faust
   drops records around an assignment in several places; whatever the place, the hole shows here, and the consumer is
   sent back. What is committed is what was done, never what Faust thinks was acknowledged.
3. One assignment per life. On the first revocation the process ends with RESTART and its parent starts it again; with
   static membership a process that is back within the session time-out is no rebalance for the others. Faust's way
   through a rebalance is never used. After a failure of any kind, too, the process ends: every state is a kill's state.

Source topics must have offsets without holes: no compaction, no transactions.
"""

import asyncio
import logging
import os
import signal
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import stamina
import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code
from prometheus_client import Counter, Gauge

from schemas.keys import changelog
from schemas.membership import instance_id
from schemas.waiting import until_set
from streams.offsets import heed_group_errors, partition_counts
from streams.partitioner import choose

FAUST = "0.15.3"
if version("faust-streaming") != FAUST:
    raise ImportError(f"streams/engine.py is written for faust-streaming {FAUST}, this is {version('faust-streaming')}")

import faust  # noqa: E402 - only after its version is known to be right
from faust.transport.drivers import aiokafka as driver  # noqa: E402
from faust.types import TP  # noqa: E402

log = structlog.get_logger()

STOPPED, FAILED, RESTART = 0, 70, 75  # exit codes: asked to stop · a bug or a broken dependency · the assignment ended

BATCH_RECORDS_MAX = 500
BATCH_WAIT_S = 0.01  # how long a batch that is not full waits for more: fewer, larger requests for a little latency
COMMIT_S = 1.0  # a kill repeats at most what this long brings
POLL_RECORDS_MAX = 100  # what Faust has taken and not handed on comes by before what the consumer was sent back for
FETCH_BYTES_MAX = 262_144  # of one partition at a time: held for each while resolve is behind; a larger record comes alone
IDLE_S = 1.0  # after so long without a record, look whether the partitions have any
STILL_S = 5.0  # after so long without one of a partition, while others are busy, look whether it has any
SETTLE_S_MAX = 15.0  # between two times that one partition is sent back, at first IDLE_S
SETTLE_TRIES_MAX = 10  # so often in a row sent back to one offset without getting it: give up this life
FETCH_WAIT_MS = 100  # a partition that was just emptied or sent back joins the next fetch only, and all other requests wait for this one
KAFKA_WAIT_S = 30.0  # for a Kafka that does not answer at the start
CREATED_S = 10.0  # until all brokers know of a topic that was just created
RECOVERY_STALL_S = 120.0
STOP_S = 3.0  # for the batch in flight, then again for the last commit
DAY_MS = 86_400_000

RECORDS = Counter("cartstream_engine_records", "Records taken in, acknowledged", ["topic"])
SENT = Counter("cartstream_engine_sent", "Records sent because of them", ["topic"])
GAPS = Counter("cartstream_engine_gaps", "Times that the consumer was sent back to records which Faust dropped", ["topic"])
LOST = Counter("cartstream_engine_lost_records", "Records that retention removed before they were read", ["topic"])
READY = Gauge("cartstream_engine_ready", "1 when tables are recovered and records flow")
COMMITTED_AT = Gauge("cartstream_engine_committed_timestamp_seconds", "When all that was done was last known to be committed")


class NotReady(Exception):
    """The engine refuses to start; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record of an agent's topic. `key` is b"" where the record has none."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to send; its partition follows from its key, as everywhere in Kafka."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a record does: `row` is written under the record's key (None: it stays as it is), `send` is sent before that."""

    row: bytes | None = None
    send: Sequence[Outgoing] = ()


Decide = Callable[[Incoming, bytes | None], Decision]
"""The record and its key's row (None: there is none yet) in, the decision out. Pure: after a kill it is asked again, about
the same record with the same row, or with a row that already has the record in it. An exception ends the process,
unacknowledged, so bad input is the caller's to turn into a decision."""

Prepare = Callable[[Sequence[Incoming]], Awaitable[None]]
"""Awaited before a batch is decided: what the decisions need from outside the tables is there when it returns. Called once
with nothing before anything starts."""

Lost = Callable[[str, int, int, int], Outgoing]
"""(topic, partition, first offset, count) of records that retention removed unread, in; the record that says so, out."""


@dataclass(slots=True)
class _Agent:
    topic: str
    table: str
    decide: Decide
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    rows: Any = None  # the Faust table
    read: Callable[[int, bytes], bytes | None] = lambda partition, key: None  # noqa: ARG005


class Engine:
    """One worker process of one consumer group: its agents, their tables, from start to exit.

    `group` is the consumer group and names the changelogs (`{group}-{table}-changelog`). `kafka` is what aiokafka's
    clients take. `member` names this process in the group; `data` belongs to it alone, and to its successors of the same name.
    `partitions` is that of every topic and table. A record that retention removed before it was read is reported by what `lost` returns.
    """

    def __init__(
        self,
        *,
        group: str,
        kafka: Mapping[str, Any],
        store: str,
        data: Path,
        partitions: int,
        replication: int,
        member: str,
        lost: Lost,
        prepare: Prepare | None = None,
        session_timeout_s: float = 45.0,
    ) -> None:
        self.group, self.kafka, self.store, self.data = group, dict(kafka), store, data
        self.partitions, self.replication, self.member = partitions, replication, member
        self.lost, self.prepare, self.session_timeout_s = lost, prepare, session_timeout_s
        self._agents: dict[str, _Agent] = {}
        self._next: dict[Any, int] = {}  # topic partition -> the offset that may be taken now
        self._done: dict[Any, int] = {}  # topic partition -> the offset up to which all is done: what may be committed
        self._moved: dict[Any, float] = {}  # -> when `_next` last moved
        self._settled: dict[Any, tuple[int, int, float]] = {}  # -> where it was sent back to, how often, when
        self._alive_at: float | None = None  # when we last asked the group's coordinator and it knew us
        self._app: Any = None
        self._producer: Any = None

    def agent(self, topic: str, table: str, decide: Decide) -> None:
        """`topic` is read by `decide` and by nothing else here, and `table` is written by nothing else."""
        if topic in self._agents or table in {agent.table for agent in self._agents.values()}:
            raise ValueError(f"{topic} or {table} has its agent already: one topic, one agent, one table")
        self._agents[topic] = _Agent(topic, table, decide)

    def changelog(self, table: str) -> str:
        return changelog(self.group, table)

    def _reads(self) -> list[str]:
        """Its topics and its tables' changelogs."""
        return [*self._agents, *(self.changelog(agent.table) for agent in self._agents.values())]

    async def create_changelogs(self) -> None:
        """Every table's changelog exists: compacted, with old versions of a row gone within about two days."""
        settings = {
            "cleanup.policy": "compact",
            "segment.ms": str(DAY_MS),
            "max.compaction.lag.ms": str(DAY_MS),
            "min.insync.replicas": str(max(1, self.replication - 1)),
        }
        admin = AIOKafkaAdminClient(**self.kafka)
        await admin.start()
        try:
            names = [self.changelog(agent.table) for agent in self._agents.values()]
            topics = [NewTopic(name, self.partitions, self.replication, topic_configs=settings) for name in names]
            for name, code, *reason in (await admin.create_topics(topics)).topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise NotReady(f"changelog {name} could not be created: {for_code(code).__name__} {reason}")
        finally:
            await admin.close()

    def run(self) -> NoReturn:
        """Work until SIGTERM or SIGINT; the process ends here, with STOPPED, RESTART or FAILED.

        Raises, before anything is started, what `prepare` raises, and NotReady where Kafka does not answer, or where a topic
        is missing or has another number of partitions.
        """
        for name in ("faust", "mode", "aiokafka"):
            logging.getLogger(name).setLevel(logging.WARNING)
        asyncio.run(self._run())
        raise AssertionError("unreachable: _run ends the process")

    async def _run(self) -> None:
        if self.prepare is not None:
            await self.prepare(())
        try:
            async for attempt in stamina.retry_context(on=KafkaConnectionError, attempts=None, timeout=KAFKA_WAIT_S, wait_max=2.0):
                with attempt:
                    await self._check_topics()
        except KafkaConnectionError as error:
            raise NotReady(f"Kafka does not answer ({error})") from error
        with _ends_the_process("start"):
            self._producer = AIOKafkaProducer(
                **self.kafka, acks="all", enable_idempotence=True, linger_ms=0, max_batch_size=262_144, partitioner=choose
            )
            await self._producer.start()
            self._fence(self._producer.client)
            self._app = _make_app(self)
            starting = asyncio.create_task(self._start())
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            await self._watch(stop)
            starting.cancel()
            await self._stop()

    async def _check_topics(self) -> None:
        await self.create_changelogs()
        wanted = self._reads()
        deadline = time.monotonic() + CREATED_S
        while missing := [topic for topic in wanted if topic not in (found := await partition_counts(self.kafka, wanted))]:
            if self._agents.keys() & set(missing) or time.monotonic() > deadline:
                raise NotReady(f"topic {missing[0]} does not exist: create the topics first")
            await asyncio.sleep(0.2)
        for topic in wanted:
            if found[topic] != self.partitions:
                raise NotReady(f"topic {topic} has {found[topic]} partitions, not {self.partitions}: keys would leave their rows")

    async def _start(self) -> None:
        with _ends_the_process("faust"):
            await self._app.start()

    async def _watch(self, stop: asyncio.Event) -> None:
        """Returns when asked to stop; raises when a part of Faust has crashed or hangs, which it may do without a word."""
        recovered, recovered_at = None, 0.0
        while True:
            await until_set(stop, 0.5)
            if stop.is_set():
                return
            app = self._app
            for service in (app, app.consumer, app.consumer._thread, app.tables, app.tables.recovery, app._fetcher):
                if service.crashed:
                    raise RuntimeError(f"{service.label} crashed") from service.crash_reason
            so_far = self._so_far(app.consumer._thread._consumer)
            if so_far is None or so_far != recovered:
                recovered, recovered_at = so_far, time.monotonic()
            elif time.monotonic() - recovered_at > RECOVERY_STALL_S:
                raise RuntimeError(f"no work begins; tables are recovered up to {recovered}")

    def _so_far(self, client: Any) -> dict[Any, int] | None:
        """How far the tables are recovered, from the assignment until all its partitions are worked on; else None.

        Raises where the group is closed to us: aiokafka keeps that for whoever takes records from it, which Faust goes around.
        """
        if client is None:
            return None
        coordinator, recovery = client._coordinator, self._app.tables.recovery
        if coordinator and (coordinator._pending_exception or coordinator._coordination_task.done()):
            raise RuntimeError("the consumer group has no place for us") from coordinator._pending_exception
        begun = all(tp in self._next for tp in map(_tp, client.assignment()) if tp.topic in self._agents)
        return dict(recovery.active_offsets) if recovery.in_recovery or not begun else None

    async def _stop(self) -> NoReturn:
        """Let batches in flight end and commit, as far as that goes quickly; what is left undone comes again."""
        try:
            await _within(STOP_S, asyncio.gather(*(agent.busy.acquire() for agent in self._agents.values())))
            if self._done:
                await _within(STOP_S, self._app.consumer.commit())
        except (TimeoutError, KafkaError) as error:
            log.warning("engine.stopped_early", error=repr(error))
        leave(STOPPED)

    # Taking records: only ever the next one of its partition.

    async def begin(self, committed: Mapping[Any, int | None]) -> None:
        """The consumer stands where work goes on; at the first call for a partition that is its committed offset."""
        sources = [tp for tp in committed if tp.topic in self._agents]
        if new := [tp for tp in sources if tp not in self._next]:
            await self._check_recovered([tp for tp in committed if tp.topic not in self._agents])
            beginnings = await self._app.consumer.earliest_offsets(*new)
            ends = await self._app.consumer.highwaters(*new)
            for tp in new:
                offset = committed[tp]
                start = beginnings[tp] if offset is None or offset < 0 else offset
                if start > ends[tp]:
                    raise RuntimeError(f"{tp} ends at {ends[tp]} but {start} is committed: was the topic made anew?")
                self._next[tp] = self._done[tp] = start
                self._moved[tp] = time.monotonic()
                await self._skip_lost(tp, beginnings[tp])
        await self._app.consumer._thread.stop_fetching([tp for tp in committed if tp.topic not in self._agents])
        # Faust does not seek to a committed offset of 0.
        await self._app.consumer.seek_wait({tp: self._next[tp] for tp in sources})
        READY.set(1)
        log.info("engine.ready", partitions=len(sources))

    async def _check_recovered(self, changelogs: Iterable[Any]) -> None:
        """Raises where a table is behind its changelog."""
        recovered = self._app.tables.recovery.active_offsets
        for tp, end in (await self._app.consumer.highwaters(*changelogs)).items():
            last = recovered.get(tp)
            if end and (last is None or last < end - 1):
                raise RuntimeError(f"{tp} ends at {end}, its table was recovered up to {last}")

    async def work(self, agent: _Agent, stream: Any) -> NoReturn:
        """The body of Faust's agent. It takes batches from the stream's queue, where Faust's own iteration takes one by one."""
        queue = stream.channel.queue
        with _ends_the_process(f"agent of {agent.topic}"):
            while True:
                messages = await _arrived(queue)
                async with agent.busy:
                    behind = self._behind(agent, STILL_S if messages else 0.0)
                    batch = []
                    for message in messages:
                        expected = self._next.get(message.tp)
                        if expected is None or message.offset < expected:
                            continue
                        if message.offset > expected:
                            behind.add(message.tp)
                            continue
                        self._next[message.tp] = expected + 1
                        self._moved[message.tp] = time.monotonic()
                        behind.discard(message.tp)
                        batch.append(message)
                    if batch:
                        await self._do(agent, batch)
                    await self._settle(behind)
        raise AssertionError("unreachable")

    def _behind(self, agent: _Agent, still_s: float) -> set[Any]:
        """Partitions that stood still so long and have records: dropped, with none after them to show the gap."""
        now = time.monotonic()
        still = [tp for tp, moved in self._moved.items() if tp.topic == agent.topic and now - moved >= still_s]
        ends = {tp: self._app.consumer.highwater(tp) for tp in still}
        return {tp for tp, end in ends.items() if end is not None and end > self._next[tp]}

    async def _settle(self, behind: Iterable[Any]) -> None:
        """The consumer is sent back to the next offsets, or these move to where their partitions now begin."""
        now, back = time.monotonic(), []
        for tp in behind:
            if not self._app.consumer._thread.stands_beyond(tp, self._next[tp]):
                continue  # it is still to come; sent back again it would lose its place
            offset, tries, at = self._settled.get(tp, (-1, 0, 0.0))
            if offset != self._next[tp]:
                tries = 0
            elif now - at < min(IDLE_S * 2 ** (tries - 1), SETTLE_S_MAX):
                continue  # on its way through Faust: what comes meanwhile was taken before
            if tries == SETTLE_TRIES_MAX:
                raise RuntimeError(f"{tp}: offset {self._next[tp]} does not come. Is the topic compacted, or written in transactions?")
            self._settled[tp] = self._next[tp], tries + 1, now
            back.append(tp)
        if not back:
            return
        for tp, beginning in (await self._app.consumer.earliest_offsets(*back)).items():
            await self._skip_lost(tp, beginning)
            GAPS.labels(tp.topic).inc()
            log.info("engine.sent_back", topic=tp.topic, partition=tp.partition, offset=self._next[tp])
        await self._app.consumer.seek_wait({tp: self._next[tp] for tp in back})

    async def _skip_lost(self, tp: Any, beginning: int) -> None:
        first = self._next[tp]
        if beginning <= first:
            return
        log.error("engine.lost", topic=tp.topic, partition=tp.partition, first_offset=first, count=beginning - first)
        await self._send([self.lost(tp.topic, tp.partition, first, beginning - first)])
        LOST.labels(tp.topic).inc(beginning - first)
        self._next[tp] = self._done[tp] = beginning

    # A batch: effects first, state second, acknowledgement last.

    async def _do(self, agent: _Agent, messages: Sequence[Any]) -> None:
        overlay: dict[tuple[int, bytes], bytes] = {}
        outgoing: list[Outgoing] = []
        records = [_incoming(message) for message in messages]
        if self.prepare is not None:
            await self.prepare(records)
        for record in records:
            place = record.partition, record.key
            row = overlay[place] if place in overlay else agent.read(*place)
            decision = agent.decide(record, row)
            outgoing += decision.send
            if decision.row is not None:
                overlay[place] = decision.row
        await self._send(outgoing)
        await self._write(agent, overlay)
        for message in messages:
            self._done[message.tp] = message.offset + 1
        RECORDS.labels(agent.topic).inc(len(messages))

    async def _send(self, outgoing: Iterable[Outgoing]) -> None:
        """Returns when all in-sync replicas have acknowledged; records with one key stand in the order given."""
        waits = []
        for record in outgoing:
            waits.append(await self._producer.send(record.topic, record.value, key=record.key, headers=list(record.headers)))
            SENT.labels(record.topic).inc()
        await asyncio.gather(*waits)

    async def _write(self, agent: _Agent, overlay: Mapping[tuple[int, bytes], bytes]) -> None:
        """Rows go to the changelog and, once that has them, to the store, just as recovery would bring them there."""
        topic = self.changelog(agent.table)
        waits = [await self._producer.send(topic, value, key=key, partition=partition) for (partition, key), value in overlay.items()]
        acknowledged = await asyncio.gather(*waits)
        agent.rows.apply_changelog_batch(
            [
                _Change(TP(topic, partition), at.offset, key, value)
                for ((partition, key), value), at in zip(overlay.items(), acknowledged, strict=True)
            ]
        )

    def committable(self, committed: Mapping[Any, int | None]) -> dict[Any, int]:
        """Offsets to commit: up to these all is done, and it is more than is committed."""
        return {tp: offset for tp, offset in self._done.items() if offset > (committed.get(tp) or 0)}

    # A process that was stopped, and wakes when others have its partitions, must not write.

    def alive(self, asked_at: float) -> None:
        """The coordinator knew us as a member of the group when it was asked, at `asked_at` (monotonic): it counts from there."""
        self._alive_at = asked_at

    def _fence(self, client: Any) -> None:
        """No request leaves `client` when the last heartbeat is older than half the session time-out: we may soon be replaced."""
        send = client.send

        async def send_while_alive(*args: Any, **kwargs: Any) -> Any:
            # Either a heartbeat succeeds, or the assignment ends, and with it the process.
            while self._alive_at is not None and time.monotonic() - self._alive_at > self.session_timeout_s / 2:
                await asyncio.sleep(0.1)
            return await send(*args, **kwargs)

        client.send = send_while_alive


class _Change(NamedTuple):
    """A changelog record in the form in which Faust's stores take it: an event and its message in one."""

    tp: Any
    offset: int
    key: bytes
    value: bytes

    @property
    def message(self) -> "_Change":
        return self

    @property
    def partition(self) -> int:
        return int(self.tp.partition)


async def _arrived(queue: Any) -> list[Any]:
    """The messages that came, up to BATCH_RECORDS_MAX; none, if none came for IDLE_S."""
    try:
        messages = [(await asyncio.wait_for(queue.get(), IDLE_S)).message]
    except TimeoutError:
        return []
    if queue.qsize() < BATCH_RECORDS_MAX - 1:
        await asyncio.sleep(BATCH_WAIT_S)
    while len(messages) < BATCH_RECORDS_MAX and not queue.empty():
        messages.append(queue.get_nowait().message)
    return messages


def _tp(tp: Any) -> Any:
    return TP(tp.topic, tp.partition)


def _incoming(message: Any) -> Incoming:
    return Incoming(
        message.topic,
        message.partition,
        message.offset,
        message.key or b"",
        message.value,
        tuple(message.headers or ()),
        round(message.timestamp * 1000),
    )


def leave(code: int) -> NoReturn:
    """The process ends at once. Nothing is cleaned up: what a kill leaves is always right, and Faust's own shutdown may hang."""
    os._exit(code)


async def _within(timeout_s: float, work: Awaitable[Any]) -> None:
    """Like `asyncio.wait_for`, but leaves work behind that does not end when cancelled: Faust's commit begins anew then.

    Raises TimeoutError after `timeout_s` seconds, and what the work raises.
    """
    task = asyncio.ensure_future(work)
    if not (await asyncio.wait({task}, timeout=timeout_s))[0]:
        raise TimeoutError(f"not done within {timeout_s} s")
    task.result()


class _ends_the_process:  # noqa: N801 - reads as what it does
    """An exception inside ends the process: nothing after it may be acknowledged."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None and not isinstance(error, asyncio.CancelledError | GeneratorExit | NotReady):
            log.error("engine.failed", where=self.what, exc_info=error)
            leave(FAILED)


# What of Faust is replaced.


class _Listener(driver.ConsumerRebalanceListener):  # type: ignore[misc]
    def on_partitions_revoked(self, revoked: Any) -> Any:
        if revoked:
            log.warning("engine.assignment_ended")
            leave(RESTART)
        return super().on_partitions_revoked(revoked)


class _ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    async def on_start(self) -> None:
        await super().on_start()
        heed_group_errors(self._consumer)
        self._consumer._fetcher._fetch_max_wait_ms = FETCH_WAIT_MS  # Faust has 1.5 s, and no setting
        coordinator, alive = self._consumer._coordinator, self.app.engine.alive
        heartbeat = coordinator._do_heartbeat

        async def noted_heartbeat() -> Any:
            with _ends_the_process("heartbeat"):  # the group is closed to us
                asked_at = time.monotonic()
                known = await heartbeat()
                if known:
                    alive(asked_at)
                return known

        coordinator._do_heartbeat = noted_heartbeat

    def stands_beyond(self, tp: Any, offset: int) -> bool:
        """Whether this offset was handed to Faust already: it will not come again by itself."""
        state = self._consumer._subscription.subscription.assignment.state_value(TopicPartition(tp.topic, tp.partition))
        return bool(state.has_valid_position and state.position > offset)

    async def _fetch_records(self, consumer: Any, *args: Any, **kwargs: Any) -> Any:
        fetched = consumer._fetcher._records
        if fetched:  # each partition has its turn: aiokafka hands out all that it has of one before it goes to the next
            fetched.move_to_end(next(iter(fetched)))
        return await super()._fetch_records(consumer, *args, **kwargs)

    async def stop_fetching(self, partitions: Any) -> None:
        """The changelogs are recovered; Faust would go on fetching all that we write to them, and keep it."""
        await self.call_thread(self._pause, partitions)

    async def _pause(self, partitions: Any) -> None:
        self._consumer.pause(*(TopicPartition(tp.topic, tp.partition) for tp in partitions))

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        self.app.engine.alive(time.monotonic())
        await super().on_partitions_assigned(assigned, generation_id)


class _Consumer(driver.Consumer):  # type: ignore[misc]
    RebalanceListener = _Listener

    def _new_consumer_thread(self) -> Any:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        """Each record goes to its queue as it comes; which are dropped or come twice is seen where they are taken.

        Faust's own drops records by its notes, takes holes for done, and makes four tasks for each record, so that it can leave one
        that waits for its place when the flow is suspended. Here the life ends then.
        """
        while not (self.should_stop or fetcher.should_stop):
            await asyncio.sleep(0)
            async for _tp, message in self.getmany(timeout=1.0):
                await self.callback(message)

    async def perform_seek(self) -> None:
        committed = {TP(*tp): offset for tp, offset in (await self.seek_to_committed()).items()}
        self._committed_offset.update(committed)
        await self.app.engine.begin(committed)

    async def verify_all_partitions_active(self) -> None:
        """Not Faust's watch for partitions that stand still: it ends the app where a position is just being found. `_settle` is ours."""

    def _filter_committable_offsets(self, _tps: Any) -> dict[Any, int]:
        return dict(self.app.engine.committable(self._committed_offset))

    async def force_commit(self, *args: Any, **kwargs: Any) -> Any:
        committed = await super().force_commit(*args, **kwargs)
        COMMITTED_AT.set_to_current_time()
        return committed


class _Transport(driver.Transport):  # type: ignore[misc]
    Consumer = _Consumer


class _Table(faust.Table):  # type: ignore[misc]
    def apply_changelog_batch(self, batch: Any) -> None:
        with _ends_the_process(f"table {self.name}"):  # Faust logs a failure here and goes on without the rows
            super().apply_changelog_batch(batch)


class _App(faust.App):  # type: ignore[misc]
    engine: Engine

    def _new_transport(self) -> Any:
        return _Transport(self.conf.broker_consumer, self)


def _make_app(engine: Engine) -> Any:
    servers = engine.kafka["bootstrap_servers"]
    servers = servers.split(",") if isinstance(servers, str) else servers
    app = _App(
        engine.group,
        broker=[f"kafka://{server}" for server in servers],
        broker_credentials=_credentials(engine.kafka),
        store=engine.store,
        datadir=str(engine.data),
        Table=_Table,
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=engine.partitions,
        topic_replication_factor=engine.replication,
        table_standby_replicas=0,
        stream_wait_empty=False,
        broker_max_poll_records=POLL_RECORDS_MAX,
        consumer_max_fetch_size=FETCH_BYTES_MAX,
        stream_buffer_maxsize=2 * BATCH_RECORDS_MAX,
        broker_commit_interval=COMMIT_S,
        broker_session_timeout=engine.session_timeout_s,
        broker_request_timeout=max(90.0, 2 * engine.session_timeout_s),
        broker_heartbeat_interval=min(3.0, engine.session_timeout_s / 5),
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=instance_id(engine.group, engine.member, engine._reads()),
    )
    app.engine = engine
    for agent in engine._agents.values():
        _add_agent(app, agent)
    return app


def _add_agent(app: Any, agent: _Agent) -> None:
    # Types on the Table itself: given through schema=, recovery takes the changelog for JSON and never ends.
    # Small buffers: there is a database for each table and partition. The system's file cache has what they have not.
    options = {
        "write_buffer_size": 2**18,
        "max_write_buffer_number": 2,
        "target_file_size_base": 2**22,
        "block_cache_size": 2**18,
        "bloom_filter_size": 10,  # bits a key: of the rows that are new 1 in 100 costs a look into the files, with Faust's 3 1 in 4
    }
    agent.rows = table = app.Table(
        agent.table,
        partitions=app.conf.topic_partitions,
        key_type=bytes,
        value_type=bytes,
        options=options if str(app.conf.store).startswith("rocksdb") else None,
    )
    if str(app.conf.store).startswith("rocksdb"):
        agent.read = lambda partition, key: table.data._db_for_partition(partition).get(key)
    else:
        agent.read = lambda _partition, key: table.data.data.get(key)

    async def work(stream: Any) -> None:
        await app.engine.work(agent, stream)

    topic = app.topic(agent.topic, key_type=bytes, value_type=bytes, partitions=app.conf.topic_partitions)
    app.agent(topic, name=f"agent.{agent.topic}")(work)


def _credentials(kafka: Mapping[str, Any]) -> Any:
    protocol = kafka.get("security_protocol", "PLAINTEXT")
    context: ssl.SSLContext | None = kafka.get("ssl_context")
    if protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=kafka.get("sasl_plain_username"),
            password=kafka.get("sasl_plain_password"),
            mechanism=kafka.get("sasl_mechanism", "PLAIN"),
            ssl_context=context if protocol == "SASL_SSL" else None,
        )
    return faust.SSLCredentials(context) if protocol == "SSL" else None
