"""Products and variants: an item of each that is sold, as the shop has it in the end, and no other."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ops.demo.compare.held import Json, differing, said
from ops.demo.compare.rows import Row
from ops.demo.compare.shop import money, seconds

DOMAIN = "shop.example.com"


def catalogs(shop: Json, engagement: Json) -> Iterator[Row]:
    """`shop` and `engagement` as the simulators say; names of brands and categories do not change in this shop."""
    brands = {brand["id"]: brand["body"]["name"] for brand in shop.get("brand", [])}
    categories = {category["id"]: category["body"] for category in shop.get("category", [])}
    products = [product["body"] for product in shop.get("product", []) if product["deleted_at_ms"] is None]
    of_products = {str(product["id"]): product_item(product, brands, categories) for product in products}
    of_variants = {
        str(variant["id"]): variant_item(variant, product, of_products[str(product["id"])])
        for product in products
        for variant in product["variants"]
    }
    for name, wanted in (("products", of_products), ("variants", of_variants)):
        yield _row(name, wanted, [catalog for catalog in engagement.get("catalogs", []) if catalog["name"] == name])


def _row(name: str, wanted: dict[str, Json], found: list[Json]) -> Row:
    row = Row(f"catalog: {name}")
    if len(found) > 1:
        row.check(name, f"there are {len(found)} of that name")
    items: dict[str, Json] = found[0]["items"] if found else {}
    for id, properties in wanted.items():
        row.check(f"item {id}", said(differing(properties, items[id])) if id in items else "is missing")
    for id in items.keys() - wanted.keys():
        row.check(f"item {id}", "is not in the shop")
    return row


def product_item(product: Json, brands: dict[int, str], categories: dict[int, Json]) -> Json:
    """What a product's item should hold."""
    paths = [_path(id, categories) for id in sorted(product["categories"])]
    path = max(paths, key=len, default=[])
    images = [image["url_standard"] for image in product["images"] if image["is_thumbnail"]]
    item = {
        "title": product["name"],
        "description": product["description"],
        "url": f"https://{DOMAIN}{product['custom_url']['url']}",
        "image": images[0] if images else "",
        "sku": product["sku"],
        "brand": brands[product["brand_id"]] if product["brand_id"] else "",
        "category_ids": [str(id) for id in sorted(product["categories"])],
        "categories_path": " > ".join(path),
        **{f"category_level_{n + 1}": name for n, name in enumerate([*path, "", "", ""][:3])},
        **_prices(product["calculated_price"], product["price"]),
        "active": product["is_visible"] and product["availability"] != "disabled",
        "condition": product["condition"],
        "upc": product["upc"],
        "date_added": seconds(product["date_created"]),
        "store": DOMAIN,
    }
    return item if product["inventory_tracking"] == "none" else item | {"stock_level": product["inventory_level"]}


def variant_item(variant: Json, product: Json, item: Json) -> Json:
    """What a variant's item should hold; `item` is its product's."""
    own = item | {
        "product_id": str(product["id"]),
        "product_active": item["active"],
        "active": item["active"] and not variant["purchasing_disabled"],
        "sku": variant["sku"] or item["sku"],
        "upc": variant["upc"] or item["upc"],
        "image": variant["image_url"] or item["image"],
        "options": ", ".join(f"{value['option_display_name']}: {value['label']}" for value in variant["option_values"]),
        **_prices(variant["calculated_price"], product["price"] if variant["price"] is None else variant["price"]),
    }
    return own | {"stock_level": variant["inventory_level"]} if product["inventory_tracking"] == "variant" else own


def _path(id: int, categories: dict[int, Json]) -> list[str]:
    category = categories[id]
    return [*(_path(category["parent_id"], categories) if category["parent_id"] else []), category["name"]]


def _prices(shown: Any, original: Any) -> Json:
    off = max(Decimal(str(original)) - Decimal(str(shown)), Decimal(0))
    share = (off * 100 / Decimal(str(original))).quantize(Decimal("0.01"), ROUND_HALF_UP) if original else Decimal(0)
    return {"price": money(shown), "original_price": money(original), "discount_value": money(off), "discount_percentage": float(share)}
