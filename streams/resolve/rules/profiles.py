"""A person: which Engagement profile a fact belongs to, what it is told, and its end.

One row an e-mail. It writes the profile with that `email_id`, which also bears the first account's `customer_id`; hard ids
never change, so an account that takes the e-mail over after that one moved away is known by its customer id alone, and
several accounts on the e-mail at once share the profile, of which only the one that it bears writes the properties.
A row of an e-mail that an account moved to, and that nobody had a profile under, points to that account's home, also after it
moved on, until another account takes the e-mail.
"""

import hashlib
from typing import Any

import orjson
from msgspec.structs import replace

from engagement import commands
from schemas.keys import webhook_key
from schemas.people import AccountGone, AccountSeen, Activity, EmailTaken, PersonFact, SubscriptionGone, SubscriptionSeen
from schemas.topics import PEOPLE, WEBHOOKS
from schemas.webhooks import LookAt
from streams.resolve.rules import consent
from streams.resolve.rules.change import Change, Send, Store
from streams.resolve.rules.fence import before
from streams.resolve.rules.lane import Lane
from streams.resolve.tables import LiveAccount, LiveSubscription, Person, Profile

MAIN = ""  # key of the profile with `email_id` among a row's persons
HANDED_BACK = "back"  # the home's account is gone: the e-mail's own row deals with the fact, whatever it points to
EMAIL_FACTS = (Activity, SubscriptionSeen, SubscriptionGone)


def apply_fact(row: Profile, key: str, fact: PersonFact, store: Store) -> Change[Profile]:
    """One fact about a person; `key` is the row's. What belongs before the person's deletion is dropped, and said so."""
    if row.pointer and not fact.handed_on and isinstance(fact, EMAIL_FACTS) and not (isinstance(fact, Activity) and fact.customer):
        return Change(None, [Send(PEOPLE, row.pointer, replace(fact, handed_on=row.pointer_customer))], "handed on")
    writer = _Writer(row, key, store)
    if fact.handed_on not in ("", HANDED_BACK) and fact.handed_on not in row.accounts:
        return writer.hand_back(fact)
    match fact:
        case AccountSeen():
            return writer.account_seen(fact)
        case AccountGone():
            return writer.account_gone(fact)
        case Activity():
            return writer.activity(fact)
        case SubscriptionSeen():
            return writer.subscription_seen(fact)
        case SubscriptionGone():
            return writer.subscription_gone(fact)
        case EmailTaken():
            return _email_taken(row, fact)
    raise TypeError(f"no rule for {type(fact).__name__}")


def _email_taken(row: Profile, fact: EmailTaken) -> Change[Profile]:
    if row.pointer_ms > fact.at_ms:
        return Change(None, note="not newer")
    if row.persons or row.accounts:
        return Change(None, note="split_person")
    return Change(replace(row, pointer=fact.home, pointer_customer=fact.customer, pointer_ms=fact.at_ms))


class _Writer:
    """One fact at work on one row: collects the commands and what changes in the row."""

    def __init__(self, row: Profile, key: str, store: Store) -> None:
        self.row, self.key, self.store = row, key, store
        self.lane = Lane(key, store.store, row.number)
        self.others: list[Send] = []
        self.email = row.email
        self.persons = dict(row.persons)
        self.accounts = dict(row.accounts)
        self.subscriptions = dict(row.subscriptions)

    def hand_back(self, fact: PersonFact) -> Change[Profile]:
        """A pointer's row handed on a fact of which the account is gone here: it belongs to the e-mail's own row again."""
        born_ms = {Activity: "born_ms", SubscriptionSeen: "created_ms"}.get(type(fact))
        if born_ms is None:
            return Change(None, note="not known here")
        if self._refuse_by_email(getattr(fact, born_ms), starts=True):
            return Change(None, note="before the deletion")
        return Change(
            None, [Send(PEOPLE, self.store.lane_of(getattr(fact, "email", "")), replace(fact, handed_on=HANDED_BACK))], "handed back"
        )

    def account_seen(self, fact: AccountSeen) -> Change[Profile]:
        known = self.accounts.get(fact.customer)
        if known is None and self.row.anonymized_ms and before(max(fact.created_ms, fact.modified_ms), self.row.anonymized_ms):
            return Change(None, note="before the deletion")
        here = self.store.lane_of(fact.email) == self.key
        self.email = fact.email if here else self.email
        person = known.person if known else self._choose_person(fact.customer)
        bears = fact.customer if person == MAIN and not self.row.bears else self.row.bears
        self.accounts[fact.customer] = LiveAccount(fact.created_ms, here, person)
        self.row = replace(self.row, bears=bears, pointer="", pointer_customer="")
        if person != MAIN or self._writer_of_main() == fact.customer:
            self._write_properties(person, fact)
        else:
            self._ensure_email(MAIN, {}, fact.modified_ms)
        return self._change()

    def _choose_person(self, customer: str) -> str:
        """The profile of an account that is new here: its own where the bearer moved away and keeps the `email_id`."""
        bearer = self.accounts.get(self.row.bears)
        moved_away = bearer is not None and not bearer.here
        return customer if moved_away or not self.email else MAIN

    def _writer_of_main(self) -> str:
        """The account that the profile bears, while it lives; then the oldest of those that share the profile."""
        sharing = {id: a for id, a in self.accounts.items() if a.person == MAIN}
        return self.row.bears if self.row.bears in sharing else min(sharing, key=lambda id: (sharing[id].created_ms, id), default="")

    def _write_properties(self, person: str, fact: AccountSeen) -> None:
        last = self.persons.get(person, Person())
        filled = {"email": fact.email, **fact.properties}
        properties = dict.fromkeys(last.names, "") | filled
        digest = hashlib.sha256(orjson.dumps(filled, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
        if digest == last.digest:
            return
        updated_ms = max(fact.modified_ms, last.updated_ms + 1)
        self.persons[person] = replace(last, email=fact.email, digest=digest, names=sorted(properties), updated_ms=updated_ms)
        self.lane.add("customers", commands.customers(self._ids(person, fact.customer), properties, updated_ms))

    def account_gone(self, fact: AccountGone) -> Change[Profile]:
        account = self.accounts.pop(fact.customer, None)
        if account is None:
            return self._moved_account_gone(fact)
        if account.person != MAIN:
            self._anonymize(account.person, fact.customer, fact.at_ms)
            self.row = replace(self.row, anonymized_ms=max(self.row.anonymized_ms, fact.at_ms))
            return self._change()
        sharing = {id: a for id, a in self.accounts.items() if a.person == MAIN}
        stays = any(before(a.created_ms, fact.at_ms) for a in sharing.values())
        if not stays:
            self._end_main(fact.at_ms)
        heir = self._writer_of_main()
        if not stays:
            self.row = replace(self.row, bears=heir)
        if heir and (not stays or self.row.bears == fact.customer):
            look = LookAt(
                store=self.store.store, resource="customer", id=heir, why="it writes the profile from now on", at_ms=fact.at_ms, anew=True
            )
            self.others.append(Send(WEBHOOKS, webhook_key(self.store.store, "customer", heir), look))
        return self._change("another live account stands on the e-mail" if stays else "")

    def _moved_account_gone(self, fact: AccountGone) -> Change[Profile]:
        """The row of a deleted account's present e-mail, which is not its home; or the home, told a second time."""
        if self.row.pointer and self.row.pointer_customer == fact.customer:
            self.row = replace(self.row, pointer="", pointer_customer="")
        elif self.row.anonymized_ms and before(fact.at_ms, self.row.anonymized_ms):
            return Change(None, note="anonymized already")
        if self.accounts:
            return self._change("another live account stands on the e-mail")
        self._end_main(fact.at_ms)
        return self._change()

    def _end_main(self, at_ms: int) -> None:
        if MAIN in self.persons:
            self._anonymize(MAIN, self.row.bears, at_ms)
        self.subscriptions = {}
        self.row = replace(self.row, bears="", anonymized_ms=max(self.row.anonymized_ms, at_ms))
        if not self.accounts:
            self.email = ""

    def _anonymize(self, person: str, customer: str, at_ms: int) -> None:
        """Empty what is personal, then anonymize; nothing of what was sent is remembered."""
        last = self.persons.pop(person, Person())
        ids = {} if person != MAIN or not self.email else {"email_id": self.email}
        if customer:
            ids["customer_id"] = customer
        if last.names or last.email:
            emptied = dict.fromkeys([*last.names, "email"], "")
            self.lane.add("customers", commands.customers(ids, emptied, max(at_ms, last.updated_ms + 1)))
        self.lane.add("anonymize", commands.anonymize(ids))

    def activity(self, fact: Activity) -> Change[Profile]:
        if fact.customer:
            account = self.accounts.get(fact.customer)
            if account is None:
                return Change(None, note="before the deletion")
            person, customer = account.person, fact.customer
        else:
            refused = self._refuse_by_email(fact.born_ms, starts=fact.starts_profile)
            if refused:
                return Change(None, note=refused)
            person, customer = self._person_of_email(fact, fact.email)
        if not self._ids(person, customer):
            return Change(None, note="nobody is known by it")
        soft = {"cart_id": fact.cart_id} if fact.cart_id else {}
        if not self._ensure_email(person, soft, fact.at_ms, customer) and not fact.events:
            self._join(person, soft, fact.at_ms, customer)
        for event in fact.events:
            ids = self._ids(person, customer) | soft
            self.lane.add("customers/events", commands.event(ids, event.type, event.timestamp_ms, event.properties))
        return self._change()

    def subscription_seen(self, fact: SubscriptionSeen) -> Change[Profile]:
        refused = self._refuse_by_email(fact.created_ms, starts=True)
        if refused:
            return Change(None, note=refused)
        person, customer = self._person_of_email(fact, fact.email)
        soft = {"subscriber_id": fact.subscriber}
        new = fact.subscriber not in self.subscriptions
        self.subscriptions[fact.subscriber] = LiveSubscription(fact.consents, fact.can_hold)
        joined = self._ensure_email(person, soft, fact.modified_ms, customer)
        told = self._tell_consents(person, soft, fact.modified_ms, customer)
        if new and not joined and not told:
            self._join(person, soft, fact.modified_ms, customer)
        return self._change()

    def subscription_gone(self, fact: SubscriptionGone) -> Change[Profile]:
        if self.subscriptions.pop(fact.subscriber, None) is None:
            return Change(None, note="not known here")
        person, customer = self._person_of_email(fact, "")
        self._tell_consents(person, {"subscriber_id": fact.subscriber}, fact.at_ms, customer)
        return self._change()

    def _refuse_by_email(self, born_ms: int, *, starts: bool) -> str:
        """Why a fact that came by e-mail says nothing: it is older than the deletion, or cannot start a profile after one."""
        if not self.row.anonymized_ms:
            return ""
        if before(born_ms, self.row.anonymized_ms):
            return "before the deletion"
        return "" if starts or self.persons or self.accounts else "starts no profile"

    def _person_of_email(self, fact: PersonFact, email: str) -> tuple[str, str]:
        """Profile and account that facts by this row's e-mail belong to: of the account that has the e-mail now."""
        if fact.handed_on in self.accounts:
            return self.accounts[fact.handed_on].person, fact.handed_on
        self.email = email or self.email
        for id, account in sorted(self.accounts.items()):
            if account.here and account.person != MAIN:
                return account.person, id
        return MAIN, self.row.bears

    def _ids(self, person: str, customer: str) -> dict[str, str]:
        """The hard ids of a profile: an account that shares it without being borne adds to it under the e-mail alone."""
        if person != MAIN:
            return {"customer_id": person}
        ids = {"email_id": self.email} if self.email else {}
        if self.row.bears and customer == self.row.bears and customer in self.accounts:
            ids["customer_id"] = customer
        return ids

    def _ensure_email(self, person: str, soft: dict[str, str], at_ms: int, customer: str = "") -> bool:
        """Send `email` to a profile that was never told it; whether it was sent."""
        last = self.persons.get(person, Person())
        if last.email or not self.email:
            return False
        updated_ms = max(at_ms, last.updated_ms + 1)
        self.persons[person] = replace(last, email=self.email, updated_ms=updated_ms)
        self.lane.add("customers", commands.customers(self._ids(person, customer) | soft, {"email": self.email}, updated_ms))
        return True

    def _join(self, person: str, soft: dict[str, str], at_ms: int, customer: str) -> None:
        """Give a profile a soft id when there is no event to bring it: the `email` it has already, sent again."""
        last = self.persons.get(person, Person())
        updated_ms = max(at_ms, last.updated_ms + 1)
        self.persons[person] = replace(last, updated_ms=updated_ms)
        self.lane.add("customers", commands.customers(self._ids(person, customer) | soft, {"email": last.email}, updated_ms))

    def _tell_consents(self, person: str, soft: dict[str, str], at_ms: int, customer: str) -> bool:
        last = self.persons.get(person, Person())
        changed = consent.changes(last.consents, self.subscriptions.values(), at_ms)
        self.persons[person] = replace(last, consents=last.consents | changed)
        for category, sent in changed.items():
            properties: dict[str, Any] = consent.event_properties(category, sent.action)
            ids = self._ids(person, customer) | soft
            self.lane.add("customers/events", commands.event(ids, "consent", sent.at_ms, properties), consent=True)
        return bool(changed)

    def _change(self, note: str = "") -> Change[Profile]:
        after = replace(
            self.row,
            email=self.email,
            persons=dict(sorted(self.persons.items())),
            accounts=dict(sorted(self.accounts.items())),
            subscriptions=dict(sorted(self.subscriptions.items())),
            number=self.lane.number,
        )
        return Change(after, [*self.lane.sends, *self.others], note)
