"""What Engagement holds: profiles by their ids, events by what they are about, and which of both have their reason."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import orjson

Json = dict[str, Any]
Key = tuple[str, str]  # the type and the value of an id


class Profile:
    """One profile. `ids` are its present ones, `former` those that it had when it was anonymized."""

    def __init__(self, state: Json) -> None:
        self.name = f"profile {state['internal_id']}"
        self.hard: dict[str, str] = state["hard"]
        self.soft: dict[str, list[str]] = state["soft"]
        self.properties: Json = state["properties"]
        self.events = [Event(self, event) for event in state["events"]]
        self.anonymized: bool = state["anonymized_at_ms"] is not None
        self.former = keys_of(state["former_ids"] or {})
        self.ids = keys_of(self.hard | self.soft)


class Event:
    """One event and the profile that it stands on; `told`: it has its reason, or what is wrong with it is said."""

    def __init__(self, profile: Profile, event: Json) -> None:
        self.profile = profile
        self.type: str = event["type"]
        self.at_s: float = event["timestamp"]
        self.properties: Json = event["properties"]
        self.told = False

    def __repr__(self) -> str:
        about = ("purchase_id", "line_item_id", "cart_id", "category", "action", "order_status")
        said = ", ".join(f"{name} {self.properties[name]}" for name in about if name in self.properties)
        return f"{self.type} ({said}) at {self.at_s:.3f}"

    @property
    def text(self) -> bytes:
        return same_text(self.properties)


class Held:
    """All profiles, and the live ones by their ids."""

    def __init__(self, state: Json) -> None:
        self.profiles = [Profile(profile) for profile in state["profiles"]]
        self.of = {key: profile for profile in self.profiles for key in profile.ids}
        self.explained: set[Profile] = set()
        self._events: dict[Key, list[Event]] = defaultdict(list)
        for profile in self.profiles:
            for event in profile.events:
                about = event.properties.get("cart_id" if event.type == "cart_update" else "purchase_id", "")
                self._events[event.type, str(about)].append(event)

    def take(self, type: str, about: str) -> list[Event]:
        """The events of a type about one order or cart, by time; they are told from now on."""
        found = sorted(self._events[type, about], key=lambda event: event.at_s)
        for event in found:
            event.told = True
        return found


def keys_of(ids: Json) -> set[Key]:
    return {(kind, value) for kind, values in ids.items() for value in ([values] if isinstance(values, str) else values)}


def differing(wanted: Json, found: Json) -> list[str]:
    """Names of the properties that differ, of those that only one of them has too; lists may be in any order."""
    return sorted(
        name for name in wanted.keys() | found.keys() if same_text({name: wanted.get(name)}) != same_text({name: found.get(name)})
    )


def same_text(properties: Json) -> bytes:
    plain = {name: sorted(value, key=_text) if isinstance(value, list) else value for name, value in properties.items()}
    return _text(plain)


def _text(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def said(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f"differs in {listed}" if listed else ""
