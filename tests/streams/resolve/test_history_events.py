"""`backfill --events`: which orders of the past make their purchases."""

import pytest
from msgspec.structs import replace

from schemas.entities import OrderState
from tests.streams.resolve.line import T0, Line, order

NOW = T0 + 1_000_000  # when history was asked for without its events


def loaded(state: OrderState, events_from_ms: int = NOW) -> OrderState:
    """As a page of a backfill brings it, or a live read."""
    return replace(state, events_from_ms=events_from_ms)


def types(line: Line) -> list[str]:
    return sorted(event["event_type"] for event in line.distinct_events())


def test_an_order_that_is_loaded_without_its_events_makes_no_purchase_and_no_order_update_ever():
    line = Line().tell(loaded(order(email="guest@example.com", at=10))).run()
    line.tell(order(status=2, email="guest@example.com", at=20), order(status=4, email="guest@example.com", at=30)).run()
    line.tell(loaded(order(status=10, email="guest@example.com", at=40), 0)).run()  # nor a later load with events
    assert types(line) == []


def test_its_person_is_known_all_the_same():
    line = Line().tell(loaded(order(email="guest@example.com"))).run()
    assert line.properties() == {"guest@example.com": {"email": "guest@example.com"}}


def test_nobody_is_told_of_one_that_belongs_to_nobody_and_it_is_no_dead_letter():
    line = Line().tell(loaded(order(cart_id=None))).run()
    assert (line.commands, line.letters) == ([], [])


def test_a_live_read_that_came_before_the_page_is_as_silent_as_the_page():
    line = Line().tell(loaded(order(email="guest@example.com", at=10))).run()  # a live read bears the store's time
    line.tell(loaded(order(status=2, email="guest@example.com", at=20))).run()
    assert types(line) == []


def test_an_order_that_was_bought_before_it_was_said_goes_on():
    line = Line().tell(order(email="guest@example.com", at=10)).run()
    line.tell(loaded(order(status=2, email="guest@example.com", at=20))).run()
    assert types(line) == ["order_update", "purchase", "purchase_item"]


@pytest.mark.parametrize("status", [5, 6])
@pytest.mark.parametrize("from_ms", [0, NOW])
def test_one_that_was_loaded_as_cancelled_or_declined_and_is_refunded_later_buys_nothing(status: int, from_ms: int):
    line = Line().tell(loaded(order(status=status, email="guest@example.com", at=10), from_ms)).run()
    line.tell(loaded(order(status=4, email="guest@example.com", at=20))).run()
    line.tell(loaded(order(status=10, email="guest@example.com", at=30))).run()
    assert types(line) == []


def test_only_orders_created_before_are_silent():
    line = Line().tell(loaded(order(email="guest@example.com", created=10, at=20), T0 + 10_000)).run()
    assert types(line) == ["purchase", "purchase_item"]
    line = Line().tell(loaded(order(email="guest@example.com", created=9, at=20), T0 + 10_000)).run()
    assert types(line) == []


@pytest.mark.parametrize("status", [0, 1])
def test_one_that_was_not_placed_yet_when_it_was_loaded_is_no_history(status: int):
    line = Line().tell(loaded(order(status=status, email="guest@example.com", at=10))).run()
    line.tell(loaded(order(status=11, email="guest@example.com", at=20))).run()
    assert types(line) == ["purchase", "purchase_item"]


def test_with_all_events_the_past_makes_its_purchases():
    line = Line().tell(loaded(order(email="guest@example.com"), 0)).run()
    assert types(line) == ["purchase", "purchase_item"]
