"""Catalog items against a real Kafka and a simulated Engagement."""

import asyncio

import msgspec
import pytest

from engagement.catalogs import FIELDS
from tests.engagement.simulated import Project
from tests.streams.deliver.world import World, event, purchases, remove, until, write


async def test_catalogs_are_made_with_their_fields_and_items_are_written_together(world: World, project: Project) -> None:
    for product in range(50):
        variants = [write(f"{product}-{n}", "variants", title="T", product_id=str(product)) for n in range(10)]
        await world.write(write(str(product), title=f"Jar {product}", active=True, price=1.5), *variants, product=str(product))
    async with world.delivering():
        await world.all_written()
    made = {catalog["name"]: {field["name"]: field["type"] for field in catalog["fields"]} for catalog in project.catalogs()}
    assert made == FIELDS
    assert all(catalog["is_product_catalog"] for catalog in project.catalogs())
    assert {id: item["title"] for id, item in project.items().items()} == {str(n): f"Jar {n}" for n in range(50)}
    assert len(project.items("variants")) == 500
    requests = project.counters()["requests"]
    assert requests["catalogs/{catalog_id}/items"]["200"] <= 10
    assert requests["catalogs"]["200"] == 3


async def test_of_many_writes_of_an_item_the_last_one_holds_and_few_are_sent(world: World, project: Project) -> None:
    async with world.delivering():
        for turn in range(60):
            await world.write(*[write(id, price=turn) for id in "abc"])
            await world.write(remove("d") if turn % 2 else write("d", price=turn))
            await asyncio.sleep(0.02)
        await world.all_written()
    assert project.items() == {id: {"price": 59} for id in "abc"}
    assert all(count <= 6 for count in project.catalogs()[0]["written"].values())


async def test_removed_items_are_gone_and_may_come_back(world: World, project: Project) -> None:
    async with world.delivering():
        await world.write(write("a", title="A"), write("b", title="B"))
        await world.all_written()
        await world.write(remove("a"), remove("never there"), remove("b"), write("b", title="Again"))
        await world.all_written()
    assert project.items() == {"b": {"title": "Again"}}


async def test_a_refused_field_is_named_in_the_dead_letter_and_the_neighbours_are_written(world: World, project: Project) -> None:
    await world.write(
        write("a", title="A"), write("b", colour="red", title="B"), write("c", price="much"), write("d/e"), write("f", title="F")
    )
    async with world.delivering():
        await world.all_written()
    assert project.items() == {"a": {"title": "A"}, "f": {"title": "F"}}
    letters = sorted((letter.field, letter.reason.partition(":")[0], letter.stage, letter.store) for letter in await world.dead_letters())
    assert letters == [
        ("", "products d/e", "deliver", "s.1"),
        ("colour", "products b", "deliver", "s.1"),
        ("price", "products c", "deliver", "s.1"),
    ]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "429", "times": 3},
        {"kind": "500", "times": 3},
        {"kind": "504", "applied": True, "times": 2},
        {"kind": "empty", "applied": True, "times": 2},
        {"kind": "drop", "applied": True, "times": 2},
    ],
)
async def test_what_got_no_answer_goes_again(world: World, project: Project, fault: dict[str, object]) -> None:
    project.fail(endpoint="catalogs/{catalog_id}/items", **fault)
    await world.write(*[write(str(n), title=f"T{n}") for n in range(20)])
    async with world.delivering():
        await world.all_written()
    assert project.items() == {str(n): {"title": f"T{n}"} for n in range(20)}
    assert await world.dead_letters() == []


async def test_a_creation_that_got_no_answer_makes_no_second_catalog(world: World, project: Project) -> None:
    project.fail(endpoint="catalogs", kind="504", applied=True, times=2)
    await world.write(write("a", title="A"), write("b", "variants", title="B"))
    async with world.delivering():
        await world.all_written()
    assert sorted(catalog["name"] for catalog in project.catalogs()) == ["products", "variants"]


async def test_two_workers_make_each_catalog_once(world: World, project: Project) -> None:
    for product in range(20):
        await world.write(write(str(product), title="T"), product=str(product))
    async with world.delivering(0), world.delivering(1):
        await world.all_written()
        await until(lambda: len(project.catalogs()) == 2)
    assert len(project.items()) == 20


async def test_catalogs_trouble_holds_up_no_command_and_reverse(world: World, project: Project) -> None:
    project.settle(denied=("catalogs.write",))
    await world.write(write("a", title="A"))
    async with world.delivering():
        await world.send("lane", event("lane", 1))
        await world.all_acknowledged()
        assert purchases(project.events()) == ["lane-1"]
        assert sum(await world.written_each()) == 0
    project.settle()
    project.fail(endpoint="batch", kind="500")
    async with world.delivering():
        await world.send("lane", event("lane", 2))
        await world.all_written()
        assert project.items() == {"a": {"title": "A"}}
    project.post("/faults", [])


async def test_the_next_worker_goes_on_where_the_last_one_ended(world: World, project: Project) -> None:
    async with world.delivering():
        await world.write(write("a", title="1"), write("a", title="2"))
        await world.all_written()
    await world.write(remove("a"), write("a", title="3"))
    async with world.delivering():
        await world.all_written()
    assert project.items() == {"a": {"title": "3"}}


async def test_an_undecodable_write_is_a_dead_letter(world: World, project: Project) -> None:
    await world.write_raw(b'{"store": 1}')
    await world.write(write("a", title="A"))
    async with world.delivering():
        await world.all_written()
    assert project.items() == {"a": {"title": "A"}}
    assert [letter.value for letter in await world.dead_letters()] == [b'{"store": 1}']


async def test_what_a_removed_store_has_left_becomes_dead_letters_where_its_key_is_not_accepted(world: World, project: Project) -> None:
    project.settle(denied=("catalogs.get", "catalogs.write"))
    await world.add(msgspec.structs.replace(project.store, removed=True))
    await world.write(write("a", title="A"), write("b", "variants", title="B"))
    async with world.delivering():
        await world.all_written()
    assert {letter.reason.partition(";")[0] for letter in await world.dead_letters()} == {"the store was removed"}


async def test_a_catalog_that_somebody_deleted_is_made_again(world: World, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.deliver.catalogs.ACCESS_S", 0.5)
    async with world.delivering():
        await world.write(write("a", title="A"))
        await world.all_written()
        [gone] = [catalog["id"] for catalog in project.catalogs() if catalog["name"] == "products"]
        project.delete_catalog(gone)
        await world.write(write("b", title="B"))
        await world.all_written()
    assert project.items() == {"b": {"title": "B"}}
