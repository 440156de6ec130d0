"""What a webhook says: the entity to look at, and whether that entity is gone.

A webhook carries ids only, in a different shape for nearly every scope. Here each becomes (resource, id); what fetch
then does with it needs no scope any more.
"""

import re
from typing import Any, Literal

import msgspec
import orjson

from schemas.failures import Undecodable

SECRET_HEADER = "x-cartstream-secret"  # noqa: S105 - its name: on every hook that we create, with the store's own random value

HOOK_SCOPES = (
    "store/customer/created",
    "store/customer/updated",
    "store/customer/deleted",
    "store/customer/address/created",
    "store/customer/address/updated",
    "store/customer/address/deleted",
    "store/subscriber/created",
    "store/subscriber/updated",
    "store/subscriber/deleted",
    "store/order/created",
    "store/order/updated",
    "store/order/statusUpdated",
    "store/cart/created",
    "store/cart/updated",
    "store/cart/deleted",
    "store/cart/converted",
    "store/product/created",
    "store/product/updated",
    "store/product/deleted",
    "store/product/inventory/updated",
    "store/sku/created",
    "store/sku/updated",
    "store/sku/deleted",
    "store/sku/inventory/updated",
)

Resource = Literal["customer", "subscriber", "order", "cart", "product", "other"]

# Only these tell that the entity itself is gone. An address, a line item or a sku that was deleted leaves its owner alive,
# and a channel's scope speaks of that channel: what has no word of its own is found by reading.
DELETED_SCOPES = {
    "store/customer/deleted": "customer",
    "store/subscriber/deleted": "subscriber",
    "store/cart/deleted": "cart",
    "store/product/deleted": "product",
}
NO_ID = "-"
SECONDS_MAX = 253_402_300_800  # the year 10000
_number = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_cart_id = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


class Webhook(msgspec.Struct, frozen=True):
    """One webhook, read. A field that was absent, or that no webhook can hold, is None ("" for the texts)."""

    scope: str  # as received
    resource: Resource  # "other": not tracked, or without an id that can be read
    id: str  # of the resource; NO_ID with "other"
    deleted: bool  # BigCommerce says that the resource is gone
    converted_order_id: str | None  # the order that this cart became
    created_at_ms: int | None  # of the event; BigCommerce gives whole seconds
    hash: str  # an opaque event id, equal in all copies and retries of one event
    producer: str | None  # the store hash


def parse_webhook(body: bytes) -> Webhook:
    """What the webhook in `body` says. Raises Undecodable for what is not a JSON object, and for nothing else.

    Source: docs/facts/bigcommerce.md 1.2, 1.7 · examples: tests/examples/bigcommerce/webhooks/
    """
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Undecodable("not JSON") from None
    if not isinstance(envelope, dict):
        raise Undecodable("not a JSON object")
    scope = _text(envelope.get("scope"))
    resource, id = _target(scope, _object(envelope.get("data")))
    return Webhook(
        scope=scope,
        resource=resource,
        id=id,
        deleted=resource != "other" and scope in DELETED_SCOPES,
        converted_order_id=_converted_order_id(scope, _object(envelope.get("data"))),
        created_at_ms=_created_at_ms(envelope.get("created_at")),
        hash=_text(envelope.get("hash")),
        producer=_producer(envelope.get("producer")),
    )


def _target(scope: str, data: dict[str, Any]) -> tuple[Resource, str]:
    """The entity to look at."""
    parts = scope.split("/")
    if parts[1:2] == ["channel"]:  # store/channel/{channel_id}/order/created
        del parts[1:3]
    if parts[0] != "store" or len(parts) < 3 or "metafield" in parts:
        return "other", NO_ID
    match parts[1:]:
        case ["customer", "address", *_]:  # `id` is the address's
            return _found("customer", _object(data.get("address")).get("customer_id"))
        case ["customer", *_]:
            return _found("customer", data.get("id"), data.get("customer_id"))
        case ["subscriber", *_]:
            return _found("subscriber", data.get("id"))
        case ["order", "transaction", *_]:  # an `id` would be the transaction's
            return _found("order", data.get("order_id"))
        case ["order", *_]:
            return _found("order", data.get("id"), data.get("order_id"))
        case ["cart", "lineItem" | "lineItems", *_]:  # `id` is the line's
            return _found("cart", data.get("cartId"), data.get("cart_id"))
        case ["cart", *_]:
            return _found("cart", data.get("id"), data.get("cart_id"))
        case ["product", *_]:
            return _found("product", data.get("id"), data.get("product_id"))
        case ["sku", *_]:  # `id` is the sku's
            return _found("product", _object(data.get("sku")).get("product_id"), _object(data.get("inventory")).get("product_id"))
    return "other", NO_ID


def _found(resource: Resource, *candidates: Any) -> tuple[Resource, str]:
    """The first candidate that can be an id of this resource."""
    for value in candidates:
        if id := _id(value, _cart_id if resource == "cart" else _number):
            return resource, id
    return "other", NO_ID


def _id(value: Any, shape: re.Pattern[str]) -> str | None:
    """An id as text. BigCommerce writes the same id as a number or as text, by scope; ids begin at 1."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and shape.fullmatch(value) else None


def _converted_order_id(scope: str, data: dict[str, Any]) -> str | None:
    if not scope.endswith("/cart/converted"):
        return None
    return _id(data.get("orderId"), _number) or _id(data.get("order_id"), _number)


def _created_at_ms(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < SECONDS_MAX:
        return value * 1000
    return None


def _producer(value: Any) -> str | None:
    """`stores/{store_hash}`, the only place in a body that names the store's hash."""
    head, _, store_hash = _text(value).partition("/")
    return store_hash if head == "stores" and store_hash else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
