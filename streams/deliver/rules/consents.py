"""Whether Engagement has a consent already: it never drops a repeated one. Source: docs/facts/engagement.md 4, 7.5."""

from collections.abc import Iterable
from typing import Any

SAME_S = 1e-5  # Engagement keeps six decimals of a timestamp, a float about as many


def is_there(consent: dict[str, Any], events: Iterable[dict[str, Any]]) -> bool:
    """Among a customer's `events` is this consent: same time, category and action."""
    return any(_same(consent, event) for event in events)


def _same(consent: dict[str, Any], event: dict[str, Any]) -> bool:
    want, have = consent.get("properties") or {}, event.get("properties") or {}
    timestamp = event.get("timestamp")
    return (
        isinstance(timestamp, int | float)
        and abs(timestamp - consent["timestamp"]) < SAME_S
        and all(want.get(name) == have.get(name) for name in ("category", "action"))
    )
