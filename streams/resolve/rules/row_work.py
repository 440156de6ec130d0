"""One fact at work on a person's row: what came before, and whose a fact is. Theory: profiles.py."""

from dataclasses import dataclass

from msgspec.structs import replace

from schemas.people import AccountGone, AccountSeen, EmailTaken, PersonFact, SubscriptionGone, SubscriptionSeen
from streams.resolve.rules import holders
from streams.resolve.rules.change import Change, Send, Store
from streams.resolve.rules.fence import before
from streams.resolve.rules.lane import Lane
from streams.resolve.rules.persons import MAIN, Persons
from streams.resolve.tables import LiveAccount, Mark, Profile

HANDED_BACK = "back"  # the home's account is gone: the e-mail's own row deals with the fact


@dataclass(frozen=True)
class Place:
    """Where a fact belongs: to a profile of this row, to an account whose home is another, or nowhere."""

    person: str = MAIN  # with `home` the account
    home: str = ""
    refused: str = ""


class RowWork:
    """One fact at work on one row: collects the commands and what changes in the row."""

    def __init__(self, row: Profile, key: str, store: Store) -> None:
        self.row, self.key, self.store = row, key, store
        self.told = Persons(row, Lane(key, store.store, row.number))
        self.others: list[Send] = []
        self.accounts = dict(row.accounts)
        self.subscriptions = dict(row.subscriptions)
        self.holders, self.held_ms = holders.holders_of(row), row.held_ms
        self.marks = dict(row.marks)
        self.gone = dict(row.gone)
        self.moved_here = dict(row.moved_here)
        self.erased = dict(row.erased)
        self.erased_ms = row.erased_ms
        self.anonymized_ms, self.stayed_ms = row.anonymized_ms, row.stayed_ms

    def change(self, note: str) -> Change[Profile]:
        after = replace(
            self.row,
            email=self.told.email,
            persons=dict(sorted(self.told.persons.items())),
            bears=self.told.bears,
            accounts=dict(sorted(self.accounts.items())),
            subscriptions=dict(sorted(self.subscriptions.items())),
            holders=self.holders,
            held_ms=self.held_ms,
            marks=dict(sorted(self.marks.items())),
            gone=dict(sorted(self.gone.items())),
            moved_here=dict(sorted(self.moved_here.items())),
            erased=dict(sorted(self.erased.items())),
            erased_ms=self.erased_ms,
            anonymized_ms=self.anonymized_ms,
            stayed_ms=self.stayed_ms,
            number=self.told.lane.number,
            live_only=self.row.live_only or self.told.lane.has_anonymization,
            pointer="",
            pointer_customer="",
            pointer_ms=0,
        )
        unchanged = not self.told.lane.sends and after == self.row
        return Change(None if unchanged else after, [*self.told.lane.sends, *self.others], note)

    def mark(self, fact: PersonFact) -> bool:
        """Whether the fact is none that came before; its place is remembered.

        A subscription that moved leaves its old e-mail and enters the new one at the same place; both may be one row.
        """
        match fact:
            case AccountSeen() | AccountGone() | EmailTaken():
                of = f"account/{fact.customer}"
            case SubscriptionSeen() | SubscriptionGone():
                of = f"subscriber/{fact.subscriber}"
            case _:
                return True
        last = self.marks.get(of, Mark(-1))
        if fact.place < 0 or fact.place > last.place:
            self.marks[of] = Mark(max(fact.place, last.place), fact.via)
            return True
        if isinstance(fact, SubscriptionGone):
            return fact.place == last.place
        if fact.place < last.place or fact.via == last.via:
            return False
        self.marks[of] = Mark(fact.place, fact.via)
        return True

    # Whose it is.

    def place_at(self, at_ms: int, by: str, *, starts: bool) -> Place:
        """Whose a fact of that time by this row's e-mail is, or that was handed on here for the account `by`."""
        if by:
            return Place(self.accounts[by].person) if by in self.accounts else Place(refused="before the deletion")
        sharing = self.sharing()
        holder = holders.holder_at(self.holders, at_ms, [customer for customer, account in sharing.items() if account.here])
        if holder and holder.gone_ms and before(at_ms, holder.gone_ms):
            return Place(refused="before the deletion")
        if holder and not holder.gone_ms:
            if holder.home:
                return Place(holder.customer, home=holder.home)
            if holder.customer in self.accounts and self.accounts[holder.customer].person != MAIN:
                return Place(self.accounts[holder.customer].person)
        if self.anonymized_ms and before(at_ms, self.anonymized_ms):
            return Place(refused="before the deletion")
        if self.anonymized_ms and not (starts or sharing or MAIN in self.told.persons):
            return Place(refused="starts no profile")
        return Place()

    def sharing(self) -> dict[str, LiveAccount]:
        return {customer: account for customer, account in self.accounts.items() if account.person == MAIN}

    def writer_of_main(self) -> str:
        """The account that the profile bears, while it lives; then the oldest of those that share the profile."""
        sharing = self.sharing()
        if self.told.bears in sharing:
            return self.told.bears
        return min(sharing, key=lambda customer: (sharing[customer].created_ms, customer), default="")

    def customer_of(self, person: str) -> str:
        """The account that facts by e-mail stand beside in a profile."""
        return person or (self.told.bears if self.told.bears in self.accounts else "")
