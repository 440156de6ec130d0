"""Whose a fact is: the profiles that an account or an e-mail can mean at a time, and what a deletion does to that.

An account's facts are its own, wherever its e-mail goes: the profile with its `customer_id`. An e-mail means the account that
has it or had it last; its own profile (with that `email_id`) where nobody had it, and where it had one before an account moved
to it. What belongs before a deletion stands on the anonymized profile or nowhere.
Facts that are closer together than a state can stay unread may have been met in either order: then either is right.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import compress, product

from ops.demo.compare.held import Key, Profile
from ops.demo.compare.shop import Entity, Shop, clean, email_of, placed

MOMENT_S = 0.001


@dataclass
class Whose:
    """A fact may stand on a live profile with one of `live`, on an anonymized one that had one of `ended`, or, if `missable`, nowhere."""

    live: set[Key] = field(default_factory=set)
    ended: set[Key] = field(default_factory=set)
    missable: bool = False

    def allows(self, profile: Profile) -> bool:
        return bool(self.ended & profile.former) if profile.anonymized else bool(self.live & set(profile.hard.items()))

    @property
    def lives(self) -> bool:
        """Whether it certainly stands on a live profile."""
        return not (self.missable or self.ended)

    def misplaced(self, profile: Profile) -> str:
        """What is wrong with a fact's standing there, "" where nothing is."""
        if self.allows(profile):
            return ""
        return "stands on another person's profile" if self.live else "is a deleted person's, but stands on another profile"

    def __or__(self, other: "Whose") -> "Whose":
        return Whose(self.live | other.live, self.ended | other.ended, self.missable or other.missable)


@dataclass(frozen=True)
class Tenure:
    """An account has an e-mail from `since_s` until it takes another one or is deleted; `seen`: somebody certainly read that it has it."""

    account: Entity
    since_s: float
    until_s: float
    seen: bool


class Owners:
    """Answers from the shop's history alone."""

    def __init__(self, shop: Shop, lapsed: Mapping[str, float] | None = None) -> None:
        """`lapsed`: e-mails whose people were ended by a daily run, and when, UNIX seconds; all was at rest then."""
        self._shop, self._lapsed = shop, lapsed or {}
        self.tenures: dict[str, list[Tenure]] = defaultdict(list)
        self._facts: dict[str, list[tuple[float, bool]]] = defaultdict(list)
        for account in shop.customers.values():
            self._follow(account)
        for held in self.tenures.values():
            held.sort(key=lambda tenure: tenure.since_s)
        for subscriber in shop.subscribers.values():
            self._facts[clean(subscriber.last.body["email"])] += [
                (state.at_s, True) for n, state in enumerate(subscriber.states) if not n or state.body["consents"]
            ]
        for order in shop.orders.values():
            if not order.last.body["customer_id"] and any(placed(state.body) for state in order.states):
                self._facts[email_of(order.last.body)].append((order.states[0].at_s, True))
        for cart in shop.carts.values():
            for state in cart.states:
                if state.body["email"] and not state.body["customer_id"]:
                    self._facts[clean(state.body["email"])].append((state.at_s, False))

    def _follow(self, account: Entity) -> None:
        emails = [clean(state.body["email"]) for state in account.states]
        gone_s = float("inf") if account.deleted_s is None else account.deleted_ms / 1000
        since = 0
        for number, email in enumerate(emails):
            if number + 1 == len(emails) or emails[number + 1] != email:
                until_s = gone_s if number + 1 == len(emails) else account.states[number + 1].at_s
                seen = not all(state.brief for state in account.states[since : number + 1])
                self.tenures[email].append(Tenure(account, account.states[since].at_s, until_s, seen))
                since = number + 1

    def account(self, id: str) -> Whose:
        """Whose an account's facts are."""
        account = self._shop.customers.get(id)
        key = ("customer_id", id)
        return Whose(live={key}) if account and account.deleted_s is None else Whose(ended={key}, missable=True)

    def email(self, email: str, at_s: float, told_s: float | None = None) -> Whose:
        """Whose a fact by e-mail is that came at `at_s`; for deletions it counts as of `told_s` where that is given."""
        born_s = at_s if told_s is None else told_s
        return reduce(Whose.__or__, (self._of(email, at_s, born_s, held) for held in self._readings(email)))

    def _readings(self, email: str) -> Iterator[list[Tenure]]:
        """The tenures of an e-mail that somebody can have read: each that stood briefly may be among them or not."""
        held = self.tenures[email]
        for read in product(*([True] if tenure.seen else [True, False] for tenure in held)):
            yield list(compress(held, read))

    def _of(self, email: str, at_s: float, born_s: float, held: list[Tenure]) -> Whose:
        """The same, where these accounts had the e-mail and no other did."""
        near = self._shop.seen_within_s
        meant = {key for moment in self._moments(at_s, held) for key in self._meant(email, moment, held)}
        whose, certain = self._ended(email, born_s, held, meant)
        if certain:
            return whose
        for key in meant:
            deletions = self._deletions(key, email, held)
            overtakes = any(0 <= born_s - gone_s <= near for gone_s in deletions)
            if any(int(born_s) <= gone_s for gone_s in deletions):
                certain = any(int(born_s) <= gone_s for gone_s in self._deletions(key, email, held, certain=True))
                whose |= Whose(live=set() if certain else {key}, ended={key}, missable=True)
            elif key[0] == "customer_id" and deletions:
                whose |= Whose(ended={key} if overtakes else set())
            else:
                whose |= Whose(live={key}, ended={key} if overtakes else set())
        return whose

    def _ended(self, email: str, born_s: float, held: list[Tenure], meant: set[Key]) -> tuple[Whose, bool]:
        """Whose a fact was that ended with a person whom the e-mail `meant` when it came, and still then; and whether that is certain."""
        if born_s <= self._lapsed.get(email, 0):
            return Whose(ended={("email_id", email)}, missable=True), True
        for tenure in {one.account.id: one for one in reversed(held) if int(born_s) <= (one.account.deleted_s or -1)}.values():
            gone, own = tenure.account, {("email_id", email)}
            certain = {("customer_id", gone.id)} | (own if self._was_its(email, tenure, held, certain=True) else set())
            keys = certain | (own if self._was_its(email, tenure, held, certain=False) else set())
            then = [self._meant(email, moment, held) for moment in self._moments(_gone_s(gone) - MOMENT_S, held)]
            if keys & meant and any(keys & one for one in then):
                return Whose(ended=keys | own, missable=True), all(one <= certain for one in (meant, *then))
        return Whose(), False

    def _moments(self, at_s: float, held: list[Tenure]) -> set[float]:
        """The time itself, and before and after each change of the e-mail's accounts that may have been met in another order."""
        changes = {change_s for t in held for change_s in (t.since_s, t.until_s, _gone_s(t.account))}
        near = {change_s for change_s in changes if abs(change_s - at_s) <= self._shop.seen_within_s}
        return {at_s} | near | {change_s - MOMENT_S for change_s in near}

    def has_lapsed(self, email: str) -> bool:
        return email in self._lapsed

    def deleted_before(self, email: str, at_s: float) -> bool:
        """Whether somebody of that e-mail was deleted before: then a cart alone makes nobody known."""
        own, until_s = ("email_id", email), at_s + self._shop.seen_within_s
        return any(gone_s < until_s for held in self._readings(email) for gone_s in self._deletions(own, email, held))

    def may_be_known(self, email: str) -> bool:
        """Whether a fact by e-mail may have made a profile of its own, one that still lives."""
        return any(
            ("email_id", email) in self.email(email, at_s).live and (starts or not self.deleted_before(email, at_s))
            for at_s, starts in self._facts[email]
        )

    def homes(self, account: Entity) -> set[str]:
        """The e-mails under which an account can have been met first; one of them is its `email_id`, if it has one."""
        return {clean(state.body["email"]) for state in account.first_seen}

    def may_lack_email_id(self, account: Entity) -> bool:
        """Whether its first e-mail can belong to another account's profile: one that was there before, and moved on."""
        near = self._shop.seen_within_s
        first_s, last_s = account.states[0].at_s - near, account.first_seen[-1].at_s + near
        return any(
            tenure.since_s <= last_s and _gone_s(tenure.account) >= first_s
            for email in self.homes(account)
            for tenure in self.tenures[email]
            if tenure.account is not account and email in self.homes(tenure.account)
        )

    def _meant(self, email: str, at_s: float, held: list[Tenure]) -> set[Key]:
        own, past = ("email_id", email), [tenure for tenure in held if tenure.since_s <= at_s]
        if not past or _gone_s(past[-1].account) <= at_s:
            return {own}
        last = past[-1]
        taken = {("customer_id", last.account.id)}
        before = [tenure for tenure in past[:-1] if tenure.account is not last.account and _gone_s(tenure.account) > last.since_s]
        if last.until_s <= at_s:  # left, and nobody took it: what those who had it before left behind may still be meant
            taken |= {("customer_id", tenure.account.id) for tenure in before if _gone_s(tenure.account) > at_s}
        homes = self.homes(last.account)
        if homes == {email}:
            return taken
        left = [self.homes(tenure.account) for tenure in before if email in self.homes(tenure.account)]
        moved_in = (taken if left else set()) | (set() if {email} in left else self._moved_in(email, last, held))
        return taken | moved_in if email in homes else moved_in

    def _moved_in(self, email: str, tenure: Tenure, held: list[Tenure]) -> set[Key]:
        """An account moved to an e-mail: it means the account from then on, unless it had a profile of its own before."""
        near, own, account = self._shop.seen_within_s, ("email_id", email), ("customer_id", tenure.account.id)
        gone_s = max((at_s for at_s in self._deletions(own, email, held) if at_s < tenure.since_s), default=-1)
        earlier = [one for one in held if one.since_s < tenure.since_s]
        meant = {
            at_s: [self._meant(email, moment, earlier) for moment in self._moments(at_s, earlier)]
            for at_s, _ in self._facts[email]
            if int(at_s) > gone_s and at_s <= tenure.since_s + near
        }
        if not any(own in keys for each in meant.values() for keys in each):
            return {account}
        surely = [at_s for at_s, each in meant.items() if all(keys == {own} for keys in each)]
        known = any(self._shop.read_from(at_s) < tenure.since_s - near for at_s in surely)
        return {own} if known else {account, own}

    def _deletions(self, key: Key, email: str, held: list[Tenure], *, certain: bool = False) -> list[int]:
        """When the person whom the key means was deleted, in whole seconds; `certain`: without what may have ended nothing."""
        if key[0] == "customer_id":
            account = self._shop.customers[key[1]]
            return [] if account.deleted_s is None else [account.deleted_s]
        return [
            tenure.account.deleted_s
            for tenure in held
            if tenure.account.deleted_s is not None
            and self._may_end_with(email, tenure.account, certain=certain)
            and not self._lives_there(email, tenure, held, certain=not certain)
        ]

    def _may_end_with(self, email: str, account: Entity, *, certain: bool) -> bool:
        """Whether an account's deletion ends what stands under an e-mail: its home's, and that on which it was read last."""
        last = {clean(state.body["email"]) for state in account.last_seen}
        return self._is_home(email, account, certain=certain) or (last == {email} if certain else email in last)

    def _was_its(self, email: str, gone: Tenure, held: list[Tenure], *, certain: bool) -> bool:
        """Whether the profile of the e-mail, where a deleted account began, was its own at the end."""
        return self._is_home(email, gone.account, certain=certain) and not self._lives_there(email, gone, held, certain=not certain)

    def _lives_there(self, email: str, gone: Tenure, held: list[Tenure], *, certain: bool) -> bool:
        """Whether another account that began with this e-mail outlived the deleted one: the profile stays that account's. Unless the
        deleted one began here before it: then who took the e-mail has a profile of its own."""
        until_s = gone.since_s if self._is_home(email, gone.account, certain=not certain) else _gone_s(gone.account)
        return any(
            self._is_home(email, tenure.account, certain=certain)
            and tenure.since_s < until_s
            and _gone_s(gone.account) < _gone_s(tenure.account)
            for tenure in held
            if tenure.account is not gone.account
        )

    def _is_home(self, email: str, account: Entity, *, certain: bool) -> bool:
        """Whether an account can have been met under the e-mail first; `certain`: nowhere else."""
        homes = self.homes(account)
        return homes == {email} if certain else email in homes


def _gone_s(account: Entity) -> float:
    return float("inf") if account.deleted_s is None else account.deleted_ms / 1000
