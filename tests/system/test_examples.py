"""Every documented webhook body and every entity body of what is tracked, through the whole line, against values written by hand.

The bodies are as published; where one lacks what the platform always sends (the customer's id and times), or bears another id
than the webhook that names it, that is added here and nothing else.
"""

import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from bigcommerce.webhooks import SECRET_HEADER
from ops.dead_letters import read_dead_letters
from ops.demo.deployment import HASH, PROJECT, Deployment
from ops.stores import opened_directory
from tests.streams.resolve.rules.test_purchase import example_order
from tests.system.conftest import rest

pytestmark = pytest.mark.system
EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "bigcommerce"
CART = "09346904-4175-44fd-be53-f7e598531b6c"
DELETIONS = ("customer_deleted", "subscriber_deleted", "product_deleted")


def example(path: str) -> Any:
    return orjson.loads((EXAMPLES / path).read_bytes())


def webhook(name: str) -> dict[str, Any]:
    body = example(f"webhooks/{name}.json")
    return {**(orjson.loads(body["raw_body"]) if "raw_body" in body else body), "producer": f"stores/{HASH}"}


def put(deployment: Deployment, kind: str, id: int | str, body: Any) -> None:
    deployment.shop.put(f"/_sim/raw/{kind}/{id}", content=orjson.dumps(body)).raise_for_status()


async def post(deployment: Deployment, bodies: list[Any]) -> list[int]:
    async with opened_directory(deployment.settings) as directory:
        store = directory.of_hash(HASH)
        assert store
        secret = store.webhook_secret
    async with httpx.AsyncClient(base_url=deployment.settings.public_url, timeout=10) as client:
        answers = [await client.post(f"/webhooks/{HASH}", content=orjson.dumps(b), headers={SECRET_HEADER: secret}) for b in bodies]
    return [answer.status_code for answer in answers]


async def at_rest(deployment: Deployment) -> dict[str, Any]:
    """What the project holds then."""
    await rest(deployment)
    found: dict[str, Any] = deployment.engagement.get("/_sim/state", params={"project": PROJECT}).json()
    return found


def profile_of(state: dict[str, Any], **ids: str) -> dict[str, Any]:
    [found] = [p for p in state["profiles"] if ids.items() <= p["hard"].items()]
    return found  # type: ignore[no-any-return]


def events(profile: dict[str, Any], type: str) -> list[tuple[float, dict[str, Any]]]:
    return [(e["timestamp"], e["properties"]) for e in profile["events"] if e["type"] == type]


def items(state: dict[str, Any], catalog: str) -> dict[str, Any]:
    [found] = [c["items"] for c in state["catalogs"] if c["name"] == catalog]
    return found  # type: ignore[no-any-return]


async def test_the_documented_bodies_become_what_is_tracked(deployment: Deployment):
    dates = {"date_created": "2019-01-01T00:00:00Z", "date_modified": "2019-06-01T00:00:00Z"}
    customer = example("rest/customers_v3_page.json")["data"][0] | dates
    address = example("rest/customers_v3_addresses_page.json")["data"][0]
    put(deployment, "customer", 32, customer | {"id": 32})
    put(deployment, "customer", 11, dates | {"id": 11, "email": "John.Doe@example.com ", "addresses": [address]})
    put(deployment, "subscriber", 5, example("rest/subscriber_v3_one.constructed.json")["data"])
    put(deployment, "cart", CART, example("rest/cart_v3_after_item_delete.json")["data"] | {"id": CART})
    put(deployment, "order", 250, orjson.loads(example_order(id=250)))

    product = example("rest/product_v3_one.json")["data"]
    put(deployment, "product", 206, product | {"id": 206, "variants": example("rest/product_v3_variants.json")["data"][:2]})
    put(deployment, "product", 205, product | {"id": 205, "variants": [{"id": 345, "sku": ""}]})
    put(deployment, "brand", 36, example("rest/brands_v3_page.json")["data"][1])
    put(deployment, "category", 23, example("rest/category_trees_categories.json")["data"][0] | {"category_id": 23, "parent_id": 0})

    async with deployment.parts():
        names = sorted(path.stem for path in (EXAMPLES / "webhooks").glob("*.json"))
        assert set(await post(deployment, [webhook(name) for name in names if name not in DELETIONS])) == {200}
        state = await at_rest(deployment)

        jane_smith = profile_of(state, customer_id="32")
        assert jane_smith["hard"] == {"email_id": "jane.smith@example.com", "customer_id": "32"}
        assert jane_smith["properties"] == {
            "email": "jane.smith@example.com",
            "first_name": "Jane",
            "last_name": "Smith",
            "phone": "555-123-4567",
            "company": "Acme Corp",
            "country": "US",
            "country_code": "st",
            "state": "string",
            "city": "string",
            "zip": "string",
            "customer_group_id": "0",
            "registered_at": 1_546_300_800,
        }
        john = profile_of(state, customer_id="11")
        assert john["hard"] == {"email_id": "john.doe@example.com", "customer_id": "11"}
        assert set(john["soft"]["cart_id"]) == {CART, "7e48f7ef-2e88-4817-aea4-b0ed01490114"}
        assert john["properties"] == {
            "email": "john.doe@example.com",
            "first_name": "John",
            "last_name": "Doe",
            "phone": "15551234567",
            "company": "BigCommerce",
            "country": "United States",
            "country_code": "US",
            "state": "Texas",
            "city": "Austin",
            "zip": "78759",
            "customer_group_id": "0",
            "registered_at": 1_546_300_800,
        }
        [(at, purchase)] = events(john, "purchase")
        assert at == 1_551_822_011
        assert purchase == {
            "purchase_id": "250",
            "purchase_status": "success",
            "purchase_source_type": "online",
            "purchase_source_name": "shop.example.com",
            "order_status": "Awaiting Payment",
            "product_list": [
                {"product_id": "77", "variant_id": "", "sku": "S-ORAN", "quantity": 1},
                {"product_id": "86", "variant_id": "", "sku": "ABS", "quantity": 1},
            ],
            "product_ids": ["77", "86"],
            "variant_ids": [],
            "total_quantity": 2,
            "total_price": 69.84,
            "total_price_without_tax": 64.53,
            "total_price_local_currency": 69.84,
            "local_currency": "USD",
            "tax": 5.31,
            "shipping_cost": 12.0,
            "shipping_type": "None",
            "shipping_country": "United States",
            "shipping_state": "Texas",
            "shipping_city": "San Antonio",
            "payment_type": "Cash",
            "voucher_code": "",
            "voucher_value": 5.0,
            "discount_value": 5.0,
            "cart_id": "7e48f7ef-2e88-4817-aea4-b0ed01490114",
            "channel_id": "1",
            "order_source": "external",
            "customer_type": "registered",
        }
        assert sorted((p["line_item_id"], p["product_id"], p["total_price"]) for _, p in events(john, "purchase_item")) == [
            ("65", "77", 63.64),
            ("66", "86", 0.0),
        ]
        [(at, update)] = events(john, "cart_update")
        assert at == 1_537_196_020
        assert update == {
            "action": "add",
            "cart_id": CART,
            "product_list": [{"product_id": "191", "variant_id": "362", "sku": "OPENHOUSE-3", "quantity": 5}],
            "product_ids": ["191"],
            "variant_ids": ["362"],
            "total_quantity": 7,
            "total_price": 212.81,
            "total_price_local_currency": 212.81,
            "local_currency": "USD",
            "voucher_code": "",
        }
        jane_doe = profile_of(state, email_id="jane@example.com")
        assert jane_doe["soft"] == {"subscriber_id": ["5"]}
        assert jane_doe["properties"] == {"email": "jane@example.com"}
        accepted = {"action": "accept", "valid_until": "unlimited"}
        assert sorted(p["category"] for _, p in events(jane_doe, "consent")) == ["bigcommerce", "bigcommerce_abandoned_cart"]
        assert all((at, p | accepted) == (1_715_679_240, p) for at, p in events(jane_doe, "consent"))

        of_both = {
            "title": "1L Le Parfait Jar",
            "description": product["description"],
            "url": "https://shop.example.com/all/1l-le-parfait-jar/",
            "brand": "OFS",
            "category_ids": ["21", "23"],
            "categories_path": "Bath",
            "category_level_1": "Bath",
            "category_level_2": "",
            "category_level_3": "",
            "discount_value": 0.0,
            "discount_percentage": 0.0,
            "active": True,
            "condition": "New",
            "upc": "",
            "date_added": 1_534_344_526,
            "store": "shop.example.com",
        }
        jar = of_both | {"sku": "", "price": 7.95, "original_price": 7.95}
        assert items(state, "products") == {"205": jar, "206": jar}
        smit = of_both | {"product_id": "206", "product_active": True, "image": ""}
        assert items(state, "variants") == {
            "345": jar | {"product_id": "205", "product_active": True, "options": ""},
            "382": smit | {"sku": "SMIT", "price": 10.0, "original_price": 10.0, "options": "Color: Beige"},
            "383": smit | {"sku": "SMIT-1", "price": 25.0, "original_price": 25.0, "options": "Color: Grey"},
        }

        assert await post(deployment, [webhook(name) for name in DELETIONS]) == [200] * 3
        state = await at_rest(deployment)
        assert [p for p in state["profiles"] if p["hard"].get("customer_id") == "32"] == []
        [anonymized] = [p for p in state["profiles"] if p["anonymized_at_ms"]]
        assert {value for name, value in anonymized["properties"].items() if value} == set()
        jane_doe = profile_of(state, email_id="jane@example.com")
        # the example's deletion is older than its subscriber: never at or before the last one sent for a category
        rejected = [(at, p["category"]) for at, p in events(jane_doe, "consent") if p["action"] == "reject"]
        assert sorted(rejected) == [(1_715_679_240.001, "bigcommerce"), (1_715_679_240.001, "bigcommerce_abandoned_cart")]
        assert items(state, "products").keys() == {"206"}
        assert items(state, "variants").keys() == {"382", "383"}
        assert state["conflicts"] == []
        assert await read_dead_letters(deployment.settings) == []


async def test_bodies_that_cannot_be_read_become_dead_letters_that_name_the_field_and_their_neighbours_go_on(deployment: Deployment):
    dates = {"date_created": "2019-01-01T00:00:00Z"}
    put(deployment, "customer", 1, dates | {"id": 1, "email": "a@example.com", "first_name": {"not": "text"}})
    put(deployment, "customer", 2, dates | {"id": 2, "email": "b@example.com"})
    put(deployment, "order", 3, {"id": 3, "status_id": 11, "date_created": "not a date", "products": []})
    put(
        deployment,
        "cart",
        "c-4",
        {"id": "c-4", "updated_time": "2019-01-01T00:00:00Z", "line_items": {"physical_items": [{"quantity": 1}]}},
    )
    put(deployment, "subscriber", 5, dates | {"id": 5, "email": "c@example.com", "consents": "yes"})

    put(deployment, "product", 6, dates | {"id": 6, "variants": [{"id": 61, "price": "a lot"}]})
    put(deployment, "product", 7, dates | {"id": 7, "name": None, "price": "12.3400", "sale_price": "", "variants": [{"id": 71}]})

    def named(scope: str, id: int | str) -> dict[str, Any]:
        return {"scope": scope, "data": {"id": id}, "created_at": int(time.time()) - 60, "store_id": 1, "hash": "x"}

    async with deployment.parts():
        scopes = [
            "store/customer/updated",
            "store/customer/updated",
            "store/order/updated",
            "store/cart/updated",
            "store/subscriber/updated",
            "store/product/updated",
            "store/product/updated",
        ]
        bodies = [named(scope, id) for scope, id in zip(scopes, [1, 2, 3, "c-4", 5, 6, 7], strict=True)]
        assert set(await post(deployment, bodies)) == {200}
        state = await at_rest(deployment)
        letters = await read_dead_letters(deployment.settings)
        found = sorted((letter.stage, letter.field) for letter in letters)
        assert found == [
            ("fetch", "consents"),
            ("fetch", "date_created"),
            ("fetch", "first_name"),
            ("fetch", "line_items.physical_items[0].id"),
            ("fetch", "variants[0].price"),
        ]
        priced = {"price": 12.34, "original_price": 12.34, "discount_value": 0.0, "discount_percentage": 0.0}
        assert items(state, "products") == {"7": priced | {"date_added": 1_546_300_800, "store": "shop.example.com"}}
        assert [p["hard"] for p in state["profiles"]] == [{"email_id": "b@example.com", "customer_id": "2"}]
