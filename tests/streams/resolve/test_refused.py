"""A state that a rule refuses is one dead letter, however often it is read, and its row knows it."""

import pytest

from schemas.entities import CustomerGone
from schemas.failures import Reject
from schemas.keys import entity_key
from schemas.topics import ACCOUNTS, CHECKOUTS, PRODUCTS, SUBSCRIBERS
from streams.resolve.rules import accounts
from tests.streams.resolve.line import STORE, T0, Line, cart, customer, customer_gone, order, product, subscriber

HUGE = "x" * 20_000
DAY = 24 * 60 * 60


def refused(line: Line, topic: str = ACCOUNTS.name, id: str = "11") -> dict:
    """What the row holds as refused, by the entity's id."""
    return line.table(topic)[entity_key(STORE.store, id)].get("refused", {})


def nobodys(id: int = 101, *, at: int = 0):
    return order(id, at=at, cart_id=None)


@pytest.mark.parametrize(
    ("first", "again", "topic", "id"),
    [
        (customer(phone=HUGE), customer(phone=HUGE, read=300), ACCOUNTS.name, "11"),
        (subscriber(email=""), subscriber(email=""), SUBSCRIBERS.name, "5"),
        (nobodys(), nobodys(), CHECKOUTS.name, "order-101"),
        (product(price="much"), product(price="much", read=300), PRODUCTS.name, "7"),
    ],
)
def test_one_state_is_one_dead_letter_and_its_row_knows_the_version(first, again, topic: str, id: str):
    line = Line().tell(first, again).run()
    assert (len(line.letters), line.commands, line.catalog) == (1, [], [])
    [known] = refused(line, topic, id).values()
    assert (known["seen"]["version"], known["seen"]["read_at_ms"]) == (again.version, again.read_at_ms)


def test_a_newer_state_and_another_reason_are_dead_letters_of_their_own():
    line = Line().tell(customer(phone=HUGE), customer(phone=HUGE, at=10), customer(company=HUGE, at=10, read=5)).run()
    assert [letter.field for letter in line.letters] == ["phone", "phone", "company"]


def test_what_was_refused_before_and_comes_again_is_no_dead_letter_whatever_came_since():
    line = Line().tell(customer(phone=HUGE), customer(phone=HUGE, at=10), customer(company=HUGE, at=10, read=5)).run()
    line.tell(customer(phone=HUGE), customer(phone=HUGE, at=10), customer(company=HUGE, at=10, read=5)).run()
    assert len(line.letters) == 3


def test_a_refused_state_leaves_what_the_row_knew_and_an_older_one_that_comes_late_goes_through():
    line = Line().tell(customer(), customer(phone=HUGE, at=20)).run()
    line.tell(customer(at=10, phone="1")).run()
    assert line.properties()["jane@example.com"]["phone"] == "1"
    assert refused(line)["11"]["seen"]["version"] == T0 + 20_000
    line.tell(customer(phone=HUGE, at=20, read=5)).run()
    assert len(line.letters) == 1


def test_once_it_is_mended_in_the_shop_nothing_is_refused_any_more():
    line = Line().tell(customer(phone=HUGE, at=10), customer(phone="1", at=20)).run()
    assert (refused(line), line.properties()["jane@example.com"]["phone"]) == ({}, "1")


def test_a_dead_letter_that_is_redriven_goes_through_once_the_rules_take_it(monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as strict:
        strict.setattr(accounts, "properties_of", _refuse)
        line = Line().tell(customer(phone="1"), customer(phone="1", read=5)).run()
    [letter] = line.letters
    line.put(ACCOUNTS.name, letter.key, letter.value, tuple(letter.headers))
    line.run()
    assert (len(line.letters), refused(line), line.properties()["jane@example.com"]["phone"]) == (1, {}, "1")


def _refuse(*_):
    raise Reject("cannot be told", "phone")


def test_a_batch_that_a_kill_repeats_has_the_same_dead_letter_again():
    line = Line().tell(customer(phone=HUGE), customer(phone=HUGE, read=5)).run_killed(ACCOUNTS.name)
    assert len({letter.id for letter in line.letters}) == 1


def test_what_waits_for_an_account_that_was_refused_goes_on_waiting_for_one_that_is_not():
    line = Line().tell(customer(phone=HUGE), order(customer=11)).run()
    assert line.events("purchase") == []
    line.tell(customer(phone="1", at=10)).run()
    assert len(line.events("purchase")) == 1


def test_an_order_that_is_refused_says_nothing_of_its_neighbours_in_the_row():
    line = Line().tell(cart(lines={"7": 1}, email="jane@example.com"), order(at=10, email=HUGE), order(at=10, email=HUGE)).run()
    assert (list(refused(line, CHECKOUTS.name, "c-1")), len(line.letters)) == (["101"], 1)
    line.tell(cart(lines={"7": 2}, email="jane@example.com", version=2, at=20), order(102, at=20, email="jane@example.com")).run()
    assert (list(refused(line, CHECKOUTS.name, "c-1")), len(line.events("cart_update")), len(line.events("purchase"))) == (["101"], 2, 1)


def test_a_told_deletion_takes_what_was_refused_along():
    line = Line().tell(customer(phone=HUGE), customer_gone(at=10), customer(phone=HUGE, at=20)).run()
    assert (refused(line), len(line.letters)) == ({}, 1)


def _missed(read: int) -> CustomerGone:
    return CustomerGone(store=STORE.store, id="11", told=False, at_ms=T0 + read * 1000, read_at_ms=T0 + read * 1000)


def test_a_state_that_was_refused_shows_that_its_customer_is_there():
    line = Line().tell(customer(), _missed(100), customer(phone=HUGE, read=300), _missed(2 * DAY)).run()
    assert line.bodies("anonymize") == [], "it was there in between: this is the first read that missed it"
    line.tell(_missed(3 * DAY)).run()
    assert len(line.bodies("anonymize")) == 1
    line = Line().tell(customer(), customer(phone=HUGE, read=300), _missed(100), _missed(299)).run()
    assert "found_read_ms" not in line.table(ACCOUNTS.name)[entity_key(STORE.store, "11")]
