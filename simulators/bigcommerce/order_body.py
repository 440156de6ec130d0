"""Order bodies (docs/facts/bigcommerce.md 2.5). An order is kept with its parts: `order`, `products`, `coupons`, `consignments`."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from simulators.bigcommerce.actions import Coupon, Line, OrderFields
from simulators.bigcommerce.cart_body import coupon_amounts, lines_total, unit_price
from simulators.bigcommerce.money import cents, number, rfc2822, text
from simulators.bigcommerce.shop import Store

Body = dict[str, Any]

STATUSES = (
    "Incomplete", "Pending", "Shipped", "Partially Shipped", "Refunded", "Cancelled", "Declined", "Awaiting Payment", "Awaiting Pickup",
    "Awaiting Shipment", "Completed", "Awaiting Fulfillment", "Manual Verification Required", "Disputed", "Partially Refunded",
)  # fmt: skip
"""By id: BigCommerce's own names."""
PAYMENT = {0: "", 1: "", 4: "refunded", 5: "void", 6: "declined", 7: "pending", 12: "held for review", 14: "partially refunded"}
"""`payment_status` by status id; else `captured`."""
ADDRESS = {
    "first_name": "",
    "last_name": "",
    "company": "",
    "street_1": "",
    "street_2": "",
    "city": "",
    "state": "",
    "zip": "",
    "country": "",
    "country_iso2": "",
    "phone": "",
    "email": "",
}


@dataclass
class NewOrder:
    id: int
    fields: OrderFields
    lines: list[Line]
    coupons: list[Coupon]
    status: int
    customer_id: int
    cart_id: str | None
    currency: str
    channel_id: int
    order_source: str


def order_parts(new: NewOrder, store: Store, rate: Decimal, at_ms: int) -> Body:
    """A new order's body and its parts, in `new.currency`, of which `rate` units are one of the store's.

    A total is lines plus shipping less `coupon_discount` and less `discount_amount`: the documented example adds up that way only.
    """
    made, lines, coupons, order_id = new.fields, new.lines, new.coupons, new.id
    tax = 1 + store.tax_rate
    total = lines_total(lines)
    taken = coupon_amounts(coupons, total)
    billing = {**ADDRESS, **made.billing}
    products = _products(new, [*zip(coupons, taken, strict=True)], tax)
    consignments = _consignments(new, store, products, tax)
    subtotal_inc = sum((Decimal(line["total_inc_tax"]) for line in products), Decimal(0))
    shipping_inc = cents(made.shipping_cost * tax)
    total_inc = subtotal_inc + shipping_inc - sum(taken) - made.discount
    total_ex = cents(total_inc / tax)
    quantity = sum(line.quantity for line in lines)

    def link(part: str) -> Body:
        resource = f"/orders/{order_id}/{part}"
        return {"url": f"{store.api_url}/v2{resource}", "resource": resource}

    order = {
        "id": order_id,
        "customer_id": new.customer_id,
        "date_created": rfc2822(at_ms),
        "date_modified": rfc2822(at_ms),
        "date_shipped": "",
        **status_fields(new.status),
        **_costs("subtotal", total, subtotal_inc),
        "base_shipping_cost": text(made.shipping_cost),
        **_costs("shipping_cost", made.shipping_cost, shipping_inc),
        "shipping_cost_tax_class_id": 0,
        **{key: value for kind in ("handling", "wrapping") for key, value in _no_cost(kind).items()},
        "total_ex_tax": text(total_ex),
        "total_inc_tax": text(total_inc),
        "total_tax": text(total_inc - total_ex),
        "is_tax_inclusive_pricing": False,
        "items_total": quantity,
        "items_shipped": 0,
        "payment_method": made.payment_method,
        "payment_provider_id": "",
        "refunded_amount": "0.0000",
        "order_is_digital": all(line.type == "digital" for line in lines),
        "store_credit_amount": "0.0000",
        "gift_certificate_amount": "0.0000",
        "ip_address": "",
        "ip_address_v6": "",
        "geoip_country": "",
        "geoip_country_iso2": "",
        "currency_id": 1,
        "currency_code": new.currency,
        "currency_exchange_rate": "1.0000000000",
        "default_currency_id": 1,
        "default_currency_code": new.currency,
        "staff_notes": "",
        "customer_message": "",
        "discount_amount": text(made.discount),
        "coupon_discount": text(sum(taken, Decimal(0))),
        "shipping_address_count": len(consignments["shipping"]),
        "is_deleted": False,
        "ebay_order_id": "0",
        "cart_id": new.cart_id,
        "billing_address": {**billing, "form_fields": []},
        "is_email_opt_in": False,
        "credit_card_type": None,
        "order_source": new.order_source,
        "channel_id": new.channel_id,
        "external_source": None,
        "consignments": link("consignments"),
        "products": link("products"),
        "shipping_addresses": link("shippingaddresses"),
        "coupons": link("coupons"),
        "fees": link("fees"),
        "external_id": None,
        "external_merchant_id": None,
        "external_order_id": "",
        "tax_provider_id": "BasicTaxProvider",
        "store_default_currency_code": store.currency,
        "store_default_to_transactional_exchange_rate": str(rate.quantize(Decimal("0.0000000001"))),
        "customer_locale": "en",
    }
    applied = [
        {
            "id": coupon_id,
            "coupon_id": coupon_id,
            "order_id": order_id,
            "code": coupon.code,
            "amount": float(coupon.percent or coupon.amount),
            "type": 1 if coupon.percent else 2,
            "discount": float(amount),
        }
        for coupon_id, (coupon, amount) in enumerate(zip(coupons, taken, strict=True), 1)
    ]
    return {"order": order, "products": products, "coupons": applied, "consignments": consignments}


def status_fields(status: int) -> Body:
    name = STATUSES[status]
    return {"status_id": status, "status": name, "custom_status": name, "payment_status": PAYMENT.get(status, "captured")}


def shipping_addresses(parts: Body) -> list[Body]:
    """`/orders/{id}/shipping_addresses`: the shipping consignments once more, with money as strings."""
    return [
        {
            "order_id": parts["order"]["id"],
            **{key: _money_text(key, value) for key, value in consignment.items() if key != "line_items"},
        }
        for consignment in parts["consignments"]["shipping"]
    ]


def _money_text(key: str, value: Any) -> Any:
    return text(Decimal(str(value))) if "cost" in key and not key.endswith("_id") else value


def _costs(name: str, ex_tax: Decimal, inc_tax: Decimal) -> dict[str, str]:
    return {f"{name}_ex_tax": text(ex_tax), f"{name}_inc_tax": text(inc_tax), f"{name}_tax": text(inc_tax - ex_tax)}


def _no_cost(kind: str) -> Body:
    return {f"base_{kind}_cost": "0.0000", **_costs(f"{kind}_cost", Decimal(0), Decimal(0)), f"{kind}_cost_tax_class_id": 0}


def _products(new: NewOrder, coupons: list[tuple[Coupon, Decimal]], tax: Decimal) -> list[Body]:
    """The lines; each discount of the order is shared among them by their totals, so that the shares sum up to it."""
    order_id, lines, discount, pickup = new.id, new.lines, new.fields.discount, new.fields.pickup
    whole = lines_total(lines) or Decimal(1)
    named: list[tuple[str | None, str, str, Decimal]] = [(coupon.code, "coupon", coupon.code, amount) for coupon, amount in coupons]
    named += [(None, "manual-discount", "Manual Discount", discount)] if discount else []
    left = [amount for *_, amount in named]
    products = []
    for number_, line in enumerate(lines):
        ex, base = unit_price(line), lines_total([line])
        inc = ex if line.type == "gift_certificate" else cents(ex * tax)
        shares: list[Body] = []
        for at, (code, kind, name, amount) in enumerate(named):
            share = left[at] if number_ == len(lines) - 1 else cents(amount * base / whole)
            left[at] -= share
            shares.append({"id": kind, "amount": text(share), "name": name, "code": code, "target": "order"})
        own, parcel = line.type in ("physical", "digital"), line.type in ("physical", "custom")
        products.append(
            {
                "id": order_id * 100 + number_ + 1,
                "order_id": order_id,
                "product_id": line.product_id if own else 0,
                "variant_id": line.variant_id if own else 0,
                "order_pickup_method_id": order_id * 10 + 1 if parcel and pickup else 0,
                "order_address_id": order_id * 10 + 1 if parcel and not pickup else 0,
                "name": line.name,
                "name_customer": line.name,
                "name_merchant": line.name,
                "sku": line.sku,
                "upc": "",
                "type": {"gift_certificate": "giftcertificate", "digital": "digital"}.get(line.type, "physical"),
                "base_price": text(line.price),
                **_costs("price", ex, inc),
                "base_total": text(line.price * line.quantity),
                **_costs("total", ex * line.quantity, inc * line.quantity),
                "weight": "1.0000",
                "quantity": line.quantity,
                "base_cost_price": "0.0000",
                "cost_price_inc_tax": "0.0000",
                "cost_price_ex_tax": "0.0000",
                "cost_price_tax": "0.0000",
                "is_refunded": False,
                "quantity_refunded": 0,
                "refund_amount": "0.0000",
                "quantity_shipped": 0,
                "option_set_id": None,
                "parent_order_product_id": None,
                "is_bundled_product": False,
                "external_id": None,
                "brand": line.brand,
                "applied_discounts": shares,
                "product_options": [],
                "configurable_fields": [],
                "gift_certificate_id": order_id * 100 + number_ + 1 if line.type == "gift_certificate" else None,
                "discounted_total_inc_tax": text(inc * line.quantity - sum((Decimal(share["amount"]) for share in shares), Decimal(0))),
            }
        )
    return products


def _consignments(new: NewOrder, store: Store, products: list[Body], tax: Decimal) -> Body:
    """Where each line goes. Source: bigcommerce/docs reference/orders.v2.oas2.yml, schema orderConsignment_Get."""
    made, order_id = new.fields, new.id
    pairs = list(zip(new.lines, products, strict=True))
    parcels = [product for line, product in pairs if line.type in ("physical", "custom")]
    files = [product for line, product in pairs if line.type == "digital"]
    billing = {**ADDRESS, **made.billing}
    pickups, shipping = [], []
    if parcels and made.pickup:
        pickups.append(
            {
                "id": order_id * 10 + 1,
                "pickup_method_id": 1,
                "pickup_method_display_name": "Pick Up",
                "collection_instructions": "",
                "collection_time_description": "",
                "location": {"id": 1, "name": "Shop", "code": "SHOP-1"},
                "line_items": parcels,
            }
        )
    elif parcels:
        resource = f"/orders/{order_id}/consignments/shipping/{order_id * 10 + 1}/shipping_quotes"
        inc = cents(made.shipping_cost * tax)
        shipping.append(
            {
                "id": order_id * 10 + 1,
                **billing,
                **made.shipping,
                "form_fields": [],
                "line_items": parcels,
                "items_total": sum(product["quantity"] for product in parcels),
                "items_shipped": 0,
                "shipping_method": "Flat Rate" if made.shipping_cost else "Free Shipping",
                "base_cost": number(made.shipping_cost),
                "cost_ex_tax": number(made.shipping_cost),
                "cost_inc_tax": number(inc),
                "cost_tax": number(inc - made.shipping_cost),
                "cost_tax_class_id": 0,
                "base_handling_cost": 0,
                "handling_cost_ex_tax": 0,
                "handling_cost_inc_tax": 0,
                "handling_cost_tax": 0,
                "handling_cost_tax_class_id": 0,
                "shipping_zone_id": 1,
                "shipping_zone_name": "Everywhere",
                "shipping_quotes": {"url": f"{store.api_url}/v2{resource}", "resource": resource},
            }
        )
    return {
        "pickups": pickups,
        "shipping": shipping,
        "downloads": [{"recipient_email": billing["email"], "line_items": files}] if files else [],
        "email": {
            "gift_certificates": [
                {"recipient_email": line.recipient_email, "line_items": [product]}
                for line, product in pairs
                if line.type == "gift_certificate"
            ]
        },
    }
