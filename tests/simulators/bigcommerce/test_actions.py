"""The control API: actions, and the truth that they leave behind."""

import pytest

LINE = {"product_id": 77, "variant_id": 5, "name": "Towel", "price": "10"}


def test_actions_run_in_order_and_may_name_what_earlier_ones_made(shop):
    customer, cart, _, order = shop.act(
        {"action": "create_customer", "email": "jane@example.com"},
        {"action": "create_cart", "lines": [LINE]},
        {"action": "set_cart_customer", "cart_id": "$1.id", "customer_id": "$0.id"},
        {"action": "checkout", "cart_id": "$1.id"},
    )
    body = shop.get(f"/v2/orders/{order['id']}").json()
    assert (body["customer_id"], body["cart_id"], body["billing_address"]["email"]) == (customer["id"], cart["id"], "jane@example.com")


@pytest.mark.parametrize(
    "action",
    [
        {"action": "fly"},
        {"action": "create_customer"},
        {"action": "create_customer", "email": "new@example.com", "colour": "red"},
        {"action": "create_customer", "email": "TAKEN@example.com"},
        {"action": "create_subscriber", "email": "taken@example.com"},
        {"action": "update_customer", "id": 1, "fields": {"colour": "red"}},
        {"action": "update_address", "id": 99, "fields": {}},
        {"action": "create_cart", "lines": []},
        {"action": "add_line", "cart_id": "none", "line": LINE},
        {"action": "checkout", "cart_id": "none"},
        {"action": "set_order_status", "id": 101, "status": 2},
        {"action": "delete_cart", "cart_id": "$9.id"},
        {"action": "delete_customer", "id": 1, "store": "nosuch"},
    ],
)
def test_what_cannot_be_done_is_said_and_the_rest_is_done(shop, action):
    shop.act({"action": "create_customer", "email": "taken@example.com"}, {"action": "create_subscriber", "email": "taken@example.com"})
    refused, done = shop.try_to(action, {"action": "create_customer", "email": "next@example.com"})
    assert refused.keys() == {"error"}
    assert done["id"] == 2


def test_an_email_is_free_again_when_its_owner_left_it(shop):
    first = shop.act({"action": "create_customer", "email": "a@example.com"})[0]["id"]
    shop.act(
        {"action": "update_customer", "id": first, "fields": {"email": "b@example.com"}},
        {"action": "create_customer", "email": "A@example.com"},
    )
    shop.act({"action": "delete_customer", "id": first}, {"action": "create_customer", "email": "b@example.com"})
    assert [customer["email"] for customer in shop.data("/v3/customers")] == ["A@example.com", "b@example.com"]


def test_the_truth_keeps_every_state_and_the_deletion(shop):
    one = shop.act({"action": "create_subscriber", "email": "a@example.com"})[0]["id"]
    shop.act({"action": "update_subscriber", "id": one, "fields": {"consents": []}}, {"action": "delete_subscriber", "id": one})
    [truth] = shop.truth("subscriber")
    assert truth["id"] == one
    assert [state["body"] and state["body"]["consents"] for state in truth["states"]] == [["marketing_newsletter"], [], None]
    assert truth["body"]["consents"] == []
    times = [state["at_ms"] for state in truth["states"]]
    assert times == sorted(times)
    assert (truth["created_at_ms"], truth["deleted_at_ms"]) == (times[0], times[-1])


def test_all_subscribers_are_deleted_at_once_without_a_webhook(shop):
    shop.act(*({"action": "create_subscriber", "email": f"{name}@example.com"} for name in "ab"))
    fired = shop.webhooks()["fired"]
    [deleted] = shop.act({"action": "delete_all_subscribers"})
    assert deleted == {"ids": [1, 2]}
    assert shop.data("/v3/customers/subscribers") == []
    assert shop.webhooks()["fired"] == fired


def test_the_truth_of_an_order_holds_its_lines_and_its_statuses(shop):
    shop.act({"action": "create_cart", "lines": [LINE]}, {"action": "checkout", "cart_id": "$0.id"})
    [order] = shop.truth("order")
    assert [state["body"]["status_id"] for state in order["states"]] == [0, 11]
    assert [line["product_id"] for line in order["products"]] == [77]
    assert order["deleted_at_ms"] is None
    [cart] = shop.truth("cart")
    assert cart["deleted_at_ms"] is not None


def test_stores_do_not_see_each_other(shop):
    other = {"hash": f"{shop.hash}b", "store_id": 1, "access_token": "other"}
    assert shop.client.post("/_sim/stores", json=other).status_code == 200
    shop.act({"action": "create_customer", "email": "a@example.com"})
    answer = shop.client.get(f"/stores/{other['hash']}/v3/customers", headers={"X-Auth-Token": "other"})
    assert answer.json()["data"] == []
    assert shop.client.get(f"/stores/{other['hash']}/v3/customers", headers=shop.headers).status_code == 401


def test_calls_are_counted_by_endpoint_and_status(shop):
    def count(label):
        return shop.client.get("/_sim/counters").json()["calls"].get(label, 0)

    before = count("GET /v3/carts/{cart_id} 404")
    shop.get("/v3/carts/nothing")
    assert count("GET /v3/carts/{cart_id} 404") == before + 1
