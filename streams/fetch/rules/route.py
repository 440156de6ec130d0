"""Where a record of `bigcommerce.webhooks` leads: to a read, to a deletion that needs none, or nowhere."""

import re

import msgspec

from bigcommerce.webhooks import Webhook, parse_webhook
from schemas.entities import CartGone, CustomerGone, EntityGone, ProductGone, SubscriberGone
from schemas.failures import Undecodable
from schemas.keys import checkout_key, entity_key
from schemas.records import Message
from schemas.topics import ACCOUNTS, CHECKOUTS, PRODUCTS, SUBSCRIBERS, Topic
from schemas.webhooks import LookAt, WebhookReceived

RESOURCES = ("customer", "subscriber", "order", "cart", "product")
SETTLED_MS = 3000
"""A read that is this much later than a change shows it. Both times are whole seconds: three of them are two real ones at least."""
STAMP_MS = 2000
"""A webhook is stamped up to this much later than the change that it tells of. Source: docs/facts/bigcommerce.md 1.2"""
_number, _cart_id = re.compile(r"[1-9][0-9]{0,18}", re.ASCII), re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


class Look(msgspec.Struct, frozen=True):
    """The entity is to be read."""

    resource: str
    id: str
    until_ms: int  # a read from then on will do, by BigCommerce's clock
    changed_ms: int  # the entity was modified then or later, so an older state is stale; 0 where it need not have been
    anew: bool = False  # only a read that begins after this will do


class Told(msgspec.Struct, frozen=True):
    """The entity is gone, says BigCommerce."""

    resource: str
    id: str
    topic: Topic
    key: str
    gone: EntityGone
    then: LookAt | None = None


class Nowhere(msgspec.Struct, frozen=True):
    """There is nothing to do."""

    resource: str


def route(message: Message) -> Look | Told | Nowhere:
    """Raises Undecodable for a webhook that cannot be read, and for an id that none of its kind can have."""
    assert isinstance(message, LookAt | WebhookReceived)
    if message.resource not in RESOURCES:
        return Nowhere(message.resource)
    if not is_id(message.resource, message.id):
        raise Undecodable(f"no id of a {message.resource}", "id")
    if isinstance(message, LookAt):
        return Look(message.resource, message.id, until_ms=message.at_ms, changed_ms=0, anew=message.anew)
    webhook = parse_webhook(message.body.encode())
    at_ms = message.received_at_ms if webhook.created_at_ms is None else webhook.created_at_ms
    if webhook.deleted or webhook.converted_order_id is not None:
        return _told(message, webhook, at_ms)
    return Look(message.resource, message.id, until_ms=at_ms + SETTLED_MS, changed_ms=at_ms - STAMP_MS if _modifies(webhook) else 0)


def is_id(resource: str, id: str) -> bool:
    """Whether an entity of that kind can have it."""
    return bool((_cart_id if resource == "cart" else _number).fullmatch(id))


def _modifies(webhook: Webhook) -> bool:
    """Whether the entity's own time of modification moves with this: not for an address, nor for what a scope says of its parts.

    Of a product nobody knows when it moves: an order fires product/updated, and a variant's edit the sku's scope alone.
    Source: docs/facts/bigcommerce.md 1.7
    """
    parts = webhook.scope.split("/")
    return (
        webhook.created_at_ms is not None
        and webhook.resource != "product"
        and len(parts) == 3
        and parts[2] in ("created", "updated", "statusUpdated")
    )


def _told(message: WebhookReceived, webhook: Webhook, at_ms: int) -> Told:
    store, id = message.store, message.id
    match message.resource:
        case "customer":
            return Told(
                "customer", id, ACCOUNTS, entity_key(store, id), CustomerGone(store=store, id=id, told=True, at_ms=at_ms, read_at_ms=0)
            )
        case "subscriber":
            gone = SubscriberGone(store=store, id=id, told=True, at_ms=at_ms, read_at_ms=0)
            return Told("subscriber", id, SUBSCRIBERS, entity_key(store, id), gone)
        case "product":
            product = ProductGone(store=store, id=id, told=True, at_ms=at_ms, read_at_ms=0)
            return Told("product", id, PRODUCTS, entity_key(store, id), product)
    order_id = webhook.converted_order_id
    cart = CartGone(store=store, id=id, told=True, converted=order_id is not None, at_ms=at_ms, read_at_ms=0)
    order = LookAt(store=store, resource="order", id=order_id, why=f"cart {id} became it", at_ms=at_ms) if order_id else None
    return Told("cart", id, CHECKOUTS, checkout_key(store, id), cart, order)
