"""Products and variants in their catalogs: values by hand, and what is sent when."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.catalogs import FIELDS
from schemas.entities import ProductState
from schemas.topics import PRODUCTS
from tests.streams.resolve.line import STORE, Line, product, product_gone

EXAMPLES = Path(__file__).parents[2] / "examples" / "bigcommerce" / "rest"
RED = {"id": 71, "sku": "J-R", "option_values": [{"option_display_name": "Color", "label": "Red"}]}
BLUE = {"id": 72, "sku": "J-B", "option_values": [{"option_display_name": "Color", "label": "Blue"}]}


def example(name: str) -> Any:
    return orjson.loads((EXAMPLES / name).read_bytes())["data"]


def one(**fields: Any) -> dict[str, Any]:
    """The product's item."""
    return Line().tell(product(**fields)).run().items("products")["7"]


def variant(variant: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return Line().tell(product(**fields, variants=[{"id": 71, **variant}])).run().items("variants")["71"]


def test_the_documented_product_becomes_these_items():
    body = example("product_v3_one.json") | {"variants": example("product_v3_variants.json"), "images": example("product_v3_images.json")}
    state = msgspec.structs.replace(
        product(174, brand="OFS", paths={"23": ["Kitchen", "Jars"], "21": ["All"]}), body=msgspec.Raw(orjson.dumps(body))
    )
    line = Line().tell(state).run()
    image = (
        "https://cdn8.bigcommerce.com/s-id30h7ohwf/products/158/images/382/"
        "foglinenbeigestripetowel1b_1024x1024__83011__60806.1534344511.560.850.jpg?c=2"
    )
    shared = {
        "title": "1L Le Parfait Jar",
        "description": body["description"],
        "url": "https://my-awesome.store/all/1l-le-parfait-jar/",
        "image": image,
        "brand": "OFS",
        "category_ids": ["21", "23"],
        "categories_path": "Kitchen > Jars",
        "category_level_1": "Kitchen",
        "category_level_2": "Jars",
        "category_level_3": "",
        "active": True,
        "condition": "New",
        "upc": "",
        "date_added": 1_534_344_526,
        "store": "my-awesome.store",
    }
    prices = {"discount_value": 0.0, "discount_percentage": 0.0}
    assert line.items("products") == {"174": {**shared, **prices, "sku": "", "price": 7.95, "original_price": 7.95}}
    assert line.items("variants") == {
        id: {
            **shared,
            **prices,
            "product_id": "174",
            "product_active": True,
            "sku": sku,
            "price": amount,
            "original_price": amount,
            "options": f"Color: {color}",
        }
        for id, sku, amount, color in (("382", "SMIT", 10.0, "Beige"), ("383", "SMIT-1", 25.0, "Grey"), ("384", "SMIT-2", 25.0, "Black"))
    }


def test_every_field_is_declared_with_its_type():
    fields = {
        "description": "<p>A jar</p>",
        "upc": "9",
        "condition": "New",
        "categories": [5],
        "primary_image": {"url_standard": "https://cdn/p.jpg"},
        "inventory_tracking": "variant",
        "inventory_level": 7,
    }
    line = Line().tell(product(variants=[RED | {"inventory_level": 7}], paths={"5": ["A", "B", "C"]}, **fields)).run()
    types = {str: ("string", "long text"), float: ("number",), int: ("number",), bool: ("boolean",), list: ("list",)}
    for name, id in (("products", "7"), ("variants", "71")):
        item = line.items(name)[id]
        assert item.keys() == FIELDS[name].keys()
        assert [field for field, value in item.items() if FIELDS[name][field] not in types[type(value)]] == []


def test_a_field_of_which_the_source_is_absent_is_left_out():
    state = product()
    bare = msgspec.structs.replace(
        state, brand_name=None, body=msgspec.Raw(b'{"id": 7, "date_created": "2018-08-15T14:48:46+00:00", "variants": [{"id": 71}]}')
    )
    line = Line().tell(bare).run()
    item = {"date_added": 1_534_344_526, "store": "my-awesome.store"}
    assert line.items("products") == {"7": item}
    assert line.items("variants") == {"71": item | {"product_id": "7", "options": ""}}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"price": 10, "calculated_price": 8}, (8.0, 10.0, 2.0, 20.0)),
        ({"price": 10, "calculated_price": 10, "sale_price": 0}, (10.0, 10.0, 0.0, 0.0)),
        ({"price": 3, "calculated_price": 2}, (2.0, 3.0, 1.0, 33.33)),
        ({"price": 10, "calculated_price": 12}, (12.0, 10.0, 0.0, 0.0)),
        ({"price": "12.3400", "calculated_price": None, "sale_price": "9.999"}, (10.0, 12.34, 2.34, 18.97)),
        ({"price": "12.3400", "calculated_price": "", "sale_price": 0}, (12.34, 12.34, 0.0, 0.0)),
        ({"price": 0, "calculated_price": 0}, (0.0, 0.0, 0.0, 0.0)),
        ({"price": None, "calculated_price": 8}, (8.0, None, None, None)),
        ({"price": "", "calculated_price": None}, (None, None, None, None)),
    ],
)
def test_the_price_is_what_the_shop_shows(fields: dict[str, Any], wanted: tuple[float | None, ...]):
    item = one(**fields)
    assert tuple(item.get(name) for name in ("price", "original_price", "discount_value", "discount_percentage")) == wanted


@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        ({}, (8.0, 10.0)),
        ({"price": None, "calculated_price": 8}, (8.0, 10.0)),
        ({"price": 12, "calculated_price": 11}, (11.0, 12.0)),
        ({"price": 12}, (12.0, 12.0)),
        ({"price": 12, "sale_price": 9}, (9.0, 12.0)),
    ],
)
def test_a_variant_has_its_own_price_or_its_products(own: dict[str, Any], wanted: tuple[float, float]):
    item = variant(own)
    assert (item["price"], item["original_price"]) == wanted


@pytest.mark.parametrize(
    ("tracking", "of_product", "of_variant"), [("none", None, None), ("product", 9, 9), ("variant", 9, 4), ("", None, None)]
)
def test_stock_is_counted_where_it_is_tracked(tracking: str, of_product: int | None, of_variant: int | None):
    fields = {"inventory_tracking": tracking, "inventory_level": 9}
    assert one(**fields).get("stock_level") == of_product
    assert variant({"inventory_level": 4}, **fields).get("stock_level") == of_variant


def test_stock_by_variant_is_summed_where_the_product_does_not_say():
    levels = [{"id": 71, "inventory_level": 4}, {"id": 72, "inventory_level": 3}, {"id": 73}]
    assert one(inventory_tracking="variant", inventory_level=None, variants=levels)["stock_level"] == 7


@pytest.mark.parametrize(
    ("fields", "own", "active", "bought"),
    [
        ({}, {}, True, True),
        ({"is_visible": False}, {}, False, False),
        ({"availability": "disabled"}, {}, False, False),
        ({"availability": "preorder"}, {}, True, True),
        ({}, {"purchasing_disabled": True}, True, False),
    ],
)
def test_active_is_what_is_shown_and_may_be_bought(fields: dict[str, Any], own: dict[str, Any], active: bool, bought: bool):
    assert one(**fields)["active"] is active
    item = variant(own, **fields)
    assert (item["product_active"], item["active"]) == (active, bought)


@pytest.mark.parametrize(
    ("paths", "path"),
    [
        ({"5": ["A"], "6": ["B", "C"]}, "B > C"),
        ({"5": ["A", "D"], "6": ["B", "C"]}, "A > D"),  # of equal depth the lowest id
        ({"6": ["B", "C", "D", "E"]}, "B > C > D > E"),
    ],
)
def test_the_deepest_category_names_the_levels(paths: dict[str, list[str]], path: str):
    item = one(categories=[6, 5], paths=paths)
    assert (item["category_ids"], item["categories_path"]) == (["5", "6"], path)
    levels = [*path.split(" > "), "", ""][:3]
    assert [item[f"category_level_{n}"] for n in (1, 2, 3)] == levels


def test_no_category_is_empty_and_one_without_a_name_is_left_out():
    none = one(categories=[])
    assert [none[n] for n in ("category_ids", "categories_path", "category_level_1")] == [[], "", ""]
    unknown = one(categories=[9])
    assert unknown["category_ids"] == ["9"]
    assert "categories_path" not in unknown
    assert "category_level_1" not in unknown
    assert "category_ids" not in one()


def test_no_brand_is_empty_and_one_without_a_name_is_left_out():
    assert one(brand_id=0, brand=None)["brand"] == ""
    assert "brand" not in one(brand_id=36, brand=None)
    assert "brand" not in one(brand_id=None, brand=None)


def test_a_variant_has_its_own_sku_upc_image_and_options():
    own = {
        "sku": "J-R-M",
        "upc": "123",
        "image_url": "https://cdn/v.jpg",
        "option_values": [{"option_display_name": "Color", "label": "Red"}, {"option_display_name": "Size", "label": "M"}],
    }
    shared = {"upc": "9", "primary_image": {"url_standard": "https://cdn/p.jpg"}}
    found = variant(own, **shared)
    assert [found[n] for n in ("sku", "upc", "image", "options")] == ["J-R-M", "123", "https://cdn/v.jpg", "Color: Red, Size: M"]
    inherited = variant({"sku": "", "upc": "", "image_url": ""}, **shared)
    assert [inherited[n] for n in ("sku", "upc", "image", "options")] == ["J", "9", "https://cdn/p.jpg", ""]
    assert variant({"image_url": ""})["image"] == ""  # of a product that says nothing of its images
    assert "image" not in variant({})


# What is sent when


def sent(line: Line) -> list[tuple[str, str, bool]]:
    """Catalog, item, whether it is a removal; and forgotten."""
    found = [(w.catalog, w.item_id, bytes(w.properties) == b"null") for w in line.catalog]
    line.catalog.clear()
    return sorted(found)


def test_only_what_changed_is_sent():
    line = Line().tell(product(variants=[RED, BLUE])).run()
    assert sent(line) == [("products", "7", False), ("variants", "71", False), ("variants", "72", False)]
    line.tell(product(variants=[RED, BLUE], read=5)).run()  # read again, unchanged
    assert sent(line) == []
    line.tell(product(variants=[RED | {"price": 12}, BLUE], read=6)).run()
    assert sent(line) == [("variants", "71", False)]
    line.tell(product(variants=[RED | {"price": 12}, BLUE], at=9, name="Pot")).run()
    assert len(sent(line)) == 3


def rewritten(state: ProductState) -> ProductState:
    return msgspec.structs.replace(state, rewrite=True)


def test_a_product_that_is_to_be_rewritten_is_sent_though_nothing_changed_and_the_next_read_sends_nothing():
    line = Line().tell(product(variants=[RED, BLUE])).run()
    before = sent(line)
    line.tell(rewritten(product(variants=[RED, BLUE], read=5))).run()
    assert sent(line) == before
    line.tell(rewritten(product(variants=[RED, BLUE], read=5)), product(variants=[RED, BLUE], read=6)).run()
    assert sent(line) == []


def test_a_variant_that_vanished_is_removed_by_a_state_that_rewrites():
    line = Line().tell(product(variants=[RED, BLUE])).run()
    sent(line)
    line.tell(rewritten(product(variants=[BLUE], read=5))).run()
    assert sent(line) == [("products", "7", False), ("variants", "71", True), ("variants", "72", False)]


def test_where_the_row_is_newer_than_what_is_to_be_rewritten_the_next_read_writes_it():
    line = Line().tell(product(variants=[RED], read=9)).run()
    before = sent(line)
    line.tell(rewritten(product(variants=[RED], read=5))).run()
    assert sent(line) == []
    [look] = line.looks
    assert (look.resource, look.id, look.anew) == ("product", "7", True)
    assert look.at_ms > product(read=9).read_at_ms
    line.tell(product(variants=[RED], read=12)).run()
    assert sent(line) == before
    line.tell(product_gone(at=50)).run()
    assert sent(line) == [(catalog, id, True) for catalog, id, _ in before]


@pytest.mark.parametrize("told", [True, False])
def test_what_is_gone_is_not_rewritten(told: bool):
    line = Line().tell(product(variants=[RED]), product_gone(at=9, told=told)).run()
    sent(line)
    line.tell(rewritten(product(variants=[RED], read=2))).run()
    assert (sent(line), line.looks) == ([], [])


def test_a_variant_that_vanished_is_removed_and_may_come_back():
    line = Line().tell(product(variants=[RED, BLUE]), product(variants=[BLUE], read=5)).run()
    assert line.items("variants").keys() == {"72"}
    line.tell(product(variants=[RED, BLUE], read=6)).run()
    assert line.items("variants").keys() == {"71", "72"}


def test_a_body_that_does_not_say_what_variants_there_are_leaves_them():
    line = Line().tell(product(variants=[RED, BLUE]), product(variants=None, read=5, name="Pot")).run()
    assert line.items("variants").keys() == {"71", "72"}
    assert line.items("products")["7"]["title"] == "Pot"
    line.tell(product(variants=[BLUE], read=6, name="Pot")).run()
    assert line.items("variants").keys() == {"72"}


def test_an_older_state_changes_nothing():
    line = Line().tell(product(at=10, name="New")).run()
    sent(line)
    line.tell(product(at=5, name="Old"), product(at=10, read=-1, name="Old")).run()
    assert sent(line) == []


def test_a_deleted_product_and_its_variants_are_removed_for_good():
    line = Line().tell(product(variants=[RED, BLUE]), product_gone(at=9)).run()
    assert (line.items("products"), line.items("variants")) == ({}, {})
    sent(line)
    line.tell(product(at=50), product_gone(at=9), product_gone(at=60, told=False)).run()
    assert sent(line) == []


def test_a_product_that_was_found_gone_comes_back_with_a_later_read():
    line = Line().tell(product(variants=[RED]), product_gone(at=9, told=False)).run()
    assert (line.items("products"), line.items("variants")) == ({}, {})
    line.tell(product(variants=[RED], read=2)).run()  # read before it was missed
    assert line.items("products") == {}
    line.tell(product(variants=[RED], read=50)).run()
    assert line.items("variants").keys() == {"71"}


def test_a_read_that_is_later_than_the_one_that_missed_it_stays():
    line = Line().tell(product(read=50), product_gone(at=9, told=False)).run()
    assert line.items("products").keys() == {"7"}


def test_a_product_that_was_never_known_is_not_removed():
    assert sent(Line().tell(product_gone(at=9)).run()) == []


def test_ids_bear_the_store_in_a_shared_project():
    line = Line(stores=[replace(STORE, shared=True)]).tell(product(categories=[5], variants=[RED])).run()
    assert line.items("products").keys() == {"abc123-7"}
    [item] = line.items("variants").values()
    assert (line.items("variants").keys(), item["product_id"], item["category_ids"]) == ({"abc123-71"}, "abc123-7", ["abc123-5"])
    line.tell(product_gone(at=9)).run()
    assert line.items("variants") == {}


def test_a_variant_that_cannot_be_read_is_a_dead_letter_that_names_the_field():
    line = Line().tell(product(variants=[RED, {"id": 72, "price": "a lot"}])).run()
    assert [letter.field for letter in line.letters] == ["variants[1].price"]


@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from([71, 72, 73])), st.sampled_from(["Jar", "Pot"]), st.sampled_from([8, 9]), st.booleans()),
        max_size=8,
    )
)
def test_after_any_kills_the_catalogs_hold_the_last_state(states: list[tuple[set[int], str, int, bool]]):
    line = Line()
    for read, (variants, name, price, killed) in enumerate(states):
        line.tell(product(variants=[{"id": id, "price": price} for id in sorted(variants)], name=name, read=read))
        if killed:
            line.run_killed(PRODUCTS.name)
        else:
            line.run()
    variants, name, price, _ = states[-1] if states else (set(), "", 0, False)
    assert {id: item["original_price"] for id, item in line.items("variants").items()} == {str(id): float(price) for id in variants}
    assert [item["title"] for item in line.items("products").values()] == [name] * bool(states)
