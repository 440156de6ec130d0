"""What a read found missing: a customer only when a read at least 20 hours later finds the same, and nothing by an older read."""

from schemas.entities import CustomerGone, SubscriberGone
from tests.streams.resolve.line import STORE, T0, Line, cart, cart_gone, customer, order, subscriber

DAY, FOR_GOOD = 24 * 60 * 60, 20 * 60 * 60


def customer_missing(*, observed: int, read: int) -> CustomerGone:
    return CustomerGone(store=STORE.store, id="11", told=False, at_ms=T0 + observed * 1000, read_at_ms=T0 + read * 1000)


def subscriber_missing(read: int) -> SubscriberGone:
    return SubscriberGone(store=STORE.store, id="5", told=False, at_ms=T0 + read * 1000, read_at_ms=T0 + read * 1000)


def test_a_customer_is_anonymized_when_a_read_20_hours_later_finds_the_same():
    line = Line().tell(customer(), customer_missing(observed=100, read=110), customer_missing(observed=200, read=110 + FOR_GOOD - 1)).run()
    assert line.bodies("anonymize") == []
    line.tell(customer_missing(observed=200, read=110 + FOR_GOOD)).run()
    assert len(line.bodies("anonymize")) == 1
    line.tell(order(102, email="jane@example.com", created=101, at=101)).run()
    assert len(line.events("purchase")) == 1, "the deletion's time is when it was first observed"
    line.tell(order(103, email="jane@example.com", created=100, at=100, cart_id="c-2")).run()
    assert len(line.events("purchase")) == 1


def test_the_next_daily_run_is_believed_though_it_reads_a_second_earlier_in_the_day():
    line = Line().tell(customer(), customer_missing(observed=100, read=110), customer_missing(observed=DAY, read=110 + DAY - 1)).run()
    assert len(line.bodies("anonymize")) == 1


def test_a_read_that_finds_a_customer_as_it_was_leaves_nothing_of_one_that_missed_it():
    line = Line().tell(customer(), customer_missing(observed=100, read=110)).run()
    row = line.table("bigcommerce.accounts")["abc123.1/11"]
    assert {"found_ms", "found_first_read_ms", "found_read_ms"} <= set(row)
    line.tell(customer(read=300)).run()
    row = line.table("bigcommerce.accounts")["abc123.1/11"]
    assert not {"found_ms", "found_first_read_ms", "found_read_ms"} & set(row)
    line.tell(customer_missing(observed=400, read=400 * DAY)).run()
    assert line.bodies("anonymize") == []


def test_two_reads_soon_after_each_other_anonymize_nobody_however_old_the_first_webhook():
    line = Line().tell(customer(), customer_missing(observed=100, read=3 * DAY), customer_missing(observed=3 * DAY, read=3 * DAY + 1)).run()
    assert line.bodies("anonymize") == []


def test_only_a_read_after_the_last_that_missed_it_brings_a_customer_back():
    line = Line().tell(customer(), customer_missing(observed=100, read=110), customer_missing(observed=200, read=210)).run()
    line.tell(customer(at=50, read=100)).run()
    line.tell(customer_missing(observed=300, read=110 + DAY)).run()
    assert len(line.bodies("anonymize")) == 1
    line = Line().tell(customer(), customer_missing(observed=100, read=110), customer(read=300)).run()
    line.tell(customer_missing(observed=300, read=110 + DAY)).run()
    assert line.bodies("anonymize") == []


def test_an_older_read_that_missed_it_changes_nothing():
    line = (
        Line().tell(customer(read=500), customer_missing(observed=100, read=400), customer_missing(observed=100, read=500 + 2 * DAY)).run()
    )
    assert line.bodies("anonymize") == []


def test_orders_of_an_account_that_was_found_gone_and_never_known_are_dropped():
    line = Line().tell(order(customer=11)).run().tell(customer_missing(observed=100, read=110)).run()
    line.tell(order(102, customer=11, cart_id="c-2")).run()
    assert (line.commands, len(line.looks)) == ([], 1)
    assert line.table("bigcommerce.accounts")["abc123.1/11"].get("waiting") is None
    line.tell(customer(read=300)).run()
    assert line.events("purchase") == []


def test_an_order_that_waits_already_waits_once_and_its_account_is_asked_for_once():
    waits = order(customer=11)
    line = Line().tell(waits).run_killed("bigcommerce.checkouts").tell(order(102, customer=11, cart_id="c-2")).run()
    assert len(line.looks) == 1
    assert len(line.table("bigcommerce.accounts")["abc123.1/11"]["waiting"]) == 2


def test_a_subscriber_who_was_found_gone_is_back_by_a_later_read_only():
    line = Line().tell(subscriber(at=10), subscriber_missing(60), subscriber_missing(30), subscriber(at=40)).run()
    assert line.consents()["jane@example.com", "bigcommerce"] == "reject"
    assert line.tell(subscriber(at=70)).run().consents()["jane@example.com", "bigcommerce"] == "accept"
    line.tell(subscriber_missing(50)).run()
    assert line.consents()["jane@example.com", "bigcommerce"] == "accept"


def test_a_cart_that_was_found_gone_says_nothing_and_is_back_by_a_later_read_only():
    line = Line().tell(cart("c-1", {"7": 1}, email="g@x", at=1)).run()
    line.tell(cart_gone(at=30, told=False), cart_gone(at=10, told=False), cart("c-1", {"7": 2}, version=2, email="g@x", at=20)).run()
    assert [e["properties"]["action"] for e in line.events("cart_update")] == ["add"]
    line.tell(cart("c-1", {"7": 2}, version=2, email="g@x", at=40)).run()
    line.tell(cart_gone(at=35, told=False), cart("c-1", {"7": 3}, version=3, email="g@x", at=33)).run()
    assert [e["properties"]["action"] for e in line.events("cart_update")] == ["add", "update", "update"]
