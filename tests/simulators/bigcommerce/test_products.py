"""Products, variants, brands and categories: docs/facts/bigcommerce.md 1.7, 2.7."""

from pathlib import Path
from typing import Any

import orjson
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "bigcommerce" / "rest"

RED = {"options": [{"name": "Color", "label": "Red"}], "sku": "T-R", "price": "12", "inventory_level": 3}
BLUE = {"options": [{"name": "Color", "label": "Blue"}], "sku": "T-B", "inventory_level": 4}


def create(shop: Any, *variants: dict[str, Any], **fields: Any) -> tuple[int, list[int]]:
    answer = shop.act({"action": "create_product", "fields": {"name": "Tea Towel", "price": 10, **fields}, "variants": list(variants)})[0]
    return answer["id"], answer["variant_ids"]


def read(shop: Any, id: int) -> dict[str, Any]:
    [found] = shop.data("/v3/catalog/products", **{"id:in": str(id), "include": "variants,images,primary_image"})
    return found


def fired(shop: Any, receiver: Any, scopes: list[str], act: Any) -> list[str]:
    """The scopes that an act fires, of those that there are hooks for."""
    for scope in scopes:
        shop.hook(scope, receiver.url)
    act()
    shop.settled()
    return sorted(orjson.loads(body)["scope"] for _, body in receiver.got)


EVERY = [f"store/{kind}/{event}" for kind in ("product", "sku") for event in ("created", "updated", "deleted", "inventory/updated")]


def test_a_product_without_options_has_a_base_variant_that_inherits(shop):
    id, [variant] = create(shop, sku="T", sale_price=8, inventory_tracking="product", inventory_level=5)
    product = read(shop, id)
    assert (product["base_variant_id"], product["calculated_price"], product["primary_image"]) == (variant, 8, None)
    [base] = product["variants"]
    assert (base["id"], base["sku_id"], base["price"], base["calculated_price"], base["sku"]) == (variant, None, None, 8, "T")
    assert base["inventory_level"] == 5
    assert "variants" not in shop.data("/v3/catalog/products")[0]


def test_variants_have_their_own_price_or_the_products_and_their_stock_is_summed(shop):
    id, _ = create(shop, RED, BLUE, inventory_tracking="variant")
    product = read(shop, id)
    assert [(v["price"], v["calculated_price"]) for v in product["variants"]] == [(12, 12), (None, 10)]
    assert (product["inventory_level"], product["base_variant_id"]) == (7, None)
    assert shop.data(f"/v3/catalog/products/{id}/variants") == product["variants"]


def test_a_variant_edit_fires_the_skus_scope_alone_and_leaves_date_modified(shop, receiver):
    id, [red, _] = create(shop, RED, BLUE)
    shop.knobs(clock_offset_ms=5000)
    change = {"action": "update_variant", "id": red, "fields": {"price": 13}}
    assert fired(shop, receiver, EVERY, lambda: shop.act(change, change)) == ["store/sku/updated"]
    product = read(shop, id)
    assert product["variants"][0]["calculated_price"] == 13
    assert product["date_modified"] == product["date_created"]


def test_a_product_edit_fires_no_sku_scope_and_one_that_changes_nothing_fires_none(shop, receiver):
    id, _ = create(shop, RED)
    change = {"action": "update_product", "id": id, "fields": {"name": "Towel"}}
    assert fired(shop, receiver, EVERY, lambda: shop.act(change, change)) == ["store/product/updated"]


def test_an_order_fires_product_updated_and_takes_from_the_stock(shop, receiver):
    id, [variant] = create(shop, inventory_tracking="product", inventory_level=5)
    line = {"product_id": id, "variant_id": variant, "price": "10", "quantity": 2}
    scopes = [*EVERY, "store/product/inventory/order/updated"]
    order = {"action": "create_order", "lines": [line]}
    assert fired(shop, receiver, scopes, lambda: shop.act(order)) == ["store/product/inventory/order/updated", "store/product/updated"]
    product = read(shop, id)
    assert (product["inventory_level"], product["total_sold"]) == (3, 2)
    assert product["date_modified"] == product["date_created"]


def test_an_image_fires_nothing(shop, receiver):
    id, _ = create(shop)
    assert fired(shop, receiver, EVERY, lambda: shop.act({"action": "set_image", "id": id, "image": "https://cdn/a.jpg"})) == []
    assert read(shop, id)["primary_image"]["url_standard"] == "https://cdn/a.standard.jpg"


def test_variants_come_and_go_and_the_last_one_stays(shop, receiver):
    id, [base] = create(shop)
    scopes = ["store/sku/created", "store/sku/deleted"]

    def act() -> None:
        red = shop.act({"action": "create_variant", "product_id": id, "variant": RED})[0]["id"]
        shop.act({"action": "create_variant", "product_id": id, "variant": BLUE}, {"action": "delete_variant", "id": red})

    assert fired(shop, receiver, scopes, act) == ["store/sku/created", "store/sku/created", "store/sku/deleted"]
    [blue] = read(shop, id)["variants"]
    assert blue["sku"] == "T-B"
    assert "error" in shop.try_to({"action": "delete_variant", "id": base})[0]
    assert "error" in shop.try_to({"action": "delete_variant", "id": blue["id"]})[0]


def test_a_deleted_product_is_gone_and_says_so(shop, receiver):
    id, _ = create(shop, RED, BLUE)
    assert fired(shop, receiver, EVERY, lambda: shop.act({"action": "delete_product", "id": id})) == ["store/product/deleted"]
    assert shop.data("/v3/catalog/products", **{"id:in": str(id)}) == []
    assert shop.get(f"/v3/catalog/products/{id}").status_code == 404


def test_products_are_listed_by_id_and_ten_a_page_with_options(shop):
    ids = [create(shop)[0] for _ in range(12)]
    assert [p["id"] for p in shop.data("/v3/catalog/products", **{"id:greater": str(ids[9]), "sort": "id"})] == ids[10:]
    assert len(shop.data("/v3/catalog/products", include="options", limit=250)) == 10
    assert shop.get("/v3/catalog/products", limit=251).status_code == 413


@pytest.mark.parametrize("path", ["/v3/catalog/products", "/v3/catalog/brands", "/v3/catalog/trees/categories"])
def test_the_catalog_needs_a_permission_of_its_own(shop, path):
    assert shop.get(path).status_code == 200
    shop.change(forbidden=["products"])
    assert shop.get(path).status_code == 403


def test_brands_and_categories_have_names_and_parents(shop):
    brand, _, sub = shop.act(
        {"action": "create_brand", "name": "OFS"},
        {"action": "create_category", "name": "Kitchen"},
        {"action": "create_category", "name": "Jars", "parent_id": "$1.id"},
    )
    shop.act({"action": "update_brand", "id": brand["id"], "name": "Ofs"})
    assert [(b["id"], b["name"]) for b in shop.data("/v3/catalog/brands")] == [(brand["id"], "Ofs")]
    found = shop.data("/v3/catalog/trees/categories")
    assert [(c["category_id"], c["parent_id"], c["name"]) for c in found] == [(1, 0, "Kitchen"), (sub["id"], 1, "Jars")]


def test_a_product_body_has_the_documented_keys(shop):
    wanted = orjson.loads((EXAMPLES / "product_v3_one.json").read_bytes())["data"].keys()
    id, _ = create(shop, RED)
    product = read(shop, id)
    assert product.keys() - wanted <= {"variants", "images", "primary_image"}
    [example, *_] = orjson.loads((EXAMPLES / "product_v3_variants.json").read_bytes())["data"]
    assert product["variants"][0].keys() <= example.keys()
