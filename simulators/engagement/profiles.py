"""One profile: its ids, its properties with their update stamps, its events without duplicates. Pure: the time is given."""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson

Json = dict[str, Any]

DUPLICATE_MEMORY_MS = 90 * 24 * 3600 * 1000  # Source: docs/facts/engagement.md 4
NEVER_DUPLICATES = "consent"  # an event of this type is stored however often it comes


@dataclass(slots=True)
class Event:
    type: str
    timestamp: float  # UNIX seconds
    properties: Json
    received_at_ms: int
    applied_at_ms: int
    sequence: int  # order of application in the project

    def digest(self) -> bytes:
        """Equal for events that Engagement holds to be the same: type, timestamp, values and their types (`10` is not `10.0`)."""
        properties = orjson.dumps(self.properties, option=orjson.OPT_SORT_KEYS)
        return blake2b(b"%s\0%r\0%s" % (self.type.encode(), self.timestamp, properties), digest_size=16).digest()

    def shown(self) -> Json:
        return {"type": self.type, "timestamp": self.timestamp, "properties": self.properties}


@dataclass(slots=True)
class Profile:
    number: int  # order of creation in the project
    internal_id: str
    created_at_ms: int
    hard: dict[str, str] = field(default_factory=dict)
    soft: dict[str, dict[str, int]] = field(default_factory=dict)  # type -> value -> when used last, as a rising number
    properties: Json = field(default_factory=dict)
    stamps: dict[str, float] = field(default_factory=dict)  # property -> its update_timestamp, UNIX seconds
    events: list[Event] = field(default_factory=list)
    anonymized_at_ms: int | None = None
    former_ids: Json | None = None  # what it had when it was anonymized; for checkers, the platform forgets it
    _seen: dict[bytes, int] = field(default_factory=dict)  # digest -> when it was processed last

    @property
    def ids(self) -> Json:
        """As the platform shows them: a hard id as text, soft ids as a list."""
        return {**self.hard, **{kind: list(values) for kind, values in self.soft.items() if values}}

    def update(self, name: str, value: Any, stamp: float) -> None:
        """The newer stamp wins, an equal one overwrites, an older one is ignored. Source: docs/facts/engagement.md 2.2."""
        if stamp >= self.stamps.get(name, stamp):
            self.properties[name] = value
            self.stamps[name] = stamp

    def add(self, event: Event) -> bool:
        """Store the event; False: it is a duplicate. A duplicate starts the 90 days anew. Source: docs/facts/engagement.md 4."""
        if event.type != NEVER_DUPLICATES:
            digest = event.digest()
            last_ms = self._seen.get(digest)
            self._seen[digest] = event.applied_at_ms
            if last_ms is not None and event.applied_at_ms - last_ms <= DUPLICATE_MEMORY_MS:
                return False
        self.events.append(event)
        return True

    def absorb(self, source: "Profile") -> None:
        """Take the ids, events and properties of `source`: the newest stamp wins, of equal ones the source's.

        Events that both have stay twice: duplicates are only looked for when an event is processed.
        """
        self.hard |= source.hard
        for kind, values in source.soft.items():
            mine = self.soft.setdefault(kind, {})
            mine |= values
        for name, stamp in source.stamps.items():
            self.update(name, source.properties[name], stamp)
        self.events = sorted([*self.events, *source.events], key=lambda event: event.sequence)
        for digest, last_ms in source._seen.items():  # noqa: SLF001 (of its own kind)
            self._seen[digest] = max(last_ms, self._seen.get(digest, 0))

    def anonymize(self, private: frozenset[str], cookie: str, now_ms: int) -> None:
        """All ids and the private properties are gone, a new cookie is its only id, events and all else stay.

        Source: docs/facts/engagement.md 6.
        """
        self.former_ids = self.ids
        self.anonymized_at_ms = now_ms
        self.hard = {}
        self.soft = {"cookie": {cookie: 0}}
        for name in private & self.properties.keys():
            del self.properties[name], self.stamps[name]
