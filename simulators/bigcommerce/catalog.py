"""V3 catalog: products, variants, brands, categories (docs/facts/bigcommerce.md 2.7)."""

from collections.abc import Callable
from typing import Any

import orjson

from simulators.bigcommerce.api import Answer, ApiError, Call
from simulators.bigcommerce.rest_v3 import Body, Check, matching, page_of, times

SLOW_INCLUDES = {"options", "modifiers"}
SLOW_PAGE = 10  # products, where one of these is included
PARTS = ("variants", "images", "primary_image", "custom_fields", "options", "modifiers", "channels", "videos", "reviews")
"""What a product's body leaves out by default."""
EQUAL = ("is_visible", "type", "availability", "brand_id", "sku")
BOUNDS: dict[str, Callable[[int, int], bool]] = {
    "id:min": lambda id, bound: id >= bound,
    "id:greater": lambda id, bound: id > bound,
    "id:max": lambda id, bound: id <= bound,
    "id:less": lambda id, bound: id < bound,
}


def list_products(call: Call) -> Answer:
    """By id, or as `sort` and `direction` say."""
    rows = matching(call, "product", [*times(call), *(_equals(name, call.query[name]) for name in EQUAL if name in call.query)])
    for name, holds in BOUNDS.items():
        if (bound := call.integer(name)) is not None:
            rows = [row for row in rows if holds(int(row[0]), bound)]
    sort = call.query.get("sort", "id")
    if sort not in ("id", "name", "sku", "price", "date_modified"):
        raise ApiError(422, "Invalid sort", {"sort": "unknown"})
    if sort != "id":
        rows.sort(key=lambda row: (row[1].get(sort) is not None, row[1].get(sort, 0)))
    if call.query.get("direction") == "desc":
        rows.reverse()
    limit_max = SLOW_PAGE if call.includes() & SLOW_INCLUDES else None
    return page_of(call, [_shown(call, seen) for _, _, seen in rows], limit_max=limit_max)


def get_product(call: Call) -> Answer:
    seen = call.shop.find("product", call.ids["product_id"])
    if seen is None:
        raise ApiError(404, "Not found")
    return 200, {"data": _shown(call, seen), "meta": {}}


def list_variants(call: Call) -> Answer:
    seen = call.shop.find("product", call.ids["product_id"])
    if not isinstance(seen, dict):
        raise ApiError(404, "Not found")
    return page_of(call, seen["variants"])


def list_brands(call: Call) -> Answer:
    return page_of(call, [seen for _, _, seen in matching(call, "brand", [])])


def list_tree_categories(call: Call) -> Answer:
    return page_of(call, [seen for _, _, seen in matching(call, "category", [])])


def _equals(name: str, wanted: str) -> Check:
    return lambda row: str(row.get(name)).lower() == wanted.lower()


def _shown(call: Call, seen: Body | bytes) -> Any:
    if isinstance(seen, bytes):
        return orjson.Fragment(seen)
    includes = call.includes()
    shown = {name: value for name, value in seen.items() if name not in PARTS or name in includes}
    if "primary_image" in includes:
        shown["primary_image"] = next((image for image in seen["images"] if image["is_thumbnail"]), None)
    return shown
