"""The events of the documented example order, against values written by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from bigcommerce.orders import parse_order
from streams.resolve.rules.purchase import order_update, purchase_events
from tests.streams.resolve.line import STORE

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "bigcommerce" / "rest"


def example_order(**changes: Any) -> bytes:
    body = orjson.loads((EXAMPLES / "orders_v2_one.json").read_bytes())
    body["products"] = orjson.loads((EXAMPLES / "orders_v2_products.json").read_bytes())
    body["shipping_addresses"] = orjson.loads((EXAMPLES / "orders_v2_shipping_addresses.json").read_bytes())
    return orjson.dumps(body | changes)


def test_the_example_order_becomes_a_purchase_and_two_items():
    purchase, first, second = purchase_events(parse_order(example_order()), STORE)
    assert (purchase.type, purchase.timestamp_ms) == ("purchase", 1_551_822_011_000)
    assert purchase.properties == {
        "purchase_id": "218",
        "purchase_status": "success",
        "purchase_source_type": "online",
        "purchase_source_name": "my-awesome.store",
        "order_status": "Awaiting Payment",
        "product_list": [
            {"product_id": "77", "variant_id": "", "sku": "S-ORAN", "quantity": 1},
            {"product_id": "86", "variant_id": "", "sku": "ABS", "quantity": 1},
        ],
        "product_ids": ["77", "86"],
        "variant_ids": [],
        "total_quantity": 2,
        "total_price": 69.84,
        "total_price_without_tax": 64.53,
        "total_price_local_currency": 69.84,
        "local_currency": "USD",
        "tax": 5.31,
        "shipping_cost": 12.0,
        "shipping_type": "None",
        "shipping_country": "United States",
        "shipping_state": "Texas",
        "shipping_city": "San Antonio",
        "payment_type": "Cash",
        "voucher_code": "",
        "voucher_value": 5.0,
        "discount_value": 5.0,
        "cart_id": "7e48f7ef-2e88-4817-aea4-b0ed01490114",
        "channel_id": "1",
        "order_source": "external",
        "customer_type": "registered",
    }
    assert (first.type, first.timestamp_ms) == ("purchase_item", 1_551_822_011_000)
    assert first.properties == {
        "purchase_id": "218",
        "line_item_id": "65",
        "product_id": "77",
        "sku": "S-ORAN",
        "title": "Fog Linen Chambray Towel - Beige Stripe",
        "brand": "BigCommerce",
        "price": 65.23,
        "price_local_currency": 65.23,
        "original_price": 55.99,
        "original_price_local_currency": 55.99,
        "quantity": 1,
        "total_price": 63.64,
        "total_price_local_currency": 63.64,
        "discount_value": 1.59,
    }
    assert second.properties["line_item_id"] == "66"
    assert second.properties["total_price"] == 0.0


@pytest.mark.parametrize("rate", [None, "0.0000000000"])
def test_without_a_rate_there_is_no_price_in_the_stores_currency(rate: str | None):
    order = example_order(default_currency_code="EUR", store_default_to_transactional_exchange_rate=rate)
    purchase, item = purchase_events(parse_order(order), STORE)[:2]
    assert not {"total_price", "tax", "discount_value"} & purchase.properties.keys()
    assert not {"price", "total_price"} & item.properties.keys()
    assert purchase.properties["total_price_local_currency"] > 0


def test_another_currency_is_divided_by_the_rate_for_the_stores_own():
    order = example_order(default_currency_code="EUR", store_default_to_transactional_exchange_rate="0.8000000000")
    properties = purchase_events(parse_order(order), STORE)[0].properties
    assert (properties["total_price"], properties["total_price_local_currency"], properties["local_currency"]) == (87.3, 69.84, "EUR")


@pytest.mark.parametrize(("amount", "currency", "wanted"), [("0.125", "USD", 0.13), ("0.5", "JPY", 1.0), ("1.2345", "KWD", 1.235)])
def test_amounts_are_rounded_half_up_to_the_minor_unit(amount: str, currency: str, wanted: float):
    order = example_order(default_currency_code=currency, total_inc_tax=amount)
    assert purchase_events(parse_order(order), replace(STORE, currency=currency))[0].properties["total_price"] == wanted


@pytest.mark.parametrize("empty", ["", None])
def test_an_amount_that_is_not_there_is_left_out(empty: str | None):
    properties = purchase_events(parse_order(example_order(total_ex_tax=empty)), STORE)[0].properties
    assert "total_price_without_tax" not in properties


def test_a_line_without_a_product_counts_but_names_none():
    line = {"id": 7, "product_id": 0, "name": "Engraving", "quantity": 3, "price_inc_tax": "1.0000"}
    purchase, item = purchase_events(parse_order(example_order(products=[line])), STORE)
    assert (purchase.properties["product_ids"], purchase.properties["total_quantity"]) == ([], 3)
    assert "product_id" not in item.properties


def test_voucher_codes_are_those_of_the_lines_discounts_each_once():
    def line(id: int, *codes: str | None) -> dict[str, Any]:
        discounts = [{"code": code, "amount": "1.0000"} for code in codes]
        return {"id": id, "product_id": 1, "quantity": 1, "applied_discounts": discounts}

    lines = [line(1, "SPRING", None), line(2, "SPRING", "VIP")]
    purchase, first, _ = purchase_events(parse_order(example_order(products=lines)), STORE)
    assert purchase.properties["voucher_code"] == "SPRING, VIP"
    assert first.properties["discount_value"] == 2.0


def test_lines_are_found_wherever_a_consignment_holds_them():
    def line(id: int) -> dict[str, Any]:
        return {"id": id, "product_id": id, "quantity": 1}

    consignments = {
        "shipping": [{"id": 1, "shipping_method": "Post", "country": "France", "state": "", "city": "Lyon", "line_items": [line(3)]}],
        "pickups": {"id": 2, "line_items": [line(1)]},
        "downloads": [{"line_items": [line(4)]}],
        "email": {"gift_certificates": [{"line_items": [line(2)]}]},
    }
    body = orjson.loads(example_order(consignments=consignments))
    del body["products"], body["shipping_addresses"]
    order = parse_order(orjson.dumps(body))
    assert [found.id for found in order.lines] == ["1", "2", "3", "4"]
    assert order.shipping is not None
    assert (order.shipping.method, order.shipping.city) == ("Post", "Lyon")


def test_a_manual_order_is_of_the_store_and_a_guests_says_so():
    order = parse_order(example_order(order_source="manual", customer_id=0))
    properties = purchase_events(order, STORE)[0].properties
    assert (properties["purchase_source_type"], properties["customer_type"]) == ("store", "guest")


def test_an_order_update_names_both_statuses_in_bigcommerces_own_words():
    order = parse_order(example_order(status_id=14, custom_status="Teilweise erstattet"))
    event = order_update(order, 7, STORE)
    assert (event.type, event.timestamp_ms) == ("order_update", 1_552_317_445_000)
    assert event.properties == {
        "purchase_id": "218",
        "order_status": "Partially Refunded",
        "previous_status": "Awaiting Payment",
        "total_price": 69.84,
    }
