"""An e-mail serves several people over time: each fact is for whoever had it then. "11@a": account 11 with e-mail a; times in seconds."""

from typing import Any

import pytest

from schemas.records import Message
from tests.streams.resolve.engagement import Engagement, Profile
from tests.streams.resolve.line import Line, cart, cart_gone, customer, customer_gone, order, subscriber, subscriber_gone

NEWS: list[str] = ["marketing_newsletter"]


def live(*messages: Message, line: Line | None = None) -> tuple[Line, Engagement]:
    """The messages one by one through the whole of resolve, and what a project ends with."""
    line = line or Line()
    for message in messages:
        line.tell(message).run()
    engagement = Engagement().deliver(line.commands)
    assert engagement.clashes == []
    assert line.letters == []
    return line, engagement


def profile_of(engagement: Engagement, kind: str, value: Any) -> Profile:
    profile = engagement.find(kind, value)
    assert profile is not None
    return profile


def newsletter(engagement: Engagement, customer: int) -> str | None:
    return profile_of(engagement, "customer_id", customer).consents().get("bigcommerce")


# 11 moved from a to b, and 12 took a: 11's profile keeps `email_id` a, 12 is known by its customer id alone.
A_TAKEN_OVER = [customer(11, "a@x"), customer(11, "b@x", at=20), customer(12, "a@x", created=30, at=30)]


# Consents.


def test_a_consent_is_for_the_one_whose_subscription_it_is():
    _, ended = live(
        *A_TAKEN_OVER[:2], subscriber(501, "b@x", NEWS, at=25, created=25), A_TAKEN_OVER[2], subscriber(502, "a@x", [], at=40, created=40)
    )
    assert (newsletter(ended, 11), newsletter(ended, 12)) == ("accept", "reject")


def test_an_unsubscription_after_the_email_was_taken_over_is_the_subscribers():
    history = [customer(11, "a@x"), subscriber(501, "a@x", NEWS, at=5, created=5), *A_TAKEN_OVER[1:], subscriber_gone(501, at=40)]
    _, ended = live(*history)
    assert (newsletter(ended, 11), newsletter(ended, 12)) == ("reject", None)


def test_an_unsubscription_after_another_account_took_the_email_that_was_handed_on_is_the_subscribers():
    seen = subscriber(501, "b@x", NEWS, at=25, created=25)
    _, ended = live(*A_TAKEN_OVER[:2], seen, customer(12, "b@x", created=30, at=30), subscriber_gone(501, at=40))
    assert (newsletter(ended, 11), newsletter(ended, 12)) == ("reject", None)


def test_a_subscription_follows_the_account_that_turns_out_to_have_had_its_email():
    late = customer(12, "b@x", created=30, at=30)
    line, ended = live(*A_TAKEN_OVER[:2], subscriber(501, "b@x", NEWS, at=35, created=35), late)
    assert (newsletter(ended, 11), newsletter(ended, 12)) == ("reject", "accept")
    _, ended = live(subscriber_gone(501, at=50), line=line)
    assert newsletter(ended, 12) == "reject"


def test_the_deletion_of_one_who_had_the_email_leaves_the_other_ones_subscription_alone():
    mine = subscriber(501, "a@x", NEWS, at=35, created=35)
    _, ended = live(*A_TAKEN_OVER, mine, customer_gone(11, at=40), subscriber(501, "a@x", [], at=50, created=35))
    assert newsletter(ended, 12) == "reject"
    mine = subscriber(501, "b@x", NEWS, at=35, created=35)
    _, ended = live(*A_TAKEN_OVER, mine, customer_gone(12, at=40), subscriber(501, "b@x", [], at=50, created=35))
    assert newsletter(ended, 11) == "reject"


def test_a_subscriber_who_leaves_with_the_account_and_comes_back_with_it_still_consents():
    def subscribed(email: str, at: int) -> Message:
        return subscriber(501, email, NEWS, at=at, created=5)

    history = [customer(11, "a@x"), subscribed("a@x", 5), customer(11, "b@x", at=20), subscribed("b@x", 21)]
    for seed in range(20):
        _, ended = live(*history, customer(11, "a@x", at=30), subscribed("a@x", 31), line=Line(seed, one_line=False))
        assert newsletter(ended, 11) == "accept"


def test_the_subscriber_id_goes_to_the_new_email_whichever_lane_is_first():
    old, new = subscriber(501, "a@x", NEWS, at=10, created=10), subscriber(501, "b@x", NEWS, at=20, created=10)
    for seed in range(40):
        line = Line().tell(old).run()
        ended, told = Engagement().deliver(line.commands), len(line.commands)
        ended.deliver(line.tell(new).run().commands[told:], seed, shuffle=True)
        assert profile_of(ended, "subscriber_id", 501).hard == {"email_id": "b@x"}
        assert profile_of(ended, "email_id", "a@x").consents()["bigcommerce"] == "reject"


def test_a_subscription_follows_the_account_that_turns_out_to_have_moved_to_its_email():
    moved = [customer(11, "a@x"), customer(11, "z@x", at=10), customer(12, "b@x"), subscriber(501, "a@x", NEWS, at=35, created=35)]
    _, ended = live(*moved, customer(12, "a@x", at=30))
    assert (newsletter(ended, 11), newsletter(ended, 12)) == ("reject", "accept")


def test_a_subscription_that_moved_is_for_whoever_has_the_email_when_it_comes():
    moved = [subscriber(501, "c@x", NEWS, at=5, created=5), subscriber(501, "a@x", NEWS, at=35, created=5)]
    _, ended = live(*A_TAKEN_OVER, *moved)
    assert (newsletter(ended, 11), newsletter(ended, 12)) == (None, "accept")


# Guests.


def test_where_an_account_moves_to_the_email_of_one_that_stays_there_guests_are_the_emails_own():
    _, ended = live(customer(11, "a@x"), customer(12, "b@x"), customer(12, "a@x", at=20), order(101, email="a@x", created=30, at=30))
    assert profile_of(ended, "email_id", "a@x").purchases() == ["101"]


def test_a_guests_order_is_for_whoever_had_the_email_then():
    _, ended = live(*A_TAKEN_OVER, order(101, email="a@x", created=5, at=5), order(102, email="a@x", created=35, at=35, cart_id="c-2"))
    assert profile_of(ended, "customer_id", 11).purchases() == ["101"]
    assert profile_of(ended, "customer_id", 12).purchases() == ["102"]


def test_an_account_that_left_the_email_again_keeps_what_it_did_there_as_a_guest():
    _, ended = live(*A_TAKEN_OVER, customer(12, "c@x", created=30, at=90), order(101, email="a@x", created=80, at=80))
    assert profile_of(ended, "customer_id", 12).purchases() == ["101"]


def test_two_accounts_that_swap_their_emails_each_get_what_comes_by_the_new_one():
    swap = [customer(11, "a@x"), customer(12, "b@x"), customer(11, "z@x", at=10), customer(12, "a@x", at=20), customer(11, "b@x", at=30)]
    orders = [order(101, email="a@x", created=40, at=40), order(102, email="b@x", created=40, at=40, cart_id="c-2")]
    _, ended = live(*swap, *orders, subscriber(501, "a@x", NEWS, at=50, created=50))
    assert profile_of(ended, "customer_id", 12).purchases() == ["101"]
    assert profile_of(ended, "customer_id", 11).purchases() == ["102"]
    assert (newsletter(ended, 11), newsletter(ended, 12)) == (None, "accept")


@pytest.mark.parametrize("created", [-30, -10, 5])
@pytest.mark.parametrize("swapped", [False, True])
def test_an_account_that_is_first_seen_where_another_was_after_its_creation_came_with_its_last_change(created: int, swapped: bool):
    """12 is an old account, but nobody read it before it came to a."""
    left, came = customer(11, "b@x", at=20), customer(12, "a@x", created=created, at=30)
    told = subscriber(501, "a@x", NEWS, created=15, at=15), order(101, email="a@x", created=-5, cart_id=None)
    later = order(102, email="a@x", created=40, at=40, cart_id=None)
    _, ended = live(customer(11, "a@x", created=-20, at=10), *((came, left) if swapped else (left, came)), *told, later)
    assert (newsletter(ended, 11), newsletter(ended, 12)) == ("accept", None)
    assert profile_of(ended, "customer_id", 11).purchases() == ["101"]
    assert profile_of(ended, "customer_id", 12).purchases() == ["102"]


# Deletions.


def test_what_came_by_an_email_before_its_owners_deletion_is_not_the_next_ones():
    history = [customer(10, "b@x"), customer_gone(10, at=50), customer(11, "a@x"), customer(11, "b@x", at=60)]
    _, ended = live(*history, order(101, email="b@x", created=30, at=70), subscriber(501, "b@x", NEWS, at=31, created=30))
    assert profile_of(ended, "customer_id", 11).events == []


def test_the_deletion_of_one_who_had_the_email_leaves_the_other_ones_orders_alone():
    _, ended = live(*A_TAKEN_OVER, customer_gone(11, at=40), order(101, email="a@x", created=35, at=36))
    assert profile_of(ended, "customer_id", 12).purchases() == ["101"]


@pytest.mark.parametrize("swapped", [False, True])
def test_two_deletions_in_either_order_end_at_the_later_one(swapped: bool):
    gone = [customer_gone(11, at=30), customer_gone(12, at=90)]
    history = [customer(12, "c@x", created=40, at=40), customer(11, "c@x", created=10, at=10), *(reversed(gone) if swapped else gone)]
    _, ended = live(*history, order(101, email="c@x", created=60, at=60))
    assert ended.live() == []


def test_an_account_that_a_later_read_shows_is_back():
    found = [customer_gone(11, at=100, told=False), customer_gone(11, at=100 + 86400, told=False)]
    orders = order(101, customer=11, created=200_000, at=200_000, email="till@x")
    _, ended = live(customer(11, "a@x"), *found, customer(11, "a@x", read=200_000), orders)
    assert profile_of(ended, "customer_id", 11).purchases() == ["101"]


def test_an_account_first_seen_after_another_ones_deletion_on_its_email_lives():
    history = [customer(10, "a@x"), customer_gone(10, at=60), customer(12, "a@x", created=10, at=10)]
    _, ended = live(*history, order(101, customer=12, created=70, at=70))
    assert profile_of(ended, "customer_id", 12).purchases() == ["101"]


def test_a_subscription_that_overtook_the_deletion_before_it_starts_the_new_profile():
    _, ended = live(customer(11, "a@x"), subscriber(501, "a@x", NEWS, at=70, created=70), customer_gone(11, at=60))
    assert profile_of(ended, "email_id", "a@x").consents()["bigcommerce"] == "accept"
    assert profile_of(ended, "subscriber_id", 501).hard == {"email_id": "a@x"}


def test_an_unsubscribed_one_alone_starts_no_profile_after_a_deletion():
    _, ended = live(customer(11, "a@x"), customer_gone(11, at=60), subscriber(501, "a@x", [], at=70, created=70))
    assert ended.live() == []


def test_what_is_handed_back_by_the_home_of_a_deleted_account_is_the_emails_own_to_its_end():
    history = [customer(11, "a@x"), customer(11, "b@x", at=20), customer(11, "c@x", at=25), customer_gone(11, at=60)]
    bought = order(101, email="b@x", created=70, at=70, cart_id=None)
    carts = [cart("c-9", {"7": 1}, email="b@x", at=75), cart_gone("c-9", at=80)]
    line, ended = live(*history, subscriber(501, "b@x", NEWS, at=70, created=70), bought, *carts, subscriber_gone(501, at=90))
    profile = profile_of(ended, "email_id", "b@x")
    assert (profile.purchases(), profile.consents()["bigcommerce"]) == (["101"], "reject")
    assert [e["properties"]["action"] for e in line.events("cart_update")] == ["add", "empty"]
    home, there = len(line.log), [record.key for record in line.log]
    _, ended = live(order(102, email="b@x", created=95, at=95, cart_id=None), line=line)
    assert [record.key for record in line.log[home:]] == [b"abc123.1/order-102", there[-1]], "its row does not ask the home again"


def test_a_subscription_that_was_handed_on_is_dropped_with_its_deleted_account():
    history = [customer(11, "a@x"), customer(11, "b@x", at=20), subscriber(501, "b@x", NEWS, at=30, created=30), customer(11, "c@x", at=40)]
    line, _ = live(*history, customer_gone(11, at=60))
    assert not [row for (topic, _), row in line.rows.items() if topic == "people" and b"b@x" in row]
    line, ended = live(subscriber(501, "b@x", [], at=70, created=30), line=line)
    assert ended.live() == []
    assert not [row for (topic, _), row in line.rows.items() if topic == "people" and b"b@x" in row]


# Accounts that share an e-mail.


def test_accounts_that_are_no_longer_on_one_email_have_a_profile_each():
    ordered = order(101, customer=12, created=40, at=40, email="till@x")
    line, ended = live(customer(11, "a@x"), customer(12, "a@x", created=30, at=30), customer(11, "b@x", at=20, phone="11"), ordered)
    assert profile_of(ended, "customer_id", 11).purchases() == []
    assert profile_of(ended, "customer_id", 12).purchases() == ["101"]
    last_read_ms = customer(12, at=30).read_at_ms
    assert [(look.id, look.anew, look.at_ms > last_read_ms) for look in line.looks] == [("12", True, True)]
    _, ended = live(customer(12, "a@x", created=30, at=30, read=60, phone="12"), line=line)
    assert profile_of(ended, "customer_id", 12).property("phone") == "12"


def test_an_account_that_leaves_those_that_it_shared_an_email_with_has_its_own_profile():
    history = [customer(11, "a@x", phone="1"), customer(12, "a@x", created=10, at=10), customer(12, "b@x", created=10, at=20, phone="12")]
    _, ended = live(*history, order(101, customer=12, created=30, at=30))
    assert profile_of(ended, "customer_id", 12).purchases() == ["101"]
    assert profile_of(ended, "customer_id", 12).property("phone") == "12"
    assert profile_of(ended, "customer_id", 11).property("phone") == "1"


def test_a_newcomer_does_not_share_the_profile_of_an_heir_that_moved_away():
    history = [customer(11, "a@x"), customer(12, "a@x", created=5, at=5), customer_gone(11, at=60), customer(12, "z@x", created=5, at=100)]
    _, ended = live(*history, customer(13, "a@x", created=110, at=110, phone="13"))
    assert profile_of(ended, "customer_id", 13).hard == {"customer_id": "13"}


def test_the_oldest_of_those_that_share_a_profile_writes_it_when_the_one_whose_id_it_bears_is_deleted():
    shared = [customer(11, "a@x"), customer(13, "a@x", created=20, at=20), customer(12, "a@x", created=10, at=10)]
    line, _ = live(*shared, customer_gone(11, at=60))
    assert [look.id for look in line.looks] == ["12"]
    _, ended = live(customer(12, "a@x", created=10, at=10, read=60, phone="12"), line=line)
    assert profile_of(ended, "email_id", "a@x").property("phone") == "12"


# Soft ids.


def test_a_cart_that_changes_hands_merges_nobody():
    mine, theirs = cart("c-1", {"7": 1}, email="x@x", at=40), cart("c-1", {"7": 2}, version=2, email="x@x", customer=12, at=41)
    _, ended = live(*A_TAKEN_OVER, mine, theirs, customer(13, "x@x", created=50, at=50))
    assert [profile_of(ended, "customer_id", id).hard.get("email_id") for id in (11, 12, 13)] == ["a@x", None, "x@x"]
    mine, theirs = cart("c-1", {"7": 1}, customer=12, at=40), cart("c-1", {"7": 2}, version=2, email="x@x", at=41)
    _, ended = live(*A_TAKEN_OVER, mine, theirs, customer(13, "x@x", created=50, at=50))
    assert [profile_of(ended, "customer_id", id).hard.get("email_id") for id in (11, 12, 13)] == ["a@x", None, "x@x"]


def test_a_subscriber_who_changes_the_email_merges_nobody():
    moves = [subscriber(501, "x@x", NEWS, at=35, created=35), subscriber(501, "a@x", NEWS, at=40, created=35)]
    _, ended = live(*A_TAKEN_OVER, *moves, customer(13, "x@x", created=50, at=50))
    assert [profile_of(ended, "customer_id", id).hard.get("email_id") for id in (11, 12, 13)] == ["a@x", None, "x@x"]
    assert (newsletter(ended, 12), newsletter(ended, 13)) == ("accept", "reject")


def test_a_cart_that_changes_hands_goes_along_where_it_cannot_merge_anyone():
    _, ended = live(customer(11, "a@x"), cart("c-1", {"7": 1}, email="a@x", at=4), order(101, customer=11, created=5, at=5))
    assert profile_of(ended, "cart_id", "c-1").hard == {"email_id": "a@x", "customer_id": "11"}
    anonymous = cart("c-2", {"7": 1}, at=40)
    _, ended = live(*A_TAKEN_OVER, anonymous, cart("c-2", {"7": 2}, version=2, customer=12, at=41))
    assert profile_of(ended, "cart_id", "c-2").hard == {"customer_id": "12"}
