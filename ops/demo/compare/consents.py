"""Subscribers' consents: a person consents while any live subscription of the profile does; what changed is told, once."""

from collections.abc import Iterator
from itertools import pairwise

from ops.demo.compare.held import Event, Held, Profile, differing
from ops.demo.compare.owners import Owners, Whose
from ops.demo.compare.rows import Row
from ops.demo.compare.shop import Entity, Shop, clean, seconds

CATEGORIES = {"marketing_newsletter": "bigcommerce", "abandoned_cart": "bigcommerce_abandoned_cart"}
STEP_S = 0.001  # at the least between two consents of a category
TICK_S = 0.05  # at the most between a deletion and the stamp of its webhook


class _Subscription:
    """What a subscriber may have told: the time, the categories that it consents to, and whose that was."""

    def __init__(self, entity: Entity, owners: Owners, shop: Shop) -> None:
        self.entity, self.id, self._shop = entity, entity.id, shop
        born_s = consented_s = entity.states[0].at_s
        self.said: list[tuple[int, list[str], Whose]] = []

        def whose(email: str, at_s: float) -> Whose:
            """One that consents after the deletion of its person is a new one from then on."""
            return owners.email(clean(email), at_s, born_s) | owners.email(clean(email), at_s, consented_s)

        for state in entity.states:
            consented_s = state.at_s if state.body["consents"] else consented_s
            categories = [CATEGORIES[kind] for kind in state.body["consents"]]
            self.said.append((seconds(state.body["date_modified"]), categories, whose(state.body["email"], state.at_s)))
        if entity.deleted_s is not None:
            gone_s = entity.deleted_ms / 1000
            at_last = whose(entity.last.body["email"], gone_s)
            self.said += [(at_s, [], at_last) for at_s in {int(gone_s), int(gone_s + TICK_S)}]

    def may_be_found_gone(self, at_s: float) -> bool:
        """A read that finds it gone says so as of what made us look, in milliseconds; a webhook's time has whole seconds."""
        gone_s, near_s = self.entity.deleted_ms / 1000, self._shop.seen_within_s
        near = gone_s - near_s <= at_s <= self._shop.read_from(gone_s) + near_s
        return self.entity.deleted_s is not None and near and at_s != int(at_s)

    @property
    def whose(self) -> Whose:
        """Whose it is at last."""
        return self.said[-1][2]

    def consents(self, category: str) -> bool:
        return self.entity.deleted_s is None and category in self.said[-1][1]


def consents(shop: Shop, held: Held, owners: Owners) -> Iterator[Row]:
    row, once = Row("subscribers' consents"), Row("consent events, each once")
    known = {id: _Subscription(entity, owners, shop) for id, entity in shop.subscribers.items()}
    for subscription in known.values():
        profile = held.of.get(("subscriber_id", subscription.id))
        if profile is None and (subscription.whose.missable or not subscription.entity.seen):
            continue
        row.check(f"subscriber {subscription.id}", _problem(subscription, profile, known))
    for profile in held.profiles:
        for category in CATEGORIES.values():
            events = [e for e in profile.events if e.type == "consent" and e.properties.get("category") == category]
            events.sort(key=lambda event: event.at_s)
            for event, problem in _chain(events, [s for s in known.values() if any(w.allows(profile) for *_, w in s.said)]):
                event.told = True
                once.check(f"{profile.name}: {event}", problem)
    yield from (row, once)


def _problem(subscription: _Subscription, profile: Profile | None, known: dict[str, _Subscription]) -> str:
    """What a subscription comes to at last."""
    if profile is None:
        return "has no profile"
    if not subscription.whose.allows(profile):
        return subscription.whose.misplaced(profile)
    of_profile = [known[id] for id in profile.soft["subscriber_id"] if id in known]
    events = sorted((event for event in profile.events if event.type == "consent"), key=lambda event: event.at_s)
    last = {event.properties.get("category"): event.properties.get("action") for event in events}
    if not last:
        return "has no consent event"
    wanted = {category: "accept" if any(s.consents(category) for s in of_profile) else "reject" for category in CATEGORIES.values()}
    wrong = [category for category in wanted if last.get(category) != wanted[category]]
    return "differs in " + ", ".join(wrong) if wrong else ""


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
        if action == "reject" and subscription.may_be_found_gone(event.at_s) and subscription.whose.allows(event.profile):
            return ""
        for at_s, categories, whose in subscription.said:
            same_time = at_s == event.at_s or (step and before is not None and at_s <= before.at_s)
            if same_time and (category in categories) == (action == "accept") and whose.allows(event.profile):
                return ""
    return "no subscription of this person said so then"
