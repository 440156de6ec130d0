"""What fetch writes: an entity's full body with its version, or that it is gone.

A version is (`version`, `read_at_ms`), compared in this order. `version` is `date_modified` in ms; for a cart its own
`version` number, where that is absent `updated_time` in ms. `read_at_ms` is the answer's Date header.
"""

from typing import ClassVar

import msgspec

from schemas.records import Message


class Seen(msgspec.Struct, frozen=True):
    """The version of an entity that a row holds."""

    version: int
    read_at_ms: int


class EntityState(Message, frozen=True, kw_only=True):
    """Base: one entity as it was read."""

    store: str
    id: str
    version: int
    read_at_ms: int
    body: msgspec.Raw  # as BigCommerce gave it


class EntityGone(Message, frozen=True, kw_only=True):
    """Base: one entity is no more.

    told: a delete webhook said so (final); `at_ms` is its `created_at`.
    found (told false): it was missing in two reads; `at_ms` is when it was first observed. A later read revives it.
    """

    store: str
    id: str
    told: bool
    at_ms: int
    read_at_ms: int  # of the read that found it; 0 when told


class CustomerState(EntityState, frozen=True, kw_only=True):
    """A customer account, with addresses, attributes and form fields. Key `{s}/{customer_id}`."""

    name: ClassVar[str] = "customer-state"
    attribute_names: dict[str, str] = {}  # attribute id to the name that the merchant gave it


class CustomerGone(EntityGone, frozen=True, kw_only=True):
    """A customer account was deleted. Key `{s}/{customer_id}`."""

    name: ClassVar[str] = "customer-gone"


class SubscriberState(EntityState, frozen=True, kw_only=True):
    """A newsletter subscriber. Key `{s}/{subscriber_id}`."""

    name: ClassVar[str] = "subscriber-state"


class SubscriberGone(EntityGone, frozen=True, kw_only=True):
    """A subscriber was deleted. Key `{s}/{subscriber_id}`."""

    name: ClassVar[str] = "subscriber-gone"


class CartState(EntityState, frozen=True, kw_only=True):
    """A cart. Key `{s}/{cart_id}`."""

    name: ClassVar[str] = "cart-state"


class CartGone(EntityGone, frozen=True, kw_only=True):
    """A cart was emptied by its shopper (told), became an order (told, converted), or is merely gone (found). Key `{s}/{cart_id}`."""

    name: ClassVar[str] = "cart-gone"
    converted: bool = False


class OrderState(EntityState, frozen=True, kw_only=True):
    """An order, lines included. Key `{s}/{cart_id}`, without a cart `{s}/order-{id}`."""

    name: ClassVar[str] = "order-state"
    events_from_ms: int = 0  # created before: it makes no purchase (`--events`), whether a page or a live read brought it


class ProductState(EntityState, frozen=True, kw_only=True):
    """A product with its variants. Key `{s}/{product_id}`."""

    name: ClassVar[str] = "product-state"
    brand_name: str | None = None  # None where it has no brand, or one that the store does not list
    category_paths: dict[str, list[str]] = {}  # category id to the names from the root down to it; without those that are not listed
    rewrite: bool = False  # its items are written though they have not changed (`backfill --rewrite`)


class ProductGone(EntityGone, frozen=True, kw_only=True):
    """A product was deleted. Key `{s}/{product_id}`."""

    name: ClassVar[str] = "product-gone"


class Page(Message, frozen=True, kw_only=True):
    """One page of a listing as received; one too large for a record comes in several parts. Key `{s}/{resource}/{run}/{page}`.

    An entity that is not in it says nothing of that entity.
    """

    name: ClassVar[str] = "page"
    store: str
    resource: str  # customer, subscriber, order, product
    run: str
    page: int
    part: int = 0
    parts: int = 1
    read_at_ms: int
    body: msgspec.Raw  # a JSON array of whole entities as BigCommerce gave them
    attribute_names: dict[str, str] = {}  # of customers: as CustomerState has them
    brand_names: dict[str, str] = {}  # of products: brand id to its name
    category_paths: dict[str, list[str]] = {}  # of products: as ProductState has them
    left_out: list[str] = []  # ids of entities of the page that are too large for a record
    events_from_ms: int = 0  # orders created before make no purchase (`backfill --events`)
    rewrite: bool = False  # of products: as ProductState has it
    asked_ms: int = 0  # when the load was asked for, by BigCommerce's clock: what changed since is live; 0: nothing is
