import pytest

from bigcommerce.carts import CartLine, parse_cart
from streams.resolve.rules.cart_update import action, cart_event
from tests.streams.resolve.line import STORE, cart


def lines(**quantities: int) -> list[CartLine]:
    return [CartLine(id=id, product_id="1", variant_id="1", sku="", quantity=q) for id, q in quantities.items()]


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (lines(), lines(a=1), "add"),
        (lines(a=1), lines(a=1, b=1), "add"),
        (lines(a=1, b=1), lines(a=1), "remove"),
        (lines(a=1), lines(a=2), "update"),
        (lines(a=1), lines(b=1), "update"),
        (lines(a=1), lines(), "empty"),
        (lines(a=1), lines(a=1), ""),
        (lines(), lines(), ""),
    ],
)
def test_what_happened_to_the_lines(old: list[CartLine], new: list[CartLine], wanted: str):
    assert action(old, new) == wanted


def test_the_total_is_left_out_where_the_currency_is_not_the_stores():
    [event] = cart_event([], parse_cart(cart(lines={"7": 1}, currency={"code": "EUR"}).body), STORE)
    assert "total_price" not in event.properties
    assert (event.properties["total_price_local_currency"], event.properties["local_currency"]) == (10.5, "EUR")


def test_two_changes_within_a_second_keep_their_order():
    times = [cart_event([], parse_cart(cart(lines={"7": n}, version=n).body), STORE)[0].timestamp_ms for n in (2, 3)]
    assert times == [1_700_000_000_002, 1_700_000_000_003]


def test_coupons_are_named():
    [event] = cart_event([], parse_cart(cart(lines={"7": 1}, coupons=[{"code": "B"}, {"code": "A"}]).body), STORE)
    assert event.properties["voucher_code"] == "A, B"
