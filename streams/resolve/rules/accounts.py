"""Customer accounts: which person's row is an account's home, and what waits until it is known."""

from msgspec.structs import replace

from bigcommerce.customers import parse_customer
from schemas.entities import CustomerGone, CustomerState
from schemas.failures import Undecodable
from schemas.keys import webhook_key
from schemas.people import AccountGone, AccountSeen, Activity, EmailTaken
from schemas.topics import PEOPLE, WEBHOOKS
from schemas.webhooks import LookAt
from streams.resolve.rules import fence
from streams.resolve.rules.change import Change, Send, Store
from streams.resolve.rules.properties import properties_of
from streams.resolve.tables import Account

FOUND_FOR_GOOD_MS = 20 * 60 * 60 * 1000
"""Between two reads that both missed it. Less than a day: the next daily run may come a little less than a day after the first."""


def apply_customer(row: Account, state: CustomerState, store: Store) -> Change[Account]:
    """An account's state, to its home; a changed e-mail's row is told; what waited for the account goes after it."""
    if (same := fence.no_news(row, state)) is not None:
        return same
    customer = parse_customer(state.body)
    if not customer.email:
        raise Undecodable("missing", "email")
    here = store.lane_of(customer.email)
    home = row.home or here
    of = store.id(customer.id)
    sends = []
    if customer.email != row.email and here != home:
        sends.append(Send(PEOPLE, here, EmailTaken(store=store.store, customer=of, home=home, at_ms=customer.modified_ms)))
    sends.append(
        Send(
            PEOPLE,
            home,
            AccountSeen(
                store=store.store,
                customer=of,
                email=customer.email,
                created_ms=customer.created_ms,
                modified_ms=customer.modified_ms,
                properties=properties_of(customer, state.attribute_names),
                read_at_ms=state.read_at_ms,
            ),
        )
    )
    sends += [Send(PEOPLE, home, replace(activity, email=customer.email)) for activity in row.waiting]
    after = Account(seen=fence.seen_of(state), home=home, email=customer.email)
    return Change(after, sends)


def apply_customer_gone(row: Account, gone: CustomerGone, store: Store) -> Change[Account]:
    """A deleted account: told for good; found missing only when a read at least 20 hours later finds the same."""
    if row.told_ms:
        return Change(row, note="deleted")
    if gone.told:
        return _delete(row, Account(told_ms=gone.at_ms), gone.id, gone.at_ms, store)
    shown_ms = fence.shown_ms(row, gone.id)
    if shown_ms > gone.read_at_ms:
        return Change(None, note="not newer")
    if shown_ms > row.found_read_ms:  # a state that was refused left the earlier miss in the row
        row = replace(row, found_ms=0, found_first_read_ms=0, found_read_ms=0)
    first_read_ms = row.found_first_read_ms or row.found_read_ms or gone.read_at_ms
    first = replace(
        row,
        found_ms=row.found_ms or gone.at_ms,
        found_first_read_ms=first_read_ms,
        found_read_ms=max(row.found_read_ms, gone.read_at_ms),
    )
    if row.seen is None:
        return Change(
            replace(first, waiting=[]), note=f"gone before we came, {len(row.waiting)} facts dropped" if row.waiting else "found gone"
        )
    if gone.read_at_ms - first_read_ms < FOUND_FOR_GOOD_MS:
        return Change(first, note="found gone")
    return _delete(row, replace(first, home="", email="", waiting=[]), gone.id, first.found_ms, store)


def apply_activity(row: Account, activity: Activity, store: Store) -> Change[Account]:
    """What a cart or an order of this account brought: to the person's row, or it waits here until the account is known."""
    if row.home:
        told = replace(activity, customer=store.id(activity.customer), email=row.email)
        return Change(None, [Send(PEOPLE, row.home, told)])
    if row.told_ms or row.found_ms:
        return Change(None, note="belongs to a deleted account")
    waiting = replace(activity, customer=store.id(activity.customer))
    if waiting in row.waiting:
        return Change(row, note="waits already")
    look = LookAt(store=store.store, resource="customer", id=activity.customer, why="an order or a cart waits for it", at_ms=activity.at_ms)
    sends = [] if row.waiting else [Send(WEBHOOKS, webhook_key(store.store, "customer", activity.customer), look)]
    return Change(replace(row, waiting=[*row.waiting, waiting]), sends, "waits for its account")


def _delete(row: Account, after: Account, id: str, at_ms: int, store: Store) -> Change[Account]:
    """Tell the home, and the row of the present e-mail where that is another; keep times and versions only."""
    rows = dict.fromkeys([row.home, store.lane_of(row.email) if row.email else row.home])
    gone = AccountGone(store=store.store, customer=store.id(id), at_ms=at_ms)
    return Change(after, [Send(PEOPLE, lane, gone) for lane in rows if lane], "" if row.home else "never known")
