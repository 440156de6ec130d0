"""The loop: commands in, calls out, side by side. What may go, rules/ say."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition

from engagement.answers import Done, Outcome, Refused, Unanswered
from engagement.client import BatchCommand, Client
from engagement.limits import Pace
from schemas.commands import Command
from schemas.connection import kafka_options
from schemas.dead_letters import DeadLetter, letter_of, lost_letter
from schemas.directory import Directory
from schemas.failures import AccessLost, CommandRefused, Failure, QuotaSpent, Reject, Retry, Undecodable
from schemas.records import Decoder, Origin, encode, headers_of, origin_of
from schemas.settings import Settings
from schemas.stores import Store
from schemas.topics import CATALOG, COMMANDS, DEAD_LETTERS
from schemas.waiting import until_set
from streams.consumer import BatchConsumer, Bounds
from streams.deliver import metrics
from streams.deliver.catalogs import Catalogs
from streams.deliver.history import AHEAD, HistoryWay
from streams.deliver.rules import consents
from streams.deliver.rules.doubtful import Doubtful
from streams.deliver.rules.lanes import Lanes
from streams.deliver.rules.pending import Pending
from streams.deliver.rules.queue import TRIES_MAX, Queue, backoff_s
from streams.deliver.tail import read_done

log = structlog.get_logger()

TAKE_S = 0.2
LOOK_S_MAX = 1.0  # between two looks at the queues when nothing happens: a store may have become known
ACCESS_S = 30.0  # between two tries with a key that is not accepted


class Deliver:
    """One deliver process at work."""

    def __init__(self, settings: Settings, directory: Directory, dead_letters: AIOKafkaProducer) -> None:
        self._settings, self._directory, self._dead_letters = settings, directory, dead_letters
        self._decoder = Decoder(COMMANDS.messages)
        self._lanes: dict[TopicPartition, Lanes] = {}  # of the partitions of engagement.commands
        self._history = HistoryWay(settings, self._commands, self._accept, self._task)
        self._doubtful: dict[TopicPartition, Doubtful] = {}  # consents among these are looked up
        self._find_from_s = 0.0
        self._queues: dict[str, Queue[Pending]] = {}  # by store
        self._paces: dict[str, Pace] = {}  # by host
        self._catalog_topic = settings.topic_prefix + CATALOG.name
        self._catalogs = Catalogs(settings.settle_s, directory, self._paces, self._start, self._bury)
        self._calls: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    async def run(self, consumer: BatchConsumer, client: Client, told: asyncio.Event) -> None:
        """Works until `told` to end; the calls under way have ended then. Raises an ExceptionGroup: of Fenced, KafkaError, or a bug."""
        self._consumer, self._client = consumer, client
        async with asyncio.TaskGroup() as self._tasks:
            calling = self._tasks.create_task(self._call_out())
            writing = self._tasks.create_task(self._catalogs.run(consumer, client))
            while not told.is_set():
                for record in await consumer.take(TAKE_S):
                    (self._catalogs.accept if record.topic == self._catalog_topic else self._accept)(record)
                for tp, lanes in self._lanes.items():
                    self._let_go(lanes.committed(consumer.committed(tp), time.monotonic()))
                metrics.WAITING.set(sum(map(len, (*self._queues.values(), *self._history.queues.values()))))
            calling.cancel()
            writing.cancel()
            self._history.forget()

    # Partitions come and go

    async def begin(self, bounds: Mapping[TopicPartition, Bounds]) -> None:
        """The lanes of these partitions are known as far as their tails tell. Raises KafkaError."""
        now_s, settle_s = time.monotonic(), self._settings.settle_s
        self._catalogs.begin({tp.partition for tp in bounds if tp.topic == self._catalog_topic}, now_s)
        bounds = {tp: bound for tp, bound in bounds.items() if tp.topic != self._catalog_topic}
        commands = {tp: bound for tp, bound in bounds.items() if tp not in self._history}
        assigned = {tp: Lanes(now_s, settle_s, bound.committed) for tp, bound in commands.items()}
        committed = {tp: bound.committed for tp, bound in commands.items()}
        async for lane, command, tp in self._commands(read_done(kafka_options(self._settings), committed)):
            assigned[tp].remember(lane, command.number, border=command.kind == "anonymize")
            if command.kind == "anonymize":
                assigned[tp].refuse_below(lane, command)
        # What an earlier life sent right before its end is applied by then, and so can be found.
        self._doubtful = {tp: Doubtful(*bound, None if tp in commands else AHEAD) for tp, bound in bounds.items()}
        self._find_from_s = now_s + settle_s
        self._history.begin(bounds, assigned)
        self._lanes = assigned

    async def _commands(self, records: AsyncIterator[ConsumerRecord]) -> AsyncIterator[tuple[str, Command, TopicPartition]]:
        """Those that can be read: the others are dead letters since then, or will be."""
        async for record in records:
            with contextlib.suppress(Undecodable):
                yield *self._read(record), TopicPartition(record.topic, record.partition)

    def metadata(self, tp: TopicPartition) -> str | None:
        """What is to be committed with the partition's offset; None: what was, for it is not ours any more."""
        return self._lanes[tp].metadata() if tp in self._lanes else None

    async def forget(self, _: frozenset[TopicPartition]) -> None:
        """Nothing goes out any more, and what was under way has ended: it comes before whatever a successor sends."""
        self._lanes, self._queues = {}, {}
        self._catalogs.forget()
        self._history.forget()
        if calls := set(self._calls):
            await asyncio.wait(calls, timeout=self._consumer.call_s_max)
        for call in calls:
            call.cancel()

    # Commands in

    def _accept(self, record: ConsumerRecord) -> None:
        if self._history.hold(record):
            return
        tp = TopicPartition(record.topic, record.partition)
        try:
            lane, command = self._read(record)
        except Undecodable as error:
            self._start(self._undecodable(record, error))
            return
        pending = Pending(record, tp, record.offset, lane, command)
        if self._doubtful[tp].is_doubtful(record.offset, lane) and command.consent:
            pending.in_doubt, pending.at_s = True, self._find_from_s
        going = (self._history if tp in self._history else self._lanes[tp]).add(pending)
        if going is None:
            metrics.COMMANDS.labels("repeated").inc()
            self._consumer.done(record)
        else:
            self._let_go(going)

    async def _undecodable(self, record: ConsumerRecord, error: Undecodable) -> None:
        await self._bury(record, "", error, tries=1)
        metrics.COMMANDS.labels("dead_letter").inc()
        self._consumer.done(record)

    def _read(self, record: ConsumerRecord) -> tuple[str, Command]:
        command = self._decoder.decode(record.value, record.headers)
        assert isinstance(command, Command)
        if not record.key:
            raise Undecodable("no lane", "key")
        if (record.topic, record.partition) in self._history and command.kind == "anonymize":
            raise Undecodable("an anonymization has its place in engagement.commands alone", "kind")
        return record.key.decode(errors="replace"), command

    def _let_go(self, going: Iterable[Pending]) -> None:
        for pending in going:
            queues = self._history.queues if pending.source in self._history else self._queues
            queues.setdefault(pending.command.store, Queue()).put(pending)
            self._wake.set()

    # Calls out

    async def _call_out(self) -> None:
        while True:
            self._wake.clear()
            wait_s = min(LOOK_S_MAX, self._make_calls() - time.monotonic())
            await until_set(self._wake, max(0.0, wait_s))

    def _make_calls(self) -> float:
        """Every call that may be made now is under way; returns when to look again. History comes last."""
        now_s = time.monotonic()
        return min(self._make_live_calls(now_s), self._make_history_calls(now_s))

    def _make_live_calls(self, now_s: float) -> float:
        """No store comes first."""
        next_s = float("inf")
        ready = {name: store for name in self._queues if (store := self._directory.by_store.get(name))}
        while ready:
            for name, store in random.sample(list(ready.items()), len(ready)):
                queue = self._queues[name]
                due_s = queue.next_s(now_s)
                if due_s <= now_s:
                    due_s = now_s + self._pace(store).start(now_s)
                if due_s <= now_s:
                    self._start(self._call(store, queue, queue.cut(now_s)))
                else:
                    next_s = min(next_s, due_s)
                    del ready[name]
        return next_s

    def _make_history_calls(self, now_s: float) -> float:
        next_s = float("inf")
        for name in random.sample(list(self._history.queues), len(self._history.queues)):
            while store := self._directory.by_store.get(name):
                due_s = self._history.turn(store, self._queues.get(name), self._pace(store), now_s)
                if due_s > now_s:
                    next_s = min(next_s, due_s)
                    break
                going, refused = self._history.cut(store, now_s)
                for command in refused:
                    metrics.COMMANDS.labels("refused").inc()
                    self._consumer.done(command.record)
                if going:
                    self._start(self._call(store, self._history.queues[name], going))
        return next_s

    def _pace(self, store: Store) -> Pace:
        return self._paces.setdefault(urlsplit(store.engagement_url).netloc, Pace())

    def _task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """What it raises ends the process."""
        return self._tasks.create_task(work)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        call = self._task(work)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, store: Store, queue: Queue[Pending], commands: list[Pending]) -> None:
        """One call is made, and each of its commands is done, a dead letter, or goes again."""
        kind = "anonymize" if commands[0].border else "look_up" if commands[0].in_doubt else "batch"
        began_s = time.monotonic()
        try:
            outcomes = await self._send(store, kind, commands)
        except Failure as error:
            metrics.CALLS.labels(kind, type(error).__name__).inc()
            await self._without_outcomes(store, queue, kind, commands, began_s, error)
        else:
            metrics.CALLS.labels(kind, "answered").inc()
            queue.answered()
            for command, outcome in zip(commands, outcomes, strict=True):
                match outcome:
                    case Done():
                        self._done(command, "sent")
                    case Refused(reason):
                        await self._refused(command, CommandRefused(reason))
                    case Unanswered():
                        await self._unanswered(queue, command, "Engagement's answer does not speak of it")
        self._wake.set()

    async def _send(self, store: Store, kind: str, commands: list[Pending]) -> list[Outcome]:
        first = commands[0]
        self._consumer.check_fence()
        if kind == "anonymize":
            await self._client.anonymize(store, first.data)
            return [Done()]
        if kind == "look_up":
            consent = orjson.loads(first.data)
            if consents.is_there(consent, await self._client.events(store, consent["customer_ids"], ["consent"])):
                return [Done()]
            first.in_doubt = False
            self._consumer.check_fence()
        return await self._client.send_batch(
            store, [BatchCommand(f"{c.record.topic}/{c.record.partition}/{c.offset}", c.command.kind, c.data) for c in commands]
        )

    async def _without_outcomes(
        self, store: Store, queue: Queue[Pending], kind: str, commands: list[Pending], began_s: float, error: Failure
    ) -> None:
        """The call as a whole failed."""
        now_s = time.monotonic()
        match error:
            case Retry():
                queue.failed(began_s, now_s)
                wait_s = backoff_s(queue.failures, error.after_s, random.random())  # noqa: S311
                queue.pause(now_s + wait_s)
                log.warning("Engagement is asked again", store=store.store, why=str(error), wait_s=round(wait_s, 1))
                for command in commands:
                    if isinstance(error, QuotaSpent):
                        self._again(command)  # what is over the limit is not taken
                    else:
                        await self._unanswered(queue, command, str(error))
            case AccessLost() if store.removed:
                queue.answered()
                for command in commands:
                    await self._bury(command.record, store.store, CommandRefused(f"the store was removed; {error}"), command.tries + 1)
                    self._done(command, "dead_letter")
            case AccessLost():
                log.error("commands wait until Engagement accepts them", store=store.store, call=kind, why=str(error))
                if kind == "batch":
                    queue.failed(began_s, now_s)
                    queue.pause(now_s + ACCESS_S)
                else:
                    queue.answered()  # the key may lack the permission for calls of this kind alone
                for command in commands:
                    self._again(command, after_s=ACCESS_S)
            case CommandRefused() if len(commands) == 1:
                queue.answered()
                await self._refused(commands[0], error)
            case CommandRefused():  # as a batch; with fewer others each time the one at fault is found
                queue.answered()
                for command in commands:
                    command.tries += 1
                    self._again(command)
            case _:
                raise error

    # What becomes of a command

    def _done(self, command: Pending, how: str) -> None:
        metrics.COMMANDS.labels(how).inc()
        self._consumer.done(command.record)
        if lanes := self._lanes.get(command.source):
            lanes.done(command, time.monotonic())
        else:
            self._let_go(self._history.leave(command, time.monotonic()))

    def _again(self, command: Pending, *, after_s: float = 0.0) -> None:
        """The same bytes go once more."""
        now_s = time.monotonic()
        command.at_s = now_s + after_s
        if command.source in self._lanes:
            self._let_go([command])
        else:
            self._let_go(self._history.again(command, now_s))

    async def _unanswered(self, queue: Queue[Pending], command: Pending, why: str) -> None:
        """It goes again, or never. A consent that was not answered is looked up first, once it would be applied."""
        if queue.gives_up(command):
            await self._refused(command, CommandRefused(f"{why}, in {TRIES_MAX} tries, while others were answered"))
            return
        command.tries += 1
        after_s = backoff_s(command.tries, None, random.random())  # noqa: S311
        if command.command.consent:
            command.in_doubt = True
            after_s = max(after_s, self._settings.settle_s)
        self._again(command, after_s=after_s)

    async def _refused(self, command: Pending, error: CommandRefused) -> None:
        """A dead letter. An anonymization stays undone besides: what stands behind it must not pass it."""
        await self._bury(command.record, command.command.store, error, command.tries + 1)
        if command.border:
            metrics.HELD_LANES.inc()
            log.error("a lane is held back until the next start: its anonymization was refused", lane=command.lane, why=error.reason)
        else:
            self._done(command, "dead_letter")

    async def _bury(self, record: ConsumerRecord, store: str, error: Reject, tries: int) -> None:
        """The dead letter stands on Kafka."""
        letter = letter_of(record, error, stage="deliver", store=store, times=tries)
        origin = origin_of(record.topic, record.partition, record.offset, record.timestamp, record.headers)
        await self._put(letter, record.key, origin)
        log.error("a dead letter", id=letter.id, store=store, reason=error.reason)

    async def lost(self, tp: TopicPartition, first: int, count: int) -> None:
        """It is on Kafka that retention removed records before they were read. Raises KafkaError."""
        letter = lost_letter("deliver", tp.topic, tp.partition, first, count)
        await self._put(letter, letter.id.encode(), Origin(cause=letter.id, observed_at_ms=letter.at_ms))

    async def _put(self, letter: DeadLetter, key: bytes | None, origin: Origin) -> None:
        topic = self._settings.topic_prefix + DEAD_LETTERS.name
        await self._dead_letters.send_and_wait(topic, encode(letter), key, headers=list(headers_of(letter, origin)))
