"""The items of the catalogs `products` and `variants`. A field of which the source is absent is left out; one that is empty is ""."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from bigcommerce.products import Product, Variant
from schemas.entities import ProductState
from streams.resolve.rules.change import Store
from streams.resolve.rules.prices import price

LEVELS = 3
SEPARATOR = " > "


def product_item(product: Product, state: ProductState, store: Store) -> dict[str, Any]:
    """A product, from its body and the names in `state`. Prices are numbers in the store's currency."""
    active = _active(product)
    return _given(
        {
            "title": product.name,
            "description": product.description,
            "url": _url(product.path, store.domain),
            "image": product.image,
            "sku": product.sku,
            "brand": "" if product.brand_id == "" else state.brand_name,
            **_categories(product.category_ids, state.category_paths, store),
            **_prices(_shown(product), product.price, store.currency),
            "stock_level": _product_stock(product),
            "active": active,
            "condition": product.condition,
            "upc": product.upc,
            "date_added": product.created_ms // 1000,
            "store": store.domain,
        }
    )


def variant_item(variant: Variant, product: Product, state: ProductState, store: Store) -> dict[str, Any]:
    """A variant: what its product says, with its own price, stock, sku, upc and image where it has them."""
    active = _active(product)
    original = product.price if variant.price is None else variant.price
    inherited = _shown(product) if variant.price is None else variant.sale_price or variant.price
    shown = inherited if variant.calculated_price is None else variant.calculated_price
    return _given(
        product_item(product, state, store)
        | {
            "product_id": store.id(product.id),
            "product_active": active,
            "active": None if active is None else active and not variant.purchasing_disabled,
            "sku": _own(variant.sku, product.sku),
            "upc": _own(variant.upc, product.upc),
            "image": _own(variant.image, product.image),
            "options": ", ".join(f"{name}: {label}" for name, label in variant.options),
            **dict.fromkeys(("price", "original_price", "discount_value", "discount_percentage")),
            **_prices(shown, original, store.currency),
            "stock_level": variant.inventory_level if product.inventory_tracking == "variant" else _product_stock(product),
        }
    )


def _own(own: str | None, shared: str | None) -> str | None:
    """The variant's own, where it has one, else its product's, else what the variant says."""
    return own or (own if shared is None else shared)


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _url(path: str | None, domain: str) -> str | None:
    if not path or path.startswith(("https://", "http://")):
        return path
    return f"https://{domain}/{path.removeprefix('/')}"


def _categories(ids: list[str] | None, paths: dict[str, list[str]], store: Store) -> dict[str, Any]:
    """The deepest of its categories names the levels; of several the one with the lowest id. No names where none of them is known."""
    if ids is None:
        return {}
    known = [paths[id] for id in ids if paths.get(id)]
    found: dict[str, Any] = {"category_ids": [store.id(id) for id in ids]}
    if known or not ids:
        deepest = max(known, key=len, default=[])
        found["categories_path"] = SEPARATOR.join(deepest)
        found |= {f"category_level_{n + 1}": deepest[n] if n < len(deepest) else "" for n in range(LEVELS)}
    return found


def _shown(product: Product) -> Decimal | None:
    """The price that the shop shows. A sale price of 0 is none. Source: docs/facts/bigcommerce.md 2.7"""
    return (product.sale_price or product.price) if product.calculated_price is None else product.calculated_price


def _prices(shown: Decimal | None, original: Decimal | None, currency: str) -> dict[str, Any]:
    """A price above the original one is no discount."""
    found: dict[str, Any] = {}
    if shown is not None:
        found["price"] = price(shown, currency)
    if original is not None:
        found["original_price"] = price(original, currency)
    if shown is not None and original is not None:
        off = max(original - shown, Decimal(0))
        share = off / original * 100 if original > 0 else Decimal(0)
        found["discount_value"] = price(off, currency)
        found["discount_percentage"] = float(share.quantize(Decimal("0.01"), ROUND_HALF_UP))
    return found


def _product_stock(product: Product) -> int | None:
    """None where the stock is not counted. Where it is by variant BigCommerce's level is the sum; ours where it does not say."""
    if product.inventory_tracking not in ("product", "variant"):
        return None
    if product.inventory_level is None and product.inventory_tracking == "variant" and product.variants:
        return sum(variant.inventory_level or 0 for variant in product.variants)
    return product.inventory_level


def _active(product: Product) -> bool | None:
    """Whether it is shown and may be bought."""
    return None if product.is_visible is None else product.is_visible and product.availability != "disabled"
