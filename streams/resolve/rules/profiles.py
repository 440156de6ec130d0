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

from collections.abc import Iterable

from msgspec.structs import replace

from engagement.ids import bigcommerce_id
from schemas.keys import webhook_key
from schemas.people import AccountGone, AccountSeen, Activity, EmailTaken, Erased, Lapsed, PersonFact, SubscriptionGone, SubscriptionSeen
from schemas.topics import PEOPLE, WEBHOOKS
from schemas.webhooks import LookAt
from streams.resolve.rules import holders
from streams.resolve.rules.change import Change, Send, Store
from streams.resolve.rules.fence import before
from streams.resolve.rules.lapsed import lapsed
from streams.resolve.rules.persons import MAIN
from streams.resolve.rules.row_work import HANDED_BACK
from streams.resolve.rules.subscriptions import Subscriptions
from streams.resolve.tables import Holder, LiveAccount, Profile


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
        case Erased():
            note = work.erase(fact)
        case Lapsed():
            note = work.lapse(fact)
        case _:
            raise TypeError(f"no rule for {type(fact).__name__}")
    return work.change(note)


class _Work(Subscriptions):
    """What each fact does."""

    def hand_back(self, fact: PersonFact) -> Change[Profile]:
        """It was handed on to an account that is gone here: the row that it came from is told so, and deals with it."""
        if isinstance(fact, SubscriptionGone):
            return self.change("not known here")
        gone_ms = self.gone.get(fact.handed_on, self.erased.get(fact.handed_on, self.anonymized_ms))
        via = fact.via or self.store.lane_of(getattr(fact, "email", ""))
        self.others.append(Send(PEOPLE, via, self._gone_here(fact.handed_on, gone_ms)))
        self.others.append(Send(PEOPLE, via, replace(fact, handed_on=HANDED_BACK, via="")))
        return self.change("handed back")

    def _gone_here(self, customer: str, at_ms: int) -> AccountGone:
        return AccountGone(store=self.store.store, customer=customer, at_ms=at_ms, handed_on=HANDED_BACK)

    # Accounts.

    def account_seen(self, fact: AccountSeen) -> str:
        known = self.accounts.get(fact.customer)
        lane = self.store.lane_of(fact.email)
        here = lane == self.key
        if here and not known and self.erased_ms and before(fact.created_ms, self.erased_ms):
            self.erased.setdefault(fact.customer, self.erased_ms)
        if fact.customer in self.erased:
            return "of an erased person"
        if here:
            self.told.email = fact.email
        if here and not (known and known.here):
            self._take(Holder(fact.modified_ms if known else self._came_ms(fact), fact.customer))
        if here:
            self.held_ms = max(self.held_ms, fact.read_at_ms)
        person = known.person if known else self._choose_person(fact.customer)
        if person == MAIN and not self.told.bears:
            self.told.bears = fact.customer
        self.accounts[fact.customer] = LiveAccount(fact.created_ms, here, person, fact.read_at_ms, fact.store, lane)
        self.gone.pop(fact.customer, None)
        self._part()
        person = self.accounts[fact.customer].person
        if person != MAIN or self.writer_of_main() == fact.customer:
            self.told.write_properties(person, fact.customer, fact.email, fact.properties, fact.modified_ms)
        else:
            self.told.ensure_email(MAIN, {}, fact.modified_ms, "")
        self.settle(fact.modified_ms)
        return ""

    def _came_ms(self, fact: AccountSeen) -> int:
        """When an account that nobody saw before came to the e-mail: as it was created, or, where another had the e-mail after that, with
        its last change."""
        return fact.created_ms if fact.created_ms >= self.held_ms else fact.modified_ms

    def _choose_person(self, customer: str) -> str:
        """The profile of an account that is new here: its own where those of the e-mail's profile moved away."""
        writer = self.accounts.get(self.writer_of_main())
        moved_away = writer is not None and not writer.here
        return customer if moved_away or not self.told.email else MAIN

    def _part(self) -> None:
        """Accounts share a profile while they are on one e-mail: whoever is no longer where its writer is gets its own."""
        writer = self.writer_of_main()
        for customer, account in self.sharing().items():
            if account.here != self.accounts[writer].here:
                self.accounts[customer] = replace(account, person=customer)
                self._look(customer, "it has a profile of its own from now on")

    def _look(self, customer: str, why: str) -> None:
        """Ask for the account's state as a later second shows it: one of the same second would be no newer one and say nothing."""
        account = self.accounts[customer]
        store, id = account.store or self.store.store, bigcommerce_id(customer)
        look = LookAt(store=store, resource="customer", id=id, why=why, at_ms=account.read_at_ms + 1000, anew=True)
        self.others.append(Send(WEBHOOKS, webhook_key(store, "customer", id), look))

    def _take(self, holder: Holder) -> None:
        self.holders = holders.take(self.holders, holder)

    def email_taken(self, fact: EmailTaken) -> str:
        sharing = self.sharing()
        split = MAIN in self.told.persons and not sharing
        if split:
            self.moved_here[fact.customer] = fact.home
        else:
            self._take(Holder(fact.at_ms, fact.customer, fact.home))
            self.held_ms = max(self.held_ms, fact.at_ms)
            self.settle(fact.at_ms)
        if self.erased_ms and before(fact.at_ms, self.erased_ms):  # it was there already when that was asked for
            self._erase_at_homes(self.erased_ms, [(fact.customer, fact.home)], None)
        if split:
            return "split_person"
        return "split_person" if any(account.here for account in sharing.values()) else ""

    def account_gone(self, fact: AccountGone) -> str:
        self.moved_here.pop(fact.customer, None)
        if fact.handed_on == HANDED_BACK:
            self.holders = holders.end(self.holders, fact.customer, fact.at_ms, away=True)
            self.settle(fact.at_ms)
            return ""
        wrote = self.writer_of_main() == fact.customer
        account = self.accounts.pop(fact.customer, None)
        of_main = fact.customer in self.erased or (account is not None and account.person == MAIN)
        self.holders = holders.end(self.holders, fact.customer, fact.at_ms, away=of_main)
        if account is None:
            return self._moved_account_gone(fact)
        self.gone[fact.customer] = fact.at_ms
        stays = account.person == MAIN and any(before(a.created_ms, fact.at_ms) for a in self.sharing().values())
        self._end_handed_on(fact, stays=stays)
        if account.person != MAIN:
            self.told.anonymize(account.person, fact.at_ms)
            self.settle(fact.at_ms, ended=account.person)
            return ""
        heir = self.writer_of_main()
        if stays:
            self.stayed_ms = max(self.stayed_ms, fact.at_ms)
        else:
            self._end_main(max(self.stayed_ms, fact.at_ms), heir)
        if heir and (not stays or wrote):
            self._look(heir, "it writes the profile from now on")
        return "another live account stands on the e-mail" if stays else ""

    def _end_handed_on(self, gone: AccountGone, *, stays: bool) -> None:
        """Subscriptions that other rows handed on to the account end here; those rows are told that it is gone."""
        mine = {id: sub for id, sub in self.subscriptions.items() if sub.by == gone.customer}
        for via in sorted({sub.via for sub in mine.values()} - {""}):
            self.others.append(Send(PEOPLE, via, self._gone_here(gone.customer, gone.at_ms)))
        for id in mine:
            if stays:
                self.leave(id, gone.at_ms)
            else:
                del self.subscriptions[id]

    def _moved_account_gone(self, fact: AccountGone) -> str:
        """The row of a deleted account's present e-mail, which is not its home; or the home, told a second time."""
        if fact.customer in self.gone or (fact.place < 0 and self.anonymized_ms and before(fact.at_ms, self.anonymized_ms)):
            return "anonymized already"
        if self.accounts:
            self.settle(fact.at_ms)
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
        self.settle(at_ms, ended=MAIN)

    # Who asked to be erased, and who consented to nothing for long.

    def erase(self, fact: Erased) -> str:
        """Whoever the e-mail means, and all accounts that are on it, wherever their home is; what is younger stays."""
        if fact.customer:
            return self._erase_handed_on(fact)
        if fact.at_ms <= self.erased_ms:
            return "came before"
        self.erased_ms, email = fact.at_ms, self.told.email
        self.told.email = fact.email
        here = [customer for customer, account in self.sharing().items() if account.here]
        holder = holders.holder_at(self.holders, fact.at_ms, here)
        has_it = holder is None or holder.customer in self.sharing()
        by_email = set(self.sharing()) if has_it else {holder.customer} if holder else set()
        known = {customer for customer, account in self.accounts.items() if before(account.created_ms, fact.at_ms)}
        erased = {customer for customer in known if self.accounts[customer].here or customer in by_email}
        of_main = erased & set(self.sharing())
        for customer in sorted(erased):
            self._erase_account(customer, fact.at_ms)
        ended_later = self.anonymized_ms and before(fact.at_ms, self.anonymized_ms)
        of_another = not of_main and known & set(self.sharing())
        if not (ended_later or of_another):
            if MAIN not in self.told.persons:  # the web SDK, or another source, may have told Engagement of the person
                self.told.anonymize(MAIN, fact.at_ms)
            self._end_erased(fact.at_ms)
        else:
            self.told.email = email
        held = {(h.customer, h.home) for h in self.holders if h.home and not h.gone_ms and before(h.from_ms, fact.at_ms)}
        self._erase_at_homes(fact.at_ms, held | set(self.moved_here.items()), holder)
        return "the e-mail is the id of another's profile" if of_another else ""

    def _erase_at_homes(self, at_ms: int, accounts: Iterable[tuple[str, str]], holder: Holder | None) -> None:
        """Accounts of which the home is another row are erased there, the holder even if it left the e-mail."""
        for customer, home in sorted(accounts):
            holds = holder is not None and (holder.customer, holder.home) == (customer, home)
            erased = Erased(store=self.store.store, email="", at_ms=at_ms, customer=customer, holds=holds, via=self.key)
            self.others.append(Send(PEOPLE, home, erased))

    def _erase_handed_on(self, fact: Erased) -> str:
        """At the home of an account that has the e-mail. Who shares its profile starts a new one."""
        account = self.accounts.get(fact.customer)
        if account is None or not before(account.created_ms, fact.at_ms):
            return "not known here"
        if not fact.holds and account.lane not in ("", fact.via):
            return "has another e-mail by now"
        self._erase_account(fact.customer, fact.at_ms)
        if account.person == MAIN:
            self._end_erased(fact.at_ms)
        return ""

    def _erase_account(self, customer: str, at_ms: int) -> None:
        """It stays out; its own profile ends, or the one that it shares is about to; the row of its present e-mail is told."""
        account = self.accounts.pop(customer)
        self.erased[customer] = at_ms
        self.holders = holders.end(self.holders, customer, at_ms, away=account.person == MAIN)
        gone = AccountGone(store=self.store.store, customer=customer, at_ms=at_ms)
        self._end_handed_on(gone, stays=False)
        if account.person != MAIN:
            self.told.anonymize(account.person, at_ms)
            self.settle(at_ms, ended=account.person)
        if account.lane not in ("", self.key):
            self.others.append(Send(PEOPLE, account.lane, gone))

    def _end_erased(self, at_ms: int) -> None:
        heir = self.writer_of_main()
        self._end_main(max(self.stayed_ms, at_ms), heir)
        if heir:
            self._look(heir, "its profile was ended for another's sake, it starts a new one")

    def lapse(self, fact: Lapsed) -> str:
        if not lapsed(self.row, fact.at_ms, fact.days):
            return "has not lapsed"
        self._end_main(fact.at_ms)
        return ""

    # What comes by an account or an e-mail.

    def activity(self, fact: Activity) -> str:
        if fact.customer in self.erased:
            return self._activity_of_erased(fact)
        if fact.customer:
            if fact.customer not in self.accounts:
                return "before the deletion"
            person, customer = self.accounts[fact.customer].person, fact.customer
        else:
            by = fact.handed_on if fact.handed_on != HANDED_BACK else ""
            place = self.place_at(fact.born_ms, by, starts=fact.starts_profile)
            if place.refused:
                return place.refused
            if place.home and fact.handed_on != HANDED_BACK:
                self.others.append(Send(PEOPLE, place.home, replace(fact, handed_on=place.person, via=self.key)))
                return "handed on"
            person = MAIN if place.home else place.person
            customer = by or self.customer_of(person)
            self.told.email = self.told.email if by else fact.email or self.told.email
        if not self.told.ids(person, customer):
            return "nobody is known by it"
        soft = {"cart_id": fact.cart_id} if fact.cart_id and self._may_bear_cart(person, fact) else {}
        if not self.told.ensure_email(person, soft, fact.at_ms, customer) and soft and not fact.events:
            self.told.join(person, soft, fact.at_ms, customer)
        for event in fact.events:
            self.told.add_event(person, soft, customer, event)
        return ""

    def _activity_of_erased(self, fact: Activity) -> str:
        """What an account did after its person was erased is known by its e-mail alone, as a guest's."""
        if before(fact.born_ms, self.erased[fact.customer]):
            return "before the deletion"
        if not fact.email:
            return "of an erased person"
        as_guest, lane = replace(fact, customer="", email=fact.email), self.store.lane_of(fact.email)
        if lane == self.key:
            return self.activity(as_guest)
        self.others.append(Send(PEOPLE, lane, as_guest))
        return "as a guest's"

    def _may_bear_cart(self, person: str, fact: Activity) -> bool:
        """Whether the cart's id cannot merge two people: that would be one known by e-mail alone, one by customer id alone."""
        if person == MAIN:
            return bool(self.told.bears) or not fact.passed_on
        return not fact.passed_on and not fact.handed_on
