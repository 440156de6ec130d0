"""A cart as BigCommerce gives it."""

from decimal import Decimal

import msgspec

from bigcommerce.values import Fields, read_object


class CartLine(msgspec.Struct, frozen=True):
    """One line; ids are "" where it has none (custom items, gift certificates)."""

    id: str
    product_id: str
    variant_id: str
    sku: str
    quantity: int


class Cart(msgspec.Struct, frozen=True):
    """A cart; `amount` in major units of `currency`."""

    id: str
    customer_id: str  # "" for a guest
    email: str  # cleaned, "" until known
    currency: str
    amount: Decimal | None
    number: int | None  # BigCommerce's `version`, one up at each change, where it is given
    updated_ms: int
    lines: list[CartLine]
    coupons: list[str]  # codes

    @property
    def version(self) -> int:
        """What orders two states of one cart."""
        return self.updated_ms if self.number is None else self.number


def parse_cart(body: bytes) -> Cart:
    """A cart of the V3 API, the `data` object.

    Raises Undecodable with the field at fault.
    Source: docs/facts/bigcommerce.md 2.6 · example: tests/examples/bigcommerce/rest/cart_v3_after_item_delete.json
    """
    fields = read_object(body)
    items = fields.object("line_items")
    lines = [
        _line(line) for kind in ("physical_items", "digital_items", "custom_items", "gift_certificates") for line in items.objects(kind)
    ]
    return Cart(
        id=fields.required_id("id"),
        customer_id=fields.id("customer_id"),
        email=fields.email("email"),
        currency=fields.object("currency").text("code") or "",
        amount=fields.money("cart_amount"),
        number=fields.integer("version"),
        updated_ms=fields.required_time_ms("updated_time"),
        lines=sorted(lines, key=lambda line: line.id),
        coupons=sorted({c.text("code") or "" for c in fields.objects("coupons")} - {""}),
    )


def _line(fields: Fields) -> CartLine:
    return CartLine(
        id=fields.required_id("id"),
        product_id=fields.id("product_id"),
        variant_id=fields.id("variant_id"),
        sku=fields.text("sku") or "",
        quantity=fields.integer("quantity") or 0,
    )
