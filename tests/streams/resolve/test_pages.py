"""What a listing says, beside and against what was told: a page is a read at its time, and nothing else."""

import msgspec
import orjson

from schemas.entities import EntityState, Page
from streams.fetch.rules.page import entities_of, read_entity
from streams.fetch.rules.state import Made
from tests.streams.resolve.line import STORE, T0, Line, customer, customer_gone, order, subscriber, subscriber_gone


def listed(resource: str, *states: EntityState, read: int) -> list[EntityState]:
    """The records that fetch writes of a page which holds these entities and was read `read` seconds after T0."""
    body = msgspec.Raw(orjson.dumps([orjson.loads(bytes(state.body)) for state in states]))
    page = Page(store=STORE.store, resource=resource, run="r", page=0, read_at_ms=T0 + read * 1000, body=body)
    found = [read_entity(page, place, entity) for place, entity in enumerate(entities_of(page))]
    assert all(isinstance(each, Made) for each in found)
    return [each.state for each in found if isinstance(each, Made)]


def test_a_page_that_was_read_before_a_deletion_and_comes_after_it_brings_nothing_back():
    line = Line().tell(customer(), subscriber(), order(customer=11, created=10, at=10), customer_gone(at=60), subscriber_gone(at=61)).run()
    before = len(line.commands)
    line.tell(
        *listed("customer", customer(at=30), read=50),
        *listed("subscriber", subscriber(consents=["marketing_newsletter"], at=30), read=50),
        *listed("order", order(102, customer=11, created=30, at=30), read=50),
        *listed("order", order(103, email="jane@example.com", created=30, at=30, cart_id="c-2"), read=50),
    ).run()
    assert len(line.commands) == before
    assert not [topic for (topic, _), row in line.rows.items() if b"jane" in row.lower()]


def test_nor_does_a_page_that_still_shows_the_deleted_although_it_was_read_later():
    line = Line().tell(customer(), customer_gone(at=60), subscriber(6, "joe@example.com"), subscriber_gone(6, at=60)).run()
    before = len(line.commands)
    line.tell(*listed("customer", customer(at=59), read=90), *listed("subscriber", subscriber(6, "joe@example.com", at=59), read=90)).run()
    assert len(line.commands) == before


def test_a_deletion_told_of_one_that_only_a_page_showed_is_final():
    line = Line().tell(*listed("customer", customer(), read=5), customer_gone(at=60), *listed("customer", customer(), read=70)).run()
    assert [c.kind for _, c in line.commands] == ["customers", "customers", "anonymize"]


def test_an_older_page_changes_nothing_and_a_page_that_says_the_same_sends_nothing():
    line = Line().tell(order(email="jane@example.com", at=20), order(email="jane@example.com", status=2, at=30)).run()
    before = len(line.commands)
    line.tell(*listed("order", order(email="jane@example.com", at=20), read=25)).run()
    line.tell(*listed("order", order(email="jane@example.com", status=2, at=30), read=90)).run()
    assert len(line.commands) == before


def test_what_a_page_does_not_hold_is_not_gone():
    line = Line().tell(customer(), subscriber(consents=["marketing_newsletter"]), customer(12, "joe@example.com")).run()
    before = len(line.commands)
    line.tell(*listed("customer", customer(12, "joe@example.com"), read=90), *listed("subscriber", read=90)).run()
    assert len(line.commands) == before
    assert line.consents()["jane@example.com", "bigcommerce"] == "accept"


def test_orders_of_accounts_that_come_later_wait_for_them_and_ask_once_for_each():
    orders = [order(100 + n, customer=11 + n % 2, cart_id=f"c-{n}") for n in range(10)]
    line = Line().tell(*listed("order", *orders, read=5)).run()
    assert line.commands == []
    assert sorted(look.id for look in line.looks) == ["11", "12"]
    line.tell(*listed("customer", customer(), customer(12, "joe@example.com"), read=6)).run()
    assert len(line.distinct_events("purchase")) == 10
