"""What people and carts do, through all of resolve's agents."""

import msgspec

from streams.resolve.rules.fence import before
from tests.streams.resolve.line import Line, cart, cart_gone, customer, customer_gone, lane_of, order, subscriber, subscriber_gone


def test_an_account_becomes_a_profile_with_its_properties():
    line = Line().tell(customer(phone="1", customer_group_id=5)).run()
    [body] = line.bodies()
    assert body["customer_ids"] == {"email_id": "jane@example.com", "customer_id": "11"}
    assert body["properties"] == {
        "email": "jane@example.com",
        "first_name": "Jane",
        "last_name": "",
        "phone": "1",
        "company": "",
        "country": "",
        "country_code": "",
        "state": "",
        "city": "",
        "zip": "",
        "customer_group_id": "5",
        "registered_at": 1_700_000_000,
    }
    assert body["update_timestamp"] == 1_700_000_000


def test_a_registered_order_before_its_account_waits_and_is_asked_for():
    line = Line().tell(order(customer=11)).run()
    assert line.bodies() == []
    assert [(look.resource, look.id) for look in line.looks] == [("customer", "11")]
    line.tell(customer()).run()
    assert [e["event_type"] for e in line.events()] == ["purchase", "purchase_item"]
    assert line.events()[0]["customer_ids"] == {"email_id": "jane@example.com", "customer_id": "11", "cart_id": "c-1"}


def test_an_anonymous_cart_goes_out_under_its_id_and_is_joined_when_it_shows_an_email():
    line = Line().tell(cart(lines={"7": 1}), cart(lines={"7": 1}, version=2, at=5, email=" Jane@Example.com")).run()
    [event] = line.events()
    assert event["customer_ids"] == {"cart_id": "c-1"}
    assert event["timestamp"] == 1_700_000_000.001
    assert event["properties"] == {
        "action": "add",
        "cart_id": "c-1",
        "product_list": [{"product_id": "7", "variant_id": "70", "sku": "S7", "quantity": 1}],
        "product_ids": ["7"],
        "variant_ids": ["70"],
        "total_quantity": 1,
        "total_price": 10.5,
        "total_price_local_currency": 10.5,
        "local_currency": "USD",
        "voucher_code": "",
    }
    [join] = line.bodies("customers")
    assert join["customer_ids"] == {"email_id": "jane@example.com", "cart_id": "c-1"}


def test_a_cart_that_became_an_order_ends_without_an_empty_event():
    line = Line().tell(cart(lines={"7": 2}, email="g@example.com"), order(email="g@example.com", at=9), cart_gone(at=9)).run()
    assert [e["event_type"] for e in line.events()] == ["cart_update", "purchase", "purchase_item"]


def test_a_cart_that_its_shopper_emptied_says_so_once():
    line = Line().tell(cart(lines={"7": 2}, email="g@example.com"), cart_gone(at=9), cart_gone(at=9)).run()
    assert [e["properties"]["action"] for e in line.events("cart_update")] == ["add", "empty"]
    assert line.events()[1]["timestamp"] == 1_700_000_009


def test_a_later_status_makes_an_order_update_and_no_second_purchase():
    line = Line().tell(order(email="g@example.com"), order(email="g@example.com", status=4, at=60)).run()
    assert [e["event_type"] for e in line.events()] == ["purchase", "purchase_item", "order_update"]
    assert line.events("order_update")[0]["properties"] == {
        "purchase_id": "101",
        "order_status": "Refunded",
        "previous_status": "Awaiting Fulfillment",
        "total_price": 10.5,
    }


def test_an_incomplete_order_is_no_purchase_until_it_is_placed():
    line = Line().tell(order(status=0, email="g@example.com")).run()
    assert line.events() == []
    line.tell(order(status=11, at=5, email="g@example.com")).run()
    assert [e["event_type"] for e in line.events()] == ["purchase", "purchase_item"]


def test_an_order_first_seen_cancelled_says_nothing():
    assert Line().tell(order(status=5, email="g@example.com")).run().events() == []


def test_an_order_of_nobody_is_a_dead_letter():
    line = Line().tell(order(cart_id=None)).run()
    assert [letter.field for letter in line.letters] == ["billing_address.email"]


def test_consents_are_sent_first_and_then_on_change_only():
    news, both = ["marketing_newsletter"], ["marketing_newsletter", "abandoned_cart"]
    line = Line().tell(subscriber(consents=news), subscriber(consents=news, at=5), subscriber(consents=both, at=9)).run()
    assert [(e["properties"]["category"], e["properties"]["action"], e["timestamp"]) for e in line.events("consent")] == [
        ("bigcommerce", "accept", 1_700_000_000),
        ("bigcommerce_abandoned_cart", "reject", 1_700_000_000),
        ("bigcommerce_abandoned_cart", "accept", 1_700_000_009),
    ]
    line.tell(subscriber_gone(at=9)).run()
    assert [(e["properties"]["action"], e["timestamp"]) for e in line.events("consent")[3:]] == [
        ("reject", 1_700_000_009),
        ("reject", 1_700_000_009.001),
    ]
    assert line.events("consent")[0]["customer_ids"] == {"email_id": "jane@example.com", "subscriber_id": "5"}
    assert line.events("consent")[0]["properties"] == {"action": "accept", "category": "bigcommerce", "valid_until": "unlimited"}


def test_a_subscriber_without_a_list_counts_as_the_newsletters():
    line = Line().tell(subscriber()).run()
    assert [(e["properties"]["category"], e["properties"]["action"]) for e in line.events("consent")] == [("bigcommerce", "accept")]


def test_two_subscriptions_consent_while_either_does():
    news = ["marketing_newsletter"]
    line = Line().tell(subscriber(5, consents=news), subscriber(6, consents=news, at=1), subscriber_gone(5, at=2)).run()
    assert line.consents()["jane@example.com", "bigcommerce"] == "accept"
    assert line.tell(subscriber_gone(6, at=3)).run().consents()["jane@example.com", "bigcommerce"] == "reject"


def test_a_deletion_empties_and_anonymizes_and_nothing_older_comes_back():
    line = Line().tell(customer(phone="1"), subscriber(), customer_gone(at=60)).run()
    assert [c.kind for _, c in line.commands][-2:] == ["customers", "anonymize"]
    emptied, anonymize = line.bodies()[-2:]
    assert set(emptied["properties"].values()) == {""}
    assert emptied["properties"].keys() >= {"email", "first_name", "phone"}
    assert anonymize == {"customer_ids": {"email_id": "jane@example.com", "customer_id": "11"}}
    before = len(line.commands)
    line.tell(
        customer(at=61),
        order(102, customer=11, created=30, at=90),
        order(103, email="jane@example.com", created=60, at=90, cart_id="c-2"),
        subscriber(at=30),
        subscriber_gone(at=70),
        cart("c-3", {"7": 1}, email="jane@example.com", at=70),
    ).run()
    assert len(line.commands) == before
    assert not [topic for (topic, _), row in line.rows.items() if b"jane" in row.lower()]


def test_a_new_order_after_a_deletion_starts_a_new_profile():
    line = Line().tell(customer(), customer_gone(at=60)).run().tell(order(email="jane@example.com", created=61, at=61)).run()
    kinds = [c.kind for _, c in line.commands]
    assert kinds == ["customers", "customers", "anonymize", "customers", "customers/events", "customers/events"]
    assert line.bodies()[3]["customer_ids"] == {"email_id": "jane@example.com", "cart_id": "c-1"}


def test_the_same_email_registered_again_starts_a_new_profile_with_the_new_id():
    line = Line().tell(customer(), customer_gone(at=60), customer(12, created=70, at=70)).run()
    assert line.bodies()[-1]["customer_ids"] == {"email_id": "jane@example.com", "customer_id": "12"}
    assert line.bodies()[-1]["properties"]["first_name"] == "Jane"


def test_an_account_that_came_back_before_its_old_ones_deletion_was_seen_starts_its_own_profile():
    came_back = customer(12, created=70, at=70)
    line = Line().tell(customer(), came_back, customer_gone(at=60)).run()
    assert line.bodies("anonymize") == [{"customer_ids": {"email_id": "jane@example.com", "customer_id": "11"}}]
    assert [(look.id, look.anew, look.at_ms > came_back.read_at_ms) for look in line.looks] == [("12", True, True)]
    line.tell(customer(12, created=70, at=70, read=30)).run()
    assert line.bodies()[-1]["customer_ids"] == {"email_id": "jane@example.com", "customer_id": "12"}


def test_another_live_account_on_the_email_keeps_the_profile():
    line = Line().tell(customer(), customer(12, created=10, at=10), customer_gone(at=60)).run()
    assert line.bodies("anonymize") == []
    line.tell(order(customer=12, at=70, created=70)).run()
    assert line.events("purchase")[0]["customer_ids"] == {"email_id": "jane@example.com", "cart_id": "c-1"}


def test_a_changed_email_keeps_the_profile_and_the_new_email_means_it():
    line = Line().tell(customer(), customer(email="new@example.com", at=60)).run()
    line.tell(order(email="new@example.com", created=70, at=70)).run()
    assert {str(b["customer_ids"]) for b in line.bodies("customers")} == {str({"customer_id": "11", "email_id": "jane@example.com"})}
    assert line.properties()["jane@example.com"]["email"] == "new@example.com"
    assert line.events("purchase")[0]["customer_ids"] == {"email_id": "jane@example.com", "customer_id": "11", "cart_id": "c-1"}


def test_the_email_that_was_left_can_be_taken_by_another_account_known_by_its_customer_id_alone():
    line = Line().tell(customer(), customer(email="new@example.com", at=60)).run()
    line.tell(customer(12, "jane@example.com", created=70, at=70)).run()
    line.tell(order(email="jane@example.com", created=80, at=80)).run()
    assert line.bodies("customers")[-1]["customer_ids"] == {"customer_id": "12"}
    assert line.events("purchase")[0]["customer_ids"] == {"customer_id": "12", "cart_id": "c-1"}


def test_an_email_with_a_profile_of_its_own_keeps_it_when_an_account_moves_there():
    line = Line().tell(order(email="new@example.com")).run().tell(customer(), customer(email="new@example.com", at=60)).run()
    line.tell(order(102, email="new@example.com", created=70, at=70, cart_id="c-2")).run()
    assert line.events("purchase")[1]["customer_ids"] == {"email_id": "new@example.com", "cart_id": "c-2"}


def test_the_deletion_of_a_moved_account_anonymizes_its_home_and_what_stood_under_its_present_email():
    line = Line().tell(order(email="new@example.com")).run()
    line.tell(customer(), customer(email="new@example.com", at=60), customer_gone(at=90)).run()
    assert sorted(str(b["customer_ids"]) for b in line.bodies("anonymize")) == sorted(
        [str({"customer_id": "11", "email_id": "jane@example.com"}), str({"email_id": "new@example.com"})]
    )


def test_a_body_with_a_field_of_a_wrong_type_is_a_dead_letter_that_names_it_and_its_neighbours_go_on():
    line = Line().tell(customer(12, first_name={"a": 1}), customer(13, "b@example.com")).run()
    assert [(letter.field, letter.key) for letter in line.letters] == [("first_name", "abc123.1/12")]
    assert line.bodies()[0]["customer_ids"]["customer_id"] == "13"


def test_an_email_that_was_left_still_means_the_person_until_another_account_takes_it():
    news = ["marketing_newsletter"]
    line = Line().tell(customer(), customer(email="b@example.com", at=60)).run()
    line.tell(subscriber(email="b@example.com", consents=news, created=70, at=70)).run()
    line.tell(customer(email="c@example.com", at=80)).run().tell(subscriber_gone(at=90)).run()
    assert line.consents() == {
        ("jane@example.com", "bigcommerce"): "reject",
        ("jane@example.com", "bigcommerce_abandoned_cart"): "reject",
    }
    line.tell(customer(12, "b@example.com", created=100, at=100)).run()
    line.tell(order(email="b@example.com", created=110, at=110)).run()
    assert line.events("purchase")[0]["customer_ids"] == {"email_id": "b@example.com", "customer_id": "12", "cart_id": "c-1"}


def test_an_equal_state_sends_nothing_again():
    states = [customer(), subscriber(), cart(lines={"7": 1}, email="g@example.com"), order(email="g@example.com")]
    line = Line().tell(*states).run()
    sent = len(line.log), len(line.commands)
    line.tell(*states).run()
    assert (len(line.log) - len(states), len(line.commands)) == sent


def test_a_cart_that_became_an_order_says_nothing_even_where_its_order_is_not_read():
    line = Line().tell(cart(lines={"7": 2}, email="g@example.com"), cart_gone(at=9, converted=True)).run()
    assert [e["properties"]["action"] for e in line.events("cart_update")] == ["add"]


def test_a_field_that_vanished_is_emptied():
    line = Line().tell(customer(form_fields=[{"name": "Size", "value": "40"}]), customer(at=5)).run()
    assert line.properties()["jane@example.com"]["bigcommerce_size"] == ""


def test_the_update_timestamp_rises_where_two_states_have_one_second():
    line = Line().tell(customer(phone="1"), customer(phone="2", read=5)).run()
    assert [b["update_timestamp"] for b in line.bodies("customers")] == [1_700_000_000, 1_700_000_000.001]


def test_the_second_of_a_deletion_counts_as_before_it():
    assert before(60_900, 60_100)
    assert not before(61_000, 60_999)


def test_rows_that_know_no_holders_yet_still_hand_on():
    line = Line().tell(customer(), customer(email="b@example.com", at=60)).run()
    row = line.rows["people", lane_of("b@example.com").encode()]
    holder = msgspec.json.decode(row)["holders"][0]
    old = {"offset": 1, "pointer": holder["home"], "pointer_customer": holder["customer"], "pointer_ms": holder["from_ms"], "persons": {}}
    line.rows["people", lane_of("b@example.com").encode()] = msgspec.json.encode(old)
    line.tell(order(email="b@example.com", created=70, at=70)).run()
    assert line.events("purchase")[0]["customer_ids"] == {"email_id": "jane@example.com", "customer_id": "11", "cart_id": "c-1"}
