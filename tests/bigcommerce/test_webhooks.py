"""Every scope to the entity that it is about; nothing that arrives can do more than be refused."""

import json
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigcommerce.webhooks import DELETED_SCOPES, HOOK_SCOPES, NO_ID, Webhook, parse_webhook
from schemas.failures import Undecodable

EXAMPLES = Path(__file__).parents[1] / "examples" / "bigcommerce" / "webhooks"
CART = "09346904-4175-44fd-be53-f7e598531b6c"


def read_example(name: str) -> Webhook:
    return parse_webhook((EXAMPLES / f"{name}.json").read_bytes())


def expected(
    scope: str, resource: str, id: str, created_s: int, hash: str, *, deleted: bool = False, converted: str | None = None
) -> Webhook:
    return Webhook(scope, resource, id, deleted, converted, created_s * 1000, hash, "{store_hash}")  # the examples' producer is a template


AS_PUBLISHED = {
    "app_uninstalled": expected("store/app/uninstalled", "other", NO_ID, 1561482670, "352e4afc6dd3fc85ea26bfdf3f91852604d57528"),
    "cart_abandoned": expected("store/cart/abandoned", "cart", CART, 1561482670, "352e4afc6dd3fc85ea26bfdf3f91852604d57528"),
    "cart_converted": expected(
        "store/cart/converted",
        "cart",
        "d30016e2-23c0-4a90-884f-2e92ac135476",
        1561486893,
        "b86db7c77d7ef8f90d6a8aefa56de32ccd776923",
        converted="252",
    ),
    "cart_created": expected("store/cart/created", "cart", CART, 1561482670, "352e4afc6dd3fc85ea26bfdf3f91852604d57528"),
    "cart_lineItem_created": expected(
        "store/cart/lineItem/created",
        "cart",
        "b0386708-fef3-45de-9d8b-fbe3031450a4",
        1561481786,
        "399321a1bf1ac1331e12826fb89f264b4c8d21a6",
    ),
    "cart_updated": expected("store/cart/updated", "cart", CART, 1561482670, "352e4afc6dd3fc85ea26bfdf3f91852604d57528"),
    "customer_created": expected("store/customer/created", "customer", "32", 1561481571, "8768ab15aa86c6d73c7e4c3efbaee072110ad1d2"),
    "customer_deleted": expected(
        "store/customer/deleted", "customer", "32", 1561481571, "8768ab15aa86c6d73c7e4c3efbaee072110ad1d2", deleted=True
    ),
    "customer_updated": expected("store/customer/updated", "customer", "32", 1561481571, "8768ab15aa86c6d73c7e4c3efbaee072110ad1d2"),
    "delivery_exception": expected("store/hook/deliveryException", "other", NO_ID, 1561482670, "e0c298b8097a6a2f39d17e593a9b360f5b2fef7d"),
    "information_updated": expected("store/information/updated", "other", NO_ID, 1535489273, "c553845e0a5e28dc8b0ea494458692a25586a294"),
    "order_created": expected("store/order/created", "order", "250", 1561479335, "dd70c0976e06b67aaf671e73f49dcb79230ebf9d"),
    "order_statusUpdated": expected("store/order/statusUpdated", "order", "250", 1561479335, "7ee67cd1cf2ca60bc1aa9e5fe957d2de373be4ca"),
    "product_deleted": expected(
        "store/product/deleted", "product", "205", 1561479233, "a833a57fadd56a32dc752fb6ca0841dc9602a495", deleted=True
    ),
    "product_inventory_updated": expected(
        "store/product/inventory/updated", "product", "167", 1561478843, "cba9eef399fbd6d384489bca6cacad24794b1086"
    ),
    "product_updated": expected("store/product/updated", "product", "205", 1561479233, "a833a57fadd56a32dc752fb6ca0841dc9602a495"),
    "shipment_created": expected("store/shipment/created", "other", NO_ID, 1561482857, "8b98021cb0faa7e3a58a0e4182d3696a4bdd24ab"),
    "sku_updated": expected("store/sku/updated", "product", "206", 1561480465, "7a0866943b1f46cfda31c3218931f5aab83a4c73"),
    "subscriber_created": expected("store/subscriber/created", "subscriber", "5", 1561482953, "bdb6c9c2d17ca7036538e483db0bdd7debc4beb4"),
    "subscriber_deleted": expected(
        "store/subscriber/deleted", "subscriber", "5", 1561482953, "bdb6c9c2d17ca7036538e483db0bdd7debc4beb4", deleted=True
    ),
}


@pytest.mark.parametrize("name", AS_PUBLISHED)
def test_a_published_example_reads_as_expected(name: str):
    assert read_example(name) == AS_PUBLISHED[name]


def test_every_example_is_read():
    assert {path.stem for path in EXAMPLES.glob("*.json")} == {*AS_PUBLISHED, "captured_product_updated"}


def test_the_captured_delivery_reads_as_expected():
    captured = json.loads((EXAMPLES / "captured_product_updated.json").read_text())
    assert parse_webhook(captured["raw_body"].encode()) == Webhook(
        scope="store/product/updated",
        resource="product",
        id="180",
        deleted=False,
        converted_order_id=None,
        created_at_ms=1786447828_000,
        hash="64d346b71e4c02453da81c5d97cec8063a6e7a4d",
        producer="8jbhprizry",
    )


@pytest.mark.parametrize(
    ("scope", "data", "resource", "id"),
    [
        ("store/customer/address/created", {"type": "customer", "id": 60, "address": {"customer_id": 32}}, "customer", "32"),
        ("store/customer/address/updated", {"type": "customer", "id": 60, "address": {"customer_id": 32}}, "customer", "32"),
        ("store/customer/address/deleted", {"type": "customer", "id": 60, "address": {"customer_id": 32}}, "customer", "32"),
        ("store/customer/address/created", {"type": "customer", "id": 60}, "other", NO_ID),  # 60 is nobody's customer id
        ("store/customer/payment/instrument/default/updated", {"type": "customer", "id": 32}, "customer", "32"),
        ("store/customer/channel/login/access/updated", {"customer_id": 22, "channel_ids": [1]}, "customer", "22"),
        ("store/customer/metafield/created", {"metafield_id": 16, "resource_id": "38"}, "other", NO_ID),
        ("store/order/archived", {"type": "order", "id": 250}, "order", "250"),
        ("store/order/statusUpdated", {"type": "order", "id": 250}, "order", "250"),
        ("store/order/message/created", {"type": "order", "id": 250, "message": {"order_message_id": 3}}, "order", "250"),
        ("store/order/refund/created", {"type": "order", "id": 250, "refund": {"refund_id": 3}}, "order", "250"),
        ("store/order/transaction/created", {"type": "transaction", "order_id": "250"}, "order", "250"),
        ("store/order/transaction/updated", {"type": "transaction", "id": 7, "order_id": "250"}, "order", "250"),
        ("store/order/*", {"type": "order", "id": 250}, "order", "250"),
        ("store/cart/couponApplied", {"type": "cart", "id": CART, "couponId": 1}, "cart", CART),
        ("store/cart/lineItem/deleted", {"type": "cart_line_item", "id": "743bfd94", "cartId": CART}, "cart", CART),
        ("store/cart/lineItem/deleted", {"type": "cart_line_item", "id": "743bfd94"}, "other", NO_ID),  # 743bfd94 is a line's id
        ("store/product/created", {"type": "product", "id": 205}, "product", "205"),
        (
            "store/product/updated",
            {"type": "product", "id": 205, "properties": ["warranty"], "context": {"channel_id": 2, "locale": "fr"}},
            "product",
            "205",
        ),
        ("store/product/inventory/order/updated", {"type": "product", "id": 167, "inventory": {"product_id": 167}}, "product", "167"),
        ("store/sku/created", {"type": "sku", "id": 461, "sku": {"product_id": 206, "variant_id": 509}}, "product", "206"),
        ("store/sku/deleted", {"type": "sku", "id": 461, "sku": {"product_id": 206, "variant_id": 509}}, "product", "206"),
        ("store/sku/inventory/updated", {"type": "sku", "id": 461, "inventory": {"product_id": 206, "variant_id": 509}}, "product", "206"),
        ("store/sku/updated", {"type": "sku", "id": 461}, "other", NO_ID),  # 461 is a sku's id
        ("store/channel/3/order/created", {"order_id": 127}, "order", "127"),
        ("store/channel/3/order/transaction/created", {"order_id": "127"}, "order", "127"),
        ("store/channel/3/cart/created", {"cart_id": CART}, "cart", CART),
        ("store/channel/3/cart/lineItem/created", {"cart_id": CART, "cart_item_id": "743bfd94"}, "cart", CART),
        ("store/channel/3/cart/lineItems/created", {"cart_id": CART, "cart_item_id": "743bfd94"}, "cart", CART),
        ("store/channel/created", {"type": "channel", "id": 3}, "other", NO_ID),
        ("store/category/created", {"type": "category", "id": 42}, "other", NO_ID),
        ("store/priceList/records/created", [{"price_list_id": 1, "variant_id": 2, "currency": "usd"}], "other", NO_ID),
        ("store/metafield/created", {"metafield_id": 16, "resource_id": "38", "resource_type": "product"}, "other", NO_ID),
        ("store/order/created", {"type": "order", "id": "250"}, "order", "250"),
        ("store/order/created", {"type": "order", "id": 0}, "other", NO_ID),
        ("store/order/created", {"type": "order", "id": -1}, "other", NO_ID),
        ("store/order/created", {"type": "order", "id": True}, "other", NO_ID),
        ("store/order/created", {"type": "order", "id": 250.0}, "other", NO_ID),
        ("store/order/created", {"type": "order", "id": "250/../7"}, "other", NO_ID),
        ("store/order/created", {"type": "order", "id": "9" * 20}, "other", NO_ID),
        ("store/order/created", {"type": "order", "id": "٢٥٠"}, "other", NO_ID),  # digits, but not BigCommerce's
        ("store/order/created", {"type": "order"}, "other", NO_ID),
        ("store/order/created", [250], "other", NO_ID),
        ("store/order/created", None, "other", NO_ID),
        ("store/cart/created", {"type": "cart", "id": "a/b"}, "other", NO_ID),
        ("store/cart/created", {"type": "cart", "id": ""}, "other", NO_ID),
        ("shop/order/created", {"id": 250}, "other", NO_ID),
        ("store/order", {"id": 250}, "other", NO_ID),
        ("", {"id": 250}, "other", NO_ID),
        (None, {"id": 250}, "other", NO_ID),
        (["store/order/created"], {"id": 250}, "other", NO_ID),
    ],
)
def test_a_scope_leads_to_the_entity_to_look_at(scope: object, data: object, resource: str, id: str):
    webhook = parse_webhook(orjson.dumps({"scope": scope, "data": data}))
    assert (webhook.resource, webhook.id) == (resource, id)


DATA = {"id": 7, "cartId": CART, "address": {"customer_id": 32}, "sku": {"product_id": 206}}


@pytest.mark.parametrize(
    "scope",
    [
        *(scope for scope in HOOK_SCOPES if scope not in DELETED_SCOPES),
        "store/cart/lineItem/deleted",
        "store/channel/3/cart/deleted",
        "store/order/deleted",
    ],
)
def test_only_the_deletion_of_an_entity_itself_is_a_deletion(scope: str):
    assert not parse_webhook(orjson.dumps({"scope": scope, "data": DATA})).deleted


@pytest.mark.parametrize("scope", DELETED_SCOPES)
def test_a_deletion_without_an_id_deletes_nothing(scope: str):
    webhook = parse_webhook(orjson.dumps({"scope": scope, "data": {}}))
    assert (webhook.resource, webhook.id, webhook.deleted) == ("other", NO_ID, False)


@pytest.mark.parametrize(
    ("scope", "data", "order_id"),
    [
        ("store/cart/converted", {"id": CART, "orderId": 252}, "252"),
        ("store/cart/converted", {"id": CART, "orderId": "252"}, "252"),
        ("store/channel/3/cart/converted", {"cart_id": CART, "order_id": 252}, "252"),
        ("store/cart/converted", {"id": CART}, None),
        ("store/cart/converted", {"id": CART, "orderId": 0}, None),
        ("store/cart/updated", {"id": CART, "orderId": 252}, None),
    ],
)
def test_a_converted_cart_names_its_order(scope: str, data: dict, order_id: str | None):
    webhook = parse_webhook(orjson.dumps({"scope": scope, "data": data}))
    assert (webhook.resource, webhook.id, webhook.converted_order_id) == ("cart", CART, order_id)


@pytest.mark.parametrize(
    ("created_at", "expected_ms"),
    [
        (1561479335, 1561479335_000),
        (None, None),
        (0, None),
        (-5, None),
        (True, None),
        ("1561479335", None),
        (10**15, None),
        (1e300, None),
    ],
)
def test_a_time_is_whole_seconds_of_our_era_or_none(created_at: object, expected_ms: int | None):
    assert parse_webhook(orjson.dumps({"created_at": created_at})).created_at_ms == expected_ms


@pytest.mark.parametrize(
    ("producer", "expected_hash"), [("stores/abc123", "abc123"), ("stores/", None), ("abc123", None), (None, None), (7, None)]
)
def test_the_producer_names_the_store(producer: object, expected_hash: str | None):
    assert parse_webhook(orjson.dumps({"producer": producer, "store_id": 1025646})).producer == expected_hash


def test_an_empty_object_is_a_webhook_about_nothing():
    assert parse_webhook(b"{}") == Webhook("", "other", NO_ID, False, None, None, "", None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b'[{"scope": "store/order/created"}]',
        b"{",
        b'{"data": NaN}',
        b'{"data": 1e999}',
        b'{"data": ' + b"9" * 5000 + b"}",
        b'{"scope": "\xff"}',
        b'{"scope": "\\ud800"}',
        b"\xef\xbb\xbf{}",
        b'{"data":' * 3000 + b"1" + b"}" * 3000,
        b"[" * 60_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_json_object_is_undecodable(body: bytes):
    with pytest.raises(Undecodable):
        parse_webhook(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
ids = st.dictionaries(
    st.sampled_from(["id", "customer_id", "order_id", "orderId", "cart_id", "cartId", "product_id", "address", "sku", "inventory"]),
    json_values | st.dictionaries(st.sampled_from(["customer_id", "product_id"]), json_values),
)
scopes = (
    st.sampled_from(HOOK_SCOPES) | st.text() | st.lists(st.sampled_from(["store", "channel", "3", "cart", "lineItem", ""])).map("/".join)
)
fields = dict.fromkeys(("store_id", "hash", "created_at", "producer"), json_values) | {
    "scope": scopes | json_values,
    "data": ids | json_values,
}


@given(st.fixed_dictionaries({}, optional=fields))
def test_any_json_object_can_be_read_and_its_id_can_stand_in_a_key(envelope: dict):
    webhook = parse_webhook(orjson.dumps(envelope))
    assert "/" not in webhook.id
    assert webhook.id.isascii()
    assert 1 <= len(webhook.id) <= 64
    assert (webhook.resource == "other") == (webhook.id == NO_ID)
    assert webhook.created_at_ms is None or webhook.created_at_ms > 0


@given(st.binary() | st.binary().map(lambda inner: b'{"scope":' + inner + b"}"))
def test_any_bytes_are_a_webhook_or_undecodable(body: bytes):
    try:
        is_object = isinstance(json.loads(body.decode(), parse_constant=float.fromhex), dict)
    except (ValueError, RecursionError):
        is_object = False
    try:
        parse_webhook(body)
    except Undecodable:
        assert not is_object
    else:
        assert is_object
