"""The judge of catalogs: it says nothing of true items, and names each way in which one can be wrong. Values by hand."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ops.demo.compare.catalogs import catalogs

Json = dict[str, Any]

PRODUCT: Json = {
    "id": 7, "name": "Jar", "description": "<p>A jar</p>", "sku": "J", "upc": "9", "condition": "New", "price": 10, "calculated_price": 8,
    "brand_id": 1, "categories": [2, 1], "inventory_tracking": "variant", "inventory_level": 7, "is_visible": True,
    "availability": "available", "custom_url": {"url": "/jar/"}, "date_created": "2023-11-14T22:13:20+00:00",
    "images": [{"is_thumbnail": True, "url_standard": "https://cdn/a.jpg"}],
    "variants": [
        {"id": 71, "sku": "J-R", "upc": "", "price": 12, "calculated_price": 12, "image_url": "", "purchasing_disabled": False,
         "inventory_level": 3, "option_values": [{"option_display_name": "Color", "label": "Red"}]},
        {"id": 72, "sku": "", "upc": "5", "price": None, "calculated_price": 8, "image_url": "https://cdn/v.jpg",
         "purchasing_disabled": True, "inventory_level": 4, "option_values": [{"option_display_name": "Color", "label": "Blue"}]},
    ],
}  # fmt: skip
SHOP: Json = {
    "brand": [{"id": 1, "body": {"name": "OFS"}}],
    "category": [{"id": 1, "body": {"parent_id": 0, "name": "Kitchen"}}, {"id": 2, "body": {"parent_id": 1, "name": "Jars"}}],
    "product": [{"body": PRODUCT, "deleted_at_ms": None}, {"body": PRODUCT | {"id": 8}, "deleted_at_ms": 5}],
}
ITEM: Json = {
    "title": "Jar", "description": "<p>A jar</p>", "url": "https://shop.example.com/jar/", "image": "https://cdn/a.jpg", "sku": "J",
    "brand": "OFS", "category_ids": ["1", "2"], "categories_path": "Kitchen > Jars", "category_level_1": "Kitchen",
    "category_level_2": "Jars", "category_level_3": "", "price": 8.0, "original_price": 10.0, "discount_value": 2.0,
    "discount_percentage": 20.0, "stock_level": 7, "active": True, "condition": "New", "upc": "9", "date_added": 1_700_000_000,
    "store": "shop.example.com",
}  # fmt: skip
RED = ITEM | {
    "product_id": "7", "product_active": True, "sku": "J-R", "price": 12.0, "original_price": 12.0, "discount_value": 0.0,
    "discount_percentage": 0.0, "stock_level": 3, "options": "Color: Red",
}  # fmt: skip
BLUE = ITEM | {
    "product_id": "7", "product_active": True, "active": False, "upc": "5", "image": "https://cdn/v.jpg", "stock_level": 4,
    "options": "Color: Blue",
}  # fmt: skip
HELD: Json = {"catalogs": [{"name": "products", "items": {"7": ITEM}}, {"name": "variants", "items": {"71": RED, "72": BLUE}}]}


def wrong(held: Json) -> dict[str, list[str]]:
    return {row.what: row.wrong for row in catalogs(SHOP, held) if row.wrong}


def test_true_items_have_no_difference():
    assert wrong(HELD) == {}
    assert [(row.what, row.right) for row in catalogs(SHOP, HELD)] == [("catalog: products", 1), ("catalog: variants", 2)]


FALSE: dict[str, tuple[str, str, Callable[[Json, Json], Any]]] = {
    "an item is missing": ("catalog: products", "item 7: is missing", lambda p, _: p.clear()),
    "a variant is missing": ("catalog: variants", "item 72: is missing", lambda _, v: v.pop("72")),
    "a vanished item is still there": ("catalog: products", "item 8: is not in the shop", lambda p, _: p.update({"8": ITEM})),
    "a vanished variant is still there": ("catalog: variants", "item 73: is not in the shop", lambda _, v: v.update({"73": RED})),
    "an old price": ("catalog: products", "item 7: differs in price", lambda p, _: p["7"].update(price=9.0)),
    "a price of another type": ("catalog: products", "item 7: differs in price", lambda p, _: p["7"].update(price=8)),
    "an old stock": ("catalog: variants", "item 71: differs in stock_level", lambda _, v: v["71"].update(stock_level=4)),
    "a field too many": ("catalog: products", "item 7: differs in colour", lambda p, _: p["7"].update(colour="red")),
    "a field too few": ("catalog: products", "item 7: differs in brand", lambda p, _: p["7"].pop("brand")),
}


@pytest.mark.parametrize("case", FALSE)
def test_what_is_false_is_named(case: str):
    what, words, spoil = FALSE[case]
    held = copy.deepcopy(HELD)
    spoil(*(catalog["items"] for catalog in held["catalogs"]))
    assert wrong(held) == {what: [words]}


def test_two_catalogs_of_one_name_are_one_too_many():
    assert wrong({"catalogs": [*HELD["catalogs"], {"name": "products", "items": {}}]}) == {
        "catalog: products": ["products: there are 2 of that name"]
    }
