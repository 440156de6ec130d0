"""Products and variants: what is written to their catalogs. Only items that changed are; a variant that vanished is removed."""

import hashlib
from typing import Literal

import msgspec
import orjson
from msgspec.structs import replace

from bigcommerce.products import parse_product
from schemas.commands import CatalogWrite
from schemas.entities import ProductGone, ProductState
from schemas.keys import entity_key, webhook_key
from schemas.topics import CATALOG, WEBHOOKS
from schemas.webhooks import LookAt
from streams.resolve.rules import fence
from streams.resolve.rules.catalog_items import product_item, variant_item
from streams.resolve.rules.change import Change, Send, Store
from streams.resolve.tables import Product

REMOVED = b"null"
FORGOTTEN = "-"  # in a digest's place: an item was sent, and is written again whatever it was


def apply_product(row: Product, state: ProductState, store: Store) -> Change[Product]:
    """A product's state: its item and those of its variants, as far as they are not as last sent.

    Where the body does not say what variants there are, those that are known stay. A state that is to `rewrite` sends all that it holds;
    where the row is newer its items are written again by the next one, which is asked for.
    """
    same = fence.no_news(row, state)
    if state.rewrite and row.digest:
        if same is not None and same.row is None:
            return Change(_forgotten(row), [_look_again(row, state)], note="rewritten by the next read")
        row = _forgotten(row)
    if same is not None:
        return same
    product = parse_product(state.body)
    item = _bytes(product_item(product, state, store))
    variants = {v.id: _bytes(variant_item(v, product, state, store)) for v in product.variants or []}
    digest, digests = _digest(item), {id: _digest(properties) for id, properties in variants.items()}
    sends = [] if digest == row.digest else [_write(store, state.id, "products", state.id, item)]
    sends += [_write(store, state.id, "variants", id, variants[id]) for id in variants if digests[id] != row.variants.get(id)]
    if product.variants is None:
        digests = row.variants
    sends += [_write(store, state.id, "variants", id, REMOVED) for id in row.variants if id not in digests]
    return Change(Product(seen=fence.seen_of(state), digest=digest, variants=digests), sends)


def apply_product_gone(row: Product, gone: ProductGone, store: Store) -> Change[Product]:
    """A deleted product: its item and those of its variants are removed. Told for good; found missing until a later read shows it."""
    if row.told_ms:
        return Change(row, note="deleted")
    if not gone.told and fence.shown_ms(row, gone.id) > gone.read_at_ms:
        return Change(None, note="not newer")
    after = Product(told_ms=gone.at_ms) if gone.told else Product(seen=row.seen, found_read_ms=max(row.found_read_ms, gone.read_at_ms))
    if not row.digest:
        return Change(after, note="never known")
    sends = [_write(store, gone.id, "products", gone.id, REMOVED)]
    sends += [_write(store, gone.id, "variants", id, REMOVED) for id in row.variants]
    return Change(after, sends)


def _forgotten(row: Product) -> Product:
    return replace(row, digest=FORGOTTEN, variants=dict.fromkeys(row.variants, FORGOTTEN))


def _look_again(row: Product, state: ProductState) -> Send:
    """A read of the row's own second would be no newer one, and say nothing."""
    at_ms = 1000 + (row.seen.read_at_ms if row.seen else state.read_at_ms)
    look = LookAt(store=state.store, resource="product", id=state.id, why="its items are to be written again", at_ms=at_ms, anew=True)
    return Send(WEBHOOKS, webhook_key(state.store, "product", state.id), look)


def _write(store: Store, product_id: str, catalog: Literal["products", "variants"], id: str, properties: bytes) -> Send:
    write = CatalogWrite(store=store.store, catalog=catalog, item_id=store.id(id), properties=msgspec.Raw(properties))
    return Send(CATALOG, entity_key(store.store, product_id), write)


def _bytes(properties: dict[str, object]) -> bytes:
    return orjson.dumps(properties, option=orjson.OPT_SORT_KEYS)


def _digest(properties: bytes) -> str:
    return hashlib.blake2b(properties, digest_size=12).hexdigest()
