"""Cart and order, joined on the cart id: whose the cart's events are, when the cart ends, one purchase of an order."""

from msgspec.structs import replace

from bigcommerce.carts import parse_cart
from bigcommerce.orders import parse_order
from engagement import commands
from schemas.entities import CartGone, CartState, OrderState
from schemas.failures import Reject
from schemas.keys import checkout_key, entity_key
from schemas.people import Activity, Event
from schemas.topics import ACCOUNTS, PEOPLE
from streams.resolve.rules import fence
from streams.resolve.rules.cart_update import cart_event, emptied_event
from streams.resolve.rules.change import Change, Send, Store
from streams.resolve.rules.lane import Lane
from streams.resolve.rules.purchase import order_update, purchase_events
from streams.resolve.tables import Checkout, OrderMark

ACCOUNT = "account/"  # how an owner that is an account begins
TO_BE_PLACED = (0, 1)  # Incomplete, Pending; of those not placed, Cancelled and Declined (5, 6) are of the past


def apply_cart(row: Checkout, state: CartState, store: Store) -> Change[Checkout]:
    """A cart's state: a `cart_update` where its lines changed, and a join where its owner became known or changed."""
    order = fence.compare(row.cart, state, row.found_gone_ms)
    if order < 0:
        return Change(None, note="not newer")
    if order == 0:
        return Change(row)
    seen = fence.seen_of(state)
    if row.ended:
        return Change(replace(row, cart=seen), note="ended")
    cart = parse_cart(state.body)
    owner = owner_of(cart.customer_id, cart.email, store) or row.owner
    events = cart_event(row.lines, cart, store)
    after = replace(_passed(row, owner), cart=seen, lines=cart.lines, currency=cart.currency, found_gone_ms=0)
    if not events and owner == row.owner:
        return Change(after, note="lines unchanged")
    return _tell(after, owner, _activity(store, cart.id, cart.email, cart.updated_ms, events))


def apply_cart_gone(row: Checkout, gone: CartGone, store: Store) -> Change[Checkout]:
    """A cart that is no more: an `empty` where its shopper emptied it, nothing where it became an order or is merely gone."""
    if row.ended:
        return Change(row, note="ended")
    if not gone.told:
        newer_read = row.cart is not None and row.cart.read_at_ms > gone.read_at_ms
        found = replace(row, found_gone_ms=max(row.found_gone_ms, gone.read_at_ms))
        return Change(None, note="not newer") if newer_read else Change(found, note="found gone")
    after = _end(row)
    if gone.converted or not row.lines:
        return Change(after)
    event = emptied_event(gone.id, row.currency, store, gone.at_ms)
    return _tell(after, row.owner, _activity(store, gone.id, "", gone.at_ms, [event]))


def apply_order(row: Checkout, state: OrderState, store: Store) -> Change[Checkout]:
    """An order's state: a purchase when it is first seen placed, an `order_update` at each later status; it ends the cart.

    One that was created before its `events_from_ms` makes neither, ever; its person is known all the same. But for one that was bought
    before that was said, and one that was last seen Incomplete or Pending: it is placed now, so its purchase is none of the past.
    Raises Reject where it has neither account nor e-mail nor cart: nobody could be told.
    """
    mark = row.orders.get(state.id)
    newer = fence.compare(mark.seen if mark else None, state)
    if newer < 0:
        return Change(None, note="not newer")
    if newer == 0:
        return Change(row)
    order = parse_order(state.body)
    bought, was_silent = (mark.purchased, mark.silent) if mark else (False, False)
    to_be_placed = mark is not None and mark.status_id in TO_BE_PLACED
    silent = was_silent or (order.placed and not bought and not to_be_placed and order.created_ms < state.events_from_ms)
    events: list[Event] = []
    if order.placed and not bought and not silent:
        events = purchase_events(order, store)
    elif mark is not None and bought and order.status_id != mark.status_id:
        events = [order_update(order, mark.status_id, store)]
    account = order.customer_id or _account_of(mark, row)
    after_mark = OrderMark(fence.seen_of(state), order.status_id, bought or (order.placed and not silent), silent, account)
    after = replace(row, orders=dict(sorted((row.orders | {order.id: after_mark}).items())))
    if bought or order.placed:
        after = _end(after)
    owner = owner_of(account, order.email, store)
    if not events and (silent == was_silent or not owner):  # one that is silent makes its person known all the same
        return Change(after, note="says nothing new")
    activity = _activity(store, order.cart_id, order.email, order.modified_ms, events, born_ms=order.created_ms, starts=True)
    if not owner and not order.cart_id:
        raise Reject("an order with neither account nor e-mail nor cart belongs to nobody", "billing_address.email")
    return _tell(_passed(after, owner), owner, activity)


def _account_of(mark: OrderMark | None, row: Checkout) -> str:
    """An order that lost its account is no guest's: its e-mail may be one that knows of no deletion."""
    if mark is None:
        return ""
    if mark.account is not None:
        return mark.account
    return row.owner.removeprefix(ACCOUNT) if row.owner.startswith(ACCOUNT) else ""


def owner_of(customer_id: str, email: str, store: Store) -> str:
    """`account/{id}` of a registered customer, `person/{lane}` of a known e-mail, "" while nobody is known."""
    if customer_id:
        return f"{ACCOUNT}{customer_id}"
    return f"person/{store.lane_of(email)}" if email else ""


def _passed(row: Checkout, owner: str) -> Checkout:
    return replace(row, owner=owner or row.owner, passed_on=row.passed_on or ("" not in (owner, row.owner) and owner != row.owner))


def _end(row: Checkout) -> Checkout:
    return replace(row, lines=[], currency="", ended=True, found_gone_ms=0)


def _activity(
    store: Store, cart_id: str, email: str, at_ms: int, events: list[Event], *, born_ms: int | None = None, starts: bool = False
) -> Activity:
    return Activity(
        store=store.store,
        customer="",
        email=email,
        cart_id=cart_id,
        born_ms=at_ms if born_ms is None else born_ms,
        at_ms=at_ms,
        starts_profile=starts,
        events=events,
    )


def _tell(row: Checkout, owner: str, activity: Activity) -> Change[Checkout]:
    """To the account, to the person, or, where nobody is known, straight to Engagement under the cart's id alone."""
    kind, _, key = owner.partition("/")
    activity = replace(activity, passed_on=row.passed_on)
    if kind == "account":
        return Change(row, [Send(ACCOUNTS, entity_key(activity.store, key), replace(activity, customer=key, email=""))])
    if kind == "person":
        return Change(row, [Send(PEOPLE, key, activity)])
    lane = Lane(checkout_key(activity.store, activity.cart_id), activity.store, row.number)
    for event in activity.events:
        lane.add("customers/events", commands.event({"cart_id": activity.cart_id}, event.type, event.timestamp_ms, event.properties))
    return Change(replace(row, number=lane.number), lane.sends)
