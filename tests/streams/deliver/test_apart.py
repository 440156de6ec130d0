"""A store that cannot go, with more to send than its share of the room, beside one that can."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import msgspec
import pytest

from schemas.topics import CATALOG, COMMANDS, HISTORY
from streams.deliver import app, loop
from tests.engagement.simulated import Project
from tests.streams.deliver.world import World, anonymize, consent, consents, event, purchases, until, write


@pytest.fixture
async def down(world: World, project: Project, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Project]:
    """The project of the store `t.1`, which answers 500. A partition has room for ten records of commands, items and history each."""
    monkeypatch.setattr(app, "IN_FLIGHT_MAX", 40)
    for module in (app, loop):
        monkeypatch.setattr(module, "AHEAD", 10)
    other = Project(project.url)
    await world.add(msgspec.structs.replace(other.store, store="t.1"))
    other.fail("500")
    yield other
    other.close()


async def test_of_a_project_that_is_down_nothing_is_lost_or_passes_an_anonymization_and_no_other_waits(
    world: World, project: Project, down: Project
) -> None:
    for n in range(10):
        lane = f"t/{n}"
        await world.send_soon(lane, *[event(lane, number, "t.1") for number in range(1, 15)], consent(lane, 15, "t.1"))
    gone = "t/gone"
    await world.send_soon(gone, event(gone, 1, "t.1"), anonymize(gone, 2, "t.1"), event(gone, 3, "t.1"))
    for n in range(20):
        await world.send_soon(f"s/{n}", *[event(f"s/{n}", number) for number in range(1, 11)])
    await world.flush()
    expected = sorted(f"s/{n}-{number}" for n in range(20) for number in range(1, 11))
    async with world.delivering():
        await until(lambda: purchases(project.events()) == expected, what="the other store's")

        async def is_behind_by_itself() -> bool:
            stands = await world.stands([COMMANDS])
            return [list(one.apart) for one in stands] == [["t"], ["t"]] and sum(one.done for one in stands) == 200

        await until(is_behind_by_itself)
    async with world.delivering():  # a successor
        await world.send("s/1", event("s/1", 11))
        await until(lambda: len(project.events()) == 201)
        assert down.events() == []
        down.post("/faults", [])
        await world.all_acknowledged()

        async def are_together() -> bool:
            return not any(stands.apart for stands in await world.stands())

        await until(are_together)
    found = down.events()
    assert purchases(found) == sorted([f"t/{n}-{number}" for n in range(10) for number in range(1, 15)] + ["t/gone-1", "t/gone-3"])
    assert len(consents(found)) == 10
    of_gone = sorted((p for p in down.profiles() if any("gone" in str(one) for one in p["events"])), key=lambda p: p["number"])
    assert [purchases(profile["events"]) for profile in of_gone] == [["t/gone-1"], ["t/gone-3"]]
    assert of_gone[0]["anonymized_at_ms"]
    assert project.counters()["deduped"] == 0
    assert await world.dead_letters() == []


async def test_a_lane_that_comes_in_bursts_and_one_by_one_loses_nothing(world: World, project: Project, down: Project) -> None:
    """Now apart, now not: its records are handed out by two readers in turn."""
    down.post("/faults", [])
    number = 0
    async with world.delivering():
        for _ in range(8):
            for burst in (40, 1, 1, 1, 1):
                await world.send_soon("t/0", *[event("t/0", number + n, "t.1") for n in range(1, burst + 1)])
                await world.flush()
                number += burst
                await asyncio.sleep(0.1)
        await world.all_acknowledged()
    assert Counter(purchases(down.events())) == Counter(f"t/0-{n}" for n in range(1, number + 1))


async def test_catalog_items_of_a_project_that_is_down_hold_up_no_other(world: World, project: Project, down: Project) -> None:
    for product in range(60):
        await world.write(write(str(product), store="t.1", title=f"Of t {product}"), product=str(product))
    for product in range(60):
        await world.write(write(str(product), title=f"Of s {product}"), product=str(product))
    async with world.delivering():
        await until(lambda: len(project.items()) == 60)
        assert sum(await world.written_each()) < 120
        down.post("/faults", [])
        await world.all_written()

        async def are_together() -> bool:
            return not any(stands.apart for stands in await world.stands([CATALOG]))

        await until(are_together)
    assert {id: item["title"] for id, item in down.items().items()} == {str(n): f"Of t {n}" for n in range(60)}


async def test_history_that_cannot_go_holds_up_no_others(world: World, project: Project, down: Project) -> None:
    """After a kill no more consents are looked up than could have been sent; what was anonymized meanwhile is refused."""
    for n in range(10):
        lane = f"t/{n}"
        await world.send_soon(lane, *[consent(lane, number, "t.1") for number in range(1, 11)], topic=HISTORY)
    for n in range(10):
        lane = f"s/{n}"
        await world.send_soon(lane, *[event(lane, number) for number in range(1, 11)], topic=HISTORY)
    await world.flush()
    async with world.delivering(history_rps=100.0):
        await until(lambda: len(project.events()) == 100, what="the other store's history")

        async def is_all_but_the_others() -> bool:
            return await world.committed() == 100

        await until(is_all_but_the_others)
    await world.send("t/3", anonymize("t/3", 11, "t.1"))
    async with world.delivering(history_rps=100.0):
        await world.send("s/1", event("s/1", 11))
        await until(lambda: len(project.events()) == 101)
        down.post("/faults", [])
        await world.all_acknowledged()
    assert len(consents(down.events())) == 90
    asked = down.counters()["requests"]["events"]
    assert 1 <= asked.get("200", 0) + asked.get("404", 0) <= 2 * 10
