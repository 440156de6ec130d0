"""Reads one command of the Tracking API and says what is wrong with it. Pure. Source: docs/facts/engagement.md 2.2, 2.3, 2.5."""

from datetime import UTC, datetime
from typing import Any

import orjson

from simulators.engagement.identity import Ids
from simulators.engagement.profiles import Json
from simulators.engagement.project import Key, Project, TrackEvent, UpdateCustomer

MESSAGE_BYTES_MAX = 800_000
VALUE_BYTES_MAX = 16_000
ID_CHARACTERS_MAX = 500  # undocumented; ours
NOT_IDS = frozenset({"null", "undefined"})


class Refused(Exception):
    """Why the command was not accepted, in the platform's words."""


def read_ids(project: Project, given: Any) -> Ids:
    """The valid ids among those given, in their order; invalid ones and types that the project does not have are dropped.

    Raises Refused where none was given or none is valid.
    """
    if not isinstance(given, dict) or not given:
        raise Refused("At least one id should be specified.")
    settings = project.settings
    types = (*settings.hard_ids, *settings.soft_ids)
    found = []
    for kind, value in given.items():
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        if settings.normalize_ids:
            text = text.strip().lower()
        if kind in types and text not in NOT_IDS and any(map(str.isalnum, text)) and len(text) <= ID_CHARACTERS_MAX:
            found.append((kind, text))
    project.counters["dropped_ids"] += len(given) - len(found)
    if not found:
        raise Refused("At least one valid id should be specified")
    return tuple(found)


def read_event(project: Project, key: Key, data: Json, received_at_ms: int) -> TrackEvent:
    """Raises Refused."""
    ids = read_ids(project, data.get("customer_ids"))
    event_type = data.get("event_type")
    if not isinstance(event_type, str) or not event_type:
        raise Refused("Event type is required")  # words unknown; ours
    if not key.may("events.set", event_type) or not key.may("events.set"):
        raise Refused("Not authorized to add event of specified type")
    timestamp = _seconds(data.get("timestamp"), received_at_ms)
    return TrackEvent(ids, event_type, timestamp, _properties(data), received_at_ms)


def read_customer(project: Project, key: Key, data: Json, received_at_ms: int) -> UpdateCustomer:
    """Raises Refused."""
    ids = read_ids(project, data.get("customer_ids"))
    properties = _properties(data)
    if not key.may("customers.set") or not all(key.may("customers.set", name) for name in properties):
        raise Refused("not authorized to update specified customer properties")
    stamp = _seconds(data.get("update_timestamp"), received_at_ms)
    return UpdateCustomer(ids, properties, stamp, received_at_ms)


def check_size(data: Json) -> None:
    """Raises Refused where the message or one of its values is too large. Source: docs/facts/engagement.md 2.6."""
    if len(orjson.dumps(data)) >= MESSAGE_BYTES_MAX:
        raise Refused("Message is too large")  # words unknown; ours
    properties = data.get("properties")
    if isinstance(properties, dict) and any(len(orjson.dumps(value)) >= VALUE_BYTES_MAX for value in properties.values()):
        raise Refused("Property value is too large")  # words unknown; ours


def _properties(data: Json) -> Json:
    properties = data.get("properties", {})
    if not isinstance(properties, dict):
        raise Refused("Properties must be an object")  # an array is refused even when it is empty
    return properties


def _seconds(given: Any, received_at_ms: int) -> float:
    """UNIX seconds, six decimals kept; ISO 8601 is read too. Milliseconds are not recognized: they are read as seconds."""
    if given is None:
        return received_at_ms / 1000
    if isinstance(given, int | float) and not isinstance(given, bool):
        return round(float(given), 6)
    try:
        at = datetime.fromisoformat(given)
    except (TypeError, ValueError):
        raise Refused("Timestamp is not valid") from None  # words unknown; ours
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp(), 6)
