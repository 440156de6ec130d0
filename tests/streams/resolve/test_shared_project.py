"""Two stores whose people go to one project: BigCommerce counts from one in each, so ids bear the store's hash."""

from dataclasses import replace

from msgspec.structs import replace as changed

from schemas.records import Message
from tests.streams.resolve.line import STORE, Line, cart, customer, customer_gone, order, subscriber

A = replace(STORE, shared=True)
B = replace(STORE, store="xyz789.1", domain="other.store", shared=True)


def at_b(message: Message) -> Message:
    return changed(message, store=B.store)


def line() -> Line:
    return Line(stores=(A, B))


def test_equal_ids_of_two_stores_are_two_people():
    came = line().tell(customer(11, "jane@example.com"), at_b(customer(11, "john@example.com"))).run()
    assert {body["customer_ids"]["email_id"]: body["customer_ids"]["customer_id"] for body in came.bodies("customers")} == {
        "jane@example.com": "abc123-11",
        "john@example.com": "xyz789-11",
    }


def test_orders_carts_and_their_products_bear_the_store():
    came = line().tell(order(101, email="jane@example.com"), at_b(order(101, email="jane@example.com")), at_b(cart(lines={"7": 1}))).run()
    purchases = {event["properties"]["purchase_id"]: event["properties"] for event in came.events("purchase")}
    assert set(purchases) == {"abc123-101", "xyz789-101"}
    assert purchases["xyz789-101"]["product_list"] == [{"product_id": "xyz789-7", "variant_id": "xyz789-70", "sku": "S7", "quantity": 2}]
    assert (purchases["xyz789-101"]["product_ids"], purchases["xyz789-101"]["variant_ids"]) == (["xyz789-7"], ["xyz789-70"])
    items = {
        (e["properties"]["purchase_id"], e["properties"]["product_id"], e["properties"]["variant_id"]) for e in came.events("purchase_item")
    }
    assert items == {("abc123-101", "abc123-7", "abc123-70"), ("xyz789-101", "xyz789-7", "xyz789-70")}

    came = line().tell(at_b(cart(lines={"7": 1}, email="jane@example.com"))).run()
    [update] = came.events("cart_update")
    assert update["properties"]["product_list"] == [{"product_id": "xyz789-7", "variant_id": "xyz789-70", "sku": "S7", "quantity": 1}]


def test_one_person_with_an_account_in_each_store_has_one_profile():
    came = line().tell(customer(11)).run().tell(at_b(customer(12, created=5, at=5)), at_b(order(101, customer=12, at=9))).run()
    bodies = came.bodies("customers")
    assert bodies
    assert all(body["customer_ids"] == {"email_id": "jane@example.com", "customer_id": "abc123-11"} for body in bodies)
    [purchase] = came.events("purchase")
    assert purchase["customer_ids"] == {"email_id": "jane@example.com", "cart_id": "c-1"}

    came.tell(customer_gone(11, at=20)).run()
    assert came.bodies("anonymize") == []
    [look] = came.looks
    assert (look.store, look.resource, look.id) == (B.store, "customer", "12")


def test_a_person_consents_while_a_subscription_of_either_store_does():
    both = [subscriber(5, consents=["marketing_newsletter"]), at_b(subscriber(5, consents=["marketing_newsletter"]))]
    came = line().tell(*both).run().tell(subscriber(5, consents=[], at=9)).run()
    assert came.consents()["jane@example.com", "bigcommerce"] == "accept"
    came.tell(at_b(subscriber(5, consents=[], at=19))).run()
    assert came.consents()["jane@example.com", "bigcommerce"] == "reject"
    assert {event["customer_ids"].get("subscriber_id") for event in came.events("consent")} == {"abc123-5", "xyz789-5"}


def test_whoever_writes_a_shared_profile_next_is_read_when_the_writer_is_deleted_also_where_the_profile_bears_another():
    came = line().tell(customer(11), at_b(customer(12, created=5, at=5))).run()
    came.tell(customer_gone(11, at=20), customer(13, created=30, at=30)).run()
    came.looks.clear()
    came.tell(at_b(customer_gone(12, at=40))).run()
    assert [(look.store, look.id) for look in came.looks] == [(A.store, "13")]
