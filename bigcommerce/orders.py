"""An order as BigCommerce gives it."""

from decimal import Decimal
from typing import Any

import msgspec

from bigcommerce.values import Fields, read_object
from schemas.failures import Undecodable

# BigCommerce's own English names; a merchant may relabel them.
# Source: docs/facts/bigcommerce.md 2.5 · tests/examples/bigcommerce/rest/order_statuses.json
STATUS_NAMES = {
    0: "Incomplete",
    1: "Pending",
    2: "Shipped",
    3: "Partially Shipped",
    4: "Refunded",
    5: "Cancelled",
    6: "Declined",
    7: "Awaiting Payment",
    8: "Awaiting Pickup",
    9: "Awaiting Shipment",
    10: "Completed",
    11: "Awaiting Fulfillment",
    12: "Manual Verification Required",
    13: "Disputed",
    14: "Partially Refunded",
}
RATE_MIN = Decimal("1e-9")
NOT_PLACED = frozenset({0, 1, 5, 6})


class OrderLine(msgspec.Struct, frozen=True):
    """One line; amounts in major units of the order's currency, None where they are not given; ids "" where it has none."""

    id: str
    product_id: str
    variant_id: str
    sku: str | None
    title: str | None
    brand: str | None
    quantity: int
    price: Decimal | None
    original_price: Decimal | None
    total: Decimal | None
    discount: Decimal | None
    codes: list[str]  # of its discounts


class Shipping(msgspec.Struct, frozen=True):
    """Where and how the order's first shipment goes; None where it is not given."""

    method: str | None
    country: str | None
    state: str | None
    city: str | None


class Order(msgspec.Struct, frozen=True):
    """An order; amounts in major units of `currency` (what the shopper paid in), None where they are not given."""

    id: str
    customer_id: str  # "" for a guest
    email: str  # of the billing address, cleaned, "" where there is none
    cart_id: str  # "" where it came from none
    created_ms: int
    modified_ms: int
    status_id: int
    source: str | None
    channel_id: str | None
    payment_method: str | None
    currency: str
    rate: Decimal | None  # one unit of the store's currency in `currency`; None where it is not given
    total: Decimal | None
    total_without_tax: Decimal | None
    tax: Decimal | None
    shipping_cost: Decimal | None
    coupon_discount: Decimal | None
    discount: Decimal | None
    shipping: Shipping | None
    lines: list[OrderLine]

    @property
    def placed(self) -> bool:
        return self.status_id not in NOT_PLACED


def parse_order(body: bytes) -> Order:
    """A V2 order with its lines, embedded in `consignments` or beside it as lists `products` and `shipping_addresses`.

    `default_currency_code` is the currency paid in, despite its name. Raises Undecodable with the field at fault.
    Source: docs/facts/bigcommerce.md 2.5 · example: tests/examples/bigcommerce/rest/orders_v2_one.json,
    tests/examples/bigcommerce/rest/orders_v2_products.json
    """
    fields = read_object(body)
    status_id = fields.integer("status_id")
    if status_id not in STATUS_NAMES:
        raise Undecodable("no status that BigCommerce documents", "status_id")
    created_ms = fields.required_time_ms("date_created")
    rate = fields.money("store_default_to_transactional_exchange_rate") or None  # 0 is none
    if rate is not None and not RATE_MIN <= rate <= 1 / RATE_MIN:
        raise Undecodable("no rate of exchange", "store_default_to_transactional_exchange_rate")
    channel_id = fields.integer("channel_id")
    return Order(
        id=fields.required_id("id"),
        customer_id=fields.id("customer_id"),
        email=fields.object("billing_address").email("email"),
        cart_id=fields.id("cart_id"),
        created_ms=created_ms,
        modified_ms=fields.time_ms("date_modified") or created_ms,
        status_id=status_id,
        source=fields.text("order_source"),
        channel_id=None if channel_id is None else str(channel_id),
        payment_method=fields.text("payment_method"),
        currency=fields.text("default_currency_code") or fields.text("currency_code") or "",
        rate=rate,
        total=fields.money("total_inc_tax"),
        total_without_tax=fields.money("total_ex_tax"),
        tax=fields.money("total_tax"),
        shipping_cost=fields.money("shipping_cost_inc_tax"),
        coupon_discount=fields.money("coupon_discount"),
        discount=fields.money("discount_amount"),
        shipping=_shipping(fields),
        lines=sorted(_lines(fields), key=lambda line: (len(line.id), line.id)),
    )


def has_lines(order: dict[str, Any]) -> bool:
    """Whether an order's body holds its lines, or only links to them."""
    return isinstance(order.get("products"), list) or bool(_embedded(Fields(order)))


def _embedded(fields: Fields) -> list[Fields]:
    """The lines in `consignments`, wherever they sit: shipping, pickups, downloads, e-mail gift certificates."""
    if not isinstance(fields.data.get("consignments"), dict):
        return []
    groups = fields.object("consignments")
    consignments = [c for kind in ("shipping", "pickups", "downloads") for c in groups.objects(kind)]
    for group in groups.objects("email"):
        consignments += [group, *group.objects("gift_certificates")]
    return [line for c in consignments for line in c.objects("line_items") if not _is_link(line)]


def _is_link(line: Fields) -> bool:
    """Without `include=consignments.line_items` a line is `{"url", "resource"}`."""
    return "resource" in line.data and "id" not in line.data


def _lines(fields: Fields) -> list[OrderLine]:
    listed = fields.objects("products") if isinstance(fields.data.get("products"), list) else _embedded(fields)
    return list({line.id: line for line in map(_line, listed)}.values())


def _line(fields: Fields) -> OrderLine:
    discounts = fields.objects("applied_discounts")
    amounts = [d.money("amount") or Decimal(0) for d in discounts]
    total = fields.money("discounted_total_inc_tax")
    return OrderLine(
        id=fields.required_id("id"),
        product_id=fields.id("product_id"),
        variant_id=fields.id("variant_id"),
        sku=fields.text("sku"),
        title=fields.text("name"),
        brand=fields.text("brand"),
        quantity=fields.integer("quantity") or 0,
        price=fields.money("price_inc_tax"),
        original_price=fields.money("base_price"),
        total=fields.money("total_inc_tax") if total is None else total,
        discount=sum(amounts, Decimal(0)) if "applied_discounts" in fields.data else None,
        codes=[code for d in discounts if (code := d.text("code"))],
    )


def _shipping(fields: Fields) -> Shipping | None:
    if isinstance(fields.data.get("shipping_addresses"), list):
        shipments = fields.objects("shipping_addresses")
    elif isinstance(fields.data.get("consignments"), dict):
        shipments = fields.object("consignments").objects("shipping")
    else:
        shipments = []
    if not shipments:
        return None
    first = min(shipments, key=lambda s: s.integer("id") or 0)
    return Shipping(method=first.text("shipping_method"), country=first.text("country"), state=first.text("state"), city=first.text("city"))
