"""Pages of listings through the fetch process, against a real Kafka and the BigCommerce simulator; see stage.py."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from msgspec.structs import replace

from bigcommerce.client import BigCommerce, StoreApi
from bigcommerce.listings import LISTED, ListedPage, list_page
from ingest.pages import pages_of
from schemas.dead_letters import DeadLetter
from schemas.entities import CustomerState, OrderState, Page, ProductState, SubscriberState
from schemas.records import Decoder
from schemas.topics import ACCOUNTS, CHECKOUTS, DEAD_LETTERS, PAGES, PRODUCTS, SUBSCRIBERS, WEBHOOKS
from simulators.process import start
from streams.fetch.rules.page import LIVE_MAX
from tests.streams.fetch.stage import HASH, STORE, TOKEN, Stage

LINES = [{"product_id": 5, "variant_id": 50, "name": "Mug", "price": "12.50", "quantity": 2}]
EARLIER = "2020-01-01T00:00:00Z"
OTHER = "other1.1"


@pytest.fixture
def simulator() -> Iterator[str]:
    with start("bigcommerce", "--seed", "1") as process:
        yield process.url


@pytest.fixture
async def stage(kafka: str, prefix: str, simulator: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with Stage(kafka, prefix, simulator, tmp_path) as ready:
        yield ready


async def listed(stage: Stage, resource: str) -> tuple[list[Page], dict[str, Any]]:
    """What a backfill writes of a resource, and the entities in it by id."""
    pages, entities = list[Page](), dict[str, Any]()
    async with BigCommerce(stage.simulator) as bigcommerce:
        api, after, number = StoreApi(bigcommerce, HASH, lambda: TOKEN), "", 0
        while number == 0 or after:
            found = await list_page(api, resource, after)
            pages += pages_of(found, store=STORE, resource=resource, run="r", page=number)
            entities |= {str(entity.get("id")): entity for entity in map(orjson.loads, found.items)}
            after, number = found.after, number + 1
    return pages, entities


def page(resource: str, number: int, *entities: dict[str, Any], store: str = STORE) -> Page:
    body = msgspec.Raw(orjson.dumps(entities))
    return Page(store=store, resource=resource, run="r", page=number, read_at_ms=1_700_000_000_000, body=body)


def order(id: int, **more: Any) -> dict[str, Any]:
    return {"id": id, "status_id": 11, "customer_id": 7, "products": [], "date_created": EARLIER, "date_modified": EARLIER, **more}


def customer(id: int, **more: Any) -> dict[str, Any]:
    return {"id": id, "email": f"c{id}@example.com", "date_created": EARLIER, "date_modified": EARLIER, **more}


def attribute(id: int) -> dict[str, Any]:
    return {"attribute_id": id, "attribute_value": "L"}


async def test_a_stores_history_becomes_the_records_of_live_reads(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bigcommerce.listings.PAGE_MAX", 30)
    monkeypatch.setattr("ingest.pages.BODY_BYTES_MAX", 6_000)
    customers = await stage.act(
        *({"action": "create_customer", "email": f"c{n}@example.com", "attributes": {"size": "L"}} for n in range(40))
    )
    await stage.act(*({"action": "create_subscriber", "email": f"s{n}@example.com"} for n in range(35)))
    await stage.act(
        {"action": "create_brand", "name": "OFS"},
        *({"action": "create_product", "fields": {"name": f"P{n}", "brand_id": 1}} for n in range(40)),
    )
    carts = await stage.act(*({"action": "create_cart", "lines": LINES, "email": "jane@example.com"} for _ in range(20)))
    orders = await stage.act(
        *({"action": "checkout", "cart_id": cart["id"], "status": 11} for cart in carts),
        *({"action": "create_order", "lines": LINES, "customer_id": made["id"], "status": n % 2 * 11} for n, made in enumerate(customers)),
    )
    await stage.act({"action": "delete_customer", "id": customers[5]["id"]})  # in no listing, and that says nothing
    bad = str(orders[3]["id"])
    await stage.raw("order", bad, orjson.dumps({"id": int(bad), "status_id": 99, "products": []}))
    await stage.raw("subscriber", "7", b'{"id": {}}')

    pages, entities = list[Page](), dict[str, dict[str, Any]]()
    for resource in LISTED:
        found, entities[resource] = await listed(stage, resource)
        assert any(page.parts > 1 for page in found), "nothing is cut into parts"
        pages += found
    before = await stage.calls()
    stage.start()
    await stage.pages(*pages)
    await stage.wait_until_done()

    assert await bodies(stage, CustomerState, ACCOUNTS) == entities["customer"]
    assert await bodies(stage, SubscriberState, SUBSCRIBERS) == {id: e for id, e in entities["subscriber"].items() if id != "{}"}
    assert await bodies(stage, OrderState, CHECKOUTS) == {id: e for id, e in entities["order"].items() if id != bad}
    assert await bodies(stage, ProductState, PRODUCTS) == entities["product"]
    written = await stage.written(ACCOUNTS, SUBSCRIBERS, CHECKOUTS, PRODUCTS)
    assert {type(message) for _, message, _ in written} == {CustomerState, SubscriberState, OrderState, ProductState}
    assert {state.brand_name for _, state, _ in written if isinstance(state, ProductState)} == {"OFS"}
    assert {f"{STORE}/{cart['id']}" for cart in carts[:3]} <= {key for key, _, _ in written}
    assert all(set(state.attribute_names.values()) == {"size"} for _, state, _ in written if isinstance(state, CustomerState))
    causes = {headers["cause"].decode() for _, _, headers in written}
    assert all(cause.startswith(f"{stage.settings.topic_prefix}{PAGES.name}/") for cause in causes)
    assert await stage.calls() == before
    letters = [message for _, message, _ in await stage.written(DEAD_LETTERS) if isinstance(message, DeadLetter)]
    reasons = {(letter.id.rpartition("/")[2].partition("[")[0], letter.field, letter.stage, letter.store) for letter in letters}
    assert reasons == {(f"order-{bad}", "status_id", "fetch", STORE), ("subscriber", "id", "fetch", STORE)}
    [again] = [Decoder([Page]).decode(each.value, each.headers) for each in letters if each.field == "status_id"]
    assert isinstance(again, Page)
    assert [entity["id"] for entity in orjson.loads(bytes(again.body))] == [int(bad)]


async def bodies(stage: Stage, kind: type, topic: Any) -> dict[str, Any]:
    return {message.id: orjson.loads(bytes(message.body)) for _, message, _ in await stage.written(topic) if type(message) is kind}


async def test_a_page_that_cannot_be_read_as_a_whole_is_a_dead_letter_and_the_next_goes_on(stage: Stage):
    stage.start()
    await stage.write_raw(b"no page", [("schema", b"page/1")], PAGES)
    await stage.pages(page("cart", 0), page("order", 1, order(101)))
    await stage.write_raw(b"no page either", topic=PAGES)
    await stage.wait_until_done()
    found = await stage.written()
    assert [message.id for _, message, _ in found if isinstance(message, OrderState)] == ["101"]
    letters = [message for _, message, _ in found if isinstance(message, DeadLetter)]
    assert sorted((letter.field, letter.store) for letter in letters) == [("", ""), ("resource", STORE), ("schema", "")]


async def test_what_is_too_large_for_a_record_is_named(stage: Stage):
    stage.start()
    large = order(101, staff_notes="x" * 1_000_000)
    await stage.pages(*pages_of(_listed(large, order(102)), store=STORE, resource="order", run="r", page=0))
    await stage.wait_until_done()
    found = await stage.written()
    assert [message.id for _, message, _ in found if isinstance(message, OrderState)] == ["102"]
    [letter] = [message for _, message, _ in found if isinstance(message, DeadLetter)]
    assert (letter.id.rpartition("/")[2], letter.reason) == ("order-101", "too large for a record")


def _listed(*entities: dict[str, Any]) -> ListedPage:
    return ListedPage([orjson.dumps(entity) for entity in entities], 1_700_000_000_000, "")


async def test_live_reads_do_not_wait_for_pages(stage: Stage):
    [made] = await stage.act({"action": "create_customer", "email": "jane@example.com"})
    heap = [page("order", n, *(order(n * 250 + k + 1, staff_notes="x" * 1000) for k in range(250))) for n in range(80)]
    await stage.pages(*heap)
    stage.start()
    await stage.wait_for(lambda messages: messages, CHECKOUTS)
    await stage.webhooks(("store/customer/created", {"id": made["id"]}))
    await stage.wait_for(lambda messages: messages, ACCOUNTS)
    assert await stage.lag(PAGES) > 0
    await stage.wait_until_done()
    assert len(await bodies(stage, OrderState, CHECKOUTS)) == 80 * 250


async def test_a_kill_at_any_instant_loses_no_page(stage: Stage):
    heap = [page("order", n, *(order(n * 100 + k + 1) for k in range(100))) for n in range(60)]
    await stage.pages(*heap)
    for part in (10, 30, 50):
        stage.start()
        await stage.wait_for(lambda messages, part=part: len({m.id for m in messages}) > part * 100, CHECKOUTS)
        stage.kill()
    await stage.pages(page("order", 60, order(6001)))  # so that there is work for the last life, too, before it is told to end
    stage.start()
    await stage.wait_until_done()
    written = [message.id for _, message, _ in await stage.written(CHECKOUTS)]
    assert len(set(written)) == 6001
    assert stage.stop() == 0


async def test_what_changed_since_the_load_was_asked_for_is_no_history_but_of_a_page_only_so_many(stage: Stage):
    """Whatever has a page for its cause goes to Engagement by the slow way; a state without one is its own cause."""
    asked = page("customer", 0)
    changed = [customer(n, date_modified="2023-11-14T22:13:20Z") for n in range(100, 200)]
    await stage.pages(
        replace(page("customer", 0, customer(1), *changed[:2]), asked_ms=asked.read_at_ms),
        replace(page("customer", 1, *changed[2:], customer(2)), asked_ms=asked.read_at_ms),
        page("customer", 2, customer(3, date_modified="2023-11-14T22:13:20Z")),
    )
    stage.start()
    await stage.wait_until_done()
    live = {message.id for _, message, headers in await stage.written(ACCOUNTS) if "cause" not in headers}
    assert {"100", "101"} < live
    assert len(live) == 2 + LIVE_MAX
    assert live.isdisjoint({"1", "2", "3"})
    assert len(await bodies(stage, CustomerState, ACCOUNTS)) == 103


@pytest.mark.parametrize("store", ["paused", "without access", "not known yet"])
async def test_pages_need_nothing_of_their_store(stage: Stage, store: str):
    """It was read before they were written: a store that has to wait holds back neither its own pages nor another's."""
    if store != "not known yet":
        await stage.add_store(OTHER, "wrong", paused=store == "paused")
    stage.start()
    with_attributes = {"attributes": [attribute(9)]}
    await stage.pages(
        *(replace(page("customer", n, customer(n + 1, **with_attributes), store=OTHER), attribute_names={"9": "size"}) for n in range(20)),
        *(page("order", n, order(n + 1)) for n in range(20)),
    )
    await stage.wait_until_done()
    assert {(state.id, *state.attribute_names.items()) for _, state, _ in await stage.written(ACCOUNTS)} == {
        (str(n + 1), ("9", "size")) for n in range(20)
    }
    assert len(await bodies(stage, OrderState, CHECKOUTS)) == 20
    assert await stage.calls() == {}


async def test_pages_of_a_store_that_was_removed_are_done_with(stage: Stage):
    await stage.add_store(OTHER, "t2", removed=True)
    stage.start()
    await stage.pages(page("order", 0, order(1), store=OTHER))
    await stage.wait_until_done()
    assert await stage.written() == []
    assert await stage.lag(WEBHOOKS) == 0


@pytest.mark.parametrize(("of_store", "of_page", "holds"), [(77, 0, 77), (0, 77, 77), (77, 99, 99)])
async def test_what_was_said_since_a_page_was_asked_for_silences_its_orders_too(stage: Stage, of_store: int, of_page: int, holds: int):
    await stage.add_store(STORE, TOKEN, events_from_ms=of_store)
    await stage.pages(replace(page("order", 0, order(101)), events_from_ms=of_page))
    stage.start()
    await stage.wait_until_done()
    [state] = [message for _, message, _ in await stage.written(CHECKOUTS) if isinstance(message, OrderState)]
    assert state.events_from_ms == holds
