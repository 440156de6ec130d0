"""The bodies of Engagement's single calls, as final bytes: the same values give the same bytes, always.

Engagement drops a repeated event only if customer, type, timestamp and all properties with their types are equal, so keys
are sorted and instants come from the store alone. Source: docs/facts/engagement.md 2.2, 2.3, 4, 6
"""

from typing import Any

import orjson

Ids = dict[str, str]


def customers(ids: Ids, properties: dict[str, Any], update_ms: int) -> bytes:
    """Set properties of a profile; `update_ms` (ms UTC) rises within a profile, older ones change nothing there."""
    return _json({"customer_ids": ids, "properties": properties, "update_timestamp": update_ms / 1000})


def event(ids: Ids, type: str, timestamp_ms: int, properties: dict[str, Any]) -> bytes:
    """Add an event at `timestamp_ms` (ms UTC)."""
    return _json({"customer_ids": ids, "event_type": type, "timestamp": timestamp_ms / 1000, "properties": properties})


def anonymize(ids: Ids) -> bytes:
    """Anonymize a profile."""
    return _json({"customer_ids": ids})


def _json(body: dict[str, Any]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
