"""A project: its settings and permissions, its profiles, and what an applied command changes. Pure: time and chance are given."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import msgspec

from simulators.engagement.identity import Identities, Ids
from simulators.engagement.profiles import NEVER_DUPLICATES, Event, Json

PRIVATE_PROPERTIES = frozenset(
    ("email", "first_name", "last_name", "phone", "company", "address", "city", "zip", "state", "country", "country_code")
)  # flagged as such in the project's data manager


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A private API key. It may do all but what is denied: `events.set`, `events.set:{type}`, `events.get`,
    `customers.set`, `customers.set:{property}`, `gdpr.anonymize`, `gdpr.export_one`, `gdpr.export`, `catalogs.get`, `catalogs.create`,
    `catalogs.write`, `catalogs.partial`, `catalogs.delete`."""

    id: str
    secret: str
    denied: frozenset[str] = frozenset()

    def may(self, permission: str, detail: str = "") -> bool:
        return permission not in self.denied and f"{permission}:{detail}" not in self.denied


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a project is made of; set through `POST /_sim/projects`."""

    token: str
    keys: tuple[Key, ...] = ()
    public_tokens: frozenset[str] = frozenset()  # `Authorization: Token ...`, for the Tracking API only
    hard_ids: tuple[str, ...] = ("email_id", "customer_id")
    soft_ids: tuple[str, ...] = ("subscriber_id", "cart_id", "cookie")
    private_properties: frozenset[str] = PRIVATE_PROPERTIES
    properties_max: int = 255  # distinct customer properties; a new one beyond it is discarded
    normalize_ids: bool = False  # trim and lowercase


@dataclass(frozen=True, slots=True)
class TrackEvent:
    ids: Ids
    type: str
    timestamp: float
    properties: Json
    received_at_ms: int


@dataclass(frozen=True, slots=True)
class UpdateCustomer:
    ids: Ids
    properties: Json
    stamp: float
    received_at_ms: int


@dataclass(frozen=True, slots=True)
class Anonymize:
    ids: Ids
    internal_id: str
    received_at_ms: int


@dataclass(frozen=True, slots=True)
class WriteItem:
    """`properties` None removes it. `partial`: what it does not name stays; one that is not there is made with `upsert` only."""

    catalog: str
    item_id: str
    properties: Json | None
    partial: bool = False
    upsert: bool = True


Command = TrackEvent | UpdateCustomer | Anonymize | WriteItem


@dataclass(slots=True)
class Catalog:
    """`fields` are name to declared type. `written` counts for each item what was done to it."""

    id: str
    name: str
    is_product: bool
    fields: dict[str, str]
    searchable: list[str]
    items: dict[str, Json] = field(default_factory=dict)
    written: Counter[str] = field(default_factory=Counter)

    def apply(self, command: WriteItem) -> None:
        self.written[command.item_id] += 1
        if command.properties is None:
            self.items.pop(command.item_id, None)
        elif not command.partial:
            self.items[command.item_id] = command.properties
        elif command.upsert or command.item_id in self.items:
            self.items[command.item_id] = {**self.items.get(command.item_id, {}), **command.properties}

    def shown(self) -> Json:
        fields = [{"name": name, "type": kind, "searchable": name in self.searchable} for name, kind in self.fields.items()]
        return {"id": self.id, "name": self.name, "is_product_catalog": self.is_product, "fields": fields}


class Project:
    def __init__(self, settings: Settings, rng: Random) -> None:
        self.settings = settings
        # received: commands; processed: events taken from the queue, duplicates included; stored, deduped, consents: events;
        # created, merged: profiles; conflicts, stolen, evicted, dropped_ids: ids; discarded: properties; anonymized: profiles
        self.counters: Counter[str] = Counter()
        self.commands: Counter[str] = Counter()  # by name, as received
        self.requests: dict[str, Counter[str]] = {}  # endpoint -> status, or "dropped" -> how often
        self.identities = Identities(self.counters, self._next_sequence)
        self.anonymizations: list[Json] = []
        self.catalogs: dict[str, Catalog] = {}
        self._property_names: set[str] = set()
        self._sequence = 0
        self._rng = rng

    def apply(self, command: Command, now_ms: int) -> None:
        """What the queue does with a command that was accepted earlier."""
        if isinstance(command, TrackEvent):
            self._track(command, now_ms)
        elif isinstance(command, UpdateCustomer):
            self._update(command, now_ms)
        elif isinstance(command, WriteItem):
            if command.catalog in self.catalogs:
                self.catalogs[command.catalog].apply(command)
        else:
            self._anonymize(command, now_ms)

    def state(self) -> Json:
        """All that a checker may ask, as JSON."""
        return {
            "project": self.settings.token,
            "profiles": [
                {
                    "number": profile.number,
                    "internal_id": profile.internal_id,
                    "hard": profile.hard,
                    "soft": {kind: list(values) for kind, values in profile.soft.items() if values},
                    "properties": profile.properties,
                    "stamps": profile.stamps,
                    "events": profile.events,
                    "created_at_ms": profile.created_at_ms,
                    "anonymized_at_ms": profile.anonymized_at_ms,
                    "former_ids": profile.former_ids,
                }
                for profile in self.identities.profiles.values()
            ],
            "conflicts": self.identities.conflicts,
            "anonymizations": self.anonymizations,
            "catalogs": [{**c.shown(), "items": c.items, "written": c.written} for c in self.catalogs.values()],
        }

    def counts(self) -> Json:
        names = "received processed stored deduped consents created merged conflicts stolen evicted dropped_ids discarded anonymized"
        return {
            **{name: self.counters[name] for name in names.split()},
            "profiles": len(self.identities.profiles),
            "commands": self.commands,
            "requests": self.requests,
        }

    def _track(self, command: TrackEvent, now_ms: int) -> None:
        profile = self.identities.identify(command.ids, self.settings.hard_ids, now_ms)
        event = Event(command.type, command.timestamp, command.properties, command.received_at_ms, now_ms, self._next_sequence())
        self.counters["processed"] += 1
        if not profile.add(event):
            self.counters["deduped"] += 1
            return
        self.counters["stored"] += 1
        self.counters["consents"] += command.type == NEVER_DUPLICATES

    def _update(self, command: UpdateCustomer, now_ms: int) -> None:
        profile = self.identities.identify(command.ids, self.settings.hard_ids, now_ms)
        for name, value in command.properties.items():
            if self._has_room(name):
                profile.update(name, value, command.stamp)
            else:
                self.counters["discarded"] += 1

    def _anonymize(self, command: Anonymize, now_ms: int) -> None:
        profile = self.identities.find(command.ids) or self.identities.find_internal(command.internal_id)
        if profile is None:
            return  # anonymized by an earlier command in the queue
        self.identities.anonymize(profile, self.settings.private_properties, self.new_id(), now_ms)
        self.counters["anonymized"] += 1
        self.anonymizations.append(
            {
                "number": profile.number,
                "former_ids": profile.former_ids,
                "received_at_ms": command.received_at_ms,
                "applied_at_ms": now_ms,
                "sequence": self._next_sequence(),  # events of its ids with a higher one came after it
            }
        )

    def _has_room(self, name: str) -> bool:
        if name not in self._property_names and len(self._property_names) < self.settings.properties_max:
            self._property_names.add(name)
        return name in self._property_names

    def new_id(self) -> str:
        return f"{self._rng.getrandbits(128):032x}"

    def _next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence
