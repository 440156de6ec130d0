"""What happens to carts, and which webhooks it fires (docs/facts/bigcommerce.md 1.6)."""

import msgspec

from simulators.bigcommerce import actions as do
from simulators.bigcommerce.cart_body import Cart, CartLine, cart_body
from simulators.bigcommerce.shop import Body, Refused, Shop, apply


@apply.register
def create_cart(action: do.CreateCart, shop: Shop) -> Body:
    currency = action.currency or shop.store.currency
    shop.rate(currency)
    lines = [CartLine(line, shop.new_uuid()) for line in action.lines]
    cart = Cart(shop.new_uuid(), action.customer_id, action.email, action.channel_id, currency, shop.clock(), lines)
    shop.carts[cart.id] = cart
    _save(shop, cart)
    _fire(shop, cart, "created")
    _fire(shop, cart, "updated")
    for line in lines:
        _fire_line(shop, cart, "created", line.id)
    return {"id": cart.id, "line_ids": [line.id for line in lines]}


@apply.register
def add_line(action: do.AddLine, shop: Shop) -> Body:
    cart, new = _cart(shop, action.cart_id), action.line
    wanted = (new.type, new.product_id, new.variant_id)
    same = (item for item in cart.lines if (item.line.type, item.line.product_id, item.line.variant_id) == wanted)
    item = next(same, None) if new.product_id else None
    if item:
        item.line = msgspec.structs.replace(item.line, quantity=item.line.quantity + new.quantity)
        _fire_line(shop, cart, "updated", item.id)
    else:
        item = CartLine(new, shop.new_uuid())
        cart.lines.append(item)
        _fire_line(shop, cart, "created", item.id)
    return {**_updated(shop, cart), "line_id": item.id}


@apply.register
def set_quantity(action: do.SetQuantity, shop: Shop) -> Body:
    cart = _cart(shop, action.cart_id)
    item = _line(cart, action.line_id)
    if not action.quantity:
        return _remove(shop, cart, item)
    item.line = msgspec.structs.replace(item.line, quantity=action.quantity)
    _fire_line(shop, cart, "updated", item.id)
    return _updated(shop, cart)


@apply.register
def remove_line(action: do.RemoveLine, shop: Shop) -> Body:
    cart = _cart(shop, action.cart_id)
    return _remove(shop, cart, _line(cart, action.line_id))


@apply.register
def set_cart_email(action: do.SetCartEmail, shop: Shop) -> Body:
    cart = _cart(shop, action.cart_id)
    cart.email = action.email
    return _updated(shop, cart)


@apply.register
def set_cart_customer(action: do.SetCartCustomer, shop: Shop) -> Body:
    cart = _cart(shop, action.cart_id)
    cart.email = shop.live("customer", action.customer_id)["email"]
    cart.customer_id = action.customer_id
    return _updated(shop, cart)


@apply.register
def apply_coupon(action: do.ApplyCoupon, shop: Shop) -> Body:
    cart = _cart(shop, action.cart_id)
    cart.coupons.append(action.coupon)
    shop.fire("store/cart/couponApplied", {"type": "cart", "id": cart.id, "couponId": len(cart.coupons)})
    return _updated(shop, cart)


@apply.register
def delete_cart(action: do.DeleteCart, shop: Shop) -> Body:
    return end_cart(shop, _cart(shop, action.cart_id), "deleted")


def end_cart(shop: Shop, cart: Cart, event: str, more: Body | None = None) -> Body:
    """The cart is gone; `event` says why: deleted, or converted with `more` {"orderId"}."""
    del shop.carts[cart.id]
    shop.put("cart", cart.id, None)
    _fire(shop, cart, event, more)
    return {"id": cart.id}


def _remove(shop: Shop, cart: Cart, item: CartLine) -> Body:
    cart.lines.remove(item)
    _fire_line(shop, cart, "deleted", item.id)
    _updated(shop, cart)
    return {"id": cart.id} if cart.lines else end_cart(shop, cart, "deleted")


def _updated(shop: Shop, cart: Cart) -> Body:
    _save(shop, cart)
    _fire(shop, cart, "updated")
    return {"id": cart.id}


def _save(shop: Shop, cart: Cart) -> None:
    cart.version += 1
    shop.put("cart", cart.id, cart_body(cart, shop.clock(), shop.store.tax_rate, shop.store.secure_url))


def _fire(shop: Shop, cart: Cart, event: str, more: Body | None = None) -> None:
    shop.fire(f"store/cart/{event}", {"type": "cart", "id": cart.id, **(more or {})})
    shop.fire(f"store/channel/{cart.channel_id}/cart/{event}", {"cart_id": cart.id})


def _fire_line(shop: Shop, cart: Cart, event: str, line_id: str) -> None:
    shop.fire(f"store/cart/lineItem/{event}", {"type": "cart_line_item", "id": line_id, "cartId": cart.id})
    shop.fire(f"store/channel/{cart.channel_id}/cart/lineItem/{event}", {"cart_id": cart.id, "cart_item_id": line_id})


def _cart(shop: Shop, cart_id: str) -> Cart:
    if cart_id not in shop.carts:
        raise Refused(f"no cart {cart_id}")
    return shop.carts[cart_id]


def _line(cart: Cart, line_id: str) -> CartLine:
    item = next((item for item in cart.lines if item.id == line_id), None)
    if item is None:
        raise Refused(f"no line {line_id} in cart {cart.id}")
    return item
