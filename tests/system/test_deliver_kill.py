"""deliver as real processes, killed or stopped under load: Engagement holds every effect exactly once, in each lane's order.

Real: Kafka, deliver's processes, the simulated Engagement's process with its queues and its shuffling. The seed says when
who dies.
"""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.commands import Command
from schemas.topics import COMMANDS, HISTORY
from simulators.process import start
from tests.engagement.simulated import Project
from tests.streams.deliver.world import BEGIN_MS, SESSION_S, World, anonymize, consent, event, until

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = f"""
import sys
from schemas.settings import load
from streams.deliver import tail
from streams.deliver.app import main
tail.RECORDS_MAX = 300
sys.exit(main(load(), int(sys.argv[1]), {SESSION_S}))
"""
RATE = 300  # commands a second
LANES = 60
KILLS, LOAD_S_MAX = 6, 30


@pytest.fixture(scope="module")
def engagement_url() -> Iterator[str]:
    with start("engagement") as simulator:
        yield simulator.url


@pytest.fixture
async def world(kafka: str, prefix: str) -> AsyncIterator[World]:
    made = World(kafka, prefix)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def project(engagement_url: str, world: World) -> AsyncIterator[Project]:
    made = Project(engagement_url)
    await world.add(made.store)
    yield made
    made.close()


class Worker:
    """A deliver process in a slot, started again by `start` after it ended."""

    def __init__(self, world: World, slot: int) -> None:
        """It remembers less than in production, so that kills show what has to be looked for further back."""
        settings = world.settings
        self.slot = slot
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CARTSTREAM_KAFKA": settings.kafka,
            "CARTSTREAM_TOPIC_PREFIX": settings.topic_prefix,
            "CARTSTREAM_PARTITIONS": str(settings.partitions),
            "CARTSTREAM_SETTLE_S": str(settings.settle_s),
            "CARTSTREAM_HISTORY_RPS": str(settings.history_rps),
            "CARTSTREAM_SECRET_KEY": settings.secret_key.get_secret_value(),
        }
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, str(self.slot)], env=self.environment, stdout=subprocess.DEVNULL, cwd=ROOT
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)

    async def ended(self, within_s: float) -> int:
        return await asyncio.to_thread(self.process.wait, within_s)


@contextlib.contextmanager
def workers(world: World, count: int) -> Iterator[list[Worker]]:
    made = [Worker(world, slot) for slot in range(count)]
    try:
        yield made
    finally:
        for worker in made:
            worker.kill()


class Load:
    """Commands of many lanes, `rate` a second: events, consents, now and then an anonymization; some records stand twice.

    `history`: how many of those that stand before the first anonymization of their lane come by engagement.history.
    """

    def __init__(self, world: World, chance: random.Random, history: float = 0.0, rate: int = RATE) -> None:
        self.world, self.chance, self.share_of_history, self.rate = world, chance, history, rate
        self.history: dict[str, set[int]] = {f"lane{n}": set() for n in range(LANES)}  # numbers
        self.lanes: dict[str, list[Command]] = {f"lane{n}": [] for n in range(LANES)}
        self.ended = asyncio.Event()

    async def run(self, seconds: float) -> None:
        """For so long, or until `ended` is set."""
        begin, sent = time.monotonic(), []
        for n in range(int(seconds * self.rate)):
            if self.ended.is_set():
                break
            lane = self.chance.choice(list(self.lanes))
            done = self.lanes[lane]
            number = len(done) + 1
            made = self.chance.choices([event, consent, anonymize], [80, 19.3, 0.7])[0](lane, number)
            done.append(made)
            if not any(one.kind == "anonymize" for one in done) and self.chance.random() < self.share_of_history:
                self.history[lane].add(number)
            for one in done[-5:] if self.chance.random() < 0.02 else [made]:
                topic = HISTORY if one.number in self.history[lane] else COMMANDS
                sent += await self.world.send_soon(lane, one, topic=topic)
            await asyncio.sleep(max(0.0, begin + n / self.rate - time.monotonic()))
        await asyncio.gather(*sent)

    def segments(self, lane: str) -> list[list[float]]:
        """The timestamps of a lane's events, cut at its anonymizations."""
        cut: list[list[float]] = [[]]
        for command in self.lanes[lane]:
            if command.kind == "anonymize":
                cut.append([])
            else:
                cut[-1].append(time_of(command.number))
        return cut

    def may_be_refused(self, lane: str) -> set[float]:
        """The timestamps of what came by history and stands before an anonymization."""
        anonymized = any(command.kind == "anonymize" for command in self.lanes[lane])
        return {time_of(number) for number in self.history[lane]} if anonymized else set()


def time_of(number: int) -> float:
    return (BEGIN_MS + number) / 1000


def lane_of(profile: dict[str, Any]) -> str:
    ids = {**(profile["former_ids"] or {}), **profile["hard"]}
    return str(ids["email_id"]).removesuffix("@example.com")


def assert_engagement_is_right(project: Project, load: Load) -> None:
    """Each lane's profiles, from the oldest to the present one, hold the events of its segments: all, none twice, none elsewhere.

    But for what was refused of history.
    """
    found: dict[str, list[tuple[int, list[float]]]] = defaultdict(list)
    for profile in project.profiles():
        if profile["events"]:
            found[lane_of(profile)].append((profile["number"], sorted(one["timestamp"] for one in profile["events"])))
    for lane in load.lanes:
        held = [timestamps for _, timestamps in sorted(found[lane])]
        refused = load.may_be_refused(lane) - {timestamp for timestamps in held for timestamp in timestamps}
        expected = [[timestamp for timestamp in segment if timestamp not in refused] for segment in load.segments(lane)]
        assert held == [timestamps for timestamps in expected if timestamps], lane


async def kill_under(load: Load, worker: Worker, project: Project, chance: random.Random) -> int:
    """How often the worker was killed, and started again, while the load ran: KILLS times, however long that takes, if the load lasts."""
    async with asyncio.TaskGroup() as together:
        running = together.create_task(load.run(LOAD_S_MAX))
        kills = 0
        await until(lambda: project.counters()["received"] > 50)
        while kills < KILLS and not running.done():
            await asyncio.sleep(chance.uniform(0.3, 2.5))
            worker.kill()
            worker.start()
            kills += 1
        load.ended.set()
    return kills


async def test_after_kills_under_load_every_effect_stands_exactly_once(world: World, project: Project) -> None:
    chance = random.Random(20)
    load = Load(world, chance)
    with workers(world, 1) as (worker,):
        kills = await kill_under(load, worker, project, chance)
        await world.all_acknowledged(within_s=120)
        worker.process.send_signal(signal.SIGTERM)
        assert await worker.ended(30) == 0
    assert kills == KILLS
    assert await world.dead_letters() == []
    assert_engagement_is_right(project, load)


async def test_after_kills_under_both_topics_nothing_of_history_is_missing_or_twice_or_after_an_anonymization(
    world: World, project: Project
) -> None:
    chance = random.Random(22)
    load = Load(world, chance, history=0.6)
    world.settings = world.settings.model_copy(update={"history_rps": 0.5})
    with workers(world, 1) as (worker,):
        kills = await kill_under(load, worker, project, chance)
        worker.kill()  # many anonymizations are done, and history from before them waits
        worker.environment["CARTSTREAM_HISTORY_RPS"] = "20"
        worker.start()
        await world.all_acknowledged(within_s=120)
    assert kills == KILLS
    assert await world.dead_letters() == []
    assert_engagement_is_right(project, load)
    held = {(lane_of(profile), event["timestamp"]) for profile in project.profiles() for event in profile["events"]}
    refused = {(lane, timestamp) for lane in load.lanes for timestamp in load.may_be_refused(lane)} - held
    assert refused, "history waited below anonymizations"


async def test_a_worker_that_was_stopped_for_longer_than_its_session_does_no_harm_when_it_wakes(world: World, project: Project) -> None:
    load = Load(world, random.Random(21), rate=RATE // 3)  # what comes while it is stopped has to be worked off
    with workers(world, 2) as both:
        stopped = both[0]
        async with asyncio.TaskGroup() as together:
            running = together.create_task(load.run(10 * SESSION_S))
            await until(world.shares, what="both have partitions")
            await until(lambda: project.counters()["received"] > 300)
            stopped.process.send_signal(signal.SIGSTOP)
            before = await world.committed_each([COMMANDS])

            async def is_taken_over() -> bool:
                return all(now > then + load.rate // 10 for now, then in zip(await world.committed_each([COMMANDS]), before, strict=True))

            await until(is_taken_over, 7 * SESSION_S, "the other worker has all partitions")
            assert not running.done()
            stopped.process.send_signal(signal.SIGCONT)
            await asyncio.sleep(1)
            load.ended.set()

        async def is_done() -> bool:
            for worker in both:  # as in production: one that ends because its session had, starts again
                if worker.process.poll() is not None:
                    assert worker.process.returncode == 75
                    worker.start()
            return await world.is_acknowledged()

        await until(is_done, 120, "every record acknowledged")
        assert stopped.process.poll() is None
    assert_engagement_is_right(project, load)
