"""engagement.history beside engagement.commands, against a real Kafka and a simulated Engagement."""

from collections import Counter

import pytest
from aiokafka import TopicPartition

from schemas.connection import kafka_options, producer
from schemas.topics import COMMANDS, HISTORY
from streams.deliver import metrics, tail
from tests.engagement.simulated import Project
from tests.streams.deliver.world import World, anonymize, consent, consents, event, purchases, until

RPS = 6.0


async def send_backlog(world: World, lanes: range, numbers: range, store: str = "s.1") -> None:
    for n in lanes:
        await world.send_soon(f"old{n}", *[event(f"old{n}", number, store) for number in numbers], topic=HISTORY)
    await world.flush()


def refused() -> float:
    return float(metrics.COMMANDS.labels("refused")._value.get())


async def test_live_commands_pass_a_backlog_of_history_which_keeps_to_its_rate(world: World, project: Project) -> None:
    await send_backlog(world, range(200), range(1, 16))
    async with world.delivering(history_rps=RPS):
        await until(lambda: project.counters()["received"] > 100, what="history goes")
        for n in range(20):
            await world.send(f"old{n}", *[event(f"old{n}", number) for number in range(16, 21)])
        await world.all_acknowledged()
    expected = [f"old{n}-{number}" for n in range(200) for number in range(1, 16)]
    expected += [f"old{n}-{number}" for n in range(20) for number in range(16, 21)]
    assert purchases(project.events()) == sorted(expected)
    assert project.counters()["deduped"] == 0

    log = [(entry["request"], entry["received_at_ms"], is_live(entry["timestamp"])) for entry in project.log()]
    assert [live for _, _, live in log].index(True) > 100
    assert not any(live for _, _, live in log[-500:]), "live commands, written when it was under way, were done long before its end"
    kinds = {request: {live for r, _, live in log if r == request} for request, _, _ in log}
    assert all(len(kind) == 1 for kind in kinds.values()), "no call carries both"
    requests = {request: at_ms // 1000 for request, at_ms, live in log if not live}
    assert max(Counter(requests.values()).values()) <= 2 * RPS
    assert 3000 / 50 <= len(requests) < 3000 / 40


def is_live(timestamp: float) -> bool:
    """Numbers up to 15 are history's."""
    return round(timestamp * 1000) % 1000 > 15


async def test_history_that_cannot_go_stops_no_live_command(world: World, project: Project) -> None:
    await send_backlog(world, range(200), range(1, 16), store="unknown.1")
    async with world.delivering():
        await world.send("a", *[event("a", number) for number in range(1, 3000)])
        await until(lambda: len(project.events()) == 2999)


async def test_history_from_before_an_anonymization_is_refused_also_after_a_restart_that_forgot_it(
    world: World, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "RECORDS_MAX", 5)
    await send_backlog(world, range(50), range(1, 4))
    await world.send("gone", event("gone", 1), consent("gone", 2), topic=HISTORY)
    before = refused()
    async with world.delivering(history_rps=0.01):  # one call goes, of 50; the next one would after 100 s
        await world.send("gone", anonymize("gone", 3), event("gone", 4))
        await world.send(lane_beside(world, "gone"), *[event("beside", number) for number in range(1, 30)])

        async def live_is_done() -> bool:
            return sum(await world.committed_each([COMMANDS])) == 31

        await until(live_is_done)
        assert await world.committed() < world.sent
    assert refused() == before
    async with world.delivering(history_rps=100.0):
        await world.all_acknowledged()
    assert refused() == before + 2
    found = project.events()
    assert [name for name in purchases(found) if name.startswith("gone")] == ["gone-4"]
    assert consents(found) == []
    assert len(found) == 150 + 1 + 29


def lane_beside(world: World, lane: str) -> str:
    """Another lane of the same partition."""
    return next(name for name in (f"beside{n}" for n in range(100)) if world.partition_of(name) == world.partition_of(lane))


async def test_an_anonymization_does_not_wait_for_the_backlog_of_its_lane(world: World, project: Project) -> None:
    await world.send("gone", *[event("gone", number) for number in range(1, 1000)], topic=HISTORY)
    before = refused()
    async with world.delivering(history_rps=1.0):
        await until(lambda: project.counters()["received"] > 0, what="history goes")
        await world.send("gone", anonymize("gone", 1000), event("gone", 1001))
        await world.all_acknowledged()
    of_old, of_new = sorted(project.profiles(), key=lambda profile: profile["number"])
    assert of_old["anonymized_at_ms"]
    assert len(of_old["events"]) + refused() - before == 999
    assert purchases(of_new["events"]) == ["gone-1001"]
    assert refused() > before


async def test_a_consent_of_history_whose_answer_was_never_seen_is_looked_up(world: World, project: Project) -> None:
    await world.send("a", consent("a", 1), consent("a", 3), topic=HISTORY)
    await world.send("a", consent("a", 2))
    project.track(bytes(consent("a", 1).data))  # an earlier life sent it and died before it saw the answer
    async with world.delivering():
        await world.all_acknowledged()
        project.fail(endpoint="batch", kind="drop", applied=True, times=1)
        await world.send("b", consent("b", 1), topic=HISTORY)
        await world.all_acknowledged()
    assert len(consents(project.events())) == 4
    assert await world.dead_letters() == []


async def test_a_repetition_in_history_is_sent_once_even_over_a_restart(world: World, project: Project) -> None:
    await world.send("a", consent("a", 1), event("a", 3), consent("a", 1), topic=HISTORY)
    await world.send("a", event("a", 2))
    async with world.delivering():
        await world.all_acknowledged()
    await world.send("a", consent("a", 1), event("a", 3), consent("a", 4), topic=HISTORY)
    async with world.delivering():
        await world.all_acknowledged()
    assert project.counters()["received"] == 4


async def test_an_anonymization_in_history_is_a_dead_letter_for_nothing_would_wait_for_it(world: World, project: Project) -> None:
    await world.send("a", event("a", 1), anonymize("a", 2), topic=HISTORY)
    async with world.delivering():
        await world.all_acknowledged()
    assert [(letter.field, letter.topic) for letter in await world.dead_letters()] == [("kind", world.topic(HISTORY.name))]
    assert not any(profile["anonymized_at_ms"] for profile in project.profiles())


async def test_history_looks_back_by_time_and_no_further(world: World) -> None:
    tp = TopicPartition(world.topic(COMMANDS.name), 0)
    sender = producer(kafka_options(world.settings))
    await sender.start()
    for n, at_ms in enumerate([1000, 5000, 3000, 7000, 8000]):  # clocks differ
        await sender.send_and_wait(tp.topic, b"%d" % n, partition=0, timestamp_ms=at_ms)
    await sender.stop()

    async def since(at_ms: int, end: int) -> list[int]:
        return [record.offset async for record in tail.read_since(kafka_options(world.settings), tp, at_ms, end)]

    assert await since(5000, 4) == [1, 2, 3]
    assert await since(-1, 5) == [0, 1, 2, 3, 4]
    assert await since(8000, 4) == []
    assert await since(9000, 5) == []
