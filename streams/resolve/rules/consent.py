"""Consents: a person consents while any live subscription does; what changed is sent, once."""

from collections.abc import Iterable
from typing import Any

from bigcommerce.subscribers import ABANDONED_CART, NEWSLETTER
from streams.resolve.tables import ConsentSent, LiveSubscription

CATEGORIES = {NEWSLETTER: "bigcommerce", ABANDONED_CART: "bigcommerce_abandoned_cart"}


def changes(sent: dict[str, ConsentSent], subscriptions: Iterable[LiveSubscription], at_ms: int) -> dict[str, ConsentSent]:
    """Category to the consent to send now: what differs from the last one sent.

    The first state is sent for each category that a subscription can hold; one that no subscription speaks of any more
    is rejected if it was accepted. The time is `at_ms`, never at or before the last one of its category.
    """
    live = list(subscriptions)
    wanted = {category: "reject" for category, last in sent.items() if last.action == "accept"}
    for kind, category in CATEGORIES.items():
        if any(kind in s.can_hold for s in live):
            wanted[category] = "accept" if any(kind in s.consents for s in live) else "reject"
    return {
        category: ConsentSent(action, max(at_ms, sent[category].at_ms + 1) if category in sent else at_ms)
        for category, action in sorted(wanted.items())
        if category not in sent or sent[category].action != action
    }


def event_properties(category: str, action: str) -> dict[str, Any]:
    """Properties of the `consent` event. Source: docs/facts/engagement.md 7.5"""
    accepted = {"valid_until": "unlimited"} if action == "accept" else {}
    return {"action": action, "category": category, **accepted}
