"""Subscribers' consents: a person consents while any live subscription of the profile does; what changed is told, once."""

from collections.abc import Iterator
from functools import reduce
from itertools import pairwise

from ops.demo.compare.held import Event, Held, Profile, differing
from ops.demo.compare.owners import Owners, Whose
from ops.demo.compare.rows import Row
from ops.demo.compare.shop import Entity, Shop, clean, seconds

CATEGORIES = {"marketing_newsletter": "bigcommerce", "abandoned_cart": "bigcommerce_abandoned_cart"}
STEP_S = 0.001  # at the least between two consents of a category
TICK_S = 0.05  # at the most between a deletion and the stamp of its webhook


class _Subscription:
    """What a subscriber may have told: the time and the categories that it consents to. It is `whose` the e-mail was when it came; one that
    consents after the deletion of its person is a new one from then on, and `told` is all those to whom it may have told something."""

    def __init__(self, entity: Entity, owners: Owners, shop: Shop) -> None:
        self.entity, self.id, self._shop = entity, entity.id, shop
        email, came_s = clean(entity.last.body["email"]), entity.states[0].at_s
        first = owners.email(email, came_s)
        consented = [state for state in entity.states if state.body["consents"]] if first.missable else []
        self._anew = {seconds(state.body["date_modified"]): owners.email(email, state.at_s) for state in consented}
        each = [owners.email(email, came_s, state.at_s) | owners.email(email, state.at_s) for state in consented]
        self.whose, self.told = reduce(Whose.__or__, each[-1:], first), reduce(Whose.__or__, each, first)
        self.said = [
            (seconds(state.body["date_modified"]), [CATEGORIES[kind] for kind in state.body["consents"]]) for state in entity.states
        ]
        if entity.deleted_s is not None:
            gone_s = entity.deleted_ms / 1000
            self.said += [(at_s, list[str]()) for at_s in {int(gone_s), int(gone_s + TICK_S)}]

    def may_be_found_gone(self, at_s: float) -> bool:
        """A read that finds it gone says so as of what made us look, in milliseconds; a webhook's time has whole seconds."""
        gone_s, near_s = self.entity.deleted_ms / 1000, self._shop.seen_within_s
        near = gone_s - near_s <= at_s <= self._shop.read_from(gone_s) + near_s
        return self.entity.deleted_s is not None and near and at_s != int(at_s)

    def left(self, profile: Profile, at_s: float) -> bool:
        """Whether it consented anew then, and was another's from then on."""
        return at_s in self._anew and not self._anew[int(at_s)].allows(profile)

    @property
    def may_be_moved(self) -> bool:
        """Whether it came while the e-mail passed from one to another, so that it may have been told of the wrong one first."""
        return len(self.whose.live) > 1

    @property
    def may_have_passed(self) -> bool:
        """Whether it may have been another's before: then its id may stand on that one's profile (docs/guarantees.md)."""
        return len(self.whose.live | self.whose.ended) > 1

    def consents(self, category: str) -> bool:
        return self.entity.deleted_s is None and category in self.said[-1][1]


def consents(shop: Shop, held: Held, owners: Owners) -> Iterator[Row]:
    row, once = Row("subscribers' consents"), Row("consent events, each once")
    known = {id: _Subscription(entity, owners, shop) for id, entity in shop.subscribers.items()}
    for subscription in known.values():
        problems = [_problem(subscription, profile, known) for profile in _places(subscription, held)]
        if (subscription.whose.missable or not subscription.entity.seen) and ("subscriber_id", subscription.id) not in held.of:
            continue
        row.check(f"subscriber {subscription.id}", "" if "" in problems else [*problems, "has no profile"][0])
    for profile in held.profiles:
        for category in CATEGORIES.values():
            events = [e for e in profile.events if e.type == "consent" and e.properties.get("category") == category]
            events.sort(key=lambda event: event.at_s)
            for event, problem in _chain(events, [s for s in known.values() if s.told.allows(profile)]):
                event.told = True
                once.check(f"{profile.name}: {event}", problem)
    yield from (row, once)


def _places(subscription: _Subscription, held: Held) -> list[Profile]:
    """The profile with its id; and those where it may count without it (docs/decisions.md, docs/guarantees.md): one that is known by its
    customer id alone, or one that it was moved to."""
    bearing = held.of.get(("subscriber_id", subscription.id))
    others = [held.of[key] for key in sorted(subscription.whose.live) if key in held.of]
    return [*([bearing] if bearing else []), *(p for p in others if subscription.may_be_moved or "email_id" not in p.hard)]


def _problem(subscription: _Subscription, profile: Profile, known: dict[str, _Subscription]) -> str:
    """What a subscription comes to at last."""
    if not subscription.whose.allows(profile):
        return subscription.whose.misplaced(profile)
    ids = profile.soft.get("subscriber_id", [])
    of_profile = [one for id, one in known.items() if id in ids or ("email_id" not in profile.hard and one.whose.allows(profile))]
    certain = [subscription, *(one for one in of_profile if not one.may_be_moved)]
    possible = [*of_profile, *(one for one in known.values() if one.may_have_passed and one.whose.allows(profile))]
    events = sorted((event for event in profile.events if event.type == "consent"), key=lambda event: event.at_s)
    last = {event.properties.get("category"): event.properties.get("action") for event in events}
    if not last:
        return "has no consent event"
    wanted = {category: _actions(category, certain, possible) for category in CATEGORIES.values()}
    wrong = [category for category in wanted if last.get(category) not in wanted[category]]
    return "differs in " + ", ".join(wrong) if wrong else ""


def _actions(category: str, certain: list[_Subscription], possible: list[_Subscription]) -> set[str]:
    """What a profile may have said last of a category, by the subscriptions that count for it, and by those that may."""
    accepts = any(one.consents(category) for one in certain)
    return {"accept"} if accepts else {"reject", *(["accept"] if any(one.consents(category) for one in possible) else [])}


def _chain(events: list[Event], subscriptions: list[_Subscription]) -> Iterator[tuple[Event, str]]:
    """Each event of a category says what a subscription of this profile said then, and another thing than the one before."""
    if events:
        yield events[0], _unsaid(events[0], None, subscriptions)
    for before, event in pairwise(events):
        again = event.properties.get("action") == before.properties.get("action")
        yield event, "says again what was said" if again else _unsaid(event, before, subscriptions)


def _unsaid(event: Event, before: Event | None, subscriptions: list[_Subscription]) -> str:
    action, category = event.properties.get("action"), event.properties.get("category")
    wanted = {"action": action, "category": category} | ({"valid_until": "unlimited"} if action == "accept" else {})
    if wrong := differing(wanted, event.properties):
        return "differs in " + ", ".join(wrong)
    step = before is not None and abs(event.at_s - before.at_s - STEP_S) < STEP_S / 10
    for subscription in subscriptions:
        moved = subscription.may_be_moved or (event.profile.anonymized and bool(subscription.whose.live))
        if action == "reject" and (subscription.may_be_found_gone(event.at_s) or (step and moved)):
            return ""  # or it was moved to the other one that it may have meant
        if action == "reject" and subscription.left(event.profile, event.at_s):
            return ""
        for at_s, categories in subscription.said:
            same_time = at_s == event.at_s or (step and before is not None and at_s <= before.at_s)
            if same_time and (category in categories) == (action == "accept"):
                return ""
    return "no subscription of this person said so then"
