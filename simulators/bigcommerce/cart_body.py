"""Carts: what the shop keeps of one, and its V3 body (docs/facts/bigcommerce.md 2.6)."""

import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from simulators.bigcommerce.actions import Coupon, Line
from simulators.bigcommerce.money import cents, iso_millis, number

Body = dict[str, Any]


@dataclass
class CartLine:
    line: Line
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass
class Cart:
    id: str
    customer_id: int
    email: str
    channel_id: int
    currency: str
    created_ms: int
    lines: list[CartLine]
    coupons: list[Coupon] = field(default_factory=list)
    version: int = 0
    order_id: int = 0
    """Of the Incomplete order that was made of it."""


def unit_price(line: Line) -> Decimal:
    return line.price if line.sale_price is None else line.sale_price


def lines_total(lines: list[Line]) -> Decimal:
    return sum((unit_price(line) * line.quantity for line in lines), Decimal(0))


def coupon_amounts(coupons: list[Coupon], total: Decimal) -> list[Decimal]:
    """What each coupon takes off `total`, in turn, never more than is left."""
    amounts = []
    for coupon in coupons:
        amount = min(total, cents(total * coupon.percent / 100) if coupon.percent else coupon.amount)
        amounts.append(amount)
        total -= amount
    return amounts


def cart_body(cart: Cart, updated_ms: int, tax_rate: Decimal, secure_url: str) -> Body:
    """The cart as V3 gives it, without the envelope."""
    lines = [item.line for item in cart.lines]
    base = lines_total(lines)
    untaxed = lines_total([line for line in lines if line.type == "gift_certificate"])
    taken = coupon_amounts(cart.coupons, base)
    items: dict[str, list[Body]] = {"physical_items": [], "digital_items": [], "gift_certificates": [], "custom_items": []}
    for item in cart.lines:
        plural = "gift_certificates" if item.line.type == "gift_certificate" else f"{item.line.type}_items"
        items[plural].append(_item(item, secure_url))
    return {
        "id": cart.id,
        "customer_id": cart.customer_id,
        "channel_id": cart.channel_id,
        "email": cart.email,
        "currency": {"code": cart.currency},
        "tax_included": False,
        "base_amount": number(base),
        "discount_amount": 0,
        "manual_discount_amount": 0,
        "cart_amount": number(base - sum(taken) + cents(max(Decimal(0), base - untaxed - sum(taken)) * tax_rate)),
        "coupons": [
            {
                "id": code_id,
                "code": coupon.code,
                "coupon_type": "percentage_discount" if coupon.percent else "per_total_discount",
                "discounted_amount": number(amount),
                "display_name": coupon.code,
            }
            for code_id, (coupon, amount) in enumerate(zip(cart.coupons, taken, strict=True), 1)
        ],
        "discounts": [],
        "line_items": items,
        "created_time": iso_millis(cart.created_ms),
        "updated_time": iso_millis(updated_ms),
        "locale": "en",
        "version": cart.version,
    }


def _item(item: CartLine, secure_url: str) -> Body:
    line = item.line
    if line.type == "gift_certificate":
        return {
            "id": item.id,
            "name": line.name,
            "theme": "General",
            "amount": number(line.price),
            "quantity": line.quantity,
            "taxable": False,
            "sender": {"name": "", "email": ""},
            "recipient": {"name": "", "email": line.recipient_email},
            "message": "",
        }
    if line.type == "custom":
        return {
            "id": item.id,
            "sku": line.sku,
            "name": line.name,
            "quantity": line.quantity,
            "list_price": number(line.price),
            "extended_list_price": number(line.price * line.quantity),
            "image_url": "",
        }
    price = unit_price(line)
    return {
        "id": item.id,
        "parent_id": None,
        "variant_id": line.variant_id,
        "product_id": line.product_id,
        "sku": line.sku,
        "name": line.name,
        "url": f"{secure_url}/product-{line.product_id}/",
        "quantity": line.quantity,
        "taxable": True,
        "image_url": "",
        "discounts": [],
        "coupons": [],
        "discount_amount": 0,
        "coupon_amount": 0,
        "original_price": number(line.price),
        "list_price": number(line.price),
        "sale_price": number(price),
        "extended_list_price": number(line.price * line.quantity),
        "extended_sale_price": number(price * line.quantity),
        "is_require_shipping": line.type == "physical",
        "is_mutable": True,
        "added_by_promotion": False,
        "gift_wrapping": None,
    }
