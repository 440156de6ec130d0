"""Every field of every body gone, null, of another type, empty or huge: through with that field empty, or a dead letter that names it.

Each body goes through fetch's states and all of resolve, and after it a neighbour, which is never held up.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from tests.streams.resolve.declared import undeclared
from tests.streams.resolve.scenes import (
    CUSTOMER,
    SCENES,
    Body,
    Path_,
    Scene,
    changed,
    get,
    in_consignments,
    leaves,
    order_body,
    put,
    track,
    without,
)

HUGE = "x" * 20_000
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "0": 0,
    "-1": -1,
    "1.5": 1.5,
    "1e308": 1e308,
    "a very long number": orjson.Fragment(b"9" * 400),
    "1e400": orjson.Fragment(b"1e400"),
    "1e-400": orjson.Fragment(b"1e-400"),
    "half of a character": orjson.Fragment(b'"\\ud800"'),
    "empty text": "",
    "blank text": " \t",
    "NUL": "\x00",
    "text": "text",
    "an amount": "12.3400",
    "no amount": "12,34",
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "1e999999": "1e999999",
    "null as text": "null",
    "the first year": "0001-01-01T00:00:00Z",
    "the last year": "Fri, 31 Dec 9999 23:59:59 -1200",
    "no day": "2019-02-30T00:00:00Z",
    "a huge text": HUGE,
    "a list": [],
    "a list of null": [None],
    "a list of texts": ["a", "b"],
    "a list of a huge text": [HUGE],
    "a list of lists": [[]],
    "a list of an empty object": [{}],
    "an object": {},
    "an object of objects": {"a": {"b": None}},
}
NOT_JSON = {"1e400", "half of a character", "a very long number"}
VALUE_BYTES_MAX, MESSAGE_BYTES_MAX, ID_CHARACTERS_MAX = 16_000, 800_000, 256  # docs/facts/engagement.md 2.6
AMOUNT = re.compile(r"\d+\.\d{4}|1\.0{10}")
NEIGHBOUR = ("customer", "77", CUSTOMER | {"id": 77, "email": "neighbour@example.com"})

ACCOUNT = CUSTOMER | {
    "attributes": [{"id": 1, "customer_id": 11, "attribute_id": 4, "attribute_value": "52"}],
    "form_fields": [{"customer_id": 11, "name": "Sizes", "value": ["S", "M"]}],
}
WHOLE = {scene.name: scene for scene in SCENES} | {
    "an account with attributes": Scene("", (("customer", "11", ACCOUNT),), attribute_names={"4": "Shoe size"}),
    "a guest who buys": Scene("", (("order", "218", in_consignments(order_body(customer_id=0))),)),
}


def nodes(node: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every place of a body, containers too, of a list the first item."""
    if path:
        yield path
    for step, value in node.items() if isinstance(node, dict) else enumerate(node[:1]) if isinstance(node, list) else ():
        yield from nodes(value, (*path, step))


def in_words(path: Path_) -> str:
    return re.sub(r"^\.", "", "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path))


def is_named(letter: str, path: str) -> bool:
    """The field itself, what it is a part of, or what is a part of it; an object where a list stands counts as its first item."""
    letter, path = re.sub(r"\[\d+\]", "", letter), re.sub(r"\[\d+\]", "", path)
    return bool(letter) and (path.startswith(letter) or letter.startswith(path))


def unfit(told: dict[str, list[dict[str, Any]]]) -> set[str]:
    """What Engagement would refuse."""
    wrong = undeclared(told)
    for table, events in told.items():
        for event in events:
            wrong |= {f"{table} is too large" for _ in range(len(orjson.dumps(event)) >= MESSAGE_BYTES_MAX)}
            wrong |= {f"{table}.{name} is too large" for name, value in event.items() if len(orjson.dumps(value)) >= VALUE_BYTES_MAX}
    for ids in told["ids"]:
        wrong |= {f"{kind} is no id" for kind, id in ids.items() if not is_id(id)}
    return wrong


def is_id(id: str) -> bool:
    return 0 < len(id) <= ID_CHARACTERS_MAX and any(map(str.isalnum, id)) and id not in ("null", "undefined")


def altered(scene: Scene, below: str) -> Iterator[tuple[str, str, Scene]]:
    """The scene with a field of the last body altered, and a neighbour after it; with the field and its value in words."""
    n = len(scene.bodies) - 1
    body: Body = scene.bodies[n][2]
    with_neighbour = replace(scene, bodies=(*scene.bodies, NEIGHBOUR))
    for path in nodes(body):
        if in_words(path).startswith(below):
            yield in_words(path), "missing", with_neighbour.with_body(n, without(body, path))
            for name, value in VALUES.items():
                yield in_words(path), name, with_neighbour.with_body(n, put(body, path, value))


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("an account with attributes", ""),
        ("a subscriber", ""),
        ("a cart", ""),
        ("an account that buys", ""),
        ("a guest who buys", "consignments"),
    ],
)
def test_a_field_of_any_value_is_through_with_it_empty_or_a_dead_letter_that_names_it(name: str, below: str):
    wrong = []
    for field, value, scene in altered(WHOLE[name], below):
        told, letters = track(scene)
        if value not in NOT_JSON:
            wrong += [f"{field} {value}: dead letter for {letter!r}" for letter in letters if not is_named(letter, field)]
        wrong += [f"{field} {value}: {what}" for what in unfit(told)]
        if not any(ids.get("customer_id") == "77" for ids in told["ids"]):
            wrong.append(f"{field} {value}: the neighbour was held up")
    assert wrong == []


@pytest.mark.parametrize("amount", ["12.3400", 12.34, "", None])
def test_amounts_as_they_come_are_numbers_or_left_out(amount: Any):
    """Each field of an order that holds an amount, one by one."""
    scene = WHOLE["an account that buys"]
    [_, (_, _, body)] = scene.bodies
    whole, _ = track(scene)
    for path in (path for path in leaves(body) if isinstance(get(body, path), str) and AMOUNT.fullmatch(get(body, path))):
        told, letters = track(scene.with_body(1, put(body, path, amount)))
        assert letters == []
        for table, name in changed(whole, told):
            found = [event.get(name) for event in told[table]]
            assert all(value is None or isinstance(value, float) for value in found), (path, name)
            if amount in ("12.3400", 12.34) and path[-1] != "store_default_to_transactional_exchange_rate":
                assert 12.34 in found, (path, name)


def test_an_email_that_cannot_be_an_id_is_none_and_one_that_is_too_long_is_named():
    for email in ("null", " Undefined ", "--", ""):
        told, letters = track(Scene("", (("order", "218", order_body(customer_id=0, billing_address={"email": email})),)))
        assert (letters, told["ids"][0].keys()) == ([], {"cart_id"})
    _, letters = track(Scene("", (("order", "218", order_body(billing_address={"email": "x" * 250 + "@example.com"})),)))
    assert letters == ["billing_address.email"]


def test_a_list_of_so_many_lines_that_engagement_would_refuse_it_is_left_out_and_the_rest_is_told():
    lines = [{"id": n, "product_id": n, "variant_id": n, "sku": f"SKU-{n}", "quantity": 1} for n in range(1, 401)]
    told, letters = track(Scene("", (("order", "218", order_body(customer_id=0, products=lines)),)))
    [purchase] = told["purchase"]
    assert letters == []
    assert "product_list" not in purchase
    assert (purchase["total_quantity"], len(purchase["product_ids"]), len(told["purchase_item"])) == (400, 400, 400)
    assert unfit(told) == set()
