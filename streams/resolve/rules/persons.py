"""The Engagement profiles that one row writes: what each is told, and under which ids."""

import hashlib
from collections.abc import Iterable
from typing import Any

import orjson
from msgspec.structs import replace

from engagement import commands
from schemas.people import Event
from streams.resolve.rules import consent
from streams.resolve.rules.lane import Lane
from streams.resolve.tables import LiveSubscription, Person, Profile

MAIN = ""  # key of the profile with `email_id` among a row's persons


class Persons:
    """Collects the commands of one change in `lane`. `person` is MAIN or a customer id, `customer` the account at work, "" for none."""

    def __init__(self, row: Profile, lane: Lane) -> None:
        self.lane, self.email, self.bears = lane, row.email, row.bears
        self.persons = dict(row.persons)

    def ids(self, person: str, customer: str) -> dict[str, str]:
        """The hard ids of a profile: an account that shares it without being borne adds to it under the e-mail alone."""
        if person != MAIN:
            return {"customer_id": person}
        ids = {"email_id": self.email} if self.email else {}
        if customer and customer == self.bears:
            ids["customer_id"] = customer
        return ids

    def write_properties(self, person: str, customer: str, email: str, properties: dict[str, Any], at_ms: int) -> None:
        """Send all properties of a profile where one is another than the last time; what is no more is emptied."""
        last = self.persons.get(person, Person())
        filled = {"email": email, **properties}
        digest = hashlib.sha256(orjson.dumps(filled, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
        if digest == last.digest:
            return
        sent = dict.fromkeys(last.names, "") | filled
        self._send(person, self.ids(person, customer), sent, replace(last, email=email, digest=digest, names=sorted(sent)), at_ms)

    def ensure_email(self, person: str, soft: dict[str, str], at_ms: int, customer: str) -> bool:
        """Send `email` to a profile that was never told it; whether it was sent."""
        last = self.persons.get(person, Person())
        if last.email or not self.email:
            return False
        self._send(person, self.ids(person, customer) | soft, {"email": self.email}, replace(last, email=self.email), at_ms)
        return True

    def join(self, person: str, soft: dict[str, str], at_ms: int, customer: str) -> None:
        """Give a profile a soft id when there is no event to bring it: the `email` it has already, sent again."""
        last = self.persons.get(person, Person())
        self._send(person, self.ids(person, customer) | soft, {"email": last.email}, last, at_ms)

    def add_event(self, person: str, soft: dict[str, str], customer: str, event: Event) -> None:
        ids = self.ids(person, customer) | soft
        self.lane.add("customers/events", commands.event(ids, event.type, event.timestamp_ms, event.properties))

    def tell_consents(
        self, person: str, soft: dict[str, str], at_ms: int, customer: str, subscriptions: Iterable[LiveSubscription]
    ) -> bool:
        """Send what changed in the consents of a profile with these live subscriptions; whether anything did."""
        last = self.persons.get(person, Person())
        changed = consent.changes(last.consents, subscriptions, at_ms)
        if changed:
            self.persons[person] = replace(last, consents=last.consents | changed)
        for category, sent in changed.items():
            properties = consent.event_properties(category, sent.action)
            ids = self.ids(person, customer) | soft
            self.lane.add("customers/events", commands.event(ids, "consent", sent.at_ms, properties), consent=True)
        return bool(changed)

    def anonymize(self, person: str, at_ms: int) -> None:
        """Empty what is personal, then anonymize; nothing of what was sent is remembered."""
        last = self.persons.pop(person, Person())
        ids = {"customer_id": person}
        if person == MAIN:
            ids = {"email_id": self.email} if self.email else {}
            if self.bears:
                ids["customer_id"] = self.bears
        if last.names or last.email:
            emptied = dict.fromkeys([*last.names, "email"], "")
            self.lane.add("customers", commands.customers(ids, emptied, max(at_ms, last.updated_ms + 1)))
        self.lane.add("anonymize", commands.anonymize(ids))

    def _send(self, person: str, ids: dict[str, str], properties: dict[str, Any], told: Person, at_ms: int) -> None:
        updated_ms = max(at_ms, told.updated_ms + 1)
        self.persons[person] = replace(told, updated_ms=updated_ms)
        self.lane.add("customers", commands.customers(ids, properties, updated_ms))
