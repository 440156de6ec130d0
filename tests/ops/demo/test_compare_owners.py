"""Whose a fact is to the judge: as sure as the shop's history is, and no surer than who read it can have been."""

from typing import Any

from ops.demo.compare.owners import Owners, Whose
from ops.demo.compare.shop import Shop, Unheard

Json = dict[str, Any]
UNREAD_S = 5.0
HOME, FORMER, LAST = "home@example.com", "former@example.com", "last@example.com"


def entity(id: int, *states: tuple[float, Json], gone_s: float | None = None) -> Json:
    told = [{"at_ms": int(at_s * 1000), "body": {"id": id} | body} for at_s, body in states]
    gone = [] if gone_s is None else [{"at_ms": int(gone_s * 1000), "body": None}]
    return {"id": id, "states": told + gone, "deleted_at_ms": None if gone_s is None else int(gone_s * 1000)}


def account(id: int, *emails: tuple[float, str], gone_s: float | None = None) -> Json:
    return entity(id, *((at_s, {"email": email}) for at_s, email in emails), gone_s=gone_s)


def subscriber(id: int, email: str, at_s: float) -> Json:
    return entity(id, (at_s, {"email": email, "consents": ["marketing_newsletter"]}))


def owners(*customers: Json, subscribers: tuple[Json, ...] = (), past_s: float = 0.0) -> Owners:
    """Nobody followed before `past_s`; it was known UNREAD_S later."""
    shop = {"customer": list(customers), "subscriber": list(subscribers), "order": [], "cart": []}
    return Owners(Shop(shop, UNREAD_S, [Unheard(0.0, past_s, past_s + UNREAD_S)]))


def live_or_ended(email: str) -> Whose:
    return Whose(live={("email_id", email)}, ended={("email_id", email)}, missable=True)


def test_a_deletion_ends_what_stood_under_the_last_email_that_was_read():
    """The last one was never read: to who read, the present e-mail is the one before."""
    moved = account(1, (0, HOME), (100, FORMER), (200, LAST), gone_s=201)
    whose = owners(moved, subscribers=(subscriber(5, FORMER, 50),)).email(FORMER, 50)
    assert whose == live_or_ended(FORMER)


def test_a_deletion_spares_what_stood_under_an_email_that_was_surely_left():
    moved = account(1, (0, HOME), (100, FORMER), (200, LAST), gone_s=300)
    whose = owners(moved, subscribers=(subscriber(5, FORMER, 50),)).email(FORMER, 50)
    assert whose == Whose(live={("email_id", FORMER)})


def test_each_of_the_accounts_that_had_an_email_briefly_may_have_been_read_there():
    """Of two, the first was met elsewhere only; the other was met on the e-mail, shared its profile, and ended it."""
    left = account(1, (0, FORMER), (91, HOME))
    gone = account(2, (110, LAST), (111, FORMER), gone_s=113)
    whose = owners(left, gone, subscribers=(subscriber(5, FORMER, 50),), past_s=90).email(FORMER, 50)
    assert whose.ended >= {("email_id", FORMER)}


def test_an_account_that_had_an_email_for_long_was_read_there():
    left = account(1, (0, FORMER), (90, HOME))
    gone = account(2, (100, LAST), (101, FORMER), gone_s=103)
    whose = owners(left, gone, subscribers=(subscriber(5, FORMER, 50),)).email(FORMER, 50)
    assert whose == Whose(live={("customer_id", "1")})


def test_an_email_with_a_profile_of_its_own_means_it_whoever_moves_there_and_away():
    first = account(1, (0, HOME), (100, FORMER), (200, "first@example.com"))
    second = account(2, (0, LAST), (300, FORMER))
    whose = owners(first, second, subscribers=(subscriber(5, FORMER, 50),)).email(FORMER, 400)
    assert whose == Whose(live={("email_id", FORMER)})


def test_what_came_by_an_email_that_meant_an_account_made_no_profile_of_its_own():
    first = account(1, (0, HOME), (100, FORMER), (200, "first@example.com"))
    second = account(2, (0, LAST), (300, FORMER))
    whose = owners(first, second, subscribers=(subscriber(5, FORMER, 150), subscriber(6, FORMER, 250))).email(FORMER, 400)
    assert whose == Whose(live={("customer_id", "2")})


def test_an_email_that_its_account_left_means_who_moved_there_also_where_a_guest_was_first():
    first = account(1, (100, FORMER), (200, HOME))
    second = account(2, (0, LAST), (300, FORMER))
    whose = owners(first, second, subscribers=(subscriber(5, FORMER, 50),)).email(FORMER, 400)
    assert whose == Whose(live={("customer_id", "2")})


def test_who_may_have_had_another_home_may_not_have_kept_the_profile_from_a_deletion():
    """The first account was met on the e-mail, or where it was shortly before: then who moved there next ended a guest's profile."""
    first = account(1, (100, HOME), (104, FORMER), (200, "first@example.com"))
    second = account(2, (0, LAST), (200, FORMER), gone_s=300)
    whose = owners(first, second, subscribers=(subscriber(5, FORMER, 50),)).email(FORMER, 50)
    assert whose == live_or_ended(FORMER)


def test_who_took_an_email_that_its_account_left_does_not_keep_that_ones_profile_from_its_end():
    first = account(1, (100, FORMER), (200, HOME), gone_s=400)
    second = account(2, (300, FORMER))
    whose = owners(first, second, subscribers=(subscriber(5, FORMER, 50),)).email(FORMER, 50)
    assert whose == Whose(ended={("email_id", FORMER)}, missable=True)


def test_who_left_an_email_keeps_the_profile_where_who_took_it_is_deleted():
    first = account(1, (100, FORMER), (200, HOME))
    second = account(2, (300, FORMER), gone_s=400)
    whose = owners(first, second, subscribers=(subscriber(5, FORMER, 50),)).email(FORMER, 50)
    assert whose == Whose(live={("email_id", FORMER)})
