"""Subscriptions: which profile each counts for, here or at another home, and what that profile is told. Theory: profiles.py."""

from msgspec.structs import replace

from schemas.people import SubscriptionGone, SubscriptionSeen
from schemas.topics import PEOPLE
from streams.resolve.rules.change import Send
from streams.resolve.rules.persons import MAIN
from streams.resolve.rules.row_work import HANDED_BACK, Place, RowWork
from streams.resolve.tables import LiveSubscription


class Subscriptions(RowWork):
    """What the facts about subscriptions do."""

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
        subscription, place = self._placed(subscription)
        last = self.subscriptions.get(fact.subscriber)
        if last and (place.refused or (last.home, last.person) != (place.home, place.person)):
            self.leave(fact.subscriber, fact.modified_ms)
        if not place.refused:
            self._enter(fact.subscriber, replace(subscription, person=place.person, home=place.home))
        return place.refused or ("handed on" if place.home else "")

    def _placed(self, subscription: LiveSubscription) -> tuple[LiveSubscription, Place]:
        """With its place. One that ended with a person and consents after that is a new one, from then on."""
        place = self.place_at(subscription.since_ms, subscription.by, starts=bool(subscription.consents))
        if place.refused and subscription.consents and subscription.modified_ms > subscription.since_ms:
            subscription = replace(subscription, since_ms=subscription.modified_ms)
            place = self.place_at(subscription.since_ms, subscription.by, starts=True)
        return subscription, place

    def subscription_gone(self, fact: SubscriptionGone) -> str:
        last = self.subscriptions.get(fact.subscriber)
        if last is None or last.via != fact.via:
            return "not known here"
        self.leave(fact.subscriber, fact.at_ms)
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
        customer = subscription.by or self.customer_of(person)
        soft = {"subscriber_id": id} if person == MAIN else {}  # it may pass from one person to another: see _may_bear_cart
        joined = self.told.ensure_email(person, soft, at_ms, customer)
        changed = self._tell_consents(person, soft, at_ms, customer)
        if new and soft and not joined and not changed:
            self.told.join(person, soft, at_ms, customer)

    def leave(self, id: str, at_ms: int) -> None:
        """It counts no more where it did. Without its id: the profile that it enters may be told first."""
        last = self.subscriptions.pop(id)
        if last.home:
            gone = SubscriptionGone(
                store=self.store.store, handed_on=last.person, via=self.key, place=self._place_of(id), subscriber=id, at_ms=at_ms
            )
            self.others.append(Send(PEOPLE, last.home, gone))
        else:
            self._tell_consents(last.person, {}, at_ms, last.by or self.customer_of(last.person))

    def _place_of(self, id: str) -> int:
        mark = self.marks.get(f"subscriber/{id}")
        return mark.place if mark else -1

    def settle(self, at_ms: int, ended: str | None = None) -> None:
        """Subscriptions follow what the row knows of its holders now; those of a person that `ended` start again or are dropped."""
        for id, last in self.subscriptions.copy().items():
            of_ended = ended == last.person and not last.home
            if of_ended:
                del self.subscriptions[id]
            now, place = self._placed(last)
            if not of_ended:
                if not place.refused and (last.home, last.person) == (place.home, place.person):
                    continue
                self.leave(id, at_ms)
            if not place.refused:
                self._enter(id, replace(now, person=place.person, home=place.home))

    def _tell_consents(self, person: str, soft: dict[str, str], at_ms: int, customer: str) -> bool:
        subscriptions = [sub for sub in self.subscriptions.values() if sub.person == person and not sub.home]
        return self.told.tell_consents(person, soft, at_ms, customer, subscriptions)
