"""Which webhooks fire, what they look like, and what becomes of them (docs/facts/bigcommerce.md 1.1 to 1.7)."""

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from simulators.bigcommerce.app import BigCommerce
from simulators.bigcommerce.shop import Store
from simulators.bigcommerce.webhooks import RETRY_DELAYS_S, sign

EXAMPLES = Path(__file__).parents[2] / "examples/bigcommerce/webhooks"
LINE = {"product_id": 77, "variant_id": 5, "name": "Towel", "price": "10"}
ENVELOPE = ["producer", "hash", "created_at", "store_id", "scope", "data"]


def signature(headers: dict[str, str], body: bytes) -> str:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(b"sample-client-secret", signed, hashlib.sha256).digest()).decode()


def bodies(receiver) -> list[dict]:
    return [json.loads(body) for _, body in receiver.got]


def test_the_signature_is_that_of_the_published_vector():
    body = (
        b'{"producer":"stores/abc123","hash":"64d346b71e4c02453da81c5d97cec8063a6e7a4d","created_at":1699999998,'
        b'"store_id":"1001","scope":"store/product/updated","data":{"type":"product","id":180}}'
    )
    assert (
        sign("sample-client-secret", "64d346b71e4c02453da81c5d97cec8063a6e7a4d", 1_700_000_000, body)
        == "v1,J/GEPPPk5yxOGxKZCLYCgt/IEt9t/gUSjDhTfcs7uEU="
    )


def test_a_delivery_is_signed_and_shaped_as_captured(shop, receiver):
    shop.hook("store/customer/created", receiver.url, headers={"X-Webhook-Secret": "s3"})
    customer = shop.act({"action": "create_customer", "email": "jane@example.com"})[0]["id"]
    [(headers, body)] = receiver.wait_for(1)
    envelope = json.loads(body)
    assert list(envelope) == ENVELOPE
    assert b" " not in body
    assert envelope["producer"] == f"stores/{shop.hash}"
    assert isinstance(envelope["store_id"], str)
    assert envelope["data"] == {"type": "customer", "id": customer}
    assert abs(envelope["created_at"] - time.time()) < 60
    assert headers["webhook-id"] == envelope["hash"]
    assert len(envelope["hash"]) == 40
    assert headers["webhook-signature"] == signature(headers, body)
    assert (headers["x-webhook-secret"], headers["content-type"], headers["accept-encoding"]) == ("s3", "application/json", "gzip")


@pytest.mark.parametrize(
    "name", ["customer_created", "subscriber_created", "cart_created", "order_created", "order_statusUpdated", "cart_converted"]
)
def test_data_is_as_in_the_documented_example(shop, receiver, name):
    documented = json.loads((EXAMPLES / f"{name}.json").read_text())
    shop.hook(documented["scope"], receiver.url)
    shop.act(
        {"action": "create_customer", "email": "jane@example.com"},
        {"action": "create_subscriber", "email": "jane@example.com"},
        {"action": "create_cart", "lines": [LINE]},
        {"action": "checkout", "cart_id": "$2.id"},
    )
    receiver.wait_for(1)
    sent = bodies(receiver)[0]
    assert {key: type(value) for key, value in sent["data"].items()} == {key: type(value) for key, value in documented["data"].items()}


def scopes_fired(shop, *actions) -> Counter:
    before = Counter(shop.webhooks()["fired"])
    shop.act(*actions)
    fired = Counter(shop.webhooks()["fired"]) - before
    return Counter({scope.removeprefix("store/"): count for scope, count in fired.items() if "/channel/" not in scope})


def test_each_action_fires_the_scopes_that_the_platform_fires(shop):
    def fired(*actions):
        return dict(scopes_fired(shop, *actions))

    customer = {"action": "create_customer", "email": "a@example.com", "addresses": [{"city": "Austin"}]}
    assert fired(customer) == {"customer/created": 1}
    customer_id = shop.truth("customer")[0]["id"]
    address_id = shop.truth("customer")[0]["body"]["addresses"][0]["id"]
    assert fired({"action": "update_customer", "id": customer_id, "fields": {"first_name": "A"}}) == {"customer/updated": 1}
    assert fired({"action": "update_customer", "id": customer_id, "attributes": {"size": "L"}, "form_fields": {"f": "v"}}) == {}
    assert fired({"action": "create_address", "customer_id": customer_id}) == {"customer/address/created": 1}
    assert fired({"action": "update_address", "id": address_id, "fields": {"city": "Graz"}}) == {"customer/address/updated": 1}
    assert fired({"action": "delete_address", "id": address_id}) == {"customer/address/deleted": 1}
    assert fired({"action": "delete_customer", "id": customer_id}) == {"customer/deleted": 1}
    cart = shop.act({"action": "create_cart", "lines": [LINE]})[0]
    other = {**LINE, "variant_id": 6}
    assert fired({"action": "create_cart", "lines": [LINE]}) == {"cart/created": 1, "cart/updated": 1, "cart/lineItem/created": 1}
    assert fired({"action": "add_line", "cart_id": cart["id"], "line": other}) == {"cart/lineItem/created": 1, "cart/updated": 1}
    assert fired({"action": "add_line", "cart_id": cart["id"], "line": other}) == {"cart/lineItem/updated": 1, "cart/updated": 1}
    line = cart["line_ids"][0]
    assert fired({"action": "set_quantity", "cart_id": cart["id"], "line_id": line, "quantity": 3}) == {
        "cart/lineItem/updated": 1,
        "cart/updated": 1,
    }
    assert fired({"action": "remove_line", "cart_id": cart["id"], "line_id": line}) == {"cart/lineItem/deleted": 1, "cart/updated": 1}
    assert fired({"action": "set_cart_email", "cart_id": cart["id"], "email": "g@example.com"}) == {"cart/updated": 1}
    coupon = {"action": "apply_coupon", "cart_id": cart["id"], "coupon": {"code": "TEN", "percent": 10}}
    assert fired(coupon) == {"cart/couponApplied": 1, "cart/updated": 1}
    assert fired({"action": "checkout", "cart_id": cart["id"]}) == {
        "order/created": 1,
        "cart/converted": 1,
        "order/updated": 1,
        "order/statusUpdated": 1,
    }
    order = shop.truth("order")[0]["id"]
    assert fired({"action": "set_order_status", "id": order, "status": 2}) == {"order/updated": 1, "order/statusUpdated": 1}
    assert fired({"action": "set_order_status", "id": order, "status": 2}) == {}
    assert fired({"action": "update_order", "id": order, "fields": {"staff_notes": "x"}}) == {"order/updated": 1}
    assert fired({"action": "archive_order", "id": order}) == {"order/archived": 1}
    assert fired({"action": "create_order", "lines": [LINE]}) == {"order/created": 1}


def test_the_last_line_takes_the_cart_with_it(shop):
    cart = shop.act({"action": "create_cart", "lines": [LINE]})[0]
    gone = scopes_fired(shop, {"action": "remove_line", "cart_id": cart["id"], "line_id": cart["line_ids"][0]})
    assert gone == {"cart/lineItem/deleted": 1, "cart/updated": 1, "cart/deleted": 1}
    assert shop.get(f"/v3/carts/{cart['id']}").status_code == 404


def test_an_incomplete_order_converts_its_cart_only_when_it_is_paid(shop):
    cart = {"action": "create_cart", "lines": [LINE]}
    assert "cart/converted" not in scopes_fired(shop, cart, {"action": "checkout", "cart_id": "$0.id", "status": 0})
    order = shop.truth("order")[0]["body"]
    assert shop.get(f"/v3/carts/{order['cart_id']}").status_code == 200
    assert scopes_fired(shop, {"action": "set_order_status", "id": order["id"], "status": 11})["cart/converted"] == 1
    assert shop.get(f"/v3/carts/{order['cart_id']}").status_code == 404


def test_a_wildcard_hook_gets_the_scopes_below_it_under_their_own_names(shop, receiver):
    shop.hook("store/cart/*", receiver.url)
    shop.act({"action": "create_customer", "email": "a@example.com"}, {"action": "create_cart", "lines": [LINE]})
    receiver.wait_for(3)
    assert {body["scope"] for body in bodies(receiver)} == {"store/cart/created", "store/cart/updated", "store/cart/lineItem/created"}


def test_a_channel_hook_gets_another_shape(shop, receiver):
    shop.hook("store/channel/1/order/created", receiver.url)
    order = shop.act({"action": "create_order", "lines": [LINE]})[0]["id"]
    receiver.wait_for(1)
    assert bodies(receiver)[0]["data"] == {"order_id": order}


def test_an_address_webhook_names_the_address_and_its_customer(shop, receiver):
    shop.hook("store/customer/address/created", receiver.url)
    customer, address = shop.act(
        {"action": "create_customer", "email": "a@example.com"}, {"action": "create_address", "customer_id": "$0.id"}
    )
    receiver.wait_for(1)
    assert bodies(receiver)[0]["data"] == {"type": "customer", "id": address["id"], "address": {"customer_id": customer["id"]}}


def test_a_failed_delivery_comes_again_with_the_same_body(shop, receiver):
    shop.knobs(retry_scale=0.0001)
    shop.hook("store/customer/created", receiver.url)
    receiver.answers[:] = [500, 302, 404]
    shop.act({"action": "create_customer", "email": "a@example.com"})
    got = receiver.wait_for(4)
    shop.settled()
    assert len(got) == 4
    assert len({body for _, body in got}) == 1
    assert all(headers["webhook-signature"] == signature(headers, body) for headers, body in got)


def test_after_the_last_retry_the_hook_is_deactivated_until_it_is_woken(shop, receiver):
    shop.knobs(retry_scale=0)
    hook = shop.hook("store/customer/created", receiver.url)
    receiver.answers[:] = [500] * (len(RETRY_DELAYS_S) + 1)
    shop.act({"action": "create_customer", "email": "a@example.com"})
    shop.settled()
    assert len(receiver.got) == len(RETRY_DELAYS_S) + 1
    assert shop.data(f"/v3/hooks/{hook}")["is_active"] is False
    assert shop.data("/v3/hooks/admin")["hooks_list"][0]["status"] == "deactivated"
    shop.act({"action": "create_customer", "email": "lost@example.com"})
    shop.call("PUT", f"/v3/hooks/{hook}", json={"is_active": True})
    assert shop.data("/v3/hooks/admin")["hooks_list"][0]["status"] == "active"
    woken = shop.act({"action": "create_customer", "email": "b@example.com"})[0]["id"]
    shop.settled()
    assert bodies(receiver)[-1]["data"]["id"] == woken
    assert len(receiver.got) == len(RETRY_DELAYS_S) + 2


def test_an_answer_that_takes_too_long_is_a_failure(shop, receiver):
    before = shop.webhooks().get("failed", 0)
    shop.knobs(timeout_s=0, retry_scale=0)
    shop.hook("store/customer/created", receiver.url)
    shop.act({"action": "create_customer", "email": "a@example.com"})
    shop.settled()
    assert shop.webhooks()["failed"] == before + len(RETRY_DELAYS_S) + 1


def test_a_domain_that_fails_too_often_is_blocked_for_a_while(shop, receiver):
    shop.knobs(blocklist=True)
    shop.hook("store/customer/created", receiver.url)
    receiver.answers[:] = [200] * 80 + [500] * 20
    shop.act(*({"action": "create_customer", "email": f"{number}@example.com"} for number in range(100)))

    def blocked():
        return [domain["destination"] for domain in shop.data("/v3/hooks/admin")["blocked_domains"]]

    assert shop.until(blocked, "a blocked domain") == [receiver.url.split("/")[2]]
    before = shop.webhooks().get("blocked", 0)
    shop.act({"action": "create_customer", "email": "blocked@example.com"})
    shop.until(lambda: shop.webhooks().get("blocked", 0) == before + 1, "a webhook that is held back")
    shop.knobs(retry_scale=0.00001)  # three minutes are over
    assert blocked() == []
    last = shop.act({"action": "create_customer", "email": "late@example.com"})[0]["id"]
    receiver.wait_for(101)
    assert bodies(receiver)[-1]["data"]["id"] == last


def one_delivery(shop, receiver, count=1, **knobs):
    """The deliveries of one order's change of status with `knobs` set."""
    order = shop.act({"action": "create_order", "lines": [LINE]})[0]["id"]
    shop.hook("store/order/statusUpdated", receiver.url)
    shop.knobs(**knobs)
    shop.act({"action": "set_order_status", "id": order, "status": 2})
    shop.settled()
    assert len(receiver.got) == count
    return receiver.got


def test_knob_duplicate(shop, receiver):
    first, second = one_delivery(shop, receiver, 2, duplicate=1)
    assert first[1] == second[1]
    assert first[0]["webhook-id"] == second[0]["webhook-id"]


def test_knob_delay(shop, receiver):
    [(headers, body)] = one_delivery(shop, receiver, delay=1, delay_ms=200)
    assert headers["webhook-signature"] == signature(headers, body)


def test_knob_stamp_lag(shop, receiver):
    [(headers, body)] = one_delivery(shop, receiver, stamp_lag_ms=1000)
    changed_at_ms, created_at = shop.truth("order")[0]["states"][-1]["at_ms"], json.loads(body)["created_at"]
    assert changed_at_ms // 1000 < created_at <= int(headers["webhook-timestamp"])


async def test_a_change_and_its_webhook_are_of_one_instant(monkeypatch):
    """However slow the machine: here half a second passes each time that the clock is read."""
    world = BigCommerce(seed=1)
    world.add_store(Store(hash="abc", store_id=1, access_token="token"))
    instants = itertools.count(1_700_000_000_900_000_000, 500_000_000)
    monkeypatch.setattr("simulators.bigcommerce.app.time", SimpleNamespace(time_ns=lambda: next(instants)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app()), base_url="http://sim") as client:
        hook = {"scope": "store/customer/updated", "destination": "http://127.0.0.1:1"}
        assert (await client.post("/stores/abc/v3/hooks", json=hook, headers={"x-auth-token": "token"})).status_code == 200
        made = {"store": "abc", "action": "create_customer", "email": "jane@example.com"}
        changed = {"store": "abc", "action": "update_customer", "id": 1, "fields": {"first_name": "new"}}
        assert (await client.post("/_sim/actions", json=[made, changed])).json()[1] == {"id": 1}
        [customer] = (await client.get("/_sim/state", params={"store": "abc", "kind": "customer"})).json()["stores"]["abc"]["customer"]
    webhook = json.loads(world.sender._queue.get_nowait().body)
    assert customer["states"][-1]["at_ms"] // 1000 == webhook["created_at"]
    assert datetime.fromisoformat(customer["body"]["date_modified"]).timestamp() == webhook["created_at"]


def test_knob_drop(shop, receiver):
    assert one_delivery(shop, receiver, 0, drop=1) == []


def test_webhooks_of_other_scopes_than_those_named_are_not_dropped(shop, receiver):
    assert len(one_delivery(shop, receiver, drop=1, drop_only=["store/cart/deleted"])) == 1


def test_knob_stale_timestamp(shop, receiver):
    [(headers, body)] = one_delivery(shop, receiver, stale_timestamp=1)
    assert headers["webhook-signature"] == signature(headers, body)
    assert int(headers["webhook-timestamp"]) < json.loads(body)["created_at"] - 300


def test_knob_bad_signature(shop, receiver):
    [(headers, body)] = one_delivery(shop, receiver, bad_signature=1)
    assert headers["webhook-signature"] != signature(headers, body)


def test_knob_numeric_store_id(shop, receiver):
    [(_, body)] = one_delivery(shop, receiver, numeric_store_id=1)
    assert isinstance(json.loads(body)["store_id"], int)


def test_knob_missing_status(shop, receiver):
    [(_, body)] = one_delivery(shop, receiver, missing_status=1)
    assert json.loads(body)["data"].keys() == {"type", "id"}


def test_knob_unknown_scope(shop, receiver):
    scopes = {json.loads(body)["scope"] for _, body in one_delivery(shop, receiver, 2, unknown_scope=1)}
    assert scopes == {"store/order/statusUpdated", "store/unknown/happened"}


def test_knob_shuffle(shop, receiver):
    shop.knobs(shuffle_ms=500)
    shop.hook("store/customer/created", receiver.url)
    made = shop.act(*({"action": "create_customer", "email": f"{number}@example.com"} for number in range(50)))
    receiver.wait_for(50)
    arrived = [body["data"]["id"] for body in bodies(receiver)]
    assert sorted(arrived) == [answer["id"] for answer in made]
    assert arrived != sorted(arrived)


def test_a_raw_webhook_goes_to_the_hooks_of_its_scope_as_it_is(shop, receiver):
    shop.hook("store/cart/*", receiver.url)
    body = json.dumps({"scope": "store/cart/updated", "producer": f"stores/{shop.hash}", "hash": "f" * 40, "odd": [1]}).encode()
    assert shop.client.post("/_sim/webhook", content=body).json() == {"hooks": 1}
    broken = shop.client.post("/_sim/webhook", params={"store": shop.hash, "scope": "store/cart/updated"}, content=b"{not json")
    assert broken.json() == {"hooks": 1}
    got = receiver.wait_for(2)
    assert {sent for _, sent in got} == {body, b"{not json"}
    assert all(headers["webhook-signature"] == signature(headers, sent) for headers, sent in got)


def test_counters_say_what_was_sent_and_delivered(shop, receiver):
    before = Counter(shop.webhooks()["sent"])
    shop.hook("store/customer/created", receiver.url)
    shop.act({"action": "create_customer", "email": "a@example.com"}, {"action": "create_subscriber", "email": "a@example.com"})
    shop.settled()
    assert Counter(shop.webhooks()["sent"]) - before == {"store/customer/created": 1}
