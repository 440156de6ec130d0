"""Whom the judge expects a daily run to have ended: subscribers without an account whose last word was long ago, and no."""

from typing import Any

import pytest

from ops.demo.compare import Lapse, compare
from ops.demo.compare.lapsed import lapsed
from ops.demo.compare.shop import Shop

Json = dict[str, Any]
DAY_S = 24 * 60 * 60
NOW_S = 1000 * DAY_S
EMAIL, LAPSED = "lena@example.com", "lapsed subscribers, anonymized"
NEWSLETTER, CARTS = "marketing_newsletter", "abandoned_cart"


def entity(id: int, *states: tuple[int, Json], gone_day: int | None = None) -> Json:
    told = [{"at_ms": day * DAY_S * 1000, "body": {"id": id, "email": EMAIL} | body} for day, body in states]
    return {"id": id, "states": told, "deleted_at_ms": None if gone_day is None else gone_day * DAY_S * 1000}


def subscriber(*said: tuple[int, list[str]], gone_day: int | None = None) -> Json:
    """`said` on which day, each with the consents."""
    states = [(day, {"date_modified": f"{1970 + day // 365}-01-01T00:00:00Z", "consents": consents}) for day, consents in said]
    return entity(1, *states, gone_day=gone_day)


def shop(*subscribers: Json, customers: tuple[Json, ...] = ()) -> Json:
    return {"customer": list(customers), "subscriber": list(subscribers), "order": [], "cart": []}


@pytest.mark.parametrize(
    ("said", "gone_day", "ends"),
    [
        ([(365, [NEWSLETTER]), (730, [])], None, True),
        ([(365, [NEWSLETTER]), (730, [CARTS])], None, True),
        ([(365, [NEWSLETTER])], None, False),  # consents
        ([(365, []), (730, [NEWSLETTER])], None, False),
        ([(365, [])], 735, True),
        ([(365, [NEWSLETTER])], 995, False),  # said no only now
        ([(365, [NEWSLETTER]), (730, [])], 1001, True),  # deleted after the run
    ],
)
def test_who_has_no_account_and_said_no_for_long_lapses(said: list[tuple[int, list[str]]], gone_day: int | None, ends: bool):
    history = Shop(shop(subscriber(*said, gone_day=gone_day)), 2.0)
    assert lapsed(history, Lapse(NOW_S, 250)) == ({EMAIL: NOW_S} if ends else {})
    assert lapsed(history, Lapse(NOW_S, 900)) == {}
    assert lapsed(history, Lapse(NOW_S, 0)) == lapsed(history, None) == {}


def test_nobody_with_an_account_or_another_consent_lapses():
    no = subscriber((365, []))
    account = entity(7, (365, {}))
    assert lapsed(Shop(shop(no, customers=(account,)), 2.0), Lapse(NOW_S, 250)) == {}
    assert lapsed(Shop(shop(no, subscriber((365, [NEWSLETTER])) | {"id": 2}), 2.0), Lapse(NOW_S, 250)) == {}


def held(*, anonymized: bool) -> Json:
    """The profile that had the consents, as Engagement holds it."""
    rejects = [
        {"type": "consent", "timestamp": 365 * DAY_S, "properties": {"category": category, "action": "reject"}}
        for category in ("bigcommerce", "bigcommerce_abandoned_cart")
    ]
    ids = {"email_id": EMAIL, "subscriber_id": ["1"]}
    profile = {"internal_id": "p", "events": rejects, "properties": {"email": "" if anonymized else EMAIL}}
    if anonymized:
        return profile | {"hard": {}, "soft": {}, "anonymized_at_ms": 1, "former_ids": ids}
    return profile | {"hard": {"email_id": EMAIL}, "soft": {"subscriber_id": ["1"]}, "anonymized_at_ms": None, "former_ids": None}


def differing(*profiles: Json, lapse: Lapse | None) -> list[str]:
    rows = compare(shop(subscriber((365, []))), {"profiles": list(profiles), "conflicts": []}, 0, 0.0, lapse=lapse)
    return [row.what for row in rows if row.wrong]


def test_the_lapsed_are_anonymized_and_nobody_else():
    run, none = Lapse(NOW_S, 250), Lapse(NOW_S, 900)
    assert differing(held(anonymized=True), lapse=run) == []
    assert differing(held(anonymized=False), lapse=none) == []
    assert LAPSED in differing(held(anonymized=False), lapse=run)
    assert LAPSED in differing(lapse=run)
    assert "nothing that should not be there" in differing(held(anonymized=True), lapse=none)
