"""The engine under load, while its processes and its broker are killed: nothing missing, nothing out of order, no row wrong.

Real: the worker processes, Kafka, the load. Times of kills are drawn from a seed that a failure prints;
ENGINE_KILL_SEED sets it, ENGINE_KILL_ROUNDS repeats every test.
"""

import asyncio
import collections
import contextlib
import math
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from ops.embedded_kafka import EmbeddedKafka
from streams.engine import COMMIT_S
from streams.offsets import commit_beginning_offsets
from tests.system.engine_worker import PARTITIONS, STEPS

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
KEYS = 500
RATE = 500  # facts a second
SESSION_TIMEOUT_S = 10
DONE_S_MAX = 150  # for whatever is waited for: others may use the machine
EXIT_S_MAX = 12
CODES = {0, 75, -signal.SIGKILL, -signal.SIGTERM}  # the last: asked to stop while it was still importing


class Worker:
    """A worker process that is started again at once whenever it ends, as its parent does in production."""

    def __init__(self, trial: "Trial", slot: int) -> None:
        self.trial, self.slot = trial, slot
        self.folder = trial.folder / f"slot-{slot}"
        self.codes: list[int] = []
        self.retired = False
        self.process: asyncio.subprocess.Process | None = None
        self.task = asyncio.create_task(self._supervise())

    async def _supervise(self) -> None:
        trial = self.trial
        while not self.retired:
            death = trial.deaths.pop(0) if trial.deaths else ""
            arguments = [trial.bootstrap, trial.prefix, trial.store, self.folder, self.slot, SESSION_TIMEOUT_S, trial.together, death]
            with open(trial.folder / f"slot-{self.slot}.log", "ab") as log:
                self.process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-m", "tests.system.engine_worker"),
                    *map(str, arguments),
                    cwd=ROOT,
                    env=os.environ | {"PYTHONPATH": str(ROOT)},
                    stdout=log,
                    stderr=log,
                )
                self.codes.append(await self.process.wait())
                log.write(b"%.1f ended with %d\n" % (time.time() % 1000, self.codes[-1]))
            if death and self.codes[-1] != -signal.SIGKILL:  # something else came first, as a rebalance
                trial.deaths.append(death)
            if self.codes[-1] == 1:
                return  # it refused to start

    def send(self, number: int) -> None:
        if self.process and self.process.returncode is None:
            self.process.send_signal(number)

    async def retire(self, number: int = signal.SIGTERM) -> None:
        """It ends and is not started again. Raises TimeoutError, after a kill, where it does not end by itself."""
        self.retired = True
        self.send(number)
        try:
            await asyncio.wait_for(asyncio.shield(self.task), EXIT_S_MAX)
        finally:
            self.send(signal.SIGKILL)
            await self.task


class Trial:
    """Topics of its own, workers, a load with a known right answer, and what came out of it."""

    def __init__(self, bootstrap: str, prefix: str, store: str, folder: Path, seed: int) -> None:
        self.bootstrap, self.prefix, self.store, self.folder = bootstrap, prefix, store, folder
        self.random = random.Random(seed)
        self.workers: list[Worker] = []
        self.produced = 0
        self.loaded = asyncio.Event()
        self.deaths: list[str] = []  # how each life from now on ends, see engine_worker.py; then they live
        self.together = 0  # so many records are the first batch of each life from now on
        self.codes_allowed = CODES

    def work(self, slot: int) -> Worker:
        worker = Worker(self, slot)
        self.workers.append(worker)
        return worker

    async def create_topics(self) -> None:
        async with admin(self.bootstrap) as client:
            await client.create_topics([NewTopic(self.prefix + name, PARTITIONS, 1) for name in ("in", "middle", "out", "lost")])
        await commit_beginning_offsets(
            {"bootstrap_servers": self.bootstrap}, f"{self.prefix}count", [f"{self.prefix}in", f"{self.prefix}middle"]
        )

    async def load(self, total: float) -> None:
        """Facts, spread over the keys in turn, at RATE, until there are `total` more or `self.loaded` is set."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True, linger_ms=5)
        await producer.start()
        try:
            started, number = time.monotonic(), 0
            while number < total and not self.loaded.is_set():
                key, fact = b"k%d" % (self.produced % KEYS), {"version": self.produced // KEYS}
                await producer.send(f"{self.prefix}in", orjson.dumps(fact), key=key)
                self.produced += 1
                number += 1
                if number % 50 == 0:
                    await asyncio.sleep(max(0.0, started + number / RATE - time.monotonic()))
        finally:
            await producer.stop()

    @contextlib.asynccontextmanager
    async def under_load(self) -> AsyncIterator[None]:
        load = asyncio.create_task(self.load(math.inf))
        try:
            yield
        except BaseException:
            load.cancel()  # and is not waited for: where the broker is gone it does not end, and the fault to be told is this one
            raise
        self.loaded.set()
        async with asyncio.timeout(DONE_S_MAX):
            await load

    async def some_seconds(self, least: float, most: float) -> None:
        await asyncio.sleep(self.random.uniform(least, most))

    async def joined(self, members: int) -> None:
        """Returns when the group has so many members and has shared its partitions out among them."""

        async def describe() -> Any:
            async with admin(self.bootstrap) as client:
                _, _, state, _, _, found, *_ = (await client.describe_consumer_groups([f"{self.prefix}count"]))[0].groups[0]
                return state, len(found)

        await until(describe, lambda answer: answer == ("Stable", members))

    async def working(self) -> None:
        """Returns when something more was done, and committed, in every partition."""
        before = await committed_offsets(self)
        await until(lambda: committed_offsets(self), lambda now: all(now[tp] > before[tp] for tp in before))

    async def outcome(self) -> "Outcome":
        """What came out, read until nothing is missing or DONE_S_MAX have passed."""
        outcome = Outcome(self.produced)
        consumer = AIOKafkaConsumer(f"{self.prefix}out", bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            deadline = time.monotonic() + DONE_S_MAX
            while outcome.missing and time.monotonic() < deadline:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        outcome.add(record.key, orjson.loads(record.value))
        finally:
            await consumer.stop()
        return outcome

    async def rows(self, table: str) -> dict[bytes, dict]:
        """A table as its changelog has it. No row in there ever goes back to what it was before."""
        rows: dict[bytes, dict] = {}
        for record in await read(self.bootstrap, f"{self.prefix}count-{table}-changelog"):
            row = orjson.loads(record.value)
            assert row["version"] >= rows.get(record.key, row)["version"], (record.key, record.offset, self.story())
            rows[record.key] = row
        return rows

    async def lost(self) -> list[dict]:
        return [orjson.loads(record.value) | {"topic": record.key.decode()} for record in await read(self.bootstrap, f"{self.prefix}lost")]

    async def check(self) -> None:
        """All is done and all is right; the workers have ended in order."""
        outcome = await self.outcome()
        assert outcome.faults() == {}, self.story()
        topics = [TopicPartition(f"{self.prefix}{topic}", number) for topic in ("in", "middle") for number in range(PARTITIONS)]
        ends = await end_offsets(self.bootstrap, topics)  # outputs come before rows: a batch may be all out and not yet done
        await until(lambda: committed_offsets(self), lambda now: all(now[tp] == ends[tp] for tp in topics))
        for worker in self.workers:
            if not worker.retired:
                await worker.retire()
        expected = {b"k%d" % key: self.last_row(key) for key in range(min(KEYS, self.produced))}
        for table in ("first", "second"):
            rows = await self.rows(table)
            assert {key: rows.get(key) for key in expected if rows.get(key) != expected[key]} == {}, self.story()
        codes = {code for worker in self.workers for code in worker.codes}
        assert codes <= self.codes_allowed, self.story()
        print(f"\n{self.story()}\n  {self.produced} facts, {outcome.doubled} outputs doubled")

    def last_row(self, key: int) -> dict:
        versions = (self.produced - key + KEYS - 1) // KEYS
        return {"version": versions - 1, "count": versions}

    def story(self) -> str:
        return " ".join(f"slot {worker.slot} ended with {worker.codes}" for worker in self.workers) + f" (logs in {self.folder})"


class Outcome:
    def __init__(self, produced: int) -> None:
        self.produced, self.doubled = produced, 0
        self.out_of_order: list[tuple[bytes, int]] = []
        self.wrong: list[tuple[bytes, dict]] = []
        self.last: dict[bytes, int] = collections.defaultdict(lambda: -1)
        self.seen: set[tuple[bytes, int]] = set()

    @property
    def missing(self) -> int:
        return self.produced - len(self.seen)

    def add(self, key: bytes, row: dict) -> None:
        if (key, row["version"]) in self.seen:
            self.doubled += 1
        else:
            if row["version"] != self.last[key] + 1:
                self.out_of_order.append((key, row["version"]))
            self.last[key] = row["version"]
            self.seen.add((key, row["version"]))
        if row["count"] != row["version"] + 1:
            self.wrong.append((key, row))

    def faults(self) -> dict[str, object]:
        found = {"missing": self.missing, "out of order": self.out_of_order[:5], "wrong": self.wrong[:5]}
        return {name: what for name, what in found.items() if what}


@contextlib.asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def read(bootstrap: str, topic: str) -> list:
    """All that the topic holds now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        ends, records = await consumer.end_offsets(consumer.assignment()), []
        while not all([await consumer.position(tp) >= end for tp, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
        return records
    finally:
        await consumer.stop()


def rounds() -> Iterable[int]:
    return range(int(os.environ.get("ENGINE_KILL_ROUNDS", "1")))


@pytest.fixture(params=["rocksdb", "memory"])
def store(request: pytest.FixtureRequest) -> str:
    return f"{request.param}://"


@contextlib.asynccontextmanager
async def on_trial(bootstrap: str, prefix: str, store: str, folder: Path) -> AsyncIterator[Trial]:
    seed = int(os.environ.get("ENGINE_KILL_SEED", time.time_ns() % 1_000_000))
    print(f"\nENGINE_KILL_SEED={seed}")
    trial = Trial(bootstrap, prefix, store, folder, seed)
    await trial.create_topics()
    try:
        yield trial
    finally:
        for worker in trial.workers:
            with contextlib.suppress(TimeoutError):
                await worker.retire(signal.SIGKILL)


@pytest.fixture(params=rounds(), ids=lambda number: f"round{number}")
async def trial(request: pytest.FixtureRequest, kafka: str, prefix: str, store: str, tmp_path: Path) -> AsyncIterator[Trial]:
    async with on_trial(kafka, prefix, store, tmp_path) as trial:
        yield trial


async def test_nothing_is_lost_doubled_or_reordered_when_workers_are_killed_under_load(trial: Trial):
    async with trial.under_load():
        a, b = trial.work(0), trial.work(1)
        await trial.joined(2)
        await trial.some_seconds(0, 2)
        a.send(signal.SIGKILL)  # in its first start, while what is committed is 0
        for victim in (b, a):
            await trial.some_seconds(1, 5)
            victim.send(signal.SIGKILL)
        await trial.some_seconds(1, 4)
        a.send(signal.SIGTERM)
        await trial.some_seconds(1, 4)
        b.send(signal.SIGKILL)
        shutil.rmtree(b.folder, ignore_errors=True)  # its tables are gone, too: the changelog has all that they had
    await trial.check()


async def test_a_kill_between_any_two_steps_of_a_batch_loses_nothing(trial: Trial):
    commit_s = trial.random.choices([0, 1.5 * COMMIT_S], k=2 * len(STEPS))
    trial.deaths = [f"{step}:{trial.random.randrange(5, 60)}:{wait_s}" for step, wait_s in zip(STEPS * 2, commit_s, strict=True)]
    deaths = len(trial.deaths)
    async with trial.under_load():
        a, b = trial.work(0), trial.work(1)
        await until(count_of(lambda: (a.codes + b.codes).count(-signal.SIGKILL)), lambda died: died >= deaths)
    await trial.check()


async def test_a_worker_that_joins_and_one_that_never_comes_back_cost_nothing(trial: Trial):
    async with trial.under_load():
        trial.work(0), trial.work(1)
        await trial.joined(2)
        await trial.working()
        c = trial.work(2)
        await trial.joined(3)
        await trial.some_seconds(0, 3)
        await c.retire(signal.SIGKILL)
        await trial.joined(2)
    await trial.check()


async def test_a_worker_that_was_frozen_past_its_session_writes_nothing_when_it_wakes(trial: Trial):
    trial.codes_allowed = CODES | {70}  # its commit may be the first to hear that it is no member any more
    async with trial.under_load():
        a, _ = trial.work(0), trial.work(1)
        await trial.joined(2)
        await trial.working()
        a.send(signal.SIGUSR1)  # it freezes with its outputs sent and its rows not yet written
        await trial.joined(1)
        await trial.working()  # the other one has gone on with its partitions
        lives = len(a.codes)
        a.send(signal.SIGCONT)
        await until(count_of(lambda: len(a.codes)), lambda now: now > lives)
    await trial.check()


@pytest.mark.parametrize("number", rounds())
async def test_a_broker_that_is_killed_and_comes_back_costs_nothing(
    number: int, kafka_folder: Path, prefix: str, store: str, tmp_path: Path
):
    with EmbeddedKafka(kafka_folder, tmp_path / "kafka") as broker:
        async with on_trial(broker.address, prefix, store, tmp_path) as trial:
            trial.codes_allowed = CODES | {70}  # a worker may give up a life while Kafka is away
            async with trial.under_load():
                a, _ = trial.work(0), trial.work(1)
                await trial.joined(2)
                await trial.working()
                os.kill(broker.pid, signal.SIGKILL)
                await trial.some_seconds(0, 2)
                lives = len(a.codes)
                a.send(signal.SIGTERM)
                await until(count_of(lambda: len(a.codes)), lambda now: now > lives)  # although Kafka does not answer
                await asyncio.to_thread(broker.stop)
                await asyncio.to_thread(broker.start)
                await trial.some_seconds(1, 3)
            await trial.check()


@pytest.mark.parametrize("store", ["memory://"])
async def test_a_rule_that_fails_ends_the_process_and_acknowledges_nothing_of_its_batch(trial: Trial):
    await trial.load(1_000)
    worker = trial.work(0)
    assert (await trial.outcome()).faults() == {}
    await worker.retire()
    version = trial.last_row(0)["version"] + 1
    good = orjson.dumps({"version": version})
    async with AIOKafkaProducer(bootstrap_servers=trial.bootstrap) as producer:
        first, *_ = [await producer.send_and_wait(f"{trial.prefix}in", value, key=b"k0") for value in (good, b"no fact", good)]
    trial.together = 3
    worker = trial.work(0)
    await until(count_of(lambda: worker.codes.count(70)), lambda failures: failures >= 2)
    await worker.retire(signal.SIGKILL)
    assert (await committed_offsets(trial))[TopicPartition(first.topic, first.partition)] == first.offset
    assert version not in {orjson.loads(r.value)["version"] for r in await read(trial.bootstrap, f"{trial.prefix}middle") if r.key == b"k0"}
    assert (await trial.rows("first"))[b"k0"] == trial.last_row(0)


async def test_records_that_retention_removed_unread_are_reported_and_the_rest_goes_on(trial: Trial):
    bootstrap, topic = trial.bootstrap, f"{trial.prefix}in"
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    await trial.load(2_000)
    worker = trial.work(0)
    assert (await trial.outcome()).faults() == {}
    await worker.retire()
    committed = await committed_offsets(trial)
    await trial.load(2_000)
    ends = await end_offsets(bootstrap, partitions)
    removed = {partitions[0]: ends[partitions[0]] - 100, partitions[1]: ends[partitions[1]], partitions[2]: committed[partitions[2]]}
    await delete_records(bootstrap, removed)

    worker = trial.work(0)  # the second partition is empty now: nothing in it will ever show the gap
    expected = [
        {"topic": topic, "partition": tp.partition, "first": committed[tp], "count": offset - committed[tp]}
        for tp, offset in removed.items()
        if offset > committed[tp]
    ]
    await until(lambda: committed_offsets(trial), lambda offsets: all(offsets[tp] == ends[tp] for tp in partitions))
    assert sorted(await trial.lost(), key=lambda report: report["partition"]) == expected

    worker.send(signal.SIGSTOP)  # and in the middle of a life, for less than its session
    await trial.load(500)
    ends = await end_offsets(bootstrap, partitions)
    await delete_records(bootstrap, {tp: end - 5 for tp, end in ends.items()})
    worker.send(signal.SIGCONT)
    await until(lambda: committed_offsets(trial), lambda offsets: all(offsets[tp] == ends[tp] for tp in partitions))
    await worker.retire()
    taken = {(record.key, orjson.loads(record.value)["version"]) for record in await read(bootstrap, f"{trial.prefix}middle")}
    assert len(taken) + sum(report["count"] for report in await trial.lost()) == trial.produced
    assert set(worker.codes) == {0}


async def committed_offsets(trial: Trial) -> dict[TopicPartition, int]:
    async with admin(trial.bootstrap) as client:
        return {tp: at.offset for tp, at in (await client.list_consumer_group_offsets(f"{trial.prefix}count")).items()}


async def end_offsets(bootstrap: str, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        return await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()


async def delete_records(bootstrap: str, before: dict[TopicPartition, int]) -> None:
    async with admin(bootstrap) as client:
        await client.delete_records({tp: RecordsToDelete(before_offset=offset) for tp, offset in before.items()})


def count_of(value: Callable[[], int]) -> Callable[[], Awaitable[int]]:
    async def ask() -> int:
        return value()

    return ask


async def until(ask: Callable[[], Awaitable[Any]], good: Callable[[Any], bool]) -> None:
    deadline = time.monotonic() + DONE_S_MAX
    while not good(answer := await asyncio.wait_for(ask(), DONE_S_MAX)):
        assert time.monotonic() < deadline, answer
        await asyncio.sleep(0.2)
