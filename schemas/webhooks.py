"""What stands on `bigcommerce.webhooks`."""

from typing import ClassVar

from schemas.records import Message


class WebhookReceived(Message, frozen=True, kw_only=True):
    """A webhook as BigCommerce sent it. Written by ingest, read by fetch."""

    name: ClassVar[str] = "webhook-received"
    store: str  # hash and generation, `abc123.1`
    resource: str  # customer, subscriber, order, cart, product; "other" for what is kept and counted only
    id: str  # of the resource to look at; "-" with "other"
    scope: str  # as received, "" where the body had none
    received_at_ms: int  # our clock
    body: str  # the raw body


class LookAt(Message, frozen=True, kw_only=True):
    """Our own "look at this id": read it as if a webhook had named it."""

    name: ClassVar[str] = "look-at"
    store: str
    resource: str  # customer, subscriber, order, cart, product
    id: str
    why: str  # for people who trace it
    at_ms: int  # a state read from then on will do
    anew: bool = False  # only a reading that begins after this record was seen will do
