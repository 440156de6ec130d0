from pathlib import Path

import orjson
import pytest

from bigcommerce.webhooks import parse_webhook
from schemas.entities import CartGone, CustomerGone, ProductGone, SubscriberGone
from schemas.failures import Undecodable
from schemas.topics import ACCOUNTS, CHECKOUTS, PRODUCTS, SUBSCRIBERS
from schemas.webhooks import LookAt, WebhookReceived
from streams.fetch.rules.route import SETTLED_MS, STAMP_MS, Look, Nowhere, Told, route

EXAMPLES = Path(__file__).parents[3] / "examples" / "bigcommerce" / "webhooks"
AT_MS = 1_561_479_335_000


def webhook(scope: str, id: str = "32", *, created_at: int | None = AT_MS // 1000, **data: object) -> WebhookReceived:
    resource = scope.split("/")[1]
    body = {"scope": scope, "data": {"type": resource, "id": id, **data}} | ({"created_at": created_at} if created_at else {})
    return WebhookReceived(
        store="abc.1", resource=resource, id=id, scope=scope, received_at_ms=AT_MS + 900, body=orjson.dumps(body).decode()
    )


def test_a_change_is_looked_at_until_it_has_settled_and_shows():
    changed_ms = AT_MS - STAMP_MS
    assert route(webhook("store/customer/updated")) == Look("customer", "32", AT_MS + SETTLED_MS, changed_ms)
    assert route(webhook("store/order/statusUpdated", status={"new_status_id": 11})) == Look("order", "32", AT_MS + SETTLED_MS, changed_ms)


@pytest.mark.parametrize("scope", ["store/customer/address/updated", "store/cart/lineItem/created", "store/order/message/created"])
def test_a_change_of_a_part_does_not_ask_for_a_newer_entity(scope: str):
    target = route(webhook(scope, address={"customer_id": 32}, cartId="32", order_id=32))
    assert isinstance(target, Look)
    assert target.changed_ms == 0


def test_a_webhook_without_a_time_counts_from_its_receipt():
    assert route(webhook("store/customer/updated", created_at=None)) == Look("customer", "32", AT_MS + 900 + SETTLED_MS, 0)


@pytest.mark.parametrize(
    ("resource", "topic", "kind"),
    [
        ("customer", ACCOUNTS, CustomerGone),
        ("subscriber", SUBSCRIBERS, SubscriberGone),
        ("cart", CHECKOUTS, CartGone),
        ("product", PRODUCTS, ProductGone),
    ],
)
def test_a_told_deletion_is_written_without_a_read(resource: str, topic: object, kind: type):
    gone = kind(store="abc.1", id="32", told=True, at_ms=AT_MS, read_at_ms=0)
    assert route(webhook(f"store/{resource}/deleted")) == Told(resource, "32", topic, "abc.1/32", gone)


def test_a_converted_cart_is_gone_and_its_order_is_looked_at():
    body = (EXAMPLES / "cart_converted.json").read_text()
    id, at_ms = orjson.loads(body)["data"]["id"], orjson.loads(body)["created_at"] * 1000
    target = route(WebhookReceived(store="abc.1", resource="cart", id=id, scope="store/cart/converted", received_at_ms=1, body=body))
    assert isinstance(target, Told)
    assert target.gone == CartGone(store="abc.1", id=id, told=True, converted=True, at_ms=at_ms, read_at_ms=0)
    assert target.then
    assert (target.then.resource, target.then.id, target.then.at_ms) == ("order", "252", at_ms)


def test_a_deleted_address_leaves_its_customer_alive():
    assert isinstance(route(webhook("store/customer/address/deleted", address={"customer_id": 32})), Look)


def test_a_look_at_wants_a_read_from_its_time_on():
    assert route(LookAt(store="abc.1", resource="customer", id="5", why="", at_ms=77)) == Look("customer", "5", 77, 0)


@pytest.mark.parametrize("name", ["product_updated", "product_inventory_updated", "sku_updated"])
def test_whatever_happens_to_a_product_or_its_skus_leads_to_the_product_of_any_time_of_modification(name: str):
    body = orjson.loads((EXAMPLES / f"{name}.json").read_bytes())
    data = body["data"]
    id = str(data["sku"]["product_id"] if "sku" in data else data["id"])
    webhook = parse_webhook(orjson.dumps(body))
    assert (webhook.resource, webhook.id, webhook.deleted) == ("product", id, False)
    received = WebhookReceived(
        store="abc.1", resource="product", id=id, scope=body["scope"], received_at_ms=1, body=orjson.dumps(body).decode()
    )
    assert route(received) == Look("product", id, body["created_at"] * 1000 + SETTLED_MS, 0)


def test_a_deleted_sku_leaves_its_product_alive():
    assert isinstance(route(webhook("store/product/updated")), Look)
    body = {"scope": "store/sku/deleted", "data": {"type": "sku", "id": 461, "sku": {"product_id": 206, "variant_id": 509}}}
    received = WebhookReceived(
        store="abc.1", resource="product", id="206", scope="store/sku/deleted", received_at_ms=1, body=orjson.dumps(body).decode()
    )
    assert isinstance(route(received), Look)


def test_what_is_not_tracked_leads_nowhere():
    received = WebhookReceived(store="abc.1", resource="other", id="-", scope="", received_at_ms=1, body="anything")
    assert route(received) == Nowhere("other")


def test_a_webhook_that_cannot_be_read_is_undecodable():
    with pytest.raises(Undecodable):
        route(WebhookReceived(store="abc.1", resource="cart", id="1", scope="", received_at_ms=1, body="[]"))


@pytest.mark.parametrize(("resource", "id"), [("order", "abc"), ("customer", "0"), ("subscriber", ""), ("cart", "../orders/1")])
def test_what_cannot_be_an_id_is_undecodable(resource: str, id: str):
    with pytest.raises(Undecodable) as failed:
        route(LookAt(store="abc.1", resource=resource, id=id, why="", at_ms=1))
    assert failed.value.field == "id"
