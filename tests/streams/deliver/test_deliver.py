"""The stage against a real Kafka and a simulated Engagement."""

import msgspec
import pytest

from engagement import commands
from schemas.commands import Command
from schemas.topics import HISTORY
from tests.engagement.simulated import Project
from tests.streams.deliver.world import World, anonymize, consent, consents, event, ids, purchases, until


async def test_every_command_arrives_once_in_batches(world: World, project: Project) -> None:
    lanes = [f"lane{n}" for n in range(20)]
    for lane in lanes:
        await world.send(lane, *[event(lane, number) for number in range(1, 16)])
    async with world.delivering():
        await world.all_acknowledged()
    assert purchases(project.events()) == sorted(f"{lane}-{number}" for lane in lanes for number in range(1, 16))
    counters = project.counters()
    assert counters["deduped"] == 0
    assert counters["requests"]["batch"]["200"] < 300 / 5


async def test_repeated_records_are_sent_once_even_over_a_restart(world: World, project: Project) -> None:
    await world.send("a", event("a", 1), consent("a", 2), event("a", 1), consent("a", 2))
    async with world.delivering():
        await world.all_acknowledged()
    await world.send("a", consent("a", 2), event("a", 3))
    async with world.delivering():
        await world.all_acknowledged()
    assert purchases(project.events()) == ["a-1", "a-3"]
    assert project.counters()["received"] == 3


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "429", "times": 3},
        {"kind": "500", "times": 3},
        {"kind": "504", "applied": True, "times": 2},
        {"kind": "empty", "applied": True, "times": 2},
        {"kind": "drop", "applied": True, "times": 2},
        {"kind": "slow", "applied": True, "wait_s": 6.0, "times": 1},
    ],
)
async def test_what_got_no_answer_goes_again_with_the_same_bytes_and_no_consent_twice(
    world: World, project: Project, fault: dict[str, object]
) -> None:
    await world.send("a", *[event("a", n) for n in range(1, 6)], consent("a", 6), consent("a", 7))
    await world.send("b", consent("b", 1), event("b", 2))
    async with world.delivering():
        await until(lambda: project.counters()["commands"].get("customers/events", 0) == 9)
        await world.all_acknowledged()
        project.fail(endpoint="batch", **fault)
        await world.send("a", *[event("a", n) for n in range(11, 16)], consent("a", 16), consent("a", 17))
        await world.send("b", consent("b", 11), event("b", 12))
        await world.all_acknowledged()
    found = project.events()
    assert purchases(found) == sorted([f"a-{n}" for n in (*range(1, 6), *range(11, 16))] + ["b-12", "b-2"])
    assert len(consents(found)) == 6
    assert await world.dead_letters() == []


async def test_a_consent_of_an_earlier_life_is_looked_up_and_sent_only_where_it_is_missing(world: World, project: Project) -> None:
    await world.send("a", consent("a", 1), consent("a", 2))
    project.track(bytes(consent("a", 1).data))  # an earlier life sent it and died before it saw the answer
    async with world.delivering():
        await world.all_acknowledged()
    assert len(consents(project.events())) == 2


async def test_a_refused_command_is_a_dead_letter_in_engagements_words_and_the_others_go_on(world: World, project: Project) -> None:
    nobody = Command(store="s.1", number=2, kind="customers/events", data=msgspec.Raw(commands.event({}, "purchase", 1000, {})))
    await world.send("a", event("a", 1), nobody, event("a", 3))
    await world.send_raw("a", b'{"store": 1}')
    async with world.delivering():
        await world.all_acknowledged()
    assert purchases(project.events()) == ["a-1", "a-3"]
    refused, unread = sorted(await world.dead_letters(), key=lambda letter: letter.offset)
    assert (refused.reason, refused.stage, refused.store, refused.key) == ("At least one id should be specified.", "deliver", "s.1", "a")
    assert b'"number":2' in refused.value
    assert (unread.value, unread.store) == (b'{"store": 1}', "")


async def test_a_command_that_spoils_its_batch_is_found_and_is_the_only_dead_letter(world: World, project: Project) -> None:
    project.post("/knobs", {"body_bytes_max": 20_000})
    try:
        large = commands.event(ids("a"), "purchase", 1000, {"purchase_id": "x" * 30_000})
        await world.send("a", Command(store="s.1", number=1, kind="customers/events", data=msgspec.Raw(large)))
        await world.send("a", *[event("a", number) for number in range(2, 40)])
        async with world.delivering():
            await world.all_acknowledged()
    finally:
        project.post("/knobs", {"body_bytes_max": 10_000_000})
    assert purchases(project.events()) == sorted(f"a-{number}" for number in range(2, 40))
    assert [letter.reason for letter in await world.dead_letters()] == ["Request entity too large"]


async def test_an_anonymization_stands_after_all_before_it_and_before_all_after_it(world: World, project: Project) -> None:
    for lane in ("a", "b"):
        await world.send(lane, *[event(lane, number) for number in range(1, 20)], anonymize(lane, 20), event(lane, 21))
    await world.send("c", *[event("c", number) for number in range(1, 20)])
    async with world.delivering():
        await world.all_acknowledged()
    found = project.events()
    assert purchases(found) == sorted(f"{lane}-{n}" for lane in "abc" for n in range(1, 22 if lane < "c" else 20) if n != 20)
    for lane in ("a", "b"):
        of_old, of_new = sorted((profile for profile in project.profiles() if is_of(profile, lane)), key=lambda p: p["number"])
        assert len(of_old["events"]) == 19
        assert of_old["anonymized_at_ms"]
        assert [one["properties"]["purchase_id"] for one in of_new["events"]] == [f"{lane}-21"]


def is_of(profile: dict[str, list[dict[str, dict[str, str]]]], lane: str) -> bool:
    return any(one["properties"].get("purchase_id", "").startswith(f"{lane}-") for one in profile["events"])


async def test_a_refused_anonymization_holds_its_lane_alone_and_is_a_dead_letter(world: World, project: Project) -> None:
    nobody = Command(store="s.1", number=2, kind="anonymize", data=msgspec.Raw(commands.anonymize({})))
    async with world.delivering():
        await world.send("a", event("a", 1), nobody, event("a", 3))
        await world.send("b", event("b", 1), event("b", 2))

        async def others_arrived() -> bool:
            return len(await world.dead_letters()) == 1 and purchases(project.events()) == ["a-1", "b-1", "b-2"]

        await until(others_arrived)
    assert await world.committed() < world.sent


async def test_one_projects_trouble_holds_back_its_own_store_alone(world: World, project: Project) -> None:
    other = Project(project.url)
    try:
        await world.add(msgspec.structs.replace(other.store, store="t.1"))
        other.fail("500")
        async with world.delivering():
            await world.send("a", *[event("a", number, "t.1") for number in range(1, 30)])
            await world.send("b", *[event("b", number, "u.1") for number in range(1, 3)])  # of a store that nobody knows yet
            await world.send("c", *[event("c", number) for number in range(1, 30)])
            await until(lambda: len(project.events()) == 29)
            assert other.events() == []
            other.post("/faults", [])
            await world.add(msgspec.structs.replace(other.store, store="u.1"))
            await world.all_acknowledged()
        assert len(other.events()) == 31
    finally:
        other.close()


async def test_without_access_a_stores_commands_wait_and_are_not_lost(world: World, project: Project, monkeypatch) -> None:
    monkeypatch.setattr("streams.deliver.loop.ACCESS_S", 0.5)
    right = project.store
    await world.add(msgspec.structs.replace(right, api_secret="old"))
    await world.send("a", event("a", 1))
    async with world.delivering():
        await until(lambda: project.counters()["requests"].get("batch", {}).get("403", 0) >= 2)
        await world.add(right)
        await world.all_acknowledged()
    assert purchases(project.events()) == ["a-1"]
    assert await world.dead_letters() == []


async def test_a_second_worker_takes_over_its_share(world: World, project: Project) -> None:
    lanes = [f"lane{n}" for n in range(10)]
    async with world.delivering(0):
        for lane in lanes:
            await world.send(lane, event(lane, 1), consent(lane, 2))
        async with world.delivering(1):
            await until(world.shares, what="both have partitions")
            for lane in lanes:
                await world.send(lane, event(lane, 3), consent(lane, 4))
                await world.send(lane, event(lane, 2), topic=HISTORY)
            await world.all_acknowledged()
    found = project.events()
    assert purchases(found) == sorted(f"{lane}-{n}" for lane in lanes for n in (1, 2, 3))
    assert len(consents(found)) == 20


async def test_what_a_removed_store_left_becomes_dead_letters_once_its_key_is_not_accepted(world: World, project: Project) -> None:
    await world.add(msgspec.structs.replace(project.store, api_secret="old", removed=True))
    await world.send("a", event("a", 1), anonymize("a", 2), event("a", 3))
    async with world.delivering():
        await world.all_acknowledged()
    assert [letter.reason.split(";")[0] for letter in await world.dead_letters()] == ["the store was removed"] * 3
    assert project.events() == []
