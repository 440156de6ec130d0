"""What happens to products, variants, brands and categories, and which webhooks it fires (docs/facts/bigcommerce.md 1.7, 2.7).

A product's variants are in its body. What happens to them leaves its date_modified alone and fires scopes of the sku only; an order of a
product fires product/updated.
"""

from decimal import Decimal

from simulators.bigcommerce import actions as do
from simulators.bigcommerce.money import iso
from simulators.bigcommerce.shop import Body, Refused, Shop, apply, known

PRODUCT: Body = {
    "name": "",
    "type": "physical",
    "sku": "",
    "description": "",
    "weight": 1,
    "price": 0,
    "cost_price": 0,
    "retail_price": 0,
    "sale_price": 0,
    "map_price": 0,
    "calculated_price": 0,
    "categories": [],
    "brand_id": 0,
    "inventory_level": 0,
    "inventory_warning_level": 0,
    "inventory_tracking": "none",
    "total_sold": 0,
    "is_visible": True,
    "is_featured": False,
    "upc": "",
    "mpn": "",
    "gtin": "",
    "availability": "available",
    "condition": "New",
    "view_count": 0,
}


@apply.register
def create_brand(action: do.CreateBrand, shop: Shop) -> Body:
    brand_id = shop.next_id("brand")
    shop.put("brand", brand_id, _brand(brand_id, action.name))
    return {"id": brand_id}


@apply.register
def update_brand(action: do.UpdateBrand, shop: Shop) -> Body:
    shop.live("brand", action.id)
    shop.put("brand", action.id, _brand(action.id, action.name))
    return {"id": action.id}


@apply.register
def create_category(action: do.CreateCategory, shop: Shop) -> Body:
    category_id = shop.next_id("category")
    return _put_category(shop, category_id, action.name, action.parent_id, "created")


@apply.register
def update_category(action: do.UpdateCategory, shop: Shop) -> Body:
    return _put_category(shop, action.id, action.name, shop.live("category", action.id)["parent_id"], "updated")


@apply.register
def create_product(action: do.CreateProduct, shop: Shop) -> Body:
    now, product_id = _stamp(shop), shop.next_id("product")
    fields = {**PRODUCT, **known(PRODUCT, action.fields)}
    slug = "-".join(str(fields["name"]).lower().split())
    body = {
        "id": product_id,
        **fields,
        "date_created": now,
        "date_modified": now,
        "custom_url": {"url": f"/{slug}/", "is_customized": False},
        "images": _images(shop, product_id, action.image),
        "base_variant_id": None,
    }
    if action.variants:
        body["variants"] = [_new_variant(shop, product_id, variant) for variant in action.variants]
    else:
        body["base_variant_id"] = shop.next_id("variant")
        body["variants"] = [_base_variant(body)]
    shop.put("product", product_id, _whole(body))
    _fire(shop, "created", product_id)
    for variant in body["variants"]:
        shop.variant_owners[variant["id"]] = product_id
        if variant["sku_id"]:
            _fire_sku(shop, "created", variant)
    return {"id": product_id, "variant_ids": [variant["id"] for variant in body["variants"]]}


@apply.register
def update_product(action: do.UpdateProduct, shop: Shop) -> Body:
    body = shop.live("product", action.id)
    fields = known({name: body[name] for name in PRODUCT}, action.fields)
    if all(body[name] == value for name, value in fields.items()):
        return {"id": action.id}
    shop.put("product", action.id, _whole({**body, **fields, "date_modified": _stamp(shop)}))
    _fire(shop, "updated", action.id)
    if (level := fields.get("inventory_level", body["inventory_level"])) != body["inventory_level"]:
        _fire(shop, "inventory/updated", action.id, {"inventory": {"product_id": action.id, "method": "absolute", "value": level}})
    return {"id": action.id}


@apply.register
def delete_product(action: do.DeleteProduct, shop: Shop) -> Body:
    for variant in shop.live("product", action.id)["variants"]:
        del shop.variant_owners[variant["id"]]
    shop.put("product", action.id, None)
    _fire(shop, "deleted", action.id)
    return {"id": action.id}


@apply.register
def set_image(action: do.SetImage, shop: Shop) -> Body:
    body = shop.live("product", action.id)
    shop.put("product", action.id, {**body, "images": _images(shop, action.id, action.image)})
    return {"id": action.id}


@apply.register
def create_variant(action: do.CreateVariant, shop: Shop) -> Body:
    """A product with options has no base variant."""
    body = shop.live("product", action.product_id)
    variant = _new_variant(shop, action.product_id, action.variant)
    if body["base_variant_id"]:
        del shop.variant_owners[body["base_variant_id"]]
    kept = [] if body["base_variant_id"] else body["variants"]
    shop.variant_owners[variant["id"]] = action.product_id
    shop.put("product", action.product_id, _whole({**body, "base_variant_id": None, "variants": [*kept, variant]}))
    _fire_sku(shop, "created", variant)
    return {"id": variant["id"]}


@apply.register
def update_variant(action: do.UpdateVariant, shop: Shop) -> Body:
    body, old = _with_variant(shop, action.id)
    new = {**old, **known(old, action.fields)}
    if new == old:  # a no-op fires nothing
        return {"id": action.id}
    variants = [new if variant is old else variant for variant in body["variants"]]
    shop.put("product", body["id"], _whole({**body, "variants": variants}))
    if old["sku_id"]:  # a base variant has no sku of its own
        _fire_sku(shop, "updated", new)
        if new["inventory_level"] != old["inventory_level"]:
            inventory = {"product_id": body["id"], "method": "absolute", "value": new["inventory_level"], "variant_id": action.id}
            shop.fire("store/sku/inventory/updated", {"type": "sku", "id": new["sku_id"], "inventory": inventory})
    return {"id": action.id}


@apply.register
def delete_variant(action: do.DeleteVariant, shop: Shop) -> Body:
    body, old = _with_variant(shop, action.id)
    if len(body["variants"]) == 1:
        raise Refused("a product's last variant stays")
    del shop.variant_owners[action.id]
    shop.put("product", body["id"], _whole({**body, "variants": [variant for variant in body["variants"] if variant is not old]}))
    _fire_sku(shop, "deleted", old)
    return {"id": action.id}


def sell(shop: Shop, product_id: int, variant_id: int | None, quantity: int) -> None:
    """An order took it, where the shop has it: sold more, fewer in stock; date_modified stays, product/updated fires all the same."""
    entity = shop.entities["product"].get(product_id)
    if entity is None or entity.body is None:
        return
    body = {**entity.body, "total_sold": entity.body["total_sold"] + quantity}
    moved = {"product_id": product_id, "method": "relative", "value": -quantity}
    if body["inventory_tracking"] == "product":
        body["inventory_level"] -= quantity
    elif body["inventory_tracking"] == "variant":
        body["variants"] = [
            {**variant, "inventory_level": variant["inventory_level"] - quantity} if variant["id"] == variant_id else variant
            for variant in body["variants"]
        ]
    shop.put("product", product_id, _whole(body))
    _fire(shop, "updated", product_id)
    if body["inventory_tracking"] != "none":
        _fire(shop, "inventory/order/updated", product_id, {"inventory": moved})


def _whole(body: Body) -> Body:
    """The body with what follows from the rest of it: prices as shown, and the level that is the sum of the variants'."""
    body = {**body, "calculated_price": body["sale_price"] or body["price"]}
    variants = []
    for variant in body["variants"]:
        if variant["id"] == body["base_variant_id"]:
            variants.append(_base_variant(body))
        else:
            price = body["calculated_price"] if variant["price"] is None else variant["sale_price"] or variant["price"]
            variants.append({**variant, "calculated_price": price})
    if body["inventory_tracking"] == "variant":
        body["inventory_level"] = sum(variant["inventory_level"] for variant in variants)
    return {**body, "variants": variants}


def _base_variant(body: Body) -> Body:
    """Of a product without options: what the product itself says."""
    old: Body = next((variant for variant in body.get("variants", []) if variant["id"] == body["base_variant_id"]), {})
    variant = _variant(body["base_variant_id"], body["id"], sku_id=None, sku=body["sku"], upc=body["upc"])
    own = {"purchasing_disabled": old["purchasing_disabled"], "image_url": old["image_url"]} if old else {}
    level = {"inventory_level": old["inventory_level"] if old and body["inventory_tracking"] == "variant" else body["inventory_level"]}
    return {**variant, **own, **level, "calculated_price": body["sale_price"] or body["price"]}


def _new_variant(shop: Shop, product_id: int, given: do.NewVariant) -> Body:
    variant = _variant(shop.next_id("variant"), product_id, sku_id=shop.next_id("sku"), sku=given.sku, upc=given.upc)
    values = [
        {"id": shop.next_id("option"), "label": option.label, "option_id": product_id * 10 + n, "option_display_name": option.name}
        for n, option in enumerate(given.options)
    ]
    return {
        **variant,
        "price": _number(given.price),
        "sale_price": _number(given.sale_price),
        "inventory_level": given.inventory_level,
        "image_url": given.image_url,
        "option_values": values,
    }


def _variant(variant_id: int, product_id: int, *, sku_id: int | None, sku: str, upc: str) -> Body:
    return {
        "id": variant_id,
        "product_id": product_id,
        "sku": sku,
        "sku_id": sku_id,
        "price": None,
        "calculated_price": 0,
        "sale_price": None,
        "retail_price": None,
        "weight": None,
        "image_url": "",
        "purchasing_disabled": False,
        "purchasing_disabled_message": "",
        "inventory_level": 0,
        "inventory_warning_level": 0,
        "upc": upc,
        "mpn": "",
        "gtin": "",
        "option_values": [],
    }


def _with_variant(shop: Shop, variant_id: int) -> tuple[Body, Body]:
    """The product that has it, and the variant. Raises Refused."""
    body = shop.live("product", shop.variant_owners.get(variant_id, 0))
    return body, next(variant for variant in body["variants"] if variant["id"] == variant_id)


def _images(shop: Shop, product_id: int, address: str) -> list[Body]:
    if not address:
        return []
    sizes = {f"url_{size}": address.replace(".jpg", f".{size}.jpg") for size in ("zoom", "standard", "thumbnail", "tiny")}
    image = {"id": shop.next_id("image"), "product_id": product_id, "is_thumbnail": True, "sort_order": 0, "description": ""}
    return [{**image, **sizes, "image_url": address, "date_modified": _stamp(shop)}]


def _brand(brand_id: int, name: str) -> Body:
    return {"id": brand_id, "name": name, "page_title": "", "meta_keywords": [""], "meta_description": "", "search_keywords": "",
            "image_url": "", "custom_url": {"url": f"/brands/{name}.html", "is_customized": False}}  # fmt: skip


def _put_category(shop: Shop, category_id: int, name: str, parent_id: int, event: str) -> Body:
    if parent_id:
        shop.live("category", parent_id)
    body = {"category_id": category_id, "category_uuid": shop.new_uuid(), "parent_id": parent_id, "tree_id": 1, "name": name,
            "description": "", "sort_order": 0, "is_visible": True, "image_url": "",
            "url": {"path": f"/{name.lower()}/", "is_customized": False}}  # fmt: skip
    shop.put("category", category_id, body)
    shop.fire(f"store/category/{event}", {"type": "category", "id": category_id})
    return {"id": category_id}


def _stamp(shop: Shop) -> str:
    """`2018-09-05T20:42:07+00:00`"""
    return iso(shop.clock())[:-1] + "+00:00"


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _fire(shop: Shop, event: str, product_id: int, more: Body | None = None) -> None:
    shop.fire(f"store/product/{event}", {"type": "product", "id": product_id, **(more or {})})


def _fire_sku(shop: Shop, event: str, variant: Body) -> None:
    """`id` is the sku's."""
    owner = {"product_id": variant["product_id"], "variant_id": variant["id"]}
    shop.fire(f"store/sku/{event}", {"type": "sku", "id": variant["sku_id"], "sku": owner})
