"""A product with its variants as BigCommerce gives it."""

from decimal import Decimal

import msgspec

from bigcommerce.values import Fields, read_object
from schemas.failures import Undecodable


class Variant(msgspec.Struct, frozen=True):
    """One variant. A product without options has one, its base variant. None where the body does not say."""

    id: str
    sku: str | None
    price: Decimal | None  # its own, None: the product's
    sale_price: Decimal | None
    calculated_price: Decimal | None  # what the shop shows
    inventory_level: int | None
    purchasing_disabled: bool | None
    image: str | None
    upc: str | None
    options: list[tuple[str, str]]  # name and label, as BigCommerce orders them


class Product(msgspec.Struct, frozen=True):
    """A product; amounts in major units of the store's currency. None where the body does not say, "" where it is empty."""

    id: str
    name: str | None
    description: str | None  # HTML
    path: str | None  # of its page
    image: str | None  # address of its thumbnail, standard size
    sku: str | None
    upc: str | None
    condition: str | None
    brand_id: str | None  # "" for none
    category_ids: list[str] | None
    price: Decimal | None
    sale_price: Decimal | None
    calculated_price: Decimal | None  # what the shop shows
    inventory_tracking: str | None  # none, product, variant
    inventory_level: int | None
    is_visible: bool | None
    availability: str | None  # available, disabled, preorder
    created_ms: int
    modified_ms: int
    variants: list[Variant] | None


def parse_product(body: bytes) -> Product:
    """A product of the V3 catalog with `include=variants,primary_image`.

    Raises Undecodable with the field at fault.
    Source: docs/facts/bigcommerce.md 2.7 · example: tests/examples/bigcommerce/rest/product_v3_one.json,
    tests/examples/bigcommerce/rest/product_v3_variants.json
    """
    fields = read_object(body)
    created_ms = fields.required_time_ms("date_created")
    variants = None if fields.data.get("variants") is None else [_variant(v) for v in fields.objects("variants")]
    return Product(
        id=fields.required_id("id"),
        name=fields.text("name"),
        description=fields.text("description", long=True),
        path=fields.object("custom_url").text("url"),
        image=_image(fields),
        sku=fields.text("sku"),
        upc=fields.text("upc"),
        condition=fields.text("condition"),
        brand_id=None if fields.data.get("brand_id") is None else fields.id("brand_id"),
        category_ids=_ids(fields, "categories"),
        price=fields.money("price"),
        sale_price=fields.money("sale_price"),
        calculated_price=fields.money("calculated_price"),
        inventory_tracking=fields.text("inventory_tracking"),
        inventory_level=fields.integer("inventory_level"),
        is_visible=fields.boolean("is_visible"),
        availability=fields.text("availability"),
        created_ms=created_ms,
        modified_ms=fields.time_ms("date_modified") or created_ms,
        variants=variants,
    )


def _variant(fields: Fields) -> Variant:
    options = [(o.text("option_display_name") or "", o.text("label") or "") for o in fields.objects("option_values")]
    return Variant(
        id=fields.required_id("id"),
        sku=fields.text("sku"),
        price=fields.money("price"),
        sale_price=fields.money("sale_price"),
        calculated_price=fields.money("calculated_price"),
        inventory_level=fields.integer("inventory_level"),
        purchasing_disabled=fields.boolean("purchasing_disabled"),
        image=fields.text("image_url"),
        upc=fields.text("upc"),
        options=options,
    )


def _image(fields: Fields) -> str | None:
    """`primary_image`, or the thumbnail among `images`; "" for a product that has none, None where neither is in the body."""
    if "primary_image" in fields.data:
        return fields.object("primary_image").text("url_standard") or ""
    if "images" not in fields.data:
        return None
    images = fields.objects("images")
    thumbnail = next((image for image in images if image.boolean("is_thumbnail")), images[0] if images else None)
    return (thumbnail.text("url_standard") if thumbnail else None) or ""


def _ids(fields: Fields, name: str) -> list[str] | None:
    """A list of ids, in rising order."""
    value = fields.data.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise Undecodable("expected a list", fields.path + name)
    listed = Fields({f"{name}[{index}]": item for index, item in enumerate(value)}, fields.path)
    return sorted({listed.required_id(item) for item in listed.data}, key=lambda id: (len(id), id))
