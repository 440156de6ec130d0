from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigcommerce.carts import parse_cart
from bigcommerce.customers import parse_customer
from bigcommerce.orders import parse_order
from bigcommerce.subscribers import parse_subscriber
from bigcommerce.values import Fields, parse_time_ms, read_object
from schemas.failures import Undecodable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda c: st.lists(c) | st.dictionaries(st.text(), c),
)


@pytest.mark.parametrize(
    ("value", "wanted"), [("12.3400", Decimal("12.3400")), (12.5, Decimal("12.5")), (7, Decimal(7)), ("", None), (None, None)]
)
def test_money_as_it_comes(value: Any, wanted: Decimal | None):
    assert read_object(orjson.dumps({"m": value})).money("m") == wanted


NO_NUMBERS = ["NaN", "Infinity", "1e999999", "1e1000000", "-1e1000000", "12,34", [], {}, True]


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("read", [Fields.money, Fields.integer])
def test_what_is_no_number_is_named(read: Callable[[Fields, str], object], value: Any):
    with pytest.raises(Undecodable) as error:
        read(read_object(orjson.dumps({"m": value})), "m")
    assert error.value.field == "m"


@pytest.mark.parametrize(
    "value", ["Tue, 05 Mar 2019 21:40:11 +0000", "2019-03-05T21:40:11Z", "2019-03-05T21:40:11+00:00", "2019-03-05T21:40:11"]
)
def test_times_as_they_come(value: str):
    assert parse_time_ms(value) == 1_551_822_011_000


@given(st.text())
def test_any_text_is_a_time_or_none(value: str):
    assert parse_time_ms(value) is None or isinstance(parse_time_ms(value), int)


@pytest.mark.parametrize("parse", [parse_customer, parse_subscriber, parse_cart, parse_order])
@given(body=st.binary())
def test_any_bytes_are_refused_with_the_one_error(parse: Any, body: bytes):
    with pytest.raises(Undecodable):
        parse(body)


FIELDS = ["id", "email", "date_created", "date_modified", "addresses", "attributes", "form_fields", "consents", "line_items", "coupons"]
FIELDS += ["customer_id", "currency", "cart_amount", "updated_time", "version", "billing_address", "status_id", "consignments", "products"]
FIELDS += ["cart_id", "total_inc_tax", "shipping_addresses", "store_default_to_transactional_exchange_rate", "channel_id"]
WHOLE = {"id": 1, "email": "a@b.c", "date_created": "2020-01-01T00:00:00Z", "updated_time": "2020-01-01T00:00:00Z", "status_id": 11}


@pytest.mark.parametrize("parse", [parse_customer, parse_subscriber, parse_cart, parse_order])
@given(changed=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
def test_a_body_with_any_fields_is_read_or_refused_with_a_field_named(parse: Any, changed: dict[str, Any]):
    try:
        body = orjson.dumps(WHOLE | changed)
    except (TypeError, orjson.JSONEncodeError):
        return
    problem = refusal(parse, body)
    assert problem is None or problem.field or problem.reason.startswith("not JSON")


def refusal(parse: Any, body: bytes) -> Undecodable | None:
    try:
        parse(body)
    except Undecodable as error:
        return error
    return None


def test_a_line_without_an_id_is_named_and_a_link_to_one_is_no_line():
    consignments = {"pickups": [{"line_items": [{"url": "", "resource": "/orders/1/products/12"}, {"product_id": 7, "quantity": 1}]}]}
    problem = refusal(parse_order, orjson.dumps(WHOLE | {"consignments": consignments}))
    assert problem
    assert problem.field == "consignments.pickups[0].line_items[1].id"


def test_a_form_field_without_a_name_says_nothing():
    body = orjson.dumps(WHOLE | {"form_fields": [{"value": "x"}, {"name": "", "value": "y"}, {"name": "Size", "value": "z"}]})
    assert parse_customer(body).form_fields == {"Size": "z"}
