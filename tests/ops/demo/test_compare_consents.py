"""What a person consents to at last, to the judge: by all subscriptions that count for the profile, with its id on it or not."""

from datetime import UTC, datetime
from typing import Any

from ops.demo.compare.consents import consents
from ops.demo.compare.held import Held
from ops.demo.compare.owners import Owners
from ops.demo.compare.shop import Shop
from tests.ops.demo.test_compare_owners import UNREAD_S, account, entity

Json = dict[str, Any]
MINE, OTHERS, SHARED = "mine@example.com", "others@example.com", "shared@example.com"
NEWS, NOTHING = ["marketing_newsletter"], list[str]()


def subscriber(id: int, email: str, *said: tuple[int, list[str]], gone_s: int | None = None) -> Json:
    def body(at_s: int, consents: list[str]) -> Json:
        return {"email": email, "consents": consents, "date_modified": datetime.fromtimestamp(at_s, UTC).isoformat()}

    return entity(id, *((at_s, body(at_s, consents)) for at_s, consents in said), gone_s=gone_s)


def profile(ids: list[str], *said: tuple[float, str]) -> Json:
    """Account 2's, with the ids of subscribers, and its consents to the newsletter."""
    more: Json = {"accept": {"valid_until": "unlimited"}, "reject": {}}
    events: list[Json] = [
        {"type": "consent", "timestamp": at_s, "properties": {"category": "bigcommerce", "action": action} | more[action]}
        for at_s, action in said
    ]
    events.append({"type": "consent", "timestamp": 1, "properties": {"category": "bigcommerce_abandoned_cart", "action": "reject"}})
    hard, soft = {"customer_id": "2", "email_id": MINE}, {"subscriber_id": ids}
    return {
        "internal_id": "p", "hard": hard, "soft": soft, "properties": {}, "events": events, "anonymized_at_ms": None, "former_ids": None
    }  # fmt: skip


def wrong(customers: list[Json], subscribers: list[Json], *profiles: Json) -> list[str]:
    shop = Shop({"customer": customers, "subscriber": subscribers, "order": [], "cart": []}, UNREAD_S)
    rows = consents(shop, Held({"profiles": list(profiles)}), Owners(shop))
    return [wrong for row in rows for wrong in row.wrong if "abandoned" not in wrong]


def test_a_subscription_that_passed_to_a_person_counts_there_though_its_id_stayed_behind():
    """It was that of who had the e-mail before and is deleted; it consents anew when the other has the e-mail."""
    before = account(1, (0, OTHERS), (100, SHARED), (200, "left@example.com"), gone_s=300)
    person = account(2, (0, MINE), (200, SHARED))
    withdrawn = subscriber(24, MINE, (50, NEWS), gone_s=140)
    held = profile(["24"], (50, "accept"), (140, "reject"), (250, "accept"))
    passed, never = subscriber(59, SHARED, (150, NOTHING), (250, NEWS)), subscriber(59, SHARED, (150, NOTHING), (250, NOTHING))
    assert wrong([before, person], [withdrawn, passed], held) == []
    assert "subscriber 24: differs in bigcommerce" in wrong([before, person], [withdrawn, never], held)


def test_a_subscription_that_consents_anew_leaves_who_had_the_email_when_it_did_so_before():
    """Its first person is deleted; it consented anew when the second had the e-mail, and again when nobody has it."""
    first = account(1, (0, SHARED), (100, OTHERS), gone_s=300)
    person = account(2, (0, MINE), (100, SHARED), (200, "left@example.com"))
    third = account(3, (0, "third@example.com"), (200, SHARED), gone_s=400)
    passed = subscriber(59, SHARED, (50, NEWS), (150, NEWS), (450, NEWS))
    others = profile([], (150, "accept"), (450, "reject"))
    own = profile(["59"], (450, "accept")) | {"hard": {"email_id": SHARED}}
    assert wrong([first, person, third], [passed], others, own) == []
    assert wrong([first, person, third], [passed], profile([], (150, "accept"), (460, "reject")), own) != []
    assert wrong([first, person, third], [passed], profile([], (450, "accept"), (460, "reject")), own) != []


def test_a_subscription_may_have_been_moved_from_who_left_the_email_and_was_deleted_later():
    left = account(1, (0, OTHERS), (100, SHARED), (152, "left@example.com"), gone_s=300)
    person = account(2, (0, MINE), (153, SHARED))
    moved = subscriber(59, SHARED, (150, NEWS))
    ended = profile([], (150, "accept"), (150.001, "reject")) | {
        "hard": {}, "soft": {}, "anonymized_at_ms": 1, "former_ids": {"customer_id": "1", "email_id": OTHERS}
    }  # fmt: skip
    assert wrong([left, person], [moved], ended, profile(["59"], (150, "accept"))) == []
    stayed = account(2, (0, MINE))
    assert wrong([account(1, (0, OTHERS), (100, SHARED), gone_s=300), stayed], [moved], ended) != []
