"""What follows from a backfill goes by engagement.history, until an anonymization stands in the lane."""

import msgspec

from schemas.topics import PAGES
from streams.resolve.rules.way import is_of_backfill
from streams.resolve.tables import Profile, read_row
from tests.streams.resolve.line import Line, cart, customer, customer_gone, lane_of, order, subscriber

JANE = lane_of("jane@example.com")
NEWS = ["marketing_newsletter"]


def ways(line: Line, lane: str = JANE) -> list[tuple[int, str, str]]:
    """Number, kind and way of a lane's commands."""
    return [(c.number, c.kind, "history" if (to, c.number) in line.history else "live") for to, c in line.commands if to == lane]


def test_what_a_page_brings_goes_by_history_and_what_a_webhook_brings_does_not_with_one_run_of_numbers():
    line = Line().tell(customer(), order(customer=11), cause=PAGES).run()
    line.tell(customer(phone="2", at=5)).run()
    line.tell(subscriber(consents=NEWS, at=6), cause=PAGES).run()
    events = "customers/events"
    assert ways(line) == [
        *((1, "customers", "history"), (2, events, "history"), (3, events, "history")),
        *((4, "customers", "live"), (5, events, "history"), (6, events, "history")),
    ]


def test_a_cart_or_an_order_of_nobody_goes_by_history_too():
    line = Line().tell(order(email=""), cause=PAGES).tell(cart("c-2", {"7": 1})).run()
    assert {way for _, _, way in ways(line, "abc123.1/c-1")} == {"history"}
    assert {way for _, _, way in ways(line, "abc123.1/c-2")} == {"live"}


def test_an_account_that_an_order_of_a_page_asks_for_is_of_the_backfill():
    line = Line().tell(order(customer=11), cause=PAGES).run()
    [look] = [record for record in line.log if record.topic == "bigcommerce.accounts"]
    assert dict(look.headers)["cause"] == b"bigcommerce.pages/0/1"
    line.tell(customer(), cause=PAGES).run()
    assert {way for _, _, way in ways(line)} == {"history"}


def test_a_live_order_that_waited_for_an_account_of_a_page_is_live():
    line = Line().tell(order(customer=11)).run()
    line.tell(customer(), cause=PAGES).run()
    assert ways(line) == [(1, "customers", "history"), (2, "customers/events", "live"), (3, "customers/events", "live")]


def test_a_page_that_shows_an_account_anew_after_its_deletion_and_all_that_follows_is_live():
    line = Line().tell(customer(), cause=PAGES).run()
    line.tell(customer_gone(at=10)).run()
    line.tell(customer(12, at=20, created=20), order(customer=12, at=21, created=21), cause=PAGES).run()
    assert ways(line)[0] == (1, "customers", "history")
    assert {way for _, _, way in ways(line)[1:]} == {"live"}
    assert [kind for _, kind, _ in ways(line)].count("anonymize") == 1


def test_an_anonymization_that_a_page_brings_is_live_with_all_of_its_change():
    """A subscription stays when its e-mail's account is deleted: emptied, anonymized and told again in one change."""
    line = Line().tell(customer(), subscriber(consents=NEWS, at=5, created=5), cause=PAGES).run()
    before = len(line.commands)
    line.tell(customer_gone(at=3), cause=PAGES).run()
    assert {way for _, _, way in ways(line)[before:]} == {"live"}
    kinds = [kind for _, kind, _ in ways(line)[before:]]
    assert kinds[:2] == ["customers", "anonymize"]
    assert len(kinds) > 2


def test_the_profile_of_an_account_that_took_the_e_mail_over_counts_also_when_it_is_seen_again():
    """Its anonymization leaves no mark on the row but this one."""
    line = Line().tell(customer(11), customer(11, "new@x", at=5)).run()
    line.tell(customer(12, at=10, created=10)).run()
    gone = customer_gone(12, at=20, told=False)
    later = msgspec.structs.replace(gone, read_at_ms=gone.read_at_ms + 25 * 60 * 60 * 1000)
    line.tell(gone).run()
    line.tell(later).run()
    assert [kind for _, kind, _ in ways(line)].count("anonymize") == 1
    line.tell(customer(12, at=30, created=10, read=200_000), cause=PAGES).run()
    row = read_row(line.rows["people", JANE.encode()], Profile)
    assert (row.anonymized_ms, row.gone) == (0, {})
    assert ways(line)[-1][1:] == ("customers", "live")


def test_an_account_that_moved_has_two_lanes_and_the_deletion_makes_both_live():
    line = Line().tell(order(email="new@x"), customer(), customer(email="new@x", at=5), cause=PAGES).run()
    line.tell(customer_gone(at=10)).run()
    line.tell(order(102, email="new@x", at=20, created=20, cart_id=None), cause=PAGES).run()
    line.tell(order(103, email="jane@example.com", at=20, created=20, cart_id=None), cause=PAGES).run()
    for lane in (JANE, lane_of("new@x")):
        kinds = [kind for _, kind, _ in ways(line, lane)]
        assert "anonymize" in kinds
        assert {way for _, _, way in ways(line, lane)[kinds.index("anonymize") :]} == {"live"}
        assert kinds[-1] == "customers/events"


def test_the_cause_names_the_topic_with_its_prefix():
    assert is_of_backfill("bigcommerce.pages/3/17", "")
    assert is_of_backfill("test.bigcommerce.pages/3/17", "test.")
    assert not is_of_backfill("bigcommerce.pages/3/17", "test.")
    assert not is_of_backfill("bigcommerce.pages.old/3/17", "")
    assert not is_of_backfill("bigcommerce.webhooks/3/17", "")
    assert not is_of_backfill("", "")
