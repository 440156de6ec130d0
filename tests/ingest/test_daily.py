"""Once a day upkeep asks fetch to look at what the store has otherwise than the rows; the real process' days have seconds here."""

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from aiokafka.admin import NewTopic

from bigcommerce.client import BigCommerce, StoreApi
from bigcommerce.customers import parse_customer
from bigcommerce.listings import list_page
from bigcommerce.products import parse_product
from bigcommerce.reads import id_of
from ingest import daily
from ingest.backfill import Records
from ops.reconcile import Sender
from schemas.backfills import Backfills
from schemas.connection import admin_client, kafka_options, producer
from schemas.directory import Directory
from schemas.failures import Unavailable
from schemas.keys import changelog, store_hash
from schemas.settings import Settings
from schemas.topics import ACCOUNTS, CHECKOUTS, PRODUCTS, SUBSCRIBERS, WEBHOOKS, group
from schemas.webhooks import LookAt
from simulators.process import start
from streams.resolve.tables import Account, Product, Row, Seen, Subscription, write_row
from tests.ingest import history as processes
from tests.ingest.history import History
from tests.streams.fetch.stage import HASH, PARTITIONS, STORE, TOKEN
from tests.system.conftest import wait_until

HOUR_MS = 60 * 60 * 1000
VARIANTS = [{"sku": label, "options": [{"name": "Size", "label": label}]} for label in ("S", "M")]
MAIN = """
import sys
from ingest.upkeep import main
from ops import environment, logs
logs.configure(part="upkeep")
sys.exit(main(environment.load(), int(sys.argv[1]), float(sys.argv[2]), day_s=3.0))
"""


@pytest.fixture
async def history(kafka: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[History]:
    monkeypatch.setattr(processes, "MAIN", MAIN)
    with start("bigcommerce", "--quota", "100000") as simulator:
        async with History(kafka, prefix, simulator.url, tmp_path) as ready:
            yield ready


async def hold(history: History, rows: dict[tuple[str, str], Row]) -> None:
    """As resolve would have written them."""
    resolve = group(history.settings.topic_prefix, "resolve")
    names = {topic.table: changelog(resolve, topic.table) for topic in (ACCOUNTS, SUBSCRIBERS, CHECKOUTS, PRODUCTS)}
    async with admin_client(history.settings) as admin:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names.values()])
    sender = producer(kafka_options(history.settings))
    await sender.start()
    for (table, key), row in rows.items():
        await sender.send_and_wait(names[table], write_row(row), key.encode())
    await sender.stop()


async def test_what_differs_is_asked_for_once_a_day_and_nothing_of_a_paused_or_removed_store(history: History):
    await history.knobs(clock_offset_ms=-2 * HOUR_MS)
    await history.people(customers=4, subscribers=1, orders=1)
    await history.act(*({"action": "create_product", "fields": {"name": f"P{n}"}, "variants": VARIANTS} for n in range(4)))
    await history.knobs(clock_offset_ms=0)
    async with BigCommerce(history.simulator) as bigcommerce:
        api = StoreApi(bigcommerce, HASH, lambda: TOKEN)
        listed = await list_page(api, "customer")
        products = [parse_product(body) for body in (await list_page(api, "product")).items]
    modified_ms = {id_of(body): parse_customer(body).modified_ms for body in listed.items}
    variants = {product.id: {variant.id: "digest" for variant in product.variants or []} for product in products}
    made = Seen(products[0].modified_ms, products[0].modified_ms)
    seen, before = Seen(modified_ms["1"], modified_ms["1"]), Seen(modified_ms["2"] - 1000, modified_ms["2"])
    await hold(
        history,
        {
            ("accounts", f"{STORE}/1"): Account(seen=seen, home="p/h", email="c0@example.com"),
            ("accounts", f"{STORE}/2"): Account(seen=before, home="p/h", email="c1@example.com"),
            ("accounts", f"{STORE}/3"): Account(told_ms=1),
            ("accounts", f"{STORE}/99"): Account(seen=seen, home="p/h", email="gone@example.com"),
            ("accounts", f"other{STORE}/77"): Account(seen=seen, home="p/h"),
            ("subscribers", f"{STORE}/88"): Subscription(seen=seen, email="gone@example.com"),
            ("products", f"{STORE}/1"): Product(seen=made, digest="d", variants=variants["1"]),
            ("products", f"{STORE}/2"): Product(seen=made, digest="d", variants={**variants["2"], "999": "digest"}),
            ("products", f"{STORE}/3"): Product(seen=Seen(made.version - 1000, made.version), digest="d", variants=variants["3"]),
            ("products", f"{STORE}/99"): Product(seen=made, digest="d", variants={"998": "digest"}),
            ("products", f"other{STORE}/77"): Product(seen=made, digest="d"),
        },
    )
    await history.add_store("paused.1", "token", paused=True)
    await history.add_store("removed.1", "token", removed=True)
    history.begin()

    def runs() -> int:
        return history.said().count('"resource": "product"')

    await wait_until(lambda: runs() >= 1)
    looks = [message for _, message, _ in await history.written(WEBHOOKS) if isinstance(message, LookAt)]
    asked = {(look.resource, look.id): look.why.removeprefix("reconcile: ") for look in looks if look.store == STORE}
    assert asked == {
        ("customer", "2"): "older here",
        ("customer", "4"): "not here",
        ("customer", "99"): "not listed any more",
        ("subscriber", "1"): "not here",
        ("subscriber", "88"): "not listed any more",
        ("product", "2"): "older here",
        ("product", "3"): "older here",
        ("product", "4"): "not here",
        ("product", "99"): "not listed any more",
    }, "the order is of before the store was added, and nobody asked for its history"
    assert '"not_loaded": 1' in history.said()
    assert {look.store for look in looks} == {STORE}
    await wait_until(lambda: runs() >= 2)
    assert "paused.1" not in history.said()
    assert "removed.1" not in history.said()


async def test_a_store_without_access_holds_up_no_other_and_nothing_is_done_twice_a_day(history: History, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(daily, "AGAIN_S", 0.1)
    await hold(history, {})
    now_s = time.time()

    def due(name: str, in_s: float) -> str:
        """The hash of a store that has its daily run in so many seconds, or one more."""
        hashes = (f"{name}{n}" for n in count())
        return next(hash for hash in hashes if in_s <= daily.next_run_s(f"{hash}.1", now_s) - now_s < in_s + 1)

    lost, good = f"{due('lost', 1)}.1", f"{due('good', 3)}.1"
    shop = {"hash": store_hash(good), "store_id": 77, "access_token": "token"}
    (await history.http.post("/_sim/stores", json=shop)).raise_for_status()
    stores = {store: SimpleNamespace(access_token="token", removed=False, paused=False) for store in (lost, good)}
    directory = cast(Directory, SimpleNamespace(by_store=stores))
    tries: list[str] = []

    async def job(_: Settings, __: Directory, store: str, ___: Records) -> None:
        tries.append(store)
        if tries.count(store) == 1:
            raise Unavailable("not at the first try")

    async with BigCommerce(history.simulator) as bigcommerce, asyncio.TaskGroup() as both:
        runs = daily.Daily(history.settings, directory, bigcommerce, Sender(history.settings), [job])
        tasks = [both.create_task(runs.run(store, Backfills())) for store in (lost, good)]
        await wait_until(lambda: tries.count(lost) == tries.count(good) == 2)
        for task in tasks:
            task.cancel()
    calls = (await history.http.get("/_sim/counters")).json()["calls"]
    assert calls["GET /v3/customers 200"] == 1, "only the job was tried again"
    refused = {call: times for call, times in calls.items() if call.endswith(" 401")}
    lists = ("/v3/customers", "/v3/customers/subscribers", "/v2/orders", "/v3/catalog/products")
    assert refused == {f"GET {path} 401": 1 for path in lists}
