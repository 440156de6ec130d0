"""What happens to orders, and which webhooks it fires (docs/facts/bigcommerce.md 1.6)."""

import msgspec

from simulators.bigcommerce import actions as do
from simulators.bigcommerce.carts import end_cart
from simulators.bigcommerce.money import rfc2822
from simulators.bigcommerce.order_body import NewOrder, order_parts, status_fields
from simulators.bigcommerce.products import sell
from simulators.bigcommerce.shop import Body, Refused, Shop, apply, known

INCOMPLETE = 0


@apply.register
def checkout(action: do.Checkout, shop: Shop) -> Body:
    cart = shop.carts.get(action.cart_id)
    if cart is None:
        raise Refused(f"no cart {action.cart_id}")
    if cart.order_id:
        raise Refused(f"cart {cart.id} is order {cart.order_id} already")
    cart.order_id = _place(
        shop,
        NewOrder(
            id=shop.next_id("order"),
            fields=msgspec.structs.replace(action, billing={"email": cart.email, **action.billing}),
            lines=[item.line for item in cart.lines],
            coupons=cart.coupons,
            status=INCOMPLETE,
            customer_id=cart.customer_id,
            cart_id=cart.id,
            currency=cart.currency,
            channel_id=cart.channel_id,
            order_source=action.order_source,
        ),
    )
    return _set_status(shop, cart.order_id, action.status)


@apply.register
def create_order(action: do.CreateOrder, shop: Shop) -> Body:
    order_id = _place(
        shop,
        NewOrder(
            id=shop.next_id("order"),
            fields=action,
            lines=action.lines,
            coupons=action.coupons,
            status=action.status,
            customer_id=action.customer_id,
            cart_id=None,
            currency=action.currency or shop.store.currency,
            channel_id=action.channel_id,
            order_source=action.order_source,
        ),
    )
    return {"id": order_id}


@apply.register
def set_order_status(action: do.SetOrderStatus, shop: Shop) -> Body:
    return _set_status(shop, action.id, action.status)


@apply.register
def update_order(action: do.UpdateOrder, shop: Shop) -> Body:
    order = shop.live("order", action.id)["order"]
    return _change(shop, action.id, known(order, action.fields), "updated")


@apply.register
def archive_order(action: do.ArchiveOrder, shop: Shop) -> Body:
    return _change(shop, action.id, {"is_deleted": True}, "archived")


def _place(shop: Shop, new: NewOrder) -> int:
    shop.put("order", new.id, order_parts(new, shop.store, shop.rate(new.currency), shop.clock()))
    _fire(shop, "created", new.id)
    for line in new.lines:
        sell(shop, line.product_id, line.variant_id, line.quantity)
    return new.id


def _set_status(shop: Shop, order_id: int, status: int) -> Body:
    order = shop.live("order", order_id)["order"]
    old = order["status_id"]
    if old == status:
        return {"id": order_id}
    cart = shop.carts.get(order["cart_id"])
    if old == INCOMPLETE and cart:
        end_cart(shop, cart, "converted", {"orderId": order_id})
    _change(shop, order_id, status_fields(status), "updated")
    _fire(shop, "statusUpdated", order_id, {"status": {"previous_status_id": old, "new_status_id": status}})
    return {"id": order_id}


def _change(shop: Shop, order_id: int, fields: Body, event: str) -> Body:
    parts = shop.live("order", order_id)
    shop.put("order", order_id, {**parts, "order": {**parts["order"], **fields, "date_modified": rfc2822(shop.clock())}})
    _fire(shop, event, order_id)
    return {"id": order_id}


def _fire(shop: Shop, event: str, order_id: int, more: Body | None = None) -> None:
    channel = shop.live("order", order_id)["order"]["channel_id"]
    shop.fire(f"store/order/{event}", {"type": "order", "id": order_id, **(more or {})})
    shop.fire(f"store/channel/{channel}/order/{event}", {"order_id": order_id})
