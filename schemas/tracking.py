"""What is tracked: every id, profile property and event property, with the field of BigCommerce's that it comes from.

A declaration beside the rules, which do not read it. docs/tracking.md is made of it, and tests hold it to the rules:
tests/streams/resolve/test_tracking.py takes each source away and alters it, and looks at what changes.

A source is a path in a body: `order.total_inc_tax`. `order.line` is a line of an order wherever it sits, `order.shipment` its
first shipment, `cart.line` a line of a cart of any kind, `customer.address` the address with the lowest id.
"""

from typing import Any, Literal

import msgspec

Type = Literal["text", "whole number", "time", "price", "price paid", "list of text", "list of objects", "text, number or list of text"]

LEFT_OUT = "left out"
DEAD_LETTER = "dead letter"
ALWAYS = "always there"

# What each source stands for: the call that reads it. Source: docs/facts/bigcommerce.md 2.3 to 2.6, 2.8
SOURCES = {
    "customer": "`GET /v3/customers?id:in=…&include=addresses,attributes,formfields`",
    "customer.address": "of its `addresses` the one with the lowest id",
    "subscriber": "`GET /v3/customers/subscribers?id:in=…`",
    "order": "`GET /v2/orders…?include=consignments.line_items&consignment_structure=object`",
    "order.line": "one of its lines: in `consignments` under `shipping`, `pickups`, `downloads`, `email`; where they are not there, of "
    "`GET /v2/orders/{id}/products`",
    "order.shipment": "of `consignments.shipping` (`GET /v2/orders/{id}/shipping_addresses`) the one with the lowest id",
    "cart": "`GET /v3/carts/{id}`",
    "cart.line": "one of its `line_items`: of `physical_items`, `digital_items`, `custom_items`, `gift_certificates`",
    "store": "`GET /v2/store`, when the store is added",
}

# What the prices of a body depend on beside their own field: the currency, and the rate between the two.
CONVERSIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("order", "price"): (
        "order.default_currency_code",
        "order.currency_code",
        "order.store_default_to_transactional_exchange_rate",
        "store.currency",
    ),
    ("order", "price paid"): ("order.default_currency_code", "order.currency_code"),
    ("cart", "price"): ("cart.currency.code", "store.currency"),
    ("cart", "price paid"): ("cart.currency.code",),
}


class Property(msgspec.Struct, frozen=True):
    """One property, or one id.

    missing: what it is when no source of the body is there, or all are null: JSON, or LEFT_OUT, DEAD_LETTER, ALWAYS.
    example: what comes of the example bodies of tests/streams/resolve/scenes.py.
    """

    name: str
    type: Type
    source: tuple[str, ...]
    missing: str
    example: Any
    note: str = ""

    @property
    def depends_on(self) -> tuple[str, ...]:
        """All fields that change its value."""
        return (*self.source, *CONVERSIONS.get((self.source[0].partition(".")[0] if self.source else "", self.type), ()))


IDS = (
    Property(
        "email_id",
        "text",
        ("customer.email", "order.billing_address.email", "cart.email", "subscriber.email"),
        DEAD_LETTER,
        "john.doe@example.com",
        "hard; trimmed, in lower case",
    ),
    Property("customer_id", "text", ("customer.id", "order.customer_id", "cart.customer_id"), DEAD_LETTER, "11", "hard; an account's"),
    Property("subscriber_id", "text", ("subscriber.id",), DEAD_LETTER, "5", "soft"),
    Property("cart_id", "text", ("cart.id", "order.cart_id"), LEFT_OUT, "7e48f7ef-2e88-4817-aea4-b0ed01490114", "soft"),
)

PROFILE = (
    Property(
        "email",
        "text",
        ("customer.email", "order.billing_address.email", "cart.email", "subscriber.email"),
        DEAD_LETTER,
        "john.doe@example.com",
        "for everyone known by e-mail, guests and subscribers too; an order or a cart without one is tracked by its `cart_id`",
    ),
    Property("first_name", "text", ("customer.address.first_name", "customer.first_name"), '""', "John", "the first that is not empty"),
    Property("last_name", "text", ("customer.address.last_name", "customer.last_name"), '""', "Doe", "the first that is not empty"),
    Property("phone", "text", ("customer.address.phone", "customer.phone"), '""', "15551234567", "the first that is not empty"),
    Property("company", "text", ("customer.address.company", "customer.company"), '""', "BigCommerce", "the first that is not empty"),
    Property("country", "text", ("customer.address.country",), '""', "United States", "the name"),
    Property("country_code", "text", ("customer.address.country_code",), '""', "US", "ISO 3166-1"),
    Property("state", "text", ("customer.address.state_or_province",), '""', "Texas"),
    Property("city", "text", ("customer.address.city",), '""', "Austin"),
    Property("zip", "text", ("customer.address.postal_code",), '""', "78759"),
    Property("customer_group_id", "text", ("customer.customer_group_id",), '"0"', "0", "`0`: in no group"),
    Property("registered_at", "time", ("customer.date_created",), DEAD_LETTER, 1_546_300_800),
    Property(
        "bigcommerce_*",
        "text, number or list of text",
        (
            "customer.form_fields[].value",
            "customer.form_fields[].name",
            "customer.attributes[].attribute_value",
            "customer.attributes[].attribute_id",
        ),
        LEFT_OUT,
        "James Bond",
        "one for each form field and attribute, named for it in snake_case: `Sales Rep` becomes `bigcommerce_sales_rep`",
    ),
)


class Event(msgspec.Struct, frozen=True):
    """One type of event; `timestamp` stands first among its properties, although Engagement keeps it beside them."""

    type: str
    properties: tuple[Property, ...]


_PURCHASE_ID = Property("purchase_id", "text", ("order.id",), DEAD_LETTER, "218")
_ORDER_STATUS = Property(
    "order_status", "text", ("order.status_id",), DEAD_LETTER, "Awaiting Payment", "BigCommerce's own name of it, not the merchant's label"
)

PURCHASE = Event(
    "purchase",
    (
        Property("timestamp", "time", ("order.date_created",), DEAD_LETTER, 1_551_822_011),
        _PURCHASE_ID,
        Property("purchase_status", "text", (), ALWAYS, "success"),
        Property("purchase_source_type", "text", ("order.order_source",), '"online"', "online", "`store` where `order_source` is `manual`"),
        Property("purchase_source_name", "text", ("store.domain",), ALWAYS, "my-awesome.store"),
        _ORDER_STATUS,
        Property(
            "product_list",
            "list of objects",
            ("order.line.product_id", "order.line.variant_id", "order.line.sku", "order.line.quantity"),
            "[]",
            [
                {"product_id": "77", "variant_id": "351", "sku": "S-ORAN", "quantity": 1},
                {"product_id": "86", "variant_id": "", "sku": "ABS", "quantity": 1},
            ],
            "lines that are products, by their ids",
        ),
        Property("product_ids", "list of text", ("order.line.product_id",), "[]", ["77", "86"], "each once"),
        Property(
            "variant_ids", "list of text", ("order.line.variant_id", "order.line.product_id"), "[]", ["351"], "of lines that are products"
        ),
        Property("total_quantity", "whole number", ("order.line.quantity",), "0", 2, "of all lines"),
        Property("total_price", "price", ("order.total_inc_tax",), LEFT_OUT, 69.84),
        Property("total_price_without_tax", "price", ("order.total_ex_tax",), LEFT_OUT, 64.53),
        Property("total_price_local_currency", "price paid", ("order.total_inc_tax",), LEFT_OUT, 69.84),
        Property(
            "local_currency",
            "text",
            ("order.default_currency_code", "order.currency_code", "store.currency"),
            ALWAYS,
            "USD",
            "the first that is not empty; ISO 4217",
        ),
        Property("tax", "price", ("order.total_tax",), LEFT_OUT, 5.31),
        Property("shipping_cost", "price", ("order.shipping_cost_inc_tax",), LEFT_OUT, 12.0),
        Property("shipping_type", "text", ("order.shipment.shipping_method",), LEFT_OUT, "None"),
        Property("shipping_country", "text", ("order.shipment.country",), LEFT_OUT, "United States", "the name"),
        Property("shipping_state", "text", ("order.shipment.state",), LEFT_OUT, "Texas"),
        Property("shipping_city", "text", ("order.shipment.city",), LEFT_OUT, "San Antonio"),
        Property("payment_type", "text", ("order.payment_method",), LEFT_OUT, "Cash"),
        Property(
            "voucher_code",
            "text",
            ("order.line.applied_discounts[].code",),
            '""',
            "S2549JM0Y",
            "of all lines, each once, joined by `, `",
        ),
        Property("voucher_value", "price", ("order.coupon_discount",), LEFT_OUT, 5.0),
        Property("discount_value", "price", ("order.discount_amount",), LEFT_OUT, 5.0),
        Property("cart_id", "text", ("order.cart_id",), LEFT_OUT, "7e48f7ef-2e88-4817-aea4-b0ed01490114"),
        Property("channel_id", "text", ("order.channel_id",), LEFT_OUT, "1"),
        Property("order_source", "text", ("order.order_source",), LEFT_OUT, "external"),
        Property("customer_type", "text", ("order.customer_id",), '"guest"', "registered", "`registered` or `guest`"),
    ),
)

PURCHASE_ITEM = Event(
    "purchase_item",
    (
        Property("timestamp", "time", ("order.date_created",), DEAD_LETTER, 1_551_822_011, "its purchase's"),
        _PURCHASE_ID,
        Property("line_item_id", "text", ("order.line.id",), DEAD_LETTER, "65", "tells two equal lines apart"),
        Property("product_id", "text", ("order.line.product_id",), LEFT_OUT, "77", "left out for a custom item and a gift certificate"),
        Property("variant_id", "text", ("order.line.variant_id",), LEFT_OUT, "351"),
        Property("sku", "text", ("order.line.sku",), LEFT_OUT, "S-ORAN"),
        Property("title", "text", ("order.line.name",), LEFT_OUT, "Fog Linen Chambray Towel - Beige Stripe"),
        Property("brand", "text", ("order.line.brand",), LEFT_OUT, "BigCommerce"),
        Property("price", "price", ("order.line.price_inc_tax",), LEFT_OUT, 65.23, "of one"),
        Property("price_local_currency", "price paid", ("order.line.price_inc_tax",), LEFT_OUT, 65.23),
        Property("original_price", "price", ("order.line.base_price",), LEFT_OUT, 55.99, "of one"),
        Property("original_price_local_currency", "price paid", ("order.line.base_price",), LEFT_OUT, 55.99),
        Property("quantity", "whole number", ("order.line.quantity",), "0", 1),
        Property(
            "total_price",
            "price",
            ("order.line.discounted_total_inc_tax", "order.line.total_inc_tax"),
            LEFT_OUT,
            63.64,
            "of the line; the first that is there",
        ),
        Property(
            "total_price_local_currency",
            "price paid",
            ("order.line.discounted_total_inc_tax", "order.line.total_inc_tax"),
            LEFT_OUT,
            63.64,
        ),
        Property(
            "discount_value", "price", ("order.line.applied_discounts[].amount",), "0.0", 1.59, "their sum; left out without the list"
        ),
    ),
)

ORDER_UPDATE = Event(
    "order_update",
    (
        Property("timestamp", "time", ("order.date_modified", "order.date_created"), DEAD_LETTER, 1_552_317_445, "the first that is there"),
        _PURCHASE_ID,
        _ORDER_STATUS,
        Property("previous_status", "text", ("order.status_id",), DEAD_LETTER, "Awaiting Fulfillment", "of the state that was seen before"),
        Property("total_price", "price", ("order.total_inc_tax",), LEFT_OUT, 69.84),
    ),
)

CART_UPDATE = Event(
    "cart_update",
    (
        Property(
            "timestamp",
            "time",
            ("cart.updated_time", "cart.version"),
            DEAD_LETTER,
            1_537_196_020.003,
            "the second, and of `version` the last three digits as thousandths; for a deleted cart the deletion's time",
        ),
        Property(
            "action",
            "text",
            ("cart.line.id", "cart.line.quantity"),
            DEAD_LETTER,
            "add",
            "`add`, `remove`, `update` (a quantity, or both at once), `empty`: against the lines that were seen before",
        ),
        Property("cart_id", "text", ("cart.id",), DEAD_LETTER, "bc218c65-7a32-4ab7-8082-68730c074d02"),
        Property(
            "product_list",
            "list of objects",
            ("cart.line.product_id", "cart.line.variant_id", "cart.line.sku", "cart.line.quantity"),
            "[]",
            [{"product_id": "191", "variant_id": "362", "sku": "OPENHOUSE-3", "quantity": 5}],
            "the whole cart after the change; lines that are products, by their ids",
        ),
        Property("product_ids", "list of text", ("cart.line.product_id",), "[]", ["191"], "each once"),
        Property(
            "variant_ids", "list of text", ("cart.line.variant_id", "cart.line.product_id"), "[]", ["362"], "of lines that are products"
        ),
        Property("total_quantity", "whole number", ("cart.line.quantity",), "0", 7, "of all lines"),
        Property("total_price", "price", ("cart.cart_amount",), LEFT_OUT, 212.81, "left out, too, in another currency than the store's"),
        Property("total_price_local_currency", "price paid", ("cart.cart_amount",), LEFT_OUT, 212.81),
        Property("local_currency", "text", ("cart.currency.code",), '""', "USD", "ISO 4217"),
        Property(
            "voucher_code",
            "text",
            ("cart.coupons[].code",),
            '""',
            "S2549JM0Y",
            "joined by `, `; left out for a deleted cart, of which nothing can be read",
        ),
    ),
)

CONSENT = Event(
    "consent",
    (
        Property(
            "timestamp",
            "time",
            ("subscriber.date_modified", "subscriber.date_created"),
            DEAD_LETTER,
            1_715_679_240,
            "the first that is there; for a deleted subscriber the deletion's; always after the last one of its category",
        ),
        Property("action", "text", ("subscriber.consents",), '"accept"', "accept", "`accept` or `reject`"),
        Property(
            "category",
            "text",
            ("subscriber.consents",),
            '"bigcommerce"',
            "bigcommerce",
            "`bigcommerce` for `marketing_newsletter`, `bigcommerce_abandoned_cart` for `abandoned_cart`",
        ),
        Property("valid_until", "text", ("subscriber.consents",), '"unlimited"', "unlimited", "with `accept` only"),
    ),
)

EVENTS = (PURCHASE, PURCHASE_ITEM, ORDER_UPDATE, CART_UPDATE, CONSENT)


def tables() -> dict[str, tuple[Property, ...]]:
    """Every table of the document by its name: ids, profile, and each type of event."""
    return {"ids": IDS, "profile": PROFILE} | {event.type: event.properties for event in EVENTS}
