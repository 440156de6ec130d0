"""Random lives of a few people with few e-mails, and what a project must hold of them in the end: the truth, from the life alone."""

from collections import defaultdict
from dataclasses import dataclass, field

from bigcommerce.subscribers import ABANDONED_CART, NEWSLETTER
from schemas.records import Message
from tests.streams.resolve.engagement import Engagement, Profile
from tests.streams.resolve.line import Line, cart, customer, customer_gone, erased, order, subscriber, subscriber_gone

EMAILS = ["a@x", "b@x", "c@x"]
CONSENTS = [[NEWSLETTER], [NEWSLETTER, ABANDONED_CART], []]
CATEGORIES = {NEWSLETTER: "bigcommerce", ABANDONED_CART: "bigcommerce_abandoned_cart"}
KINDS = ["register", "move", "delete", "touch", "order", "guest", "cart", "subscribe", "consent", "move subscriber", "unsubscribe", "erase"]
Step = tuple[str, int, int]  # kind, which one, which e-mail or consents


@dataclass
class Account:
    created: int
    emails: list[tuple[int, str]]  # with the time from which on
    touched: int
    gone: int = 0
    erased: int = 0
    in_doubt: bool = False  # an e-mail that it left was erased, and may have meant its guests: either may be right

    @property
    def ended(self) -> int:
        """When Engagement was to forget it, 0 for never."""
        return min(filter(None, (self.gone, self.erased)), default=0)

    def had(self, email: str) -> bool:
        return any(e == email for _, e in self.emails)


@dataclass
class Subscriber:
    created: int
    email: str
    consents: list[str]
    moved: bool = False
    gone: int = 0
    said: int = 0  # its consents


@dataclass
class Life:
    """What people did, in steps of ten seconds; `messages` is what fetch reads of it. No two live accounts share an e-mail."""

    steps: list[Step]
    accounts: dict[int, Account] = field(default_factory=dict)
    subscribers: dict[int, Subscriber] = field(default_factory=dict)
    orders: dict[int, tuple[int, str, int]] = field(default_factory=dict)  # account or 0, the guest's e-mail, time
    messages: list[Message] = field(default_factory=list)
    carts: dict[str, int] = field(default_factory=dict)  # versions
    erasures: list[tuple[int, str]] = field(default_factory=list)
    reads: int = 0

    def __post_init__(self) -> None:
        for n, (kind, which, value) in enumerate(self.steps, 1):
            self._step(n * 10, kind, which, value)

    def _step(self, at: int, kind: str, which: int, value: int) -> None:
        live = [id for id, account in self.accounts.items() if not account.gone]
        listed = [id for id, subscriber in self.subscribers.items() if not subscriber.gone]
        email = EMAILS[value]
        free = email not in {self.accounts[id].emails[-1][1] for id in live}
        unlisted = email not in {self.subscribers[id].email for id in listed}
        id, sub = (ids[which % len(ids)] if ids else 0 for ids in (live, listed))
        if kind == "register" and free:
            id = 11 + len(self.accounts)
            self.accounts[id] = Account(at, [(at, email)], at)
            self.messages.append(self.state(id))
        elif kind == "move" and id and free:
            self.accounts[id].emails.append((at, email))
            self.messages.append(self.state(id))
        elif kind == "touch" and id:
            self.accounts[id].touched = at
            self.messages.append(self.state(id))
        elif kind == "delete" and id:
            self.accounts[id].gone = at
            self.messages.append(customer_gone(id, at=at))
        elif kind == "guest" or (kind == "order" and id):
            number, buyer = 1000 + at, id if kind == "order" else 0
            self.orders[number] = buyer, "" if buyer else email, at
            at_till = "till@x" if buyer else email
            self.messages.append(order(number, created=at, at=at, customer=buyer, email=at_till, cart_id=f"c-{number}"))
        elif kind == "cart":
            name = f"k{which % 2}"
            version = self.carts[name] = self.carts.get(name, 0) + 1
            buyer = id if value == 0 else 0
            self.messages.append(cart(name, {"7": version}, version=version, at=at, customer=buyer, email=email if value == 1 else "x@x"))
        elif kind == "subscribe" and unlisted:
            sub = 501 + len(self.subscribers)
            self.subscribers[sub] = Subscriber(at, email, CONSENTS[which % 3])
            self.messages.append(self._subscriber(sub, at))
        elif kind == "consent" and sub:
            self.subscribers[sub].consents = CONSENTS[value]
            self.messages.append(self._subscriber(sub, at))
        elif kind == "move subscriber" and sub and unlisted:
            self.subscribers[sub].email, self.subscribers[sub].moved = email, True
            self.messages.append(self._subscriber(sub, at))
        elif kind == "erase":
            owner = self.owner(email, at)
            self.erasures.append((at, email))
            for id in live:
                account = self.accounts[id]
                if account.emails[-1][1] == email or (id == owner and not self.is_split(email)):
                    account.erased = account.erased or at
                account.in_doubt |= id == owner and account.emails[-1][1] != email and self.is_split(email)
            self.messages.append(erased(email, at=at))
        elif kind == "unsubscribe" and sub:
            self.subscribers[sub].gone = at
            self.messages.append(subscriber_gone(sub, at=at))

    def state(self, id: int, read: int = 0) -> Message:
        account = self.accounts[id]
        modified = max(account.emails[-1][0], account.touched)
        return customer(id, account.emails[-1][1], at=modified, created=account.created, phone=f"{id}-{account.touched}", read=read)

    def _subscriber(self, id: int, at: int) -> Message:
        found = self.subscribers[id]
        found.said = at
        return subscriber(id, found.email, found.consents, at=at, created=found.created)

    def answer(self, line: Line) -> None:
        """fetch reads the accounts that were asked for until nothing is asked any more."""
        for _ in range(5):
            asked, line.looks = line.looks, []
            for look in asked:
                account = self.accounts.get(int(look.id))
                if account and not account.gone:
                    self.reads += 5
                    line.tell(self.state(int(look.id), read=100_000 + self.reads))
            line.run()

    def owner(self, email: str, at: int) -> int:
        """The account that took the e-mail last until then, 0 for none."""
        taken = [(since, id) for id, account in self.accounts.items() for since, e in account.emails if e == email and since <= at]
        return max(taken, default=(0, 0))[1]

    def emails_of(self, id: int) -> set[str]:
        return {email for _, email in self.accounts[id].emails} if id else set()

    def deletions(self, email: str) -> list[int]:
        """When something of those who had the e-mail was to be forgotten."""
        accounts = [account for account in self.accounts.values() if account.had(email)]
        found = [at for account in accounts for at in (account.gone, account.erased) if at]
        return found + [at for at, erased_email in self.erasures if erased_email == email or any(a.in_doubt for a in accounts)]

    def is_near_erasure(self, email: str) -> bool:
        """An account that had it had an e-mail, too, that was erased while or after it moved from or to it."""
        erased = {email for _, email in self.erasures}
        return any(account.had(email) and len(account.emails) > 1 and any(map(account.had, erased)) for account in self.accounts.values())

    def is_split(self, email: str) -> bool:
        """Guests used the e-mail while no account had it: they have a profile of their own, which stays theirs when one moves there."""
        guests = [at for _, e, at in self.orders.values() if e == email]
        guests += [s.created for s in self.subscribers.values() if s.email == email or s.moved]
        guests += [0] if self.carts else []

        def has_no_account(at: int) -> bool:
            owner = self.accounts.get(self.owner(email, at))
            return owner is None or 0 < owner.ended < at

        return any(map(has_no_account, guests))

    def is_moved_to(self, email: str) -> bool:
        return any(account.had(email) and account.emails[0][1] != email for account in self.accounts.values())

    def is_taken_over(self, email: str) -> bool:
        """One account left it and another took it."""
        return len({id for id, account in self.accounts.items() if account.had(email)}) > 1


def faults(life: Life, ended: Engagement, *, raced: bool) -> list[str]:
    """What a project holds and must not, or does not and must. `raced`: records overtook each other.

    Not promised, see docs/guarantees.md 'What does not hold':
    - where guests have a profile under an e-mail that an account moved to: which of the two a guest's fact is on (`is_split`);
    - raced: an order that overtakes the deletion before it, by e-mail (`overtook`);
    - raced: what overtakes the states by which one account left an e-mail and another took it (`is_taken_over`);
    - raced: the ids of accounts that were seen on one e-mail at once, which so share a profile, when one of them is deleted (`shared`);
    - raced: what comes by an e-mail and overtakes the state by which an account moved there (`is_moved_to`);
    - raced: who an erased e-mail means while states by which accounts come or leave are under way (`is_near_erasure`);
    - the `subscriber_id` of one who changed the e-mail, or whose profile is known by its customer id alone.
    """
    found = [f"clash {clash}" for clash in ended.clashes]
    bought: dict[str, list[Profile]] = defaultdict(list)
    for profile in ended.profiles:
        for purchase in set(profile.purchases()):
            bought[purchase].append(profile)

    for id, account in life.accounts.items():
        profile_of = ended.find("customer_id", id)
        if account.in_doubt or (raced and any(map(life.is_near_erasure, life.emails_of(id)))):
            continue
        shared = raced and any(life.is_taken_over(email) and life.deletions(email) for email in life.emails_of(id))
        if account.ended and not shared:
            found += [f"{id} is deleted and has its id"] if profile_of else []
            found += [f"{id} is deleted and known" for p in ended.live() if str(p.property("phone")).startswith(f"{id}-")]
        elif profile_of is None:
            found += [] if shared else [f"{id} has no profile"]
        elif not account.ended and (profile_of.property("email"), profile_of.property("phone")) != (
            account.emails[-1][1],
            f"{id}-{account.touched}",
        ):
            found.append(f"{id} has properties of before")

    for number, (buyer, email, at) in life.orders.items():
        profiles = bought.get(str(number), [])
        if buyer:
            if life.accounts[buyer].in_doubt or (raced and any(map(life.is_near_erasure, life.emails_of(buyer)))):
                continue
            gone = life.accounts[buyer].ended
            loose = raced and any(map(life.is_taken_over, life.emails_of(buyer)))
            if life.accounts[buyer].erased and at > life.accounts[buyer].erased:  # by its e-mail alone, as a guest's
                dropped = raced or any(gone >= at for email in life.emails_of(buyer) for gone in life.deletions(email))
                if not dropped and len(profiles) != 1:
                    found.append(f"{number} of {buyer}, after its erasure, stands {len(profiles)} times")
                elif not dropped and profiles[0].anonymized:
                    found.append(f"{number} of {buyer}, after its erasure, is anonymized")
            elif gone:
                found += [f"{number} of {buyer}, deleted, lives" for p in profiles if not p.anonymized and not loose]
            elif profiles != [ended.find("customer_id", buyer)] and not loose:
                found.append(f"{number} of {buyer} stands elsewhere")
            continue
        overtook = raced and any(gone < at for gone in life.deletions(email))
        overtook |= raced and life.is_near_erasure(email)
        if not overtook and (len(profiles) > 1 or (not profiles and not any(gone >= at for gone in life.deletions(email)))):
            found.append(f"{number} by {email} stands {len(profiles)} times")
        owner = life.owner(email, at)
        loose = raced and any(map(life.is_taken_over, life.emails_of(owner) | {email}))
        for profile in profiles:
            if profile.anonymized:
                found += [] if overtook or any(gone >= at for gone in life.deletions(email)) else [f"{number} is anonymized"]
                continue
            bears = int(profile.hard.get("customer_id", 0))
            if bears and not loose and not life.accounts[bears].had(email) and profile.hard.get("email_id") != email:
                found.append(f"{number} by {email} is on a stranger's profile")
            if (
                owner
                and not life.accounts[owner].in_doubt
                and not loose
                and not life.is_split(email)
                and not (raced and life.is_moved_to(email))
            ):
                gone = life.accounts[owner].ended
                if gone and at <= gone:
                    found.append(f"{number} of {owner}, deleted, lives")
                elif not gone and profile is not ended.find("customer_id", owner):
                    found.append(f"{number} by {email} is not on {owner}'s")
    return found + _consent_faults(life, ended, raced=raced)


def _consent_faults(life: Life, ended: Engagement, *, raced: bool) -> list[str]:
    def emails_of(profile: Profile) -> set[str]:
        return life.emails_of(int(profile.hard.get("customer_id", 0))) | {profile.hard.get("email_id", "")}

    found = []
    live = {id: sub for id, sub in life.subscribers.items() if not sub.gone}
    for profile in ended.live():
        for kind, category in CATEGORIES.items():
            mine = [sub for sub in live.values() if kind in sub.consents and sub.email in emails_of(profile)]
            if profile.consents().get(category) == "accept" and not mine:
                found.append(f"{profile.hard} accepts {category}, no live subscription does")
    for id, sub in live.items():
        if not sub.consents or any(gone >= sub.said for gone in life.deletions(sub.email)) or (raced and life.is_near_erasure(sub.email)):
            continue
        theirs = [profile for profile in ended.live() if sub.email in emails_of(profile)]
        if not any(all(profile.consents().get(CATEGORIES[kind]) == "accept" for kind in sub.consents) for profile in theirs):
            found.append(f"{id} consents to {sub.consents}, nobody with {sub.email} does")
        bears_id = ended.find("subscriber_id", id)
        if bears_id is not None and bears_id not in theirs and not sub.moved:
            found.append(f"{id} stands on another's profile")
    return found
