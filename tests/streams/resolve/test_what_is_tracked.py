"""What is tracked, row by row: of each kind of thing in a store what a project is told, when, and when not. Values: test_tracking.py."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from bigcommerce.orders import STATUS_NAMES
from schemas.records import Message
from tests.streams.resolve.line import (
    T0,
    Line,
    cart,
    cart_gone,
    customer,
    customer_gone,
    order,
    product,
    product_gone,
    subscriber,
    subscriber_gone,
)

NEWS, BOTH = ["marketing_newsletter"], ["marketing_newsletter", "abandoned_cart"]
PERSONAL = ("email", "first_name", "last_name", "phone", "company", "country", "country_code", "state", "city", "zip")
CART: dict[str, Any] = {"email": "g@x"}
PLACED = sorted(STATUS_NAMES.keys() - {0, 1, 5, 6})


def told(*messages: Message) -> Line:
    line = Line()
    for message in messages:
        line.tell(message).run()
    assert line.letters == []
    return line


def actions(line: Line) -> list[str]:
    return [event["properties"]["action"] for event in line.events("cart_update")]


def consents(line: Line) -> list[tuple[str, str, float]]:
    return [(e["properties"]["category"], e["properties"]["action"], e["timestamp"] - 1_700_000_000) for e in line.events("consent")]


def noted(note: str, topic: str = "people") -> float:
    return REGISTRY.get_sample_value("cartstream_resolve_notes_total", {"topic": topic, "note": note}) or 0.0


# Ids.


def test_of_everyone_known_by_email_the_email_is_sent_guests_and_subscribers_too():
    for message in (customer(email=" A@x "), order(email="A@X"), cart(lines={"7": 1}, email="a@x"), subscriber(email="a@x")):
        line = told(message)
        assert line.bodies("customers")[0]["customer_ids"]["email_id"] == "a@x"
        assert line.bodies("customers")[0]["properties"]["email"] == "a@x"


def test_the_cookie_is_never_sent():
    line = told(customer(), order(customer=11), cart("c-2", {"7": 1}), subscriber(consents=BOTH), customer_gone(at=60))
    assert {kind for body in line.bodies() for kind in body["customer_ids"]} == {"email_id", "customer_id", "subscriber_id", "cart_id"}


# Customer.


def test_an_account_on_its_own_writes_all_properties_and_writes_them_again_only_where_one_changed():
    line = told(customer(phone="1"), customer(phone="1", at=5), customer(phone="2", at=9))
    assert [body["properties"]["phone"] for body in line.bodies("customers")] == ["1", "2"]
    assert all(body["properties"].keys() >= {*PERSONAL, "customer_group_id", "registered_at"} for body in line.bodies("customers"))


def test_attributes_and_form_fields_are_properties_named_for_them():
    attributes = [{"attribute_id": 4, "attribute_value": "52"}, {"attribute_id": 5, "attribute_value": "x"}]
    state = customer(attributes=attributes, form_fields=[{"name": "Sales Rep", "value": "James Bond"}, {"name": "Sizes", "value": ["S"]}])
    line = Line().tell(state.__class__(**{f: getattr(state, f) for f in state.__struct_fields__} | {"attribute_names": {"4": "Shoe size"}}))
    found = line.run().properties()["jane@example.com"]
    assert {name: value for name, value in found.items() if name.startswith("bigcommerce_")} == {
        "bigcommerce_shoe_size": "52",
        "bigcommerce_attribute_5": "x",
        "bigcommerce_sales_rep": "James Bond",
        "bigcommerce_sizes": ["S"],
    }


def test_of_accounts_that_share_a_profile_only_the_one_that_it_bears_writes():
    line = told(customer(11, phone="11"), customer(12, created=5, at=5, phone="12"), customer(12, created=5, at=9, phone="13"))
    assert line.properties()["jane@example.com"]["phone"] == "11"


def test_a_field_that_the_store_emptied_is_sent_empty():
    line = told(customer(phone="1", company="Acme"), customer(phone="", at=5))
    assert [line.properties()["jane@example.com"][name] for name in ("phone", "company")] == ["", ""]


# Customer deleted.


def test_a_deleted_customers_personal_properties_are_emptied_and_then_the_profile_is_anonymized():
    line = told(customer(phone="1"), customer_gone(at=60))
    emptied, anonymized = line.commands[-2:]
    assert (emptied[1].kind, anonymized[1].kind) == ("customers", "anonymize")
    assert {line.properties()["jane@example.com"][name] for name in PERSONAL} == {""}


def test_what_is_older_than_a_deletion_is_dropped_and_counted():
    before = noted("before the deletion")
    line = told(customer(), customer_gone(at=60))
    sent = len(line.commands)
    line.tell(order(101, email="jane@example.com", created=50, at=90), subscriber(at=60, created=50, consents=NEWS)).run()
    assert len(line.commands) == sent
    assert noted("before the deletion") == before + 2


@pytest.mark.parametrize(
    "newer",
    [customer(12, created=61, at=61), order(email="jane@example.com", created=61, at=61), subscriber(consents=NEWS, created=61, at=61)],
    ids=["account", "order", "subscription"],
)
def test_a_newer_account_order_or_subscription_starts_a_new_profile_and_its_consents_start_blank(newer: Message):
    line = told(customer(), subscriber(4, consents=NEWS), customer_gone(at=60))
    sent = len(line.bodies())
    line.tell(newer).run()
    assert line.bodies()[sent]["properties"]["email"] == "jane@example.com"
    line.tell(subscriber(6, consents=NEWS, created=70, at=70)).run()
    assert line.consents()["jane@example.com", "bigcommerce"] == "accept"
    assert [e["properties"]["action"] for e in line.events("consent")].count("accept") == 2


@pytest.mark.parametrize(
    "newer",
    [cart("c-9", {"7": 1}, email="jane@example.com", at=61), subscriber(6, consents=[], created=61, at=61), subscriber_gone(4, at=61)],
    ids=["cart", "unsubscribed one", "unsubscription"],
)
def test_a_newer_cart_or_unsubscription_alone_starts_no_profile(newer: Message):
    line = told(customer(), subscriber(4, consents=NEWS), customer_gone(at=60))
    sent = len(line.commands)
    assert len(line.tell(newer).run().commands) == sent


def test_a_subscription_that_nobody_touched_is_not_sent_again_after_a_deletion():
    line = told(customer(), subscriber(4, consents=NEWS), customer_gone(at=60))
    sent = len(line.events("consent"))
    line.tell(customer(12, created=70, at=70)).run()
    assert len(line.events("consent")) == sent


def accepted(line: Line) -> list[float]:
    """When it was told that the newsletter is accepted."""
    return [event["timestamp"] for event in line.events("consent") if event["properties"]["action"] == "accept"]


def test_a_subscription_that_consents_anew_after_a_deletion_starts_a_new_profile():
    line = told(customer(), subscriber(4, consents=NEWS), customer_gone(at=60))
    sent = len(line.commands)
    line.tell(subscriber(4, consents=[], at=70)).run()
    assert len(line.commands) == sent, "it rejects"
    line.tell(subscriber(4, consents=NEWS, at=90)).run()
    assert line.bodies()[sent]["properties"]["email"] == "jane@example.com"
    assert accepted(line) == [T0 // 1000, T0 // 1000 + 90]
    line.tell(subscriber(4, consents=NEWS, at=95), customer(12, created=100, at=100)).run()
    assert line.bodies()[-1]["customer_ids"] == {"email_id": "jane@example.com", "customer_id": "12"}
    line.tell(subscriber(4, consents=[], at=110)).run()
    assert line.consents()["jane@example.com", "bigcommerce"] == "reject"


def test_a_consent_anew_that_overtook_the_deletion_before_it_starts_the_new_profile():
    late, early = customer_gone(at=60), subscriber(4, consents=NEWS, at=70)
    for then in ([late, early], [early, late]):
        line = told(customer(), subscriber(4, consents=[]), *then)
        assert [command.kind for _, command in line.commands].index("anonymize") < len(line.commands) - 1
        assert accepted(line)[-1] == T0 // 1000 + 70


def test_a_moved_accounts_deletion_spares_its_present_email_where_another_live_account_is_on_it():
    line = told(customer(12, "b@x"), customer(11, "a@x"), customer(11, "b@x", at=20), customer_gone(11, at=60))
    assert line.bodies("anonymize") == [{"customer_ids": {"email_id": "a@x", "customer_id": "11"}}]


def test_the_told_time_of_a_deletion_wins_over_a_found_one():
    found = customer_gone(at=100, told=False)
    line = told(customer(), found, customer_gone(at=60))
    line.tell(order(101, email="jane@example.com", created=80, at=80)).run()
    assert [event["properties"]["purchase_id"] for event in line.events("purchase")] == ["101"]


# Subscriber.


def test_a_subscribers_first_state_is_sent_for_each_category_and_later_only_what_changes():
    line = told(subscriber(consents=NEWS), subscriber(consents=NEWS, at=5), subscriber(consents=BOTH, at=9), subscriber(consents=[], at=12))
    assert consents(line) == [
        ("bigcommerce", "accept", 0),
        ("bigcommerce_abandoned_cart", "reject", 0),
        ("bigcommerce_abandoned_cart", "accept", 9),
        ("bigcommerce", "reject", 12),
        ("bigcommerce_abandoned_cart", "reject", 12),
    ]


def test_a_subscriber_without_a_list_counts_as_one_to_the_newsletter():
    assert consents(told(subscriber())) == [("bigcommerce", "accept", 0)]


def test_a_deleted_subscriber_rejects_at_the_time_of_the_deletion():
    assert consents(told(subscriber(consents=NEWS), subscriber_gone(at=30)))[2:] == [("bigcommerce", "reject", 30)]


def test_a_consent_is_never_at_or_before_the_last_one_of_its_category():
    line = told(subscriber(consents=NEWS, at=30), subscriber_gone(at=20))
    assert consents(line)[-1][:2] == ("bigcommerce", "reject")
    assert consents(line)[-1][2] == pytest.approx(30.001)


def test_a_subscriber_who_changes_the_email_leaves_the_old_profile_and_enters_the_new_one():
    line = told(subscriber(email="a@x", consents=NEWS), subscriber(email="b@x", consents=NEWS, at=9))
    assert (line.consents()["a@x", "bigcommerce"], line.consents()["b@x", "bigcommerce"]) == ("reject", "accept")


# Order.


@pytest.mark.parametrize("status", sorted(STATUS_NAMES), ids=STATUS_NAMES.get)
def test_an_order_makes_a_purchase_when_it_is_first_seen_placed(status: int):
    line = told(order(status=status, email="g@x"))
    assert len(line.events("purchase")) == (status in PLACED)


@pytest.mark.parametrize("first", [0, 1, 5, 6], ids=STATUS_NAMES.get)
def test_an_order_that_is_placed_later_makes_its_purchase_then_and_once(first: int):
    line = told(order(status=first, email="g@x"), order(status=11, email="g@x", at=60), order(status=2, email="g@x", at=90))
    [purchase] = line.events("purchase")
    assert (purchase["timestamp"], purchase["properties"]["order_status"]) == (1_700_000_000, "Awaiting Fulfillment")


def test_a_purchase_has_its_amounts_as_they_were_when_it_was_first_seen_placed():
    line = told(order(email="g@x", total_inc_tax="10.0000"), order(email="g@x", status=14, at=60, total_inc_tax="7.0000"))
    [purchase], [update] = line.events("purchase"), line.events("order_update")
    assert (purchase["properties"]["total_price"], update["properties"]["total_price"]) == (10.0, 7.0)


def test_each_line_of_an_order_is_a_purchase_item_and_equal_lines_stay_two():
    line = {"product_id": 7, "variant_id": 70, "sku": "S7", "name": "Seven", "quantity": 1, "price_inc_tax": "5.0000"}
    items = told(order(email="g@x", products=[line | {"id": 1}, line | {"id": 2}])).events("purchase_item")
    assert [(item["properties"]["line_item_id"], item["timestamp"]) for item in items] == [("1", 1_700_000_000), ("2", 1_700_000_000)]


@pytest.mark.parametrize("status", [s for s in sorted(STATUS_NAMES) if s != 11], ids=STATUS_NAMES.get)
def test_a_later_status_of_an_order_that_made_a_purchase_is_an_order_update(status: int):
    line = told(order(email="g@x"), order(email="g@x", status=status, at=60))
    [update] = line.events("order_update")
    assert update["timestamp"] == 1_700_000_060
    assert update["properties"] == {
        "purchase_id": "101",
        "order_status": STATUS_NAMES[status],
        "previous_status": "Awaiting Fulfillment",
        "total_price": 10.5,
    }
    assert len(line.events("purchase")) == 1


def test_an_order_that_made_no_purchase_makes_no_update():
    assert told(order(status=5, email="g@x"), order(status=6, email="g@x", at=60)).events() == []


def test_archiving_an_order_changes_nothing():
    line = told(order(email="g@x"))
    sent = len(line.commands)
    assert len(line.tell(order(email="g@x", at=60, is_deleted=True)).run().commands) == sent


# Cart.


def test_every_change_of_a_carts_lines_says_what_was_done_and_the_whole_cart_after_it():
    states = [{"7": 1}, {"7": 1, "8": 2}, {"7": 3, "8": 2}, {"8": 2}, {"9": 1}, {}]
    line = told(*(cart(lines=lines, version=n, at=n, **CART) for n, lines in enumerate(states, 1)))
    assert actions(line) == ["add", "add", "update", "remove", "update", "empty"]
    events = line.events("cart_update")
    assert [{p["product_id"]: p["quantity"] for p in event["properties"]["product_list"]} for event in events] == states
    assert [event["timestamp"] for event in events] == [1_700_000_000 + n + n / 1000 for n in range(1, 7)]


def test_a_change_of_a_cart_that_leaves_its_lines_alone_says_nothing():
    line = told(cart(lines={"7": 1}, **CART), cart(lines={"7": 1}, version=2, at=5, coupons=[{"code": "A"}], **CART))
    assert actions(line) == ["add"]


def test_a_deleted_cart_is_emptied_at_the_time_of_the_deletion():
    line = told(cart(lines={"7": 1}, **CART), cart_gone(at=9))
    assert (actions(line), line.events("cart_update")[1]["timestamp"]) == (["add", "empty"], 1_700_000_009)


def test_a_cart_that_became_an_order_is_not_emptied():
    for end in ([cart_gone(at=9, converted=True)], [order(email="g@x", at=9), cart_gone(at=9)], [order(email="g@x", at=9)]):
        line = told(cart(lines={"7": 1}, **CART), *end, cart(lines={}, version=9, at=20, **CART))
        assert actions(line) == ["add"]


def test_a_cart_that_is_merely_gone_says_nothing():
    assert actions(told(cart(lines={"7": 1}, **CART), cart_gone(at=9, told=False))) == ["add"]


def test_an_anonymous_cart_is_joined_when_it_shows_an_account_and_again_by_its_order():
    line = told(customer(), cart(lines={"7": 1}), cart(lines={"7": 1}, version=2, at=5, customer=11), order(customer=11, at=9))
    assert line.events("cart_update")[0]["customer_ids"] == {"cart_id": "c-1"}
    joined = {"email_id": "jane@example.com", "customer_id": "11", "cart_id": "c-1"}
    assert line.bodies("customers")[-1]["customer_ids"] == joined
    assert line.events("purchase")[0]["customer_ids"] == joined


# Which profile an e-mail means.


def test_a_person_who_is_split_over_two_profiles_is_counted():
    before = noted("split_person")
    told(order(email="b@x"), customer(11, "a@x"), customer(11, "b@x", at=20))
    assert noted("split_person") == before + 1


# Product.


def test_a_product_is_an_item_of_products_and_each_of_its_variants_one_of_variants():
    line = told(product(variants=[{"id": 71}, {"id": 72}]))
    assert (line.items("products").keys(), line.items("variants").keys()) == ({"7"}, {"71", "72"})
    assert {item["product_id"] for item in line.items("variants").values()} == {"7"}
    assert line.commands == []


def test_a_variant_that_vanished_and_a_product_that_was_deleted_are_removed():
    line = told(product(variants=[{"id": 71}, {"id": 72}]), product(variants=[{"id": 72}], at=5))
    assert (line.items("products").keys(), line.items("variants").keys()) == ({"7"}, {"72"})
    line.tell(product_gone(at=9)).run()
    assert (line.items("products"), line.items("variants")) == ({}, {})
