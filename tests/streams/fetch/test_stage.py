"""The fetch process against a real Kafka and the BigCommerce simulator; see stage.py."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.dead_letters import DeadLetter
from schemas.entities import (
    CartGone,
    CartState,
    CustomerGone,
    CustomerState,
    EntityState,
    OrderState,
    ProductGone,
    ProductState,
    SubscriberGone,
    SubscriberState,
)
from schemas.keys import webhook_key
from schemas.topics import ACCOUNTS, CHECKOUTS, DEAD_LETTERS, PRODUCTS, SUBSCRIBERS, WEBHOOKS
from schemas.webhooks import LookAt
from simulators.process import start
from streams.fetch.app import IN_FLIGHT_MAX
from tests.simulators.bigcommerce.conftest import Receiver, receiver  # noqa: F401 - a fixture
from tests.streams.fetch.stage import STORE, TOKEN, Stage

LINES = [{"product_id": 5, "variant_id": 50, "name": "Mug", "price": "12.50", "quantity": 2}]


@pytest.fixture
def simulator() -> Iterator[str]:
    with start("bigcommerce", "--seed", "1") as process:
        yield process.url


@pytest.fixture
async def stage(kafka: str, prefix: str, simulator: str, tmp_path: Path) -> AsyncIterator[Stage]:
    async with Stage(kafka, prefix, simulator, tmp_path) as ready:
        yield ready


async def customers(stage: Stage, count: int, **details: Any) -> list[int]:
    made = await stage.act(*({"action": "create_customer", "email": f"c{n}@example.com", **details} for n in range(count)))
    return [answer["id"] for answer in made]


def body(state: EntityState) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(bytes(state.body))
    return found


async def truth(stage: Stage, kind: str) -> dict[str, Any]:
    """What a read of each living entity should give; store credit is not asked for."""
    entities = (await stage.truth(kind)).items()
    return {id: {k: v for k, v in e["body"].items() if k != "store_credit_amounts"} for id, e in entities if e["body"]}


def states(messages: list[Any], kind: type) -> list[Any]:
    return [message for message in messages if type(message) is kind]


def last_bodies(found: list[tuple[str, Any, Any]], kind: type) -> dict[str, Any]:
    """The newest state of each id."""
    newest: dict[str, Any] = {}
    for _, message, _ in found:
        if type(message) is kind:
            have = newest.get(message.id)
            if have is None or (message.version, message.read_at_ms) >= (have.version, have.read_at_ms):
                newest[message.id] = message
    return {id: body(state) for id, state in newest.items()}


async def test_a_thousand_webhooks_of_four_hundred_customers_cost_few_calls(stage: Stage):
    ids = await customers(stage, 400, attributes={"size": "L"})
    stage.start()
    for first in range(0, 1000, 20):
        group = [ids[n % 400] for n in range(first, first + 20)]
        await stage.act(*({"action": "update_customer", "id": id, "fields": {"first_name": f"n{first}"}} for id in group))
        await stage.webhooks(*(("store/customer/updated", {"id": id}) for id in group))
        await asyncio.sleep(0.1)  # two hundred a second
    await stage.wait_until_done()
    assert last_bodies(await stage.written(ACCOUNTS), CustomerState) == await truth(stage, "customer")
    assert sum((await stage.calls()).values()) <= 60


async def test_every_kind_of_entity_is_written_as_it_is_read_with_its_cause(stage: Stage):
    [customer, subscriber, cart, order] = await stage.act(
        {"action": "create_customer", "email": "jane@example.com", "attributes": {"size": "L"}},
        {"action": "create_subscriber", "email": "jane@example.com"},
        {"action": "create_cart", "lines": LINES},
        {"action": "create_order", "lines": LINES},
    )
    await stage.webhooks(
        ("store/customer/created", {"id": customer["id"]}),
        ("store/subscriber/created", {"id": subscriber["id"]}),
        ("store/cart/created", {"id": cart["id"]}),
        ("store/order/created", {"id": order["id"]}),
    )
    stage.start()
    await stage.wait_until_done()
    found = await stage.written()
    keys = {type(message): key for key, message, _ in found}
    assert keys == {
        CustomerState: f"{STORE}/{customer['id']}",
        SubscriberState: f"{STORE}/{subscriber['id']}",
        CartState: f"{STORE}/{cart['id']}",
        OrderState: f"{STORE}/order-{order['id']}",
    }
    assert {name for _, m, _ in found if isinstance(m, CustomerState) for name in m.attribute_names.values()} == {"size"}
    assert all(headers["cause"].startswith(f"{stage.settings.topic_prefix}{WEBHOOKS.name}/".encode()) for _, _, headers in found)


async def test_told_deletions_are_written_without_a_call(stage: Stage):
    [id] = await customers(stage, 1)
    await stage.webhooks(
        ("store/customer/updated", {"id": id}),
        ("store/customer/deleted", {"id": id}),
        ("store/subscriber/deleted", {"id": 5}),
        ("store/cart/deleted", {"id": "c-1"}),
        at_ms=1_700_000_000_500,
    )
    stage.start()
    await stage.wait_until_done()
    await stage.webhooks(("store/customer/updated", {"id": id}))  # late
    await stage.wait_until_done()
    gone = {"told": True, "at_ms": 1_700_000_000_000, "read_at_ms": 0, "store": STORE}
    assert sorted((key, message) for key, message, _ in await stage.written()) == [
        (f"{STORE}/{id}", CustomerGone(id=str(id), **gone)),
        (f"{STORE}/5", SubscriberGone(id="5", **gone)),
        (f"{STORE}/c-1", CartGone(id="c-1", **gone)),
    ]
    assert await stage.calls() == {}


async def test_a_deletion_stands_behind_every_state_of_its_entity(stage: Stage):
    ids = await customers(stage, 200)
    stage.start()
    await stage.webhooks(*(("store/customer/created", {"id": id}) for id in ids))
    await stage.wait_for(lambda messages: messages, ACCOUNTS)  # while others are being read and written
    await stage.webhooks(*(("store/customer/deleted", {"id": id}) for id in ids))
    await stage.wait_until_done()
    last = {key: message for key, message, _ in await stage.written(ACCOUNTS)}
    assert len(last) == 200
    assert {type(message) for message in last.values()} == {CustomerGone}


async def test_what_is_missing_twice_is_found_gone(stage: Stage):
    [archived] = await stage.act({"action": "create_order", "lines": LINES})
    await stage.act({"action": "archive_order", "id": archived["id"]})
    await stage.webhooks(
        ("store/customer/updated", {"id": 901}),
        ("store/subscriber/updated", {"id": 902}),
        ("store/cart/updated", {"id": "c-903"}),
        ("store/order/updated", {"id": 904}),
        ("store/order/updated", {"id": archived["id"]}),
    )
    stage.start()
    await stage.wait_until_done()
    found = [message for _, message, _ in await stage.written()]
    gone = {message.id: message for message in found if not isinstance(message, OrderState)}
    assert {id: type(message) for id, message in gone.items()} == {"901": CustomerGone, "902": SubscriberGone, "c-903": CartGone}
    assert all(not message.told and message.at_ms > 0 and message.read_at_ms >= message.at_ms // 1000 * 1000 for message in gone.values())
    assert {message.id for message in states(found, OrderState)} == {str(archived["id"])}


async def test_poison_is_dead_lettered_with_its_field_and_its_neighbours_go_on(stage: Stage):
    ids = await customers(stage, 6)
    orders = [a["id"] for a in await stage.act(*({"action": "create_order", "lines": LINES} for _ in range(4)))]
    bad_time = {"id": ids[0], "email": "x@example.com", "date_created": "once upon a time"}
    await stage.raw("customer", str(ids[0]), orjson.dumps(bad_time))
    await stage.raw("customer", str(ids[1]), b'{"email": "no id"}')
    await stage.raw("customer", str(ids[2]), b'{"id": ')
    await stage.raw("order", str(orders[1]), orjson.dumps({"id": orders[1], "status_id": 99, "products": []}))
    await stage.raw("cart", "c-1", b'{"id": "another"}')
    await stage.webhooks(
        *(("store/customer/updated", {"id": id}) for id in ids),
        *(("store/order/updated", {"id": id}) for id in orders),
        ("store/cart/updated", {"id": "c-1"}),
    )
    await stage.write_raw(b"{}", [("schema", None), ("observed_at", None), ("cause", None)])
    stage.start()
    await stage.wait_until_done()
    found = [message for _, message, _ in await stage.written()]
    letters = {letter.key: letter for letter in states(found, DeadLetter)}
    assert {key: letter.field for key, letter in letters.items()} == {
        webhook_key(STORE, "customer", str(ids[0])): "date_created",
        webhook_key(STORE, "customer", str(ids[1])): "id",
        webhook_key(STORE, "customer", str(ids[2])): "",
        webhook_key(STORE, "order", str(orders[1])): "status_id",
        webhook_key(STORE, "cart", "c-1"): "id",
        "raw": "schema",
    }
    letter = letters[webhook_key(STORE, "customer", str(ids[0]))]
    assert (letter.store, letter.stage, orjson.loads(letter.value)["id"]) == (STORE, "fetch", str(ids[0]))
    assert {message.id for message in states(found, CustomerState)} == {str(id) for id in ids[3:]}
    assert {message.id for message in states(found, OrderState)} == {str(id) for id in orders if id != orders[1]}


async def test_a_converted_cart_leads_to_its_order_and_its_account(stage: Stage):
    [customer, cart, order] = await stage.act(
        {"action": "create_customer", "email": "jane@example.com"},
        {"action": "create_cart", "lines": LINES, "customer_id": "$0.id"},
        {"action": "checkout", "cart_id": "$1.id"},
    )
    await stage.webhooks(("store/cart/converted", {"id": cart["id"], "orderId": order["id"]}))
    stage.start()
    found = await stage.wait_for(lambda messages: states(messages, OrderState), ACCOUNTS, CHECKOUTS)
    assert [(key, type(message)) for key, message, _ in found] == [
        (f"{STORE}/{customer['id']}", CustomerState),
        (f"{STORE}/{cart['id']}", CartGone),
        (f"{STORE}/{cart['id']}", OrderState),
    ]
    assert found[1][1].converted
    [asked] = states([message for _, message, _ in await stage.written(WEBHOOKS)], LookAt)
    assert (asked.resource, asked.id, asked.at_ms) == ("order", str(order["id"]), found[1][1].at_ms)
    await stage.wait_until_done()


async def test_an_account_is_read_along_once_for_all_its_carts_and_orders(stage: Stage):
    [id] = await customers(stage, 1)
    made = await stage.act(
        *({"action": "create_order", "lines": LINES, "customer_id": id} for _ in range(5)),
        *({"action": "create_cart", "lines": LINES, "customer_id": id} for _ in range(5)),
    )
    await stage.webhooks(
        *(("store/order/created", {"id": answer["id"]}) for answer in made[:5]),
        *(("store/cart/created", {"id": answer["id"]}) for answer in made[5:]),
    )
    stage.start()
    await stage.wait_until_done()
    assert {message.id for _, message, _ in await stage.written(ACCOUNTS)} == {str(id)}
    assert (await stage.calls())["GET /v3/customers 200"] <= 2


async def test_an_account_that_cannot_be_read_does_not_hold_back_its_order(stage: Stage):
    [made] = await stage.act({"action": "create_order", "lines": LINES, "customer_id": 77})
    await stage.raw("customer", "77", b'{"id": 77}')
    await stage.webhooks(("store/order/created", {"id": made["id"]}))
    stage.start()
    found = await stage.wait_for(lambda messages: states(messages, OrderState))
    letters = states([message for _, message, _ in found], DeadLetter)  # a second one where the order was read once more by now
    assert {(letter.field, letter.id.rpartition("/")[2]) for letter in letters} == {("date_created", "customer-77")}
    await stage.wait_until_done()


async def test_stale_reads_are_repeated_until_the_change_shows(stage: Stage):
    ids = await customers(stage, 30)
    orders = [a["id"] for a in await stage.act(*({"action": "create_order", "lines": LINES} for _ in range(10)))]
    carts = [a["id"] for a in await stage.act(*({"action": "create_cart", "lines": LINES} for _ in range(3)))]
    await stage.knobs(read_lag_ms=1900)
    stage.start()
    await stage.act(
        *({"action": "update_customer", "id": id, "fields": {"first_name": "new"}} for id in ids),
        *({"action": "create_address", "customer_id": id, "fields": {"city": "Brno"}} for id in ids[:10]),
        *({"action": "set_order_status", "id": id, "status": 10} for id in orders),
        *({"action": "set_cart_email", "cart_id": id, "email": "jane@example.com"} for id in carts),
    )
    await stage.webhooks(
        *(("store/customer/updated", {"id": id}) for id in ids[10:]),
        *(("store/customer/address/created", {"id": 1, "address": {"customer_id": id}}) for id in ids[:10]),
        *(("store/order/statusUpdated", {"id": id}) for id in orders),
        *(("store/cart/updated", {"id": id}) for id in carts),
    )
    await stage.wait_until_done()
    found = await stage.written()
    accounts = last_bodies(found, CustomerState)
    assert {id: (account["first_name"], len(account["addresses"])) for id, account in accounts.items()} == {
        str(id): ("new", int(id in ids[:10])) for id in ids
    }
    assert {order["status_id"] for order in last_bodies(found, OrderState).values()} == {10}
    assert {cart["email"] for cart in last_bodies(found, CartState).values()} == {"jane@example.com"}


async def test_a_webhook_that_is_stamped_two_seconds_after_its_change_costs_two_reads(stage: Stage, receiver: Receiver):  # noqa: F811
    [id] = await customers(stage, 1)
    await stage.hook("store/customer/updated", receiver.url)
    await stage.knobs(stamp_lag_ms=2000)
    stage.start()
    await stage.act({"action": "update_customer", "id": id, "fields": {"first_name": "new"}})
    [(_, webhook)] = await asyncio.to_thread(receiver.wait_for, 1)
    await stage.deliver(webhook)
    await stage.wait_until_done()
    assert last_bodies(await stage.written(ACCOUNTS), CustomerState) == await truth(stage, "customer")
    assert (await stage.calls())["GET /v3/customers 200"] <= 2


async def test_faults_of_the_api_lose_nothing(stage: Stage):
    ids = await customers(stage, 50)
    orders = [a["id"] for a in await stage.act(*({"action": "create_order", "lines": LINES} for _ in range(10)))]
    await stage.knobs(error_5xx=0.15, throttle=0.1, drop_connection=0.1, slow=0.2, slow_ms=300, single_as_object=0.5)
    await stage.webhooks(*(("store/customer/created", {"id": id}) for id in ids), *(("store/order/created", {"id": id}) for id in orders))
    stage.start()
    await stage.wait_until_done()
    found = [message for _, message, _ in await stage.written()]
    assert {message.id for message in states(found, CustomerState)} == {str(id) for id in ids}
    assert {message.id for message in states(found, OrderState)} == {str(id) for id in orders}
    assert not states(found, DeadLetter)


async def test_a_store_that_waits_makes_no_other_wait_and_loses_nothing(stage: Stage):
    """One has lost its access, one has spent its quota, one is paused, one is not known yet."""
    for n, hash in enumerate(["locked", "spent", "paused"]):
        made = {"hash": hash, "store_id": 2000 + n, "access_token": f"token-{hash}", "quota": 0 if hash == "spent" else 450}
        (await stage.http.post("/_sim/stores", json=made)).raise_for_status()
        await stage.act(*({"action": "create_customer", "email": f"c{k}@example.com", "store": hash} for k in range(3)))
    await stage.knobs(quota_window_ms=1000)
    await stage.add_store("locked.1", "revoked")
    await stage.add_store("spent.1", "token-spent")
    await stage.add_store("paused.1", "token-paused", paused=True)
    ids = await customers(stage, 50)
    waiting = ["locked.1", "spent.1", "paused.1", "unknown.1"]
    for store in waiting:
        await stage.webhooks(*(("store/customer/created", {"id": id}) for id in (1, 2, 3)), store=store)
    await stage.webhooks(*(("store/customer/created", {"id": id}) for id in ids))
    stage.start()
    found = await stage.wait_for(lambda messages: len({m.id for m in messages}) == 50, ACCOUNTS)
    assert {message.store for _, message, _ in found} == {STORE}

    (await stage.http.put("/_sim/stores/spent", json={"quota": 450})).raise_for_status()
    await stage.add_store("locked.1", "token-locked")
    await stage.add_store("paused.1", "token-paused")
    await stage.add_store("unknown.1", "token-abc123", removed=True)
    await stage.wait_until_done()
    found = [message for _, message, _ in await stage.written(ACCOUNTS)]
    assert {(m.store, m.id) for m in found if m.store != STORE} == {(s, id) for s in waiting[:3] for id in ("1", "2", "3")}
    assert "a store that was removed" in stage.log


async def test_a_store_that_waits_with_more_than_a_worker_holds_makes_no_other_wait_and_loses_nothing(stage: Stage):
    paused = {"hash": "paused", "store_id": 2000, "access_token": "token-paused", "quota": 450}
    (await stage.http.post("/_sim/stores", json=paused)).raise_for_status()
    await stage.act(*({"action": "create_customer", "email": f"c{n}@example.com", "store": "paused"} for n in range(200)))
    await stage.add_store("paused.1", "token-paused", paused=True)
    of_each = [("store/customer/updated", {"id": id}) for id in range(1, 201)]
    for _ in range((IN_FLIGHT_MAX + 5_000) // len(of_each)):
        await stage.webhooks(*of_each, store="paused.1")
    stage.start()
    for life in range(2):
        made = await stage.act(*({"action": "create_customer", "email": f"c{life}-{n}@example.com"} for n in range(20)))
        ids = [customer["id"] for customer in made]
        await stage.webhooks(*(("store/customer/created", {"id": id}) for id in ids))
        found = await stage.wait_for(lambda messages: {str(id) for id in ids} <= {m.id for m in messages}, ACCOUNTS)  # noqa: B023
        assert {message.store for _, message, _ in found} == {STORE}
        async with asyncio.timeout(30):
            while not any(stands.apart for stands, _ in (await stage.stands(WEBHOOKS)).values()):
                await asyncio.sleep(0.2)
        stage.kill()
        stage.start()
    await stage.add_store("paused.1", "token-paused")
    await stage.wait_until_done()
    found = [message for _, message, _ in await stage.written(ACCOUNTS)]
    assert {m.id for m in found if m.store == "paused.1"} == {str(n) for n in range(1, 201)}


async def test_it_ends_in_order_and_goes_on_where_it_stopped(stage: Stage):
    ids = await customers(stage, 20)
    await stage.webhooks(*(("store/customer/created", {"id": id}) for id in ids))
    stage.start()
    await stage.wait_for(lambda messages: len(messages) >= 1, ACCOUNTS)
    assert stage.stop() == 0
    stage.start()
    await stage.wait_until_done()
    assert {message.id for _, message, _ in await stage.written(ACCOUNTS)} == {str(id) for id in ids}
    assert not await stage.written(SUBSCRIBERS, CHECKOUTS, DEAD_LETTERS)


async def test_a_storm_of_webhooks_of_products_and_skus_is_coalesced_and_ends_with_their_last_states(stage: Stage):
    """Variants' edits and orders leave date_modified alone, and reads lag."""
    await stage.knobs(read_lag_ms=600)
    variant = {"options": [{"name": "Size", "label": "M"}], "sku": "T-M", "price": "3"}
    made = await stage.act(
        {"action": "create_brand", "name": "OFS"},
        {"action": "create_category", "name": "Kitchen"},
        *[
            {"action": "create_product", "fields": {"name": f"P{n}", "price": 5, "brand_id": 1, "categories": [1]}, "variants": [variant]}
            for n in range(60)
        ],
    )
    ids = [(answer["id"], answer["variant_ids"][0]) for answer in made[2:]]
    stage.start()
    for turn in range(5):
        await stage.act(*({"action": "update_variant", "id": v, "fields": {"price": 3 + turn}} for _, v in ids))
        await stage.webhooks(
            *(("store/sku/updated", {"type": "sku", "id": v + 900, "sku": {"product_id": p, "variant_id": v}}) for p, v in ids),
            *(("store/product/updated", {"type": "product", "id": p}) for p, _ in ids),
        )
    await stage.wait_until_done()
    found = await stage.written(PRODUCTS)
    assert {id: product["variants"][0]["price"] for id, product in last_bodies(found, ProductState).items()} == {str(p): 7 for p, _ in ids}
    assert {(m.brand_name, tuple(m.category_paths["1"])) for _, m, _ in found} == {("OFS", ("Kitchen",))}
    calls = await stage.calls()
    assert calls["GET /v3/catalog/products 200"] <= 20  # of 600 webhooks
    assert calls["GET /v3/catalog/brands 200"] == calls["GET /v3/catalog/trees/categories 200"] == 1


async def test_products_are_told_gone_found_gone_or_unreadable(stage: Stage):
    await stage.act(*[{"action": "create_product", "fields": {"name": "Mug"}}] * 3)
    await stage.raw("product", "3", b'{"id": 3, "date_created": "2019-01-01T00:00:00Z", "price": "a lot"}')
    stage.start()
    await stage.webhooks(
        ("store/product/deleted", {"type": "product", "id": 1}),
        ("store/product/updated", {"type": "product", "id": 1}),
        *(("store/product/updated", {"type": "product", "id": id}) for id in (2, 3, 99)),
    )
    await stage.wait_until_done()
    found = [message for _, message, _ in await stage.written(PRODUCTS)]
    assert {(m.id, m.told) for m in states(found, ProductGone)} == {("1", True), ("99", False)}
    assert {m.id for m in states(found, ProductState)} == {"2"}
    [letter] = [message for _, message, _ in await stage.written(DEAD_LETTERS)]
    assert (letter.field, letter.key) == ("price", f"{STORE}/product/3")


async def test_a_live_read_of_an_order_bears_from_when_on_the_stores_orders_make_their_purchases(stage: Stage):
    made = await stage.act(*({"action": "create_order", "lines": LINES, "billing": {"email": "jane@example.com"}} for _ in range(3)))
    await stage.add_store(STORE, TOKEN, events_from_ms=77)
    stage.start()
    await stage.webhooks(*(("store/order/created", {"id": each["id"]}) for each in made))
    await stage.wait_until_done()
    orders = states([message for _, message, _ in await stage.written(CHECKOUTS)], OrderState)
    assert {(state.id, state.events_from_ms) for state in orders} == {(str(each["id"]), 77) for each in made}
