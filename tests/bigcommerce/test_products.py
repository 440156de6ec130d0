"""A product's body, against values by hand, and bodies that are not as documented."""

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from bigcommerce.catalog_names import CatalogNames
from bigcommerce.client import StoreApi
from bigcommerce.products import parse_product
from bigcommerce.reads import read_products
from schemas.failures import Undecodable
from tests.bigcommerce.conftest import Shop

EXAMPLES = Path(__file__).parents[1] / "examples" / "bigcommerce" / "rest"


def example(name: str) -> Any:
    return orjson.loads((EXAMPLES / name).read_bytes())["data"]


def product(**changed: Any) -> bytes:
    return orjson.dumps(example("product_v3_one.json") | changed)


def test_the_documented_product_is_read():
    found = parse_product(product(variants=example("product_v3_variants.json"), images=example("product_v3_images.json")))
    assert (found.id, found.name, found.sku, found.upc, found.condition) == ("174", "1L Le Parfait Jar", "", "", "New")
    assert (found.brand_id, found.category_ids, found.path) == ("36", ["21", "23"], "/all/1l-le-parfait-jar/")
    assert (found.price, found.sale_price, found.calculated_price) == (Decimal("7.95"), Decimal(0), Decimal("7.95"))
    assert (found.inventory_tracking, found.inventory_level, found.is_visible, found.availability) == ("none", 0, True, "available")
    assert (found.created_ms, found.modified_ms) == (1_534_344_526_000, 1_536_180_127_000)
    assert found.image
    assert found.image.endswith(".1534344511.560.850.jpg?c=2")
    assert found.variants
    assert [(v.id, v.sku, v.price, v.calculated_price, v.options) for v in found.variants] == [
        ("382", "SMIT", Decimal(10), Decimal(10), [("Color", "Beige")]),
        ("383", "SMIT-1", Decimal(25), Decimal(25), [("Color", "Grey")]),
        ("384", "SMIT-2", Decimal(25), Decimal(25), [("Color", "Black")]),
    ]


def test_what_the_body_does_not_say_is_none_and_what_it_says_is_empty_is_empty():
    bare = parse_product(b'{"id": 1, "date_created": "2018-08-15T14:48:46+00:00"}')
    assert (bare.name, bare.brand_id, bare.category_ids, bare.price, bare.image, bare.variants) == (None,) * 6
    assert bare.modified_ms == bare.created_ms
    empty = parse_product(product(name="", brand_id=0, categories=[], price="", primary_image=None, variants=[]))
    assert (empty.name, empty.brand_id, empty.category_ids, empty.price, empty.image, empty.variants) == ("", "", [], None, "", [])


@pytest.mark.parametrize(("given", "wanted"), [("12.3400", Decimal("12.34")), (12.34, Decimal("12.34")), ("", None), (None, None)])
def test_prices_come_as_numbers_and_as_text(given: Any, wanted: Any):
    assert parse_product(product(price=given)).price == wanted


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"id": None}, "id"),
        ({"date_created": None}, "date_created"),
        ({"name": {}}, "name"),
        ({"price": "a lot"}, "price"),
        ({"price": "NaN"}, "price"),
        ({"price": 1e40}, "price"),
        ({"is_visible": "yes"}, "is_visible"),
        ({"categories": 5}, "categories"),
        ({"categories": [1, {}]}, "categories[1]"),
        ({"custom_url": "x"}, "custom_url"),
        ({"variants": 7}, "variants"),
        ({"variants": [{"id": 1}, {"sku": "a"}]}, "variants[1].id"),
        ({"variants": [{"id": 1, "price": []}]}, "variants[0].price"),
        ({"variants": [{"id": 1, "option_values": [3]}]}, "variants[0].option_values[0]"),
    ],
)
def test_the_field_at_fault_is_named(changed: dict[str, Any], field: str):
    with pytest.raises(Undecodable) as failed:
        parse_product(product(**changed))
    assert failed.value.field == field


async def test_products_come_with_variants_and_image_in_one_call(shop: Shop, api: StoreApi):
    variant = {"options": [{"name": "Color", "label": "Red"}], "sku": "T-R"}
    create = {"action": "create_product", "fields": {"name": "Towel", "price": 10}, "variants": [variant], "image": "https://cdn/a.jpg"}
    made = await shop.act(*[create] * 3)
    read = await read_products(api, [*(str(answer["id"]) for answer in made), "999"])
    assert read.found.keys() == {"1", "2", "3"}
    found = parse_product(read.found["2"])
    assert (found.image, [v.sku for v in found.variants or []]) == ("https://cdn/a.standard.jpg", ["T-R"])
    assert await shop.calls() == {"GET /v3/catalog/products 200": 1}


async def test_names_are_read_once_and_again_for_a_new_id(shop: Shop, api: StoreApi):
    names = CatalogNames()
    await names.learn(api, frozenset(), frozenset())
    assert await shop.calls() == {}
    await shop.act(
        {"action": "create_brand", "name": "OFS"},
        {"action": "create_category", "name": "Kitchen"},
        {"action": "create_category", "name": "Jars", "parent_id": "$1.id"},
    )
    for _ in range(3):
        await names.learn(api, {"1"}, {"2"})
    assert names.of({"1", "9"}, {"2", "9"}) == ({"1": "OFS"}, {"2": ["Kitchen", "Jars"]})
    calls = {"GET /v3/catalog/brands 200": 1, "GET /v3/catalog/trees/categories 200": 1}
    assert await shop.calls() == calls
    await shop.act({"action": "create_brand", "name": "Ofs"})
    for _ in range(3):
        await names.learn(api, {"2", "77"}, {"2"})  # 77 is not listed, and is not asked for again at once
    assert names.of({"2"}, set()) == ({"2": "Ofs"}, {})
    assert await shop.calls() == calls | {"GET /v3/catalog/brands 200": 2}


async def test_a_name_that_the_list_shows_late_is_found(shop: Shop, api: StoreApi, monkeypatch: pytest.MonkeyPatch):
    names = CatalogNames()
    await names.learn(api, {"1"}, set())
    assert names.of({"1"}, set()) == ({}, {})
    await shop.act({"action": "create_brand", "name": "OFS"})
    later = time.monotonic() + 3
    monkeypatch.setattr("bigcommerce.catalog_names.time.monotonic", lambda: later)
    await names.learn(api, {"1"}, set())
    assert names.of({"1"}, set()) == ({"1": "OFS"}, {})


async def test_names_are_read_again_after_ten_minutes(shop: Shop, api: StoreApi, monkeypatch: pytest.MonkeyPatch):
    names = CatalogNames()
    await shop.act({"action": "create_brand", "name": "OFS"})
    await names.learn(api, {"1"}, set())
    await shop.act({"action": "update_brand", "id": 1, "name": "Ofs"})
    await names.learn(api, {"1"}, set())
    assert names.of({"1"}, set()) == ({"1": "OFS"}, {})
    monkeypatch.setattr("bigcommerce.catalog_names.KEPT_S", 0.0)
    await names.learn(api, {"1"}, set())
    assert names.of({"1"}, set()) == ({"1": "Ofs"}, {})
