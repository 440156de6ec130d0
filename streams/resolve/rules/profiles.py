"""A person: which Engagement profile a fact belongs to, what it is told, and its end.

One row an e-mail, which serves several people over time: `holders` says which account took the e-mail when, and what comes
by the e-mail belongs to whoever had it at the fact's own time (an account that left it has it until another takes it). It is
dropped where that account was deleted after it, and handed on where the account's home is another row. Nobody took it yet:
it is for the profile with that `email_id`, MAIN. That profile also bears the first account's `customer_id`; hard ids never
change, so an account that takes the e-mail over after that one moved away is known by its customer id alone, and several
accounts on the e-mail at once share MAIN, of which one writes the properties.

Each subscription counts for one profile and is moved when the row learns that its e-mail was another's. A fact that is not
after the last one of its account or subscriber is a repetition, as a kill makes them, and changes nothing; a repeated
activity finds the same profile again, and Engagement drops equal events.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from schemas.keys import webhook_key
from schemas.people import AccountGone, AccountSeen, Activity, EmailTaken, PersonFact, SubscriptionGone, SubscriptionSeen
from schemas.topics import PEOPLE, WEBHOOKS
from schemas.webhooks import LookAt
from streams.resolve.rules import holders
from streams.resolve.rules.change import Change, Send, Store
from streams.resolve.rules.fence import before
from streams.resolve.rules.lane import Lane
from streams.resolve.rules.persons import MAIN, Persons
from streams.resolve.tables import Holder, LiveAccount, LiveSubscription, Mark, Profile

HANDED_BACK = "back"  # the home's account is gone: the e-mail's own row deals with the fact


def apply_fact(row: Profile, key: str, fact: PersonFact, store: Store) -> Change[Profile]:
    """One fact about a person; `key` is the row's. What belongs before the person's deletion is dropped, and said so."""
    work = _Work(row, key, store)
    if not work.mark(fact):
        return Change(None, note="came before")
    if fact.handed_on not in ("", HANDED_BACK, *row.accounts):
        return work.hand_back(fact)
    match fact:
        case AccountSeen():
            note = work.account_seen(fact)
        case AccountGone():
            note = work.account_gone(fact)
        case Activity():
            note = work.activity(fact)
        case SubscriptionSeen():
            note = work.subscription_seen(fact)
        case SubscriptionGone():
            note = work.subscription_gone(fact)
        case EmailTaken():
            note = work.email_taken(fact)
        case _:
            raise TypeError(f"no rule for {type(fact).__name__}")
    return work.change(note)


@dataclass(frozen=True)
class _Place:
    """Where a fact belongs: to a profile of this row, to an account whose home is another, or nowhere."""

    person: str = MAIN  # with `home` the account
    home: str = ""
    refused: str = ""


class _Work:
    """One fact at work on one row: collects the commands and what changes in the row."""

    def __init__(self, row: Profile, key: str, store: Store) -> None:
        self.row, self.key, self.store = row, key, store
        self.told = Persons(row, Lane(key, store.store, row.number))
        self.others: list[Send] = []
        self.accounts = dict(row.accounts)
        self.subscriptions = dict(row.subscriptions)
        self.holders = holders.holders_of(row)
        self.marks = dict(row.marks)
        self.gone = dict(row.gone)
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
            marks=dict(sorted(self.marks.items())),
            gone=dict(sorted(self.gone.items())),
            anonymized_ms=self.anonymized_ms,
            stayed_ms=self.stayed_ms,
            number=self.told.lane.number,
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

    def _place(self, at_ms: int, by: str, *, starts: bool) -> _Place:
        """Whose a fact of that time by this row's e-mail is, or that was handed on here for the account `by`."""
        if by:
            return _Place(self.accounts[by].person) if by in self.accounts else _Place(refused="before the deletion")
        sharing = self._sharing()
        holder = holders.holder_at(self.holders, at_ms, [customer for customer, account in sharing.items() if account.here])
        if holder and holder.gone_ms and before(at_ms, holder.gone_ms):
            return _Place(refused="before the deletion")
        if holder and not holder.gone_ms:
            if holder.home:
                return _Place(holder.customer, home=holder.home)
            if holder.customer in self.accounts and self.accounts[holder.customer].person != MAIN:
                return _Place(self.accounts[holder.customer].person)
        if self.anonymized_ms and before(at_ms, self.anonymized_ms):
            return _Place(refused="before the deletion")
        if self.anonymized_ms and not (starts or sharing or MAIN in self.told.persons):
            return _Place(refused="starts no profile")
        return _Place()

    def _sharing(self) -> dict[str, LiveAccount]:
        return {customer: account for customer, account in self.accounts.items() if account.person == MAIN}

    def _writer_of_main(self) -> str:
        """The account that the profile bears, while it lives; then the oldest of those that share the profile."""
        sharing = self._sharing()
        if self.told.bears in sharing:
            return self.told.bears
        return min(sharing, key=lambda customer: (sharing[customer].created_ms, customer), default="")

    def _customer_of(self, person: str) -> str:
        """The account that facts by e-mail stand beside in a profile."""
        return person or (self.told.bears if self.told.bears in self.accounts else "")

    def hand_back(self, fact: PersonFact) -> Change[Profile]:
        """It was handed on to an account that is gone here: the row that it came from is told so, and deals with it."""
        if isinstance(fact, SubscriptionGone):
            return self.change("not known here")
        gone_ms = self.gone.get(fact.handed_on, self.anonymized_ms)
        via = fact.via or self.store.lane_of(getattr(fact, "email", ""))
        self.others.append(Send(PEOPLE, via, self._gone_here(fact.handed_on, gone_ms)))
        self.others.append(Send(PEOPLE, via, replace(fact, handed_on=HANDED_BACK, via="")))
        return self.change("handed back")

    def _gone_here(self, customer: str, at_ms: int) -> AccountGone:
        return AccountGone(store=self.store.store, customer=customer, at_ms=at_ms, handed_on=HANDED_BACK)

    # Accounts.

    def account_seen(self, fact: AccountSeen) -> str:
        known = self.accounts.get(fact.customer)
        here = self.store.lane_of(fact.email) == self.key
        if here:
            self.told.email = fact.email
        if here and not (known and known.here):
            self._take(Holder(fact.modified_ms if known else fact.created_ms, fact.customer))
        person = known.person if known else self._choose_person(fact.customer)
        if person == MAIN and not self.told.bears:
            self.told.bears = fact.customer
        self.accounts[fact.customer] = LiveAccount(fact.created_ms, here, person, fact.read_at_ms)
        self.gone.pop(fact.customer, None)
        self._part()
        person = self.accounts[fact.customer].person
        if person != MAIN or self._writer_of_main() == fact.customer:
            self.told.write_properties(person, fact.customer, fact.email, fact.properties, fact.modified_ms)
        else:
            self.told.ensure_email(MAIN, {}, fact.modified_ms, "")
        self._settle(fact.modified_ms)
        return ""

    def _choose_person(self, customer: str) -> str:
        """The profile of an account that is new here: its own where those of the e-mail's profile moved away."""
        writer = self.accounts.get(self._writer_of_main())
        moved_away = writer is not None and not writer.here
        return customer if moved_away or not self.told.email else MAIN

    def _part(self) -> None:
        """Accounts share a profile while they are on one e-mail: whoever is no longer where its writer is gets its own."""
        writer = self._writer_of_main()
        for customer, account in self._sharing().items():
            if account.here != self.accounts[writer].here:
                self.accounts[customer] = replace(account, person=customer)
                self._look(customer, "it has a profile of its own from now on")

    def _look(self, customer: str, why: str) -> None:
        """Ask for the account's state as a later second shows it: one of the same second would be no newer one and say nothing."""
        at_ms = self.accounts[customer].read_at_ms + 1000
        look = LookAt(store=self.store.store, resource="customer", id=customer, why=why, at_ms=at_ms, anew=True)
        self.others.append(Send(WEBHOOKS, webhook_key(self.store.store, "customer", customer), look))

    def _take(self, holder: Holder) -> None:
        self.holders = holders.take(self.holders, holder)

    def email_taken(self, fact: EmailTaken) -> str:
        sharing = self._sharing()
        if MAIN in self.told.persons and not sharing:
            return "split_person"
        self._take(Holder(fact.at_ms, fact.customer, fact.home))
        self._settle(fact.at_ms)
        return "split_person" if any(account.here for account in sharing.values()) else ""

    def account_gone(self, fact: AccountGone) -> str:
        if fact.handed_on == HANDED_BACK:
            self.holders = holders.end(self.holders, fact.customer, fact.at_ms, away=True)
            self._settle(fact.at_ms)
            return ""
        account = self.accounts.pop(fact.customer, None)
        self.holders = holders.end(self.holders, fact.customer, fact.at_ms, away=account is not None and account.person == MAIN)
        if account is None:
            return self._moved_account_gone(fact)
        self.gone[fact.customer] = fact.at_ms
        stays = account.person == MAIN and any(before(a.created_ms, fact.at_ms) for a in self._sharing().values())
        self._end_handed_on(fact, stays=stays)
        if account.person != MAIN:
            self.told.anonymize(account.person, fact.at_ms)
            self._settle(fact.at_ms, ended=account.person)
            return ""
        heir, borne = self._writer_of_main(), self.told.bears
        if stays:
            self.stayed_ms = max(self.stayed_ms, fact.at_ms)
        else:
            self._end_main(max(self.stayed_ms, fact.at_ms), heir)
        if heir and (not stays or borne == fact.customer):
            self._look(heir, "it writes the profile from now on")
        return "another live account stands on the e-mail" if stays else ""

    def _end_handed_on(self, gone: AccountGone, *, stays: bool) -> None:
        """Subscriptions that other rows handed on to the account end here; those rows are told that it is gone."""
        mine = {id: sub for id, sub in self.subscriptions.items() if sub.by == gone.customer}
        for via in sorted({sub.via for sub in mine.values()} - {""}):
            self.others.append(Send(PEOPLE, via, self._gone_here(gone.customer, gone.at_ms)))
        for id in mine:
            if stays:
                self._leave(id, gone.at_ms)
            else:
                del self.subscriptions[id]

    def _moved_account_gone(self, fact: AccountGone) -> str:
        """The row of a deleted account's present e-mail, which is not its home; or the home, told a second time."""
        if fact.customer in self.gone or (fact.place < 0 and self.anonymized_ms and before(fact.at_ms, self.anonymized_ms)):
            return "anonymized already"
        if self.accounts:
            self._settle(fact.at_ms)
            return "another live account stands on the e-mail"
        self._end_main(fact.at_ms)
        return ""

    def _end_main(self, at_ms: int, heir: str = "") -> None:
        if MAIN in self.told.persons:
            self.told.anonymize(MAIN, at_ms)
        self.told.bears = heir
        self.anonymized_ms, self.stayed_ms = max(self.anonymized_ms, at_ms), 0
        if not self.accounts:
            self.told.email = ""
        self._settle(at_ms, ended=MAIN)

    # What comes by an account or an e-mail.

    def activity(self, fact: Activity) -> str:
        if fact.customer:
            if fact.customer not in self.accounts:
                return "before the deletion"
            person, customer = self.accounts[fact.customer].person, fact.customer
        else:
            by = fact.handed_on if fact.handed_on != HANDED_BACK else ""
            place = self._place(fact.born_ms, by, starts=fact.starts_profile)
            if place.refused:
                return place.refused
            if place.home and fact.handed_on != HANDED_BACK:
                self.others.append(Send(PEOPLE, place.home, replace(fact, handed_on=place.person, via=self.key)))
                return "handed on"
            person = MAIN if place.home else place.person
            customer = by or self._customer_of(person)
            self.told.email = self.told.email if by else fact.email or self.told.email
        if not self.told.ids(person, customer):
            return "nobody is known by it"
        soft = {"cart_id": fact.cart_id} if fact.cart_id and self._may_bear_cart(person, fact) else {}
        if not self.told.ensure_email(person, soft, fact.at_ms, customer) and soft and not fact.events:
            self.told.join(person, soft, fact.at_ms, customer)
        for event in fact.events:
            self.told.add_event(person, soft, customer, event)
        return ""

    def _may_bear_cart(self, person: str, fact: Activity) -> bool:
        """Whether the cart's id cannot merge two people: that would be one known by e-mail alone, one by customer id alone."""
        if person == MAIN:
            return bool(self.told.bears) or not fact.passed_on
        return not fact.passed_on and not fact.handed_on

    def subscription_seen(self, fact: SubscriptionSeen) -> str:
        by = fact.handed_on if fact.handed_on != HANDED_BACK else ""
        subscription = LiveSubscription(
            consents=fact.consents,
            can_hold=fact.can_hold,
            email=fact.email,
            since_ms=fact.since_ms or fact.created_ms,
            modified_ms=fact.modified_ms,
            by=by,
            via=fact.via,
        )
        place = self._place(subscription.since_ms, by, starts=bool(fact.consents))
        last = self.subscriptions.get(fact.subscriber)
        if last and (place.refused or (last.home, last.person) != (place.home, place.person)):
            self._leave(fact.subscriber, fact.modified_ms)
        if not place.refused:
            self._enter(fact.subscriber, replace(subscription, person=place.person, home=place.home))
        return place.refused or ("handed on" if place.home else "")

    def subscription_gone(self, fact: SubscriptionGone) -> str:
        last = self.subscriptions.get(fact.subscriber)
        if last is None or last.via != fact.via:
            return "not known here"
        self._leave(fact.subscriber, fact.at_ms)
        return "handed on" if last.home else ""

    def _enter(self, id: str, subscription: LiveSubscription) -> None:
        """It counts for its profile from now on, or for its holder's, whose home is told."""
        new = id not in self.subscriptions
        self.subscriptions[id] = subscription
        if subscription.home:
            seen = SubscriptionSeen(
                store=self.store.store,
                handed_on=subscription.person,
                via=self.key,
                place=self._place_of(id),
                subscriber=id,
                email=subscription.email,
                consents=subscription.consents,
                can_hold=subscription.can_hold,
                created_ms=subscription.since_ms,
                modified_ms=subscription.modified_ms,
                since_ms=subscription.since_ms,
            )
            self.others.append(Send(PEOPLE, subscription.home, seen))
            return
        if not subscription.by:
            self.told.email = subscription.email or self.told.email
        person, at_ms = subscription.person, subscription.modified_ms
        customer = subscription.by or self._customer_of(person)
        soft = {"subscriber_id": id} if person == MAIN else {}  # it may pass from one person to another: see _may_bear_cart
        joined = self.told.ensure_email(person, soft, at_ms, customer)
        changed = self._tell_consents(person, soft, at_ms, customer)
        if new and soft and not joined and not changed:
            self.told.join(person, soft, at_ms, customer)

    def _leave(self, id: str, at_ms: int) -> None:
        """It counts no more where it did. Without its id: the profile that it enters may be told first."""
        last = self.subscriptions.pop(id)
        if last.home:
            gone = SubscriptionGone(
                store=self.store.store, handed_on=last.person, via=self.key, place=self._place_of(id), subscriber=id, at_ms=at_ms
            )
            self.others.append(Send(PEOPLE, last.home, gone))
        else:
            self._tell_consents(last.person, {}, at_ms, last.by or self._customer_of(last.person))

    def _place_of(self, id: str) -> int:
        mark = self.marks.get(f"subscriber/{id}")
        return mark.place if mark else -1

    def _settle(self, at_ms: int, ended: str | None = None) -> None:
        """Subscriptions follow what the row knows of its holders now; those of a person that `ended` start again or are dropped."""
        for id, last in self.subscriptions.copy().items():
            of_ended = ended == last.person and not last.home
            if of_ended:
                del self.subscriptions[id]
            place = self._place(last.since_ms, last.by, starts=bool(last.consents))
            if not of_ended:
                if not place.refused and (last.home, last.person) == (place.home, place.person):
                    continue
                self._leave(id, at_ms)
            if not place.refused:
                self._enter(id, replace(last, person=place.person, home=place.home))

    def _tell_consents(self, person: str, soft: dict[str, str], at_ms: int, customer: str) -> bool:
        subscriptions = [sub for sub in self.subscriptions.values() if sub.person == person and not sub.home]
        return self.told.tell_consents(person, soft, at_ms, customer, subscriptions)
