"""Newsletter subscribers: which e-mail's row a subscription belongs to."""

from msgspec.structs import replace

from bigcommerce.subscribers import parse_subscriber
from schemas.entities import SubscriberGone, SubscriberState
from schemas.failures import Undecodable
from schemas.people import SubscriptionGone, SubscriptionSeen
from schemas.topics import PEOPLE
from streams.resolve.rules import fence
from streams.resolve.rules.change import Change, Send, Store
from streams.resolve.tables import Subscription


def apply_subscriber(row: Subscription, state: SubscriberState, store: Store) -> Change[Subscription]:
    """A subscriber's state, to its e-mail's row; one who changed the e-mail leaves the old row and enters the new one."""
    if (same := fence.no_news(row, state)) is not None:
        return same
    subscriber = parse_subscriber(state.body)
    if not subscriber.email:
        raise Undecodable("missing", "email")
    id = store.id(subscriber.id)
    moved = row.email not in ("", subscriber.email)
    since_ms = subscriber.modified_ms if moved else row.since_ms or subscriber.created_ms
    sends = []
    if moved:
        left = SubscriptionGone(store=store.store, subscriber=id, at_ms=subscriber.modified_ms)
        sends.append(Send(PEOPLE, store.lane_of(row.email), left))
    seen = SubscriptionSeen(
        store=store.store,
        subscriber=id,
        email=subscriber.email,
        consents=subscriber.consents,
        can_hold=subscriber.can_hold,
        created_ms=subscriber.created_ms,
        modified_ms=subscriber.modified_ms,
        since_ms=since_ms,
    )
    sends.append(Send(PEOPLE, store.lane_of(subscriber.email), seen))
    return Change(Subscription(seen=fence.seen_of(state), email=subscriber.email, since_ms=since_ms), sends)


def apply_subscriber_gone(row: Subscription, gone: SubscriberGone, store: Store) -> Change[Subscription]:
    """A deleted subscriber: told for good; found missing until a later read shows it."""
    if row.told_ms:
        return Change(row, note="deleted")
    if not gone.told and fence.shown_ms(row, gone.id) > gone.read_at_ms:
        return Change(None, note="not newer")
    after = Subscription(told_ms=gone.at_ms) if gone.told else replace(row, email="", found_read_ms=max(row.found_read_ms, gone.read_at_ms))
    if not row.email:
        return Change(after, note="never known")
    left = SubscriptionGone(store=store.store, subscriber=store.id(gone.id), at_ms=gone.at_ms)
    return Change(after, [Send(PEOPLE, store.lane_of(row.email), left)])
