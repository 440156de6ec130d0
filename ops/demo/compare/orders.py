"""Orders: one purchase of each that was placed, an item of each of its lines, an update of each later status."""

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal

from ops.demo.compare.held import Event, Held, Json, differing, said, same_text
from ops.demo.compare.owners import Owners, Whose
from ops.demo.compare.rows import Row
from ops.demo.compare.shop import Entity, Shop, State, email_of, money, placed, products, seconds

DOMAIN = "shop.example.com"
STATUS = (
    "Incomplete", "Pending", "Shipped", "Partially Shipped", "Refunded", "Cancelled", "Declined", "Awaiting Payment", "Awaiting Pickup",
    "Awaiting Shipment", "Completed", "Awaiting Fulfillment", "Manual Verification Required", "Disputed", "Partially Refunded",
)  # fmt: skip


def orders(shop: Shop, held: Held, owners: Owners) -> Iterator[Row]:
    """What a deleted person ordered, by account or by e-mail, may have been dropped, and is nobody's any more."""
    purchases, items, updates = Row("orders: purchase"), Row("orders: purchase_item"), Row("orders: order_update")
    for order in shop.orders.values():
        found, found_items, found_updates = (held.take(type, order.id) for type in ("purchase", "purchase_item", "order_update"))
        firsts, certain = first_placed(order)
        whose = owner(order, owners)
        if found or (certain and not whose.missable):
            purchases.check(f"order {order.id}", _purchase_problem(order, firsts, found, whose))
        if found or found_items:
            ended_under_way = whose.missable and shop.read_from(order.states[0].at_s) > order.states[0].at_s
            items.check(f"order {order.id}", _items_problem(order, found, found_items, missable=ended_under_way))
        if found or found_updates:
            updates.check(f"order {order.id}", _updates_problem(order, firsts, found, found_updates, whose))
    yield from (purchases, items, updates)


def owner(order: Entity, owners: Owners) -> Whose:
    """Whose the order is, and all that it ever tells: the account's, or whose the e-mail was when it was made."""
    customer = order.last.body["customer_id"]
    return owners.account(str(customer)) if customer else owners.email(email_of(order.last.body), order.states[0].at_s)


def first_placed(order: Entity) -> tuple[list[State], bool]:
    """The states that can be the first placed one that was read, and whether one certainly was."""
    firsts = []
    for state in order.states:
        if placed(state.body):
            firsts.append(state)
            if not state.brief:
                return firsts, True
    return firsts, False


def _purchase_problem(order: Entity, firsts: list[State], found: list[Event], whose: Whose) -> str:
    if not firsts:
        return "was never placed, but has a purchase"
    if len(found) != 1:
        return f"has {len(found)} purchases"
    [event] = found
    return _differs(event, [expected_purchase(state.body, order.lines) for state in firsts], order) or whose.misplaced(event.profile)


def _differs(event: Event, wanted: Iterable[Json], order: Entity) -> str:
    """What differs from the nearest of those that would be right; all that an order tells when it is placed bears its creation's time."""
    names = min((differing(properties, event.properties) for properties in wanted), key=len)
    return said([*names, *(["timestamp"] if event.at_s != seconds(order.last.body["date_created"]) else [])])


def expected_purchase(order: Json, lines: list[Json]) -> Json:
    """The `purchase` of an order in this state. The shop ships everything in one parcel, to the billing address."""
    billing = order["billing_address"]
    codes = [discount["code"] for line in lines for discount in line["applied_discounts"] if discount["code"]]
    properties = {
        "purchase_id": str(order["id"]),
        "purchase_status": "success",
        "purchase_source_type": "store" if order["order_source"] == "manual" else "online",
        "purchase_source_name": DOMAIN,
        "order_status": STATUS[order["status_id"]],
        **products(lines),
        "total_price": money(order["total_inc_tax"]),
        "total_price_without_tax": money(order["total_ex_tax"]),
        "total_price_local_currency": money(order["total_inc_tax"]),
        "local_currency": "USD",
        "tax": money(order["total_tax"]),
        "shipping_cost": money(order["shipping_cost_inc_tax"]),
        "shipping_type": "Flat Rate" if Decimal(order["base_shipping_cost"]) else "Free Shipping",
        "shipping_country": billing["country"],
        "shipping_state": billing["state"],
        "shipping_city": billing["city"],
        "payment_type": order["payment_method"],
        "voucher_code": ", ".join(dict.fromkeys(codes)),
        "voucher_value": money(order["coupon_discount"]),
        "discount_value": money(order["discount_amount"]),
        "channel_id": str(order["channel_id"]),
        "order_source": order["order_source"],
        "customer_type": "registered" if order["customer_id"] else "guest",
    }
    return properties | ({"cart_id": order["cart_id"]} if order["cart_id"] else {})


def expected_item(order: Json, line: Json) -> Json:
    """The `purchase_item` of a line. Every line of this shop is of a product."""
    price, original, total = money(line["price_inc_tax"]), money(line["base_price"]), money(line["discounted_total_inc_tax"])
    return {
        "purchase_id": str(order["id"]),
        "line_item_id": str(line["id"]),
        "product_id": str(line["product_id"]),
        "variant_id": str(line["variant_id"]),
        "sku": line["sku"],
        "title": line["name"],
        "brand": line["brand"],
        "price": price,
        "price_local_currency": price,
        "original_price": original,
        "original_price_local_currency": original,
        "quantity": line["quantity"],
        "total_price": total,
        "total_price_local_currency": total,
        "discount_value": money(sum((Decimal(discount["amount"]) for discount in line["applied_discounts"]), Decimal(0))),
    }


def _items_problem(order: Entity, purchase: list[Event], found: list[Event], *, missable: bool) -> str:
    """One item a line, where the purchase stands. `missable`: a part of its history may have been waiting when its person was deleted."""
    wanted = {str(line["id"]): expected_item(order.last.body, line) for line in order.lines}
    listed = Counter(str(event.properties.get("line_item_id")) for event in found)
    if listed != Counter(list(wanted)) and not (missable and listed <= Counter(list(wanted))):
        return f"{len(found)} items for {len(wanted)} lines"
    for event in found:
        id = event.properties["line_item_id"]
        if problem := _differs(event, [wanted[id]], order):
            return f"line {id} {problem}"
        if purchase and event.profile is not purchase[0].profile:
            return f"line {id} stands on another profile than the purchase"
    return ""


def expected_update(order: Json, status: int) -> tuple[int, bytes]:
    """Time and properties of the `order_update` of an order that had `status` before."""
    properties = {
        "purchase_id": str(order["id"]),
        "order_status": STATUS[order["status_id"]],
        "previous_status": STATUS[status],
        "total_price": money(order["total_inc_tax"]),
    }
    return seconds(order["date_modified"]), same_text(properties)


def _updates_problem(order: Entity, firsts: list[State], purchase: list[Event], found: list[Event], whose: Whose) -> str:
    """The updates are what somebody tells who read some of the states, and at the end the last."""
    pool = Counter((event.at_s, event.text) for event in found)
    twice = [event for event in found if pool[event.at_s, event.text] > 1]
    if twice:
        return f"{twice[0]} stands twice"
    for event in found:
        if problem := whose.misplaced(event.profile):
            return problem
    began = {event.properties.get("order_status") for event in purchase}
    starts = [order.states.index(state) for state in firsts if STATUS[state.body["status_id"]] in began or not purchase]
    if not any(
        _explained(order.states[n].body["status_id"], order.states[n + 1 :], frozenset(pool), missable=whose.missable) for n in starts
    ):
        told = ", then ".join(str(event.properties.get("order_status")) for event in [*purchase[:1], *found])
        was = ", then ".join(STATUS[state.body["status_id"]] for state in order.states)
        return f"was {was}; held as {told}; the updates do not follow from that"
    return ""


def _explained(status: int, states: list[State], told: frozenset[tuple[float, bytes]], *, missable: bool) -> bool:
    """Whether a reader who saw `status` last can have told exactly this of the states that follow. `missable`: what was told may have been
    dropped, as the deleted person's, or refused where it waited in history."""
    if not states:
        return not told
    state, *later = states
    update = expected_update(state.body, status)
    if update in told and _explained(state.body["status_id"], later, told - {update}, missable=missable):
        return True
    if missable and _explained(state.body["status_id"], later, told, missable=missable):
        return True
    unread = state.brief or state.body["status_id"] == status
    return unread and _explained(status, later, told, missable=missable)
