from pathlib import Path

import orjson
import pytest

from schemas.entities import CartState, CustomerState, OrderState, ProductGone, ProductState, SubscriberState
from schemas.failures import Undecodable
from schemas.topics import ACCOUNTS, CHECKOUTS, PRODUCTS, SUBSCRIBERS
from streams.fetch.rules.state import make_gone, make_state

EXAMPLES = Path(__file__).parents[3] / "examples" / "bigcommerce" / "rest"


def example(name: str, *path: str | int) -> bytes:
    found = orjson.loads((EXAMPLES / name).read_bytes())
    for step in path:
        found = found[step]
    return orjson.dumps(found)


def test_a_customer_becomes_a_state_with_its_time_of_modification_as_version():
    times = {"date_created": "2019-02-19T18:34:16Z", "date_modified": "2019-02-19T18:34:17Z"}
    attributes = [{"id": 1, "customer_id": 23, "attribute_id": 4, "attribute_value": "52"}]
    body = orjson.dumps({"id": 23, "email": "johndoe@example.com", "attributes": attributes} | times)
    made = make_state("abc.1", "customer", "23", body, 5000)
    assert (made.topic, made.key, type(made.state)) == (ACCOUNTS, "abc.1/23", CustomerState)
    assert (made.state.version, made.state.read_at_ms, bytes(made.state.body)) == (1_550_601_257_000, 5000, body)
    assert made.attributes == {"4"}


def test_a_subscriber_becomes_a_state():
    body = example("subscriber_v3_one.constructed.json", "data")
    made = make_state("abc.1", "subscriber", "5", body, 5000)
    assert (made.topic, made.key, type(made.state), made.account) == (SUBSCRIBERS, "abc.1/5", SubscriberState, "")


def test_a_cart_has_its_own_version_number():
    body = example("cart_v3_after_item_delete.json", "data")
    numbered = orjson.dumps(orjson.loads(body) | {"version": 9})
    id = orjson.loads(body)["id"]
    made = make_state("abc.1", "cart", id, numbered, 5000)
    assert (made.topic, made.key, type(made.state)) == (CHECKOUTS, f"abc.1/{id}", CartState)
    assert made.state.version == 9
    plain = orjson.dumps({name: value for name, value in orjson.loads(body).items() if name != "version"})
    assert make_state("abc.1", "cart", id, plain, 5000).state.version == made.modified_ms


def test_an_order_stands_with_its_cart_and_names_its_account():
    order = orjson.loads(example("orders_v2_one.json")) | {"id": 7, "cart_id": "c-1", "customer_id": 11}
    made = make_state("abc.1", "order", "7", orjson.dumps(order), 5000)
    assert (made.topic, made.key, type(made.state)) == (CHECKOUTS, "abc.1/c-1", OrderState)
    assert made.account == "11"
    assert 0 < made.account_since_ms <= made.modified_ms


def test_an_order_without_a_cart_stands_alone_and_a_guests_has_no_account():
    order = orjson.loads(example("orders_v2_one.json")) | {"id": 7, "cart_id": None, "customer_id": 0}
    made = make_state("abc.1", "order", "7", orjson.dumps(order), 5000)
    assert (made.key, made.account) == ("abc.1/order-7", "")


def test_a_body_at_fault_names_its_field():
    with pytest.raises(Undecodable) as failed:
        make_state("abc.1", "subscriber", "5", b'{"id": 5, "date_created": 12}', 5000)
    assert failed.value.field == "date_created"


def test_what_was_found_gone_is_written_but_for_orders():
    for resource in ("customer", "subscriber", "cart"):
        found = make_gone("abc.1", resource, "5", at_ms=3, read_at_ms=4)
        assert found
        assert (found[1], found[2].told, found[2].at_ms, found[2].read_at_ms) == ("abc.1/5", False, 3, 4)
    assert make_gone("abc.1", "order", "5", at_ms=3, read_at_ms=4) is None


def test_a_product_becomes_a_state_that_wants_the_names_of_its_brand_and_categories():
    body = example("product_v3_one.json", "data")
    made = make_state("abc.1", "product", "174", body, 5000)
    assert (made.topic, made.key, type(made.state)) == (PRODUCTS, "abc.1/174", ProductState)
    assert (made.state.version, made.brands, made.categories) == (1_536_180_127_000, {"36"}, {"21", "23"})
    without = make_state("abc.1", "product", "1", b'{"id": 1, "brand_id": 0, "date_created": "2018-08-15T14:48:46+00:00"}', 5000)
    assert (without.brands, without.categories) == (frozenset(), frozenset())


def test_a_product_that_was_found_gone_leaves_its_record():
    gone = ProductGone(store="abc.1", id="7", told=False, at_ms=1, read_at_ms=2)
    assert make_gone("abc.1", "product", "7", 1, 2) == (PRODUCTS, "abc.1/7", gone)
