"""Reads against the BigCommerce simulator."""

from typing import Any

import httpx
import orjson
import pytest

from bigcommerce.attributes import AttributeNames
from bigcommerce.carts import parse_cart
from bigcommerce.client import BigCommerce, StoreApi
from bigcommerce.customers import parse_customer
from bigcommerce.orders import parse_order
from bigcommerce.reads import read_cart, read_customers, read_order, read_orders, read_subscribers
from bigcommerce.subscribers import parse_subscriber
from schemas.failures import Undecodable
from tests.bigcommerce.conftest import Shop

LINES = [{"product_id": 5, "variant_id": 50, "name": "Mug", "price": "12.50", "quantity": 2}]


async def order(shop: Shop, **fields: object) -> str:
    return str((await shop.act({"action": "create_order", "lines": LINES, **fields}))[0]["id"])


async def test_customers_come_with_addresses_attributes_and_form_fields(shop: Shop, api: StoreApi):
    address = {"first_name": "Jane", "city": "Brno", "country": "Czechia"}
    details = {"addresses": [address], "attributes": {"size": "L"}, "form_fields": {"Pet": "cat"}}
    [made] = await shop.act({"action": "create_customer", "email": "jane@example.com", **details})
    read = await read_customers(api, [str(made["id"]), "999"])
    assert list(read.found) == [str(made["id"])]
    customer = parse_customer(read.found[str(made["id"])])
    assert customer.address
    assert (customer.email, customer.address.city, customer.form_fields) == ("jane@example.com", "Brno", {"Pet": "cat"})
    names = AttributeNames()
    await names.learn(api, customer.attributes.keys())
    assert names.known == {next(iter(customer.attributes)): "size"}


async def test_more_addresses_and_attributes_than_a_customer_shows_are_read_for_all_customers_at_once(shop: Shop, api: StoreApi):
    def create(n: int, addresses: int, attributes: int) -> dict[str, Any]:
        details = {
            "addresses": [{"city": f"{n}.{k}"} for k in range(addresses)],
            "attributes": {f"a{k}": f"{n}" for k in range(attributes)},
        }
        return {"action": "create_customer", "email": f"c{n}@example.com", **details}

    made = await shop.act(create(0, 2, 10), create(1, 12, 2), create(2, 11, 15))
    read = await read_customers(api, [str(answer["id"]) for answer in made])
    customers = [parse_customer(body) for body in read.found.values()]
    assert [customer.address and customer.address.city for customer in customers] == ["0.0", "1.0", "2.0"]
    assert [set(customer.attributes.values()) for customer in customers] == [{"0"}, {"1"}, {"2"}]
    assert [len(customer.attributes) for customer in customers] == [10, 2, 15]
    lists = ("", "/addresses", "/attribute-values")
    assert await shop.calls() == {f"GET /v3/customers{name} 200": 1 for name in lists}


async def test_a_customer_nobody_asked_for_is_not_taken_for_one_that_was(shop: Shop, api: StoreApi):
    [made] = await shop.act({"action": "create_customer", "email": "jane@example.com"})
    await shop.raw("customer", str(made["id"]), b'{"id": 77}')
    read = await read_customers(api, [str(made["id"])])
    assert (read.found, read.unnamed) == ({}, 1)


async def test_attribute_names_cost_one_call_for_all_customers(shop: Shop, api: StoreApi):
    await shop.act({"action": "create_customer", "email": "jane@example.com", "attributes": {"size": "L", "color": "red"}})
    names = AttributeNames()
    for ids in ({"1", "2"}, {"1"}, {"1", "2"}):
        await names.learn(api, ids)
    assert names.known == {"1": "size", "2": "color"}
    assert (await shop.calls())["GET /v3/customers/attributes 200"] == 1


async def test_an_attribute_that_was_just_made_is_looked_up_and_one_that_is_not_listed_only_once_a_minute(shop: Shop, api: StoreApi):
    [made] = await shop.act({"action": "create_customer", "email": "jane@example.com", "attributes": {"size": "L"}})
    names = AttributeNames()
    for _ in range(3):
        await names.learn(api, {"1", "99"})
    await shop.act({"action": "update_customer", "id": made["id"], "attributes": {"color": "red"}})
    for _ in range(3):
        await names.learn(api, {"1", "2", "99"})
    assert names.known == {"1": "size", "2": "color"}
    assert (await shop.calls())["GET /v3/customers/attributes 200"] == 2


async def test_subscribers_are_read_by_id(shop: Shop, api: StoreApi):
    [made] = await shop.act({"action": "create_subscriber", "email": "jane@example.com"})
    read = await read_subscribers(api, [str(made["id"]), "999"])
    assert {id: parse_subscriber(body).email for id, body in read.found.items()} == {str(made["id"]): "jane@example.com"}


async def test_a_whole_page_of_ids_is_one_call(shop: Shop, api: StoreApi):
    made = await shop.act(*({"action": "create_customer", "email": f"c{n}@example.com"} for n in range(250)))
    read = await read_customers(api, [str(answer["id"]) for answer in made])
    assert len(read.found) == 250
    assert await shop.calls() == {"GET /v3/customers 200": 1}


async def test_pages_smaller_than_asked_for_leave_nothing_out(shop: Shop, api: StoreApi, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bigcommerce.reads.IDS_PER_CALL_MAX", 2)
    made = await shop.act(*({"action": "create_customer", "email": f"c{n}@example.com"} for n in range(5)))
    read = await read_customers(api, [str(answer["id"]) for answer in made])
    assert len(read.found) == 5


async def test_an_empty_page_is_the_last_one_whatever_the_total_says():
    asked = 0

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        assert asked < 10
        return httpx.Response(200, json={"data": [], "meta": {"pagination": {"total_pages": 999_999_999}}})

    async with BigCommerce("http://bigcommerce", httpx.MockTransport(answer)) as bigcommerce:
        read = await read_customers(StoreApi(bigcommerce, "abc123", lambda: "token"), ["1"])
    assert (read.found, asked) == ({}, 1)


async def test_a_cart_is_read_or_is_not_there(shop: Shop, api: StoreApi):
    [made] = await shop.act({"action": "create_cart", "lines": LINES})
    assert parse_cart((await read_cart(api, made["id"])).found[made["id"]]).lines[0].quantity == 2
    assert (await read_cart(api, "11111111-2222-3333-4444-555555555555")).found == {}


async def test_orders_of_a_range_come_with_their_lines_in_one_call(shop: Shop, api: StoreApi):
    ids = [await order(shop) for _ in range(4)]
    read = await read_orders(api, [ids[0], ids[1], ids[3]])
    assert list(read.found) == [ids[0], ids[1], ids[3]]
    assert [[line.title for line in parse_order(body).lines] for body in read.found.values()] == [["Mug"]] * 3
    assert await shop.calls() == {"GET /v2/orders 200": 1}


async def test_an_incomplete_order_is_found_by_its_status_and_an_archived_one_by_its_address(shop: Shop, api: StoreApi):
    ids = [await order(shop), await order(shop, status=0), await order(shop)]
    await shop.act({"action": "archive_order", "id": int(ids[2])})
    assert list((await read_orders(api, ids)).found) == [ids[0]]
    assert list((await read_orders(api, ids, incomplete=True)).found) == [ids[1]]
    assert list((await read_order(api, ids[2])).found) == [ids[2]]
    assert (await read_order(api, "999")).found == {}


async def test_an_order_that_comes_without_its_lines_has_them_read(shop: Shop, api: StoreApi, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bigcommerce.reads.ORDER_PARAMS", {})
    id = await order(shop, billing={"country": "Czechia"}, shipping_cost="5")
    body = (await read_order(api, id)).found[id]
    whole = parse_order(body)
    assert [line.title for line in whole.lines] == ["Mug"]
    assert whole.shipping
    assert whole.shipping.country == "Czechia"
    assert orjson.loads(body)["total_inc_tax"] == f"{whole.total:.4f}"


async def test_an_order_without_any_lines_has_an_empty_list_of_them(shop: Shop, api: StoreApi):
    id = await order(shop)
    await shop.raw("order", id, orjson.dumps({"id": int(id), "status_id": 11, "products": {"url": "…"}}))
    assert orjson.loads((await read_order(api, id)).found[id])["products"] == []


async def test_an_answer_that_is_broken_json_is_undecodable(shop: Shop, api: StoreApi):
    [made] = await shop.act({"action": "create_customer", "email": "jane@example.com"})
    await shop.raw("customer", str(made["id"]), b'{"id": ')
    with pytest.raises(Undecodable):
        await read_customers(api, [str(made["id"])])
