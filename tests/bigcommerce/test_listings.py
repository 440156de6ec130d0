"""Listings against the BigCommerce simulator, while its shop changes."""

import gc
import itertools
import math
import time
import weakref
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from bigcommerce.client import BigCommerce, StoreApi
from bigcommerce.customers import parse_customer
from bigcommerce.listings import LISTED, ListedPage, count, list_page
from bigcommerce.orders import parse_order
from bigcommerce.products import parse_product
from schemas.failures import AccessLost, Undecodable
from tests.bigcommerce.conftest import Shop

LINES = [{"product_id": 5, "variant_id": 50, "name": "Mug", "price": "12.50", "quantity": 2}]
DAY_MS = 86_400_000


def customer(n: int) -> dict[str, Any]:
    return {"action": "create_customer", "email": f"c{n}@example.com"}


def subscriber(n: int) -> dict[str, Any]:
    return {"action": "create_subscriber", "email": f"s{n}@example.com"}


def order(_: int = 0, **fields: Any) -> dict[str, Any]:
    return {"action": "create_order", "lines": LINES, **fields}


def product(n: int) -> dict[str, Any]:
    return {"action": "create_product", "fields": {"name": f"Jar {n}"}}


CREATE: dict[str, Callable[[int], dict[str, Any]]] = {
    "customer": customer,
    "subscriber": subscriber,
    "order": order,
    "product": product,
}


async def make(shop: Shop, resource: str, numbers: range) -> list[str]:
    return [str(made["id"]) for made in await shop.act(*(CREATE[resource](n) for n in numbers))]


def ids_of(pages: list[ListedPage]) -> list[str]:
    return [str(orjson.loads(item)["id"]) for page in pages for item in page.items]


async def list_all(api: StoreApi, resource: str, since_ms: int = 0) -> list[ListedPage]:
    pages = [await list_page(api, resource, since_ms=since_ms)]
    while pages[-1].after:
        assert len(pages) < 100, "it does not end"
        pages.append(await list_page(api, resource, pages[-1].after, since_ms))
    return pages


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigcommerce.listings.PAGE_MAX", 3)


@pytest.mark.parametrize("resource", LISTED)
async def test_all_are_listed_once_at_a_call_a_page_and_a_few_more(shop: Shop, api: StoreApi, resource: str):
    ids = await make(shop, resource, range(260))
    pages = await list_all(api, resource)
    assert sorted(ids_of(pages), key=int) == ids
    calls = await shop.calls()
    assert sum(calls.values()) <= math.ceil(260 / 250) + 5, calls
    assert await count(api, resource) == 260


@pytest.mark.parametrize("resource", LISTED)
async def test_a_store_that_has_none_has_one_empty_page(api: StoreApi, resource: str):
    [page] = await list_all(api, resource)
    assert page.items == []
    assert page.read_at_ms > 0
    assert await count(api, resource) == 0


async def test_customers_and_orders_come_whole(shop: Shop, api: StoreApi):
    addresses = [{"city": f"{k}"} for k in range(12)]
    await shop.act(customer(1) | {"addresses": addresses, "attributes": {f"a{k}": "x" for k in range(11)}}, customer(2), order())
    [body, _] = [item for page in await list_all(api, "customer") for item in page.items]
    assert len(orjson.loads(body)["addresses"]) == 12
    assert len(parse_customer(body).attributes) == 11
    [body] = [item for page in await list_all(api, "order") for item in page.items]
    assert [line.title for line in parse_order(body).lines] == ["Mug"]


async def test_products_come_with_variants_and_the_names_of_brand_and_categories(shop: Shop, api: StoreApi):
    variant = {"options": [{"name": "Color", "label": "Red"}], "sku": "J-R"}
    placed = {"fields": {"name": "Jar", "brand_id": 1, "categories": [2]}, "variants": [variant]}
    await shop.act(
        {"action": "create_brand", "name": "OFS"},
        {"action": "create_category", "name": "Kitchen"},
        {"action": "create_category", "name": "Jars", "parent_id": 1},
        *[product(n) | placed for n in range(60)],
    )
    pages = [page for page in await list_all(api, "product") if page.items]
    assert len(pages) == 2
    assert all((page.brand_names, page.category_paths) == ({"1": "OFS"}, {"2": ["Kitchen", "Jars"]}) for page in pages)
    assert {v.sku for page in pages for item in page.items for v in parse_product(item).variants or []} == {"J-R"}
    calls = await shop.calls()
    assert calls["GET /v3/catalog/brands 200"] == calls["GET /v3/catalog/trees/categories 200"] == 1


@pytest.mark.usefixtures("small")
async def test_attributes_come_with_their_names_which_are_read_once_for_all_pages(shop: Shop, api: StoreApi):
    await shop.act(*(customer(n) | {"attributes": {"size": "L", f"only{n}": "x"}} for n in range(2)), *(customer(n) for n in range(2, 9)))
    await shop.act({"action": "update_customer", "id": 8, "attributes": {"size": "M"}})
    first, second, third, end = await list_all(api, "customer")
    assert first.attribute_names == {"1": "size", "2": "only0", "3": "only1"}
    assert (second.attribute_names, third.attribute_names, end.items) == ({}, {"1": "size"}, [])
    assert (await shop.calls())["GET /v3/customers/attributes 200"] == 1


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("resource", LISTED)
@pytest.mark.parametrize("deleted", ["first", "last", "every second"])
async def test_none_that_stays_is_missed_while_others_are_deleted_and_made(shop: Shop, api: StoreApi, resource: str, deleted: str):
    ids = await make(shop, resource, range(12))
    going = {"first": ids[:4], "last": ids[-4:], "every second": ids[::2]}[deleted]
    left, made = list(going), 12
    page = await list_page(api, resource)
    found = ids_of([page])
    while page.after:
        if left:
            action = "archive_order" if resource == "order" else f"delete_{resource}"
            await shop.act({"action": action, "id": int(left.pop(0))})
        await make(shop, resource, range(made, made + 1))
        made += 1
        assert made < 100, "it does not end"
        await shop.knobs(clock_offset_ms=2000)  # later than the second in which the listing began
        page = await list_page(api, resource, page.after)
        found += ids_of([page])
    assert set(ids) - set(going) <= set(found)


@pytest.mark.parametrize("resource", LISTED)
async def test_pages_that_shrink_and_grow_in_between_list_all_that_stay_and_none_twice(
    shop: Shop, api: StoreApi, resource: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bigcommerce.listings.PAGE_MAX", 50)
    ids = await make(shop, resource, range(230))
    going = ids[10:20]
    page = await list_page(api, resource)
    found, sizes = ids_of([page]), [len(page.items)]
    for shrink in itertools.cycle([2, 10, 50, 50, 10, 10, 2, 1, 1]):
        if not page.after:
            break
        if len(sizes) == 2:
            await shop.act(*({"action": "archive_order" if resource == "order" else f"delete_{resource}", "id": int(id)} for id in going))
        page = await list_page(api, resource, page.after, shrink=shrink)
        found += ids_of([page])
        sizes.append(len(page.items))
    assert set(ids) - set(going) <= set(found)
    again = len(found) - len(set(found))
    assert again <= (len(going) if resource in ("subscriber", "order") else 0)
    assert {25, 5, 1} <= set(sizes)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("resource", ["order", "product"])
async def test_pages_of_another_size_behind_one_without_an_id_that_can_be_read_miss_none(shop: Shop, api: StoreApi, resource: str):
    ids = await make(shop, resource, range(20))
    for id in ids[:7]:
        await shop.raw(resource, id, b'{"id": {}}')
    page = await list_page(api, resource)
    items = list(page.items)
    for shrink in itertools.cycle([1, 10, 1]):
        if not page.after:
            break
        page = await list_page(api, resource, page.after, shrink=shrink)
        items += page.items
    assert sum(orjson.loads(item)["id"] == {} for item in items) == 7
    assert {str(orjson.loads(item)["id"]) for item in items} == {"{}", *ids[7:]}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("resource", ["subscriber", "order", "product"])
async def test_a_listing_goes_on_where_an_earlier_release_stopped(shop: Shop, api: StoreApi, resource: str):
    """Its cursors did not say how large the pages are: as large as can be."""
    ids = await make(shop, resource, range(8))
    page = await list_page(api, resource)
    found = ids_of([page])
    while page.after:
        page = await list_page(api, resource, page.after.rpartition("/")[0])
        found += ids_of([page])
    assert sorted(found, key=int) == ids


@pytest.mark.usefixtures("small")
async def test_where_bigcommerce_gives_smaller_pages_than_were_asked_for_smaller_ones_still_miss_none():
    asked: list[int] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        """Two a page at most."""
        page, limit = (int(request.url.params[name]) for name in ("page", "limit"))
        asked.append(limit)
        limit = min(2, limit)
        rows = [{"id": n} for n in range(1, 8)][(page - 1) * limit : page * limit]
        return httpx.Response(200, json={"data": rows, "meta": {"pagination": {"total_pages": math.ceil(7 / limit), "per_page": limit}}})

    async with BigCommerce("http://bigcommerce", httpx.MockTransport(answer)) as bigcommerce:
        api = StoreApi(bigcommerce, "abc123", lambda: "token")
        page = await list_page(api, "subscriber")
        found = ids_of([page])
        for shrink in (1, 10, 1, 1, 1, 1, 1):
            if page.after:
                page = await list_page(api, "subscriber", page.after, shrink=shrink)
                found += ids_of([page])
    assert sorted(found) == [str(n) for n in range(1, 8)]


@pytest.mark.usefixtures("small")
async def test_an_order_that_is_placed_or_archived_meanwhile_is_not_missed(shop: Shop, api: StoreApi):
    ids = [str(made["id"]) for made in await shop.act(*(order(status=0 if n % 2 else 11) for n in range(12)))]
    page = await list_page(api, "order")
    found, changes = ids_of([page]), list(reversed(ids))
    while page.after:
        if changes:
            id = int(changes.pop())
            await shop.act({"action": "set_order_status", "id": id, "status": 11} if id % 2 else {"action": "archive_order", "id": id})
        page = await list_page(api, "order", page.after)
        found += ids_of([page])
    assert set(found) == set(ids)


async def test_incomplete_and_archived_orders_are_listed_too(shop: Shop, api: StoreApi):
    made = await shop.act(order(), order(status=0), order())
    await shop.act({"action": "archive_order", "id": made[2]["id"]})
    assert sorted(ids_of(await list_all(api, "order"))) == sorted(str(each["id"]) for each in made)


async def test_where_archived_orders_cannot_be_listed_nothing_is_listed_twice():
    asked: list[dict[str, str]] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        """Knows no `is_deleted`."""
        asked.append(dict(request.url.params))
        if "status_id" in asked[-1] or int(asked[-1].get("min_id", 0)) > 7:
            return httpx.Response(204)
        return httpx.Response(200, json=[{"id": 7, "is_deleted": False, "products": []}])

    async with BigCommerce("http://bigcommerce", httpx.MockTransport(answer)) as bigcommerce:
        pages = await list_all(StoreApi(bigcommerce, "abc123", lambda: "token"), "order")
    assert ids_of(pages) == ["7"]
    assert len(asked) < 10


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("resource", LISTED)
async def test_since_lists_what_was_modified_from_then_on(shop: Shop, api: StoreApi, resource: str):
    await shop.knobs(clock_offset_ms=-DAY_MS)
    old = await make(shop, resource, range(8))
    await shop.knobs(clock_offset_ms=0)
    since_ms = time.time_ns() // 1_000_000 - DAY_MS // 2
    changes = {
        "order": {"staff_notes": "x"},
        "customer": {"first_name": "Jane"},
        "subscriber": {"first_name": "Jane"},
        "product": {"name": "Pot"},
    }
    await shop.act({"action": f"update_{resource}", "id": int(old[3]), "fields": changes[resource]})
    new = await make(shop, resource, range(8, 16))
    assert sorted(ids_of(await list_all(api, resource, since_ms)), key=int) == sorted([old[3], *new], key=int)
    assert await count(api, resource, since_ms) == 9


@pytest.mark.usefixtures("small")
async def test_a_subscriber_modified_under_a_listing_since_a_day_hides_no_other(shop: Shop, api: StoreApi):
    await shop.knobs(clock_offset_ms=-DAY_MS)
    old = await make(shop, "subscriber", range(3))
    await shop.knobs(clock_offset_ms=-DAY_MS // 4)
    new = await make(shop, "subscriber", range(3, 12))
    await shop.knobs(clock_offset_ms=0)
    since_ms = time.time_ns() // 1_000_000 - DAY_MS // 2
    page = await list_page(api, "subscriber", since_ms=since_ms)
    found = ids_of([page])
    await shop.knobs(clock_offset_ms=2000)  # later than the second in which the listing began
    while page.after:
        if old:
            await shop.act({"action": "update_subscriber", "id": int(old.pop()), "fields": {"first_name": "Jane"}})
        page = await list_page(api, "subscriber", page.after, since_ms)
        found += ids_of([page])
    assert set(new) <= set(found)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("resource", LISTED)
@pytest.mark.parametrize("bad", ["first", "last", "all"])
async def test_entities_without_an_id_are_listed_and_stop_nothing(shop: Shop, api: StoreApi, resource: str, bad: str):
    ids = await make(shop, resource, range(7))
    wrong = {"first": ids[:1], "last": ids[-1:], "all": ids}[bad]
    for id in wrong:
        await shop.raw(resource, id, b'{"id": {}}')
    items = [orjson.loads(item)["id"] for page in await list_all(api, resource) for item in page.items]
    assert {str(id) for id in items if id} == set(ids) - set(wrong)
    assert items.count({}) >= len(wrong)


async def test_a_broken_answer_and_a_cursor_of_another_listing_are_undecodable(shop: Shop, api: StoreApi):
    [id] = await make(shop, "order", range(1))
    with pytest.raises(Undecodable, match="after"):
        await list_page(api, "order", "2/7")
    with pytest.raises(Undecodable, match="resource"):
        await list_page(api, "cart")
    await shop.raw("order", id, b'{"id": ')
    with pytest.raises(Undecodable):
        await list_page(api, "order")


@pytest.mark.parametrize("meta", [{}, {"cursor_pagination": {"end_cursor": "b"}}])
async def test_a_cursor_that_leads_nowhere_ends_the_listing_with_a_word(meta: dict[str, Any]):
    async def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [{"id": 1}], "meta": meta})

    async with BigCommerce("http://bigcommerce", httpx.MockTransport(answer)) as bigcommerce:
        with pytest.raises(Undecodable, match="end_cursor"):
            await list_page(StoreApi(bigcommerce, "abc123", lambda: "token"), "customer", "1/b")


async def test_lost_access_is_told(shop: Shop, api: StoreApi):
    await shop.change(forbidden=["orders"])
    with pytest.raises(AccessLost):
        await list_page(api, "order")


async def test_the_names_of_a_store_end_with_its_api(shop: Shop):
    await shop.act({"action": "create_customer", "email": "jane@example.com", "attributes": {"size": "L"}}, product(1))
    async with BigCommerce(shop.url) as bigcommerce:
        api = StoreApi(bigcommerce, "abc123", lambda: shop.token)
        assert (await list_all(api, "customer"))[0].attribute_names == {"1": "size"}
        await list_all(api, "product")
        listed = weakref.ref(api)
        del api
    gc.collect()
    assert listed() is None
