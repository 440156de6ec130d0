"""Whatever stands in a record, its agent decides: a dead letter or a change, never an exception, which would come again for ever."""

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement import catalogs
from schemas.people import Activity, Event
from schemas.records import RECORD_BYTES_MAX, Origin, encode, headers_of
from schemas.topics import ACCOUNTS, CHECKOUTS, PEOPLE, PRODUCTS, SUBSCRIBERS
from streams.engine import Incoming
from tests.streams.resolve.line import Line, cart, customer, order, product, subscriber

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(
        ["", "0", "-1", "1e400", "9" * 40, "NaN", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "Mon, 99 Foo", "ÿ@é", 10**30]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TYPES = {"string": str, "long text": str, "number": int | float, "boolean": bool, "list": list}  # of catalogs' fields
WHOLE = {
    "customer": customer(),
    "subscriber": subscriber(),
    "cart": cart(lines={"7": 1}),
    "order": order(email="a@b.c"),
    "product": product(),
}
FIELDS = {
    "customer": [
        "id",
        "email",
        "first_name",
        "customer_group_id",
        "date_created",
        "date_modified",
        "addresses",
        "attributes",
        "form_fields",
    ],
    "subscriber": ["id", "email", "consents", "date_created", "date_modified"],
    "cart": ["id", "customer_id", "email", "currency", "cart_amount", "coupons", "line_items", "updated_time", "version"],
    "product": [
        *("id", "name", "description", "sku", "upc", "condition", "price", "sale_price", "calculated_price", "brand_id", "categories"),
        *("custom_url", "primary_image", "images", "inventory_tracking", "inventory_level", "is_visible", "availability", "variants"),
        *("date_created", "date_modified"),
    ],
    "order": [
        *("id", "customer_id", "status_id", "total_inc_tax", "default_currency_code", "cart_id", "billing_address", "products"),
        *("store_default_to_transactional_exchange_rate", "date_created", "shipping_addresses", "consignments", "coupon_discount"),
    ],
}
LIKELY = {
    "form_fields": [{"name": "a", "value": 10**30}],
    "attributes": [{"attribute_id": 1, "attribute_value": "x"}],
    "store_default_to_transactional_exchange_rate": "0.0000000000000000000001",
    "variants": [{"id": "a/b", "price": "0.00001", "calculated_price": 999999999999999, "inventory_level": 10**14}],
    "inventory_tracking": "variant",
    "products": [{"id": 1, "product_id": 1, "quantity": 10**14, "price_inc_tax": "999999999999999"}],
}


def body_with(kind: str, changed: dict[str, Any]) -> bytes:
    return msgspec.json.encode(orjson.loads(memoryview(WHOLE[kind].body)) | changed)


@pytest.mark.parametrize("kind", WHOLE)
@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_any_body_is_decided(kind: str, data: st.DataObject):
    changed = data.draw(st.dictionaries(st.sampled_from(FIELDS[kind]), VALUES, max_size=3))
    changed |= {field: LIKELY[field] for field in data.draw(st.lists(st.sampled_from(sorted(LIKELY)), max_size=2)) if field in FIELDS[kind]}
    state = msgspec.structs.replace(WHOLE[kind], body=msgspec.Raw(body_with(kind, changed)))
    line = Line()
    topic = {"customer": ACCOUNTS, "subscriber": SUBSCRIBERS, "cart": CHECKOUTS, "order": CHECKOUTS, "product": PRODUCTS}[kind].name
    line.put(topic, "abc123.1/x", encode(state), headers_of(state, Origin("", 1)))
    line.run()
    assert all(len(command.data) for _, command in line.commands)
    for write in line.catalog:
        for field, value in orjson.loads(memoryview(write.properties)).items():
            assert isinstance(value, TYPES[catalogs.FIELDS[write.catalog][field]]), field


@settings(max_examples=300, deadline=None)
@given(
    topic=st.sampled_from([t.name for t in (ACCOUNTS, SUBSCRIBERS, CHECKOUTS, PRODUCTS, PEOPLE)]),
    key=st.binary(max_size=20),
    value=st.none() | st.binary(max_size=60),
    schema=st.sampled_from([b"customer-state/1", b"activity/1", b"cart-gone/1", b"activity/2", b"", b"\xff"]),
)
def test_any_bytes_are_a_dead_letter(topic: str, key: bytes, value: bytes | None, schema: bytes):
    line = Line()
    line.decide(Incoming(topic, 0, 0, key, value, (("schema", schema),), 1))
    assert len(line.letters) == 1


def test_what_is_too_large_to_keep_is_a_dead_letter_that_says_so():
    line = Line()
    body = body_with("customer", {"date_created": "never", "notes": "x" * 850_000})
    state = msgspec.structs.replace(customer(), body=msgspec.Raw(body))
    line.put(ACCOUNTS.name, "abc123.1/1", encode(state), headers_of(state, Origin("", 1)))
    line.run()
    [letter] = line.letters
    assert (letter.field, letter.value) == ("date_created", b"")
    assert "too large to be kept" in letter.reason


def test_a_row_that_would_become_too_large_stays_as_it_is_and_what_it_cannot_take_is_a_dead_letter():
    line = Line()
    for number in range(20):
        fact = Activity(
            store="abc123.1",
            customer="9",
            email="",
            cart_id="",
            born_ms=1,
            at_ms=1,
            starts_profile=True,
            events=[Event("purchase", number, {"title": "x" * 100_000})],
        )
        line.put(ACCOUNTS.name, "abc123.1/9", encode(fact), headers_of(fact, Origin("", 1)))
    line.run()
    assert 0 < len(line.letters) < 20
    assert {letter.reason for letter in line.letters} == {"its row in accounts would become too large"}


def test_a_row_that_has_no_room_for_what_was_refused_stays_as_it_is_and_the_dead_letter_is_written():
    line, key = Line(), (ACCOUNTS.name, b"abc123.1/11")

    def fill(length: int) -> None:
        fact = Activity(
            store="abc123.1",
            customer="11",
            email="",
            cart_id="",
            born_ms=1,
            at_ms=1,
            starts_profile=True,
            events=[Event("purchase", length, {"title": "x" * length})],
        )
        line.put(ACCOUNTS.name, key[1].decode(), encode(fact), headers_of(fact, Origin("", 1)))
        line.run()

    for length in (400_000, 100_000):
        before = len(line.rows.get(key, b""))
        fill(length)
    fill(RECORD_BYTES_MAX - 10 - len(line.rows[key]) - (len(line.rows[key]) - before - 100_000))
    full = line.rows[key]
    assert RECORD_BYTES_MAX - 20 < len(full) <= RECORD_BYTES_MAX
    line.tell(customer(phone="x" * 20_000), customer(phone="x" * 20_000, read=5)).run()
    assert ([letter.field for letter in line.letters], line.rows[key]) == (["phone", "phone"], full)
