"""From an entity's body to the record that fetch writes of it."""

from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from bigcommerce.carts import parse_cart
from bigcommerce.customers import parse_customer
from bigcommerce.orders import parse_order
from bigcommerce.products import parse_product
from bigcommerce.subscribers import parse_subscriber
from schemas.entities import (
    CartGone,
    CartState,
    CustomerGone,
    CustomerState,
    EntityGone,
    EntityState,
    OrderState,
    ProductGone,
    ProductState,
    SubscriberGone,
    SubscriberState,
)
from schemas.keys import checkout_key, entity_key
from schemas.topics import ACCOUNTS, CHECKOUTS, PRODUCTS, SUBSCRIBERS, Topic


class Made(msgspec.Struct, frozen=True):
    """A record to write, and what else matters of the entity in it."""

    topic: Topic
    key: str
    state: EntityState
    modified_ms: int
    attributes: frozenset[str] = frozenset()  # ids, of which the names are wanted, as of the next two
    brands: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    account: str = ""  # the customer that it belongs to, "" for none
    account_since_ms: int = 0  # the account as it was before that is of no use to it


def make_state(store: str, resource: str, id: str, body: bytes, read_at_ms: int) -> Made:
    """Raises Undecodable with the field at fault."""
    return _MAKERS[resource](store, id, body, read_at_ms)


def make_gone(store: str, resource: str, id: str, at_ms: int, read_at_ms: int) -> tuple[Topic, str, EntityGone] | None:
    """The record of an entity that was found gone; None for an order: one that was never seen leaves nothing behind."""
    match resource:
        case "customer":
            return ACCOUNTS, entity_key(store, id), CustomerGone(store=store, id=id, told=False, at_ms=at_ms, read_at_ms=read_at_ms)
        case "subscriber":
            return SUBSCRIBERS, entity_key(store, id), SubscriberGone(store=store, id=id, told=False, at_ms=at_ms, read_at_ms=read_at_ms)
        case "cart":
            return CHECKOUTS, checkout_key(store, id), CartGone(store=store, id=id, told=False, at_ms=at_ms, read_at_ms=read_at_ms)
        case "product":
            return PRODUCTS, entity_key(store, id), ProductGone(store=store, id=id, told=False, at_ms=at_ms, read_at_ms=read_at_ms)
    return None


def with_names(made: Made, attributes: Mapping[str, str], brands: Mapping[str, str], category_paths: Mapping[str, list[str]]) -> Made:
    """A customer with the names of its attributes, a product with those of its brand and categories, as far as they have one."""
    match made.state:
        case CustomerState():
            names = {id: attributes[id] for id in made.attributes if id in attributes}
            return replace(made, state=replace(made.state, attribute_names=names))
        case ProductState():
            brand = next((brands[id] for id in made.brands if id in brands), None)
            paths = {id: category_paths[id] for id in sorted(made.categories) if id in category_paths}
            return replace(made, state=replace(made.state, brand_name=brand, category_paths=paths))
    return made


def with_events_from(made: Made, events_from_ms: int) -> Made:
    """An order with the time before which those that were created make no purchase; of two times the later one holds."""
    if isinstance(made.state, OrderState) and events_from_ms > made.state.events_from_ms:
        return replace(made, state=replace(made.state, events_from_ms=events_from_ms))
    return made


def _customer(store: str, id: str, body: bytes, read_at_ms: int) -> Made:
    customer = parse_customer(body)
    state = CustomerState(store=store, id=id, version=customer.modified_ms, read_at_ms=read_at_ms, body=msgspec.Raw(body))
    return Made(ACCOUNTS, entity_key(store, id), state, customer.modified_ms, attributes=frozenset(customer.attributes))


def _subscriber(store: str, id: str, body: bytes, read_at_ms: int) -> Made:
    modified_ms = parse_subscriber(body).modified_ms
    state = SubscriberState(store=store, id=id, version=modified_ms, read_at_ms=read_at_ms, body=msgspec.Raw(body))
    return Made(SUBSCRIBERS, entity_key(store, id), state, modified_ms)


def _order(store: str, id: str, body: bytes, read_at_ms: int) -> Made:
    order = parse_order(body)
    state = OrderState(store=store, id=id, version=order.modified_ms, read_at_ms=read_at_ms, body=msgspec.Raw(body))
    key = checkout_key(store, order.cart_id, id)
    return Made(CHECKOUTS, key, state, order.modified_ms, account=order.customer_id, account_since_ms=order.created_ms)


def _cart(store: str, id: str, body: bytes, read_at_ms: int) -> Made:
    cart = parse_cart(body)
    state = CartState(store=store, id=id, version=cart.version, read_at_ms=read_at_ms, body=msgspec.Raw(body))
    return Made(CHECKOUTS, checkout_key(store, id), state, cart.updated_ms, account=cart.customer_id)


def _product(store: str, id: str, body: bytes, read_at_ms: int) -> Made:
    product = parse_product(body)
    state = ProductState(store=store, id=id, version=product.modified_ms, read_at_ms=read_at_ms, body=msgspec.Raw(body))
    brands, categories = frozenset([product.brand_id] if product.brand_id else []), frozenset(product.category_ids or [])
    return Made(PRODUCTS, entity_key(store, id), state, product.modified_ms, brands=brands, categories=categories)


_MAKERS: dict[str, Callable[[str, str, bytes, int], Made]] = {
    "customer": _customer,
    "subscriber": _subscriber,
    "order": _order,
    "cart": _cart,
    "product": _product,
}
