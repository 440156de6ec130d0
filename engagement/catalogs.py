"""The catalogs that we keep, with their declared fields. Source: docs/facts/engagement.md 5, 7.9

A field of a catalog cannot be added by writing an item, and of most projects not at all: what is not declared here is refused.
"""

from typing import Any, Literal

Name = Literal["products", "variants"]

# `long text` is what may be longer than 255 characters.
PRODUCT_FIELDS = {
    "title": "string",
    "description": "long text",
    "url": "long text",
    "image": "long text",
    "sku": "string",
    "brand": "string",
    "category_level_1": "string",
    "category_level_2": "string",
    "category_level_3": "string",
    "categories_path": "long text",
    "category_ids": "list",
    "price": "number",
    "original_price": "number",
    "discount_percentage": "number",
    "discount_value": "number",
    "stock_level": "number",
    "active": "boolean",
    "condition": "string",
    "upc": "string",
    "date_added": "number",
    "store": "string",
}
VARIANT_FIELDS = PRODUCT_FIELDS | {"product_id": "string", "product_active": "boolean", "options": "long text"}
FIELDS: dict[Name, dict[str, str]] = {"products": PRODUCT_FIELDS, "variants": VARIANT_FIELDS}
SEARCHABLE = frozenset({"title", "sku", "brand", "upc", "product_id"})


def definition(name: Name) -> dict[str, Any]:
    """The body that creates the catalog."""
    fields = [{"name": field, "type": type, "searchable": field in SEARCHABLE} for field, type in FIELDS[name].items()]
    return {"name": name, "is_product_catalog": True, "fields": fields}


def ids_by_name(rows: list[Any]) -> dict[str, str]:
    """The catalogs of Engagement's list: name to id; of several with one name the one with the lowest id, for all of us the same."""
    named = [(str(row["name"]), str(row["id"])) for row in rows if isinstance(row, dict) and "name" in row and "id" in row]
    return dict(sorted(named, reverse=True))
