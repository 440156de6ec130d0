"""The events of an order, made of its body alone: `purchase`, `purchase_item`, `order_update`."""

from decimal import Decimal
from typing import Any

from bigcommerce.orders import STATUS_NAMES, Order, OrderLine
from schemas.people import Event
from streams.resolve.rules.change import Store
from streams.resolve.rules.line_items import products
from streams.resolve.rules.prices import price


def purchase_events(order: Order, store: Store) -> list[Event]:
    """One `purchase` and one `purchase_item` a line, all at the order's `date_created`.

    A field of which the source is absent is left out.
    """
    in_store = _converter(order, store.currency)
    codes = list(dict.fromkeys(code for line in order.lines for code in line.codes))
    shipping = order.shipping
    properties = {
        "purchase_id": store.id(order.id),
        "purchase_status": "success",
        "purchase_source_type": "store" if order.source == "manual" else "online",
        "purchase_source_name": store.domain,
        "order_status": STATUS_NAMES[order.status_id],
        **products(order.lines, store),
        "total_price": in_store(order.total),
        "total_price_without_tax": in_store(order.total_without_tax),
        "total_price_local_currency": _local(order, order.total),
        "local_currency": order.currency or store.currency,
        "tax": in_store(order.tax),
        "shipping_cost": in_store(order.shipping_cost),
        "shipping_type": shipping.method if shipping else None,
        "shipping_country": shipping.country if shipping else None,
        "shipping_state": shipping.state if shipping else None,
        "shipping_city": shipping.city if shipping else None,
        "payment_type": order.payment_method,
        "voucher_code": ", ".join(codes),
        "voucher_value": in_store(order.coupon_discount),
        "discount_value": in_store(order.discount),
        "cart_id": order.cart_id or None,
        "channel_id": order.channel_id,
        "order_source": order.source,
        "customer_type": "registered" if order.customer_id else "guest",
    }
    items = [Event("purchase_item", order.created_ms, _present(_item(order, line, store, in_store))) for line in order.lines]
    return [Event("purchase", order.created_ms, _present(properties)), *items]


def order_update(order: Order, previous_status_id: int, store: Store) -> Event:
    """The event of a later change of status, at the order's `date_modified`."""
    properties = {
        "purchase_id": store.id(order.id),
        "order_status": STATUS_NAMES[order.status_id],
        "previous_status": STATUS_NAMES[previous_status_id],
        "total_price": _converter(order, store.currency)(order.total),
    }
    return Event("order_update", order.modified_ms, _present(properties))


def _item(order: Order, line: OrderLine, store: Store, in_store: "_Converter") -> dict[str, Any]:
    return {
        "purchase_id": store.id(order.id),
        "line_item_id": line.id,
        "product_id": store.id(line.product_id) or None,
        "variant_id": store.id(line.variant_id) or None,
        "sku": line.sku,
        "title": line.title,
        "brand": line.brand,
        "price": in_store(line.price),
        "price_local_currency": _local(order, line.price),
        "original_price": in_store(line.original_price),
        "original_price_local_currency": _local(order, line.original_price),
        "quantity": line.quantity,
        "total_price": in_store(line.total),
        "total_price_local_currency": _local(order, line.total),
        "discount_value": in_store(line.discount),
    }


class _Converter:
    """From what the shopper paid in to the store's default currency; nothing where the rate is not given."""

    def __init__(self, currency: str, rate: Decimal | None) -> None:
        self.currency, self.rate = currency, rate

    def __call__(self, amount: Decimal | None) -> float | None:
        return None if amount is None or self.rate is None else price(amount / self.rate, self.currency)


def _converter(order: Order, store_currency: str) -> _Converter:
    rate = Decimal(1) if order.currency == store_currency or (not order.currency and order.rate is None) else order.rate
    return _Converter(store_currency, rate)


def _local(order: Order, amount: Decimal | None) -> float | None:
    return None if amount is None else price(amount, order.currency)


def _present(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value is not None}
