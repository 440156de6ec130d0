"""Random lives in a project that two stores share: accounts of both on one e-mail are one person, who ends with the last of them.

What a project must hold is said by the life alone. Everything happens in true order, each thing in a second of its own.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bigcommerce.subscribers import NEWSLETTER
from schemas.records import Message
from tests.streams.resolve.engagement import Engagement
from tests.streams.resolve.line import Line, customer, customer_gone, erased, order, subscriber, subscriber_gone
from tests.streams.resolve.test_shared_project import A, B

EMAILS = ["a@x", "b@x"]
KINDS = ["register", "register", "delete", "order", "guest", "subscribe", "consent", "unsubscribe", "erase"]
Step = tuple[str, int, int]  # kind, which one, which e-mail or store or consents
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 1)), min_size=4, max_size=18)

# The shop deletes an account after its person was erased and came back with another one, at the other store.
BACK: list[Step] = [("register", 0, 0), ("erase", 0, 0), ("subscribe", 0, 0), ("register", 1, 0), ("delete", 0, 0)]

# The account that writes the profile after the one that it bears is deleted, too, and leaves it to a third one.
THIRD: list[Step] = [("register", 0, 0), ("register", 1, 0), ("delete", 0, 0), ("register", 0, 0), ("delete", 1, 0)]


@dataclass
class Person:
    """Whom an e-mail means: what is known of them since the last end."""

    accounts: dict[str, int] = field(default_factory=dict)  # id at Engagement to when it was created
    orders: set[str] = field(default_factory=set)
    ended: int = 0


class Shops:
    """Does the steps, tells them to resolve, and knows what is true."""

    def __init__(self, steps: list[Step]) -> None:
        self.line = Line(stores=(A, B))
        self.people: dict[str, Person] = defaultdict(Person)
        self.accounts: dict[str, tuple[str, int]] = {}  # those that the stores have: e-mail, when it was created
        self.subscribers: dict[str, tuple[str, list[str], int]] = {}  # e-mail, consents, when it last said so
        self.reads = 0
        for n, (kind, which, value) in enumerate(steps, 1):
            self._step(n * 10, kind, which, value)

    def _tell(self, id: str, message: Message) -> None:
        self.line.tell(replace(message, store=_store(id).store)).run()
        for _ in range(5):  # fetch reads the accounts that were asked for
            asked, self.line.looks = self.line.looks, []
            for look in asked:
                id = f"{look.store.partition('.')[0]}-{look.id}"
                if id in self.accounts:
                    self.reads += 5
                    self.line.tell(replace(self._state(id, read=100_000 + self.reads), store=look.store))
            self.line.run()

    def _state(self, id: str, read: int = 0) -> Message:
        email, created = self.accounts[id]
        return customer(_number(id), email, at=created, created=created, read=read, phone=id)

    def _step(self, at: int, kind: str, which: int, value: int) -> None:
        email, store = EMAILS[value], (A, B)[which % 2].store.partition(".")[0]
        id = sorted(self.accounts)[which % len(self.accounts)] if self.accounts else ""
        sub = sorted(self.subscribers)[which % len(self.subscribers)] if self.subscribers else ""
        taken = {(e, i[:6]) for i, (e, _) in self.accounts.items()} | {(e, f"{i[:6]} list") for i, (e, *_) in self.subscribers.items()}
        if kind == "register" and (email, store) not in taken:
            id = f"{store}-{10 + at}"
            self.accounts[id], self.people[email].accounts[id] = (email, at), at
            self._tell(id, self._state(id))
        elif kind == "delete" and id:
            email, _ = self.accounts.pop(id)
            person = self.people[email]
            person.accounts.pop(id, None)
            if not person.accounts:
                self.people[email] = Person(ended=at)
            self._tell(id, customer_gone(_number(id), at=at))
        elif kind == "order" and id:
            email, _ = self.accounts[id]
            self.people[email].orders.add(f"{id[:6]}-{1000 + at}")
            self._tell(id, order(1000 + at, at=at, created=at, customer=_number(id), email="till@x", cart_id=f"c-{at}"))
        elif kind == "guest":
            self.people[email].orders.add(f"{store}-{1000 + at}")
            self._tell(store, order(1000 + at, at=at, created=at, email=email, cart_id=f"c-{at}"))
        elif kind == "subscribe" and (email, f"{store} list") not in taken:
            self._says(f"{store}-{500 + at}", email, [NEWSLETTER], at)
        elif kind == "consent" and sub:
            self._says(sub, self.subscribers[sub][0], [NEWSLETTER] * value, at)
        elif kind == "unsubscribe" and sub:
            self.subscribers.pop(sub)
            self._tell(sub, subscriber_gone(_number(sub), at=at))
        elif kind == "erase":
            self.people[email] = Person(ended=at)
            self._tell("", erased(email, at=at))

    def _says(self, id: str, email: str, consents: list[str], at: int) -> None:
        self.subscribers[id] = email, consents, at
        self._tell(id, subscriber(_number(id), email, consents, at=at, created=_number(id) - 500))

    def faults(self, ended: Engagement) -> list[str]:
        found = [f"clash {clash}" for clash in ended.clashes]
        found += [f"a stranger {p.hard}" for p in ended.live() if p.hard.get("email_id") not in EMAILS]
        for email in EMAILS:
            person, profile = self.people[email], ended.find("email_id", email)
            if (bought := set(profile.purchases()) if profile else set()) != person.orders:
                found.append(f"{email} bought {bought}, not {person.orders}")
            accepts = profile is not None and profile.consents().get("bigcommerce") == "accept"
            if accepts != any(e == email and consents and at > person.ended for e, consents, at in self.subscribers.values()):
                found.append(f"{email} {'accepts' if accepts else 'does not accept'}")
            if person.accounts and (profile is None or profile.property("phone") not in person.accounts):
                found.append(f"{email} is not known as any of {person.accounts}")
            if profile and not person.accounts and "customer_id" in profile.hard:
                found.append(f"{email} bears a deleted account")
        return found


def _store(id: str):
    return B if id.startswith("xyz789") else A


def _number(id: str) -> int:
    return int(id.partition("-")[2])


@settings(max_examples=400, deadline=None)
@given(STEPS)
@example(BACK)
@example(THIRD)
def test_accounts_of_two_stores_on_one_email_are_one_person_who_ends_with_the_last_of_them(steps: list[Step]):
    shops = Shops(steps)
    assert shops.line.letters == []
    assert shops.faults(Engagement().deliver(shops.line.commands)) == []
