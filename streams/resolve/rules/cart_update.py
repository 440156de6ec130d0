"""The `cart_update` event: what a shopper did to a cart."""

from typing import Any

from bigcommerce.carts import Cart, CartLine
from schemas.people import Event
from streams.resolve.rules.change import Store
from streams.resolve.rules.line_items import products
from streams.resolve.rules.prices import price


def action(old: list[CartLine], new: list[CartLine]) -> str:
    """`add`, `remove`, `update` or `empty`; "" where the lines are the same. Both at once is an `update`."""
    if old == new:
        return ""
    if not new:
        return "empty"
    before, after = {line.id: line.quantity for line in old}, {line.id: line.quantity for line in new}
    added = any(line not in before for line in after)
    removed = any(line not in after for line in before)
    return {(True, False): "add", (False, True): "remove"}.get((added, removed), "update")


def cart_event(old: list[CartLine], cart: Cart, store: Store) -> list[Event]:
    """The event of this state of the cart, the whole cart after the change; none where its lines did not change.

    The timestamp is `updated_time` in whole seconds and, where the cart has a version, its last three digits as thousandths.
    """
    what = action(old, cart.lines)
    if not what:
        return []
    properties: dict[str, Any] = {"action": what, "cart_id": cart.id, **products(cart.lines, store)}
    if cart.amount is not None:
        if cart.currency == store.currency:
            properties["total_price"] = price(cart.amount, cart.currency)
        properties["total_price_local_currency"] = price(cart.amount, cart.currency)
    properties["local_currency"] = cart.currency
    properties["voucher_code"] = ", ".join(cart.coupons)
    return [Event("cart_update", cart.updated_ms // 1000 * 1000 + (cart.number or 0) % 1000, properties)]


def emptied_event(cart_id: str, currency: str, store: Store, at_ms: int) -> Event:
    """The event of a cart that its shopper emptied, at the time of the deletion."""
    properties: dict[str, Any] = {"action": "empty", "cart_id": cart_id, **products([], store)}
    if currency == store.currency:
        properties["total_price"] = 0.0
    return Event("cart_update", at_ms, properties | {"total_price_local_currency": 0.0, "local_currency": currency})
