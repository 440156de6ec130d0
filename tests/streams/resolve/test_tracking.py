"""schemas/tracking.py says what is tracked and where it comes from; here it is held to what the rules do."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.tracking import ALWAYS, DEAD_LETTER, LEFT_OUT, SOURCES, Property
from tests.streams.resolve.declared import TABLES, declared, is_of, undeclared
from tests.streams.resolve.line import Line
from tests.streams.resolve.lives import Life
from tests.streams.resolve.scenes import SCENES, Scene, altered, changed, leaves, place_of, stripped, track, values
from tests.streams.resolve.test_lives import STEPS, in_true_order
from tests.streams.resolve.test_properties_of_resolve import histories

DECLARED = [(table, property) for table, properties in TABLES.items() for property in properties]


def name_of(case: Any) -> str:
    return case.name if isinstance(case, Property | Scene) else str(case)


def told_by(line: Line) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = {"profile": [], "ids": []}
    for body in line.bodies():
        told["ids"].append(body["customer_ids"])
        if "event_type" in body:
            told.setdefault(body["event_type"], []).append({"timestamp": body["timestamp"], **body["properties"]})
        elif "properties" in body:
            told["profile"].append(body["properties"])
    return told


@settings(max_examples=100, deadline=None)
@given(histories(changing=True), st.integers(0, 2**32))
def test_all_that_a_shop_makes_resolve_tell_is_declared(history: list[Any], seed: int):
    assert undeclared(told_by(Line(seed, one_line=False).tell(*history).run())) == set()


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_all_that_lives_make_resolve_tell_is_declared(steps: list[Any]):
    assert undeclared(told_by(in_true_order(Life(steps), Line()))) == set()


@pytest.mark.parametrize("scene", SCENES, ids=name_of)
def test_a_scene_is_told_without_a_dead_letter_and_all_of_it_is_declared(scene: Scene):
    told, letters = track(scene)
    assert (undeclared(told), letters) == (set(), [])


@pytest.mark.parametrize(("table", "property"), DECLARED, ids=name_of)
def test_the_example_is_what_the_example_bodies_give(table: str, property: Property):
    found = first_with(table, property.name)
    assert property.example in [
        value for event in track(found)[0][table] for name, value in event.items() if declared(table, name) is property
    ]
    assert is_of(property.example, property.type)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_each_name_once(table: str):
    names = [property.name for property in TABLES[table]]
    assert len(names) == len(set(names))


def first_with(table: str, name: str) -> Scene:
    return next(scene for scene in SCENES if values(track(scene)[0], table, name))


@pytest.fixture(scope="module")
def alterations() -> dict[str, list[Any]]:
    """Of each scene: the place of a field, what is told before and after that field is altered, and the dead letters of after.

    Fields that no property names are altered in the first scene of their resource.
    """
    named = {source for _, property in DECLARED for source in property.depends_on}
    found, seen = {}, set()
    for scene in SCENES:
        before, _ = track(scene)
        whole = {resource for resource, _, _ in scene.bodies} - seen
        cases = [(place, other) for place, other in altered(scene) if place in named or place.partition(".")[0] in whole]
        found[scene.name] = [(place, before, *track(other)) for place, other in cases]
        seen |= whole
    return found


@pytest.mark.parametrize(("table", "property"), DECLARED, ids=name_of)
def test_every_field_that_is_named_as_a_source_changes_the_property(table: str, property: Property, alterations: Any):
    for source in property.depends_on:
        assert any(
            values(before, table, property.name) != values(after, table, property.name)
            for cases in alterations.values()
            for place, before, after, _ in cases
            if place == source
        ), f"nothing that was done to {source} changed {table}.{property.name}"


@pytest.mark.parametrize("scene", SCENES, ids=name_of)
def test_no_other_field_changes_a_property(scene: Scene, alterations: Any):
    """Where the same number of events is told, and no dead letter; a list that is gone takes its items' fields with it."""
    wrong = set()
    for place, before, after, letters in alterations[scene.name]:
        for table, name in changed(before, after) if not letters else ():
            found = declared(table, name)
            assert found
            if not any(source == place or source.startswith((f"{place}[", f"{place}.")) for source in found.depends_on):
                wrong.add(f"{place} changes {table}.{name}")
    assert wrong == set()


@pytest.mark.parametrize("null", [False, True], ids=["not there", "null"])
@pytest.mark.parametrize(("table", "property"), DECLARED, ids=name_of)
def test_a_property_without_its_source_is_what_is_said(table: str, property: Property, null: bool):
    told, letters = track(stripped(first_with(table, property.name), property.source, null=null))
    found = [value for event in told.get(table, []) for name, value in event.items() if declared(table, name) is property]
    if property.missing == DEAD_LETTER:
        assert letters
        assert found == []
        assert {f"{place.rpartition('.')[2]}" for place in property.source} & {field.rpartition(".")[2] for field in letters}
    elif property.missing == LEFT_OUT:
        assert found == []
        assert letters == []
    elif property.missing == ALWAYS:
        assert property.example in found
    else:
        assert repr(json.loads(property.missing)) in map(repr, found)


def test_every_source_is_a_field_of_a_body():
    places = {place_of(resource, path) for scene in SCENES for resource, _, body in scene.bodies for path in leaves(body)}
    named = {source for _, property in DECLARED for source in property.depends_on}
    assert named - places <= {"store.domain", "store.currency"}
    assert {place.rpartition(".")[0].removesuffix("[]") for place in named} - set(SOURCES) <= {
        "order.billing_address",
        "order.line.applied_discounts",
        "cart.currency",
        "cart.coupons",
        "customer.form_fields",
        "customer.attributes",
    }
