"""A comparison of a simulated store with rows on a real Kafka: what fetch is asked, and what is kept of the rows meanwhile."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from bigcommerce.client import BigCommerce
from ingest import ahead
from ingest.reconcile import BODY_BYTES_MAX, Compared, CountedApi, Held, Reconcile, read_held
from ops.reconcile import Sender
from schemas.backfills import Backfills, begun
from schemas.connection import kafka_options, producer
from schemas.entities import Seen
from schemas.topics import ACCOUNTS, PAGES, WEBHOOKS, Topic
from schemas.webhooks import LookAt
from simulators.process import start
from streams.resolve import tables
from streams.resolve.tables import Account, Checkout, OrderMark, Product, Subscription
from tests.ingest.history import History
from tests.ingest.test_daily import HOUR_MS, hold
from tests.streams.fetch.stage import HASH, STORE, TOKEN

PAST_MS = 1_600_000_000_000
TABLES = {"subscriber": "subscribers", "order": "checkouts", "product": "products"}


@pytest.fixture
async def history(kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator[History]:
    with start("bigcommerce", "--quota", "100000") as simulator:
        async with History(kafka, prefix, simulator.url, tmp_path) as ready:
            yield ready


async def reconcile(history: History, resource: str, *, backfills: Backfills | None = None, gone_max: int = 100) -> Compared:
    async with BigCommerce(history.simulator) as bigcommerce:
        api = CountedApi(bigcommerce, HASH, lambda: TOKEN)
        records = Sender(history.settings)
        run = Reconcile(history.settings, STORE, api, records, backfills or Backfills(), gone_customers_max=gone_max)
        return await run.run(resource)


async def asked(history: History) -> list[str]:
    return sorted(message.id for _, message, _ in await history.written(WEBHOOKS) if isinstance(message, LookAt))


async def write(history: History, topic: Topic) -> None:
    """A record that nobody reads."""
    sender = producer(kafka_options(history.settings))
    await sender.start()
    await sender.send_and_wait(history.settings.topic_prefix + topic.name, b"{}", b"key")
    await sender.stop()


def account(**missed: int) -> Account:
    return Account(seen=tables.Seen(PAST_MS, PAST_MS), home="p/h", email="x@example.com", **missed)


async def test_customers_that_an_earlier_run_found_gone_do_not_count_against_the_bound(history: History):
    missed = account(found_ms=PAST_MS, found_first_read_ms=PAST_MS + 1, found_read_ms=PAST_MS + 1)
    before = {("accounts", f"{STORE}/{id}"): missed for id in (91, 92, 93)}
    first = {("accounts", f"{STORE}/{id}"): account() for id in (94, 95)}
    await hold(history, before | first)
    found = await reconcile(history, "customer", gone_max=1)
    assert (set(found.gone), found.left_alone) == ({"91", "92", "93", "94", "95"}, {"94", "95"})
    assert await asked(history) == ["91", "92", "93"]
    found = await reconcile(history, "customer", gone_max=2)
    assert found.left_alone == set()
    assert await asked(history) == ["91", "91", "92", "92", "93", "93", "94", "95"]


async def test_a_customer_that_a_read_missed_and_the_store_lists_is_read_again(history: History):
    await history.people(customers=1)
    now_ms = time.time_ns() // 1_000_000
    seen = tables.Seen(now_ms + HOUR_MS, PAST_MS)
    for found_read_ms, looks in ((0, []), (PAST_MS + 1, ["1"])):
        await hold(history, {("accounts", f"{STORE}/1"): replace(account(found_read_ms=found_read_ms), seen=seen)})
        assert len((await reconcile(history, "customer")).older) == len(looks)
        assert await asked(history) == looks


async def test_what_a_rule_refused_is_not_asked_for_again_and_what_a_read_missed_since_is(history: History):
    await history.people(customers=1, subscribers=1, orders=1)
    await history.act({"action": "create_product", "fields": {"name": "Jar"}})
    later = tables.Seen(time.time_ns() // 1_000_000 + HOUR_MS, PAST_MS)
    refused = {"1": tables.Refused(later, "phone: too long")}
    for row, looks in (
        (Account(refused=refused), []),
        (account(refused=refused), []),
        (account(refused=refused, found_read_ms=PAST_MS - 1), []),
        (account(refused=refused, found_read_ms=PAST_MS + 1), ["1"]),
        (replace(account(refused=refused, found_read_ms=PAST_MS + 1), home=""), ["1"]),
    ):
        await hold(history, {("accounts", f"{STORE}/1"): row})
        found = await reconcile(history, "customer")
        assert (found.refused, len(found.missing) + len(found.older), found.under_way) == (1 - len(looks), 0, len(looks)), row
    of_others: dict[str, tables.Row] = {
        "subscriber": Subscription(refused=refused),
        "order": Checkout(refused={"101": refused["1"]}),
        "product": Product(refused=refused),
    }
    await hold(history, {(TABLES[resource], f"{STORE}/1"): row for resource, row in of_others.items()})
    for resource in of_others:
        found = await reconcile(history, resource)
        assert (found.listed, found.refused, found.held, found.missing, found.under_way) == (1, 1, 0, {}, 0), resource
    assert await asked(history) == []


async def test_what_is_too_large_for_a_record_is_not_asked_for(history: History):
    await history.act({"action": "create_product", "fields": {"name": "Jar", "description": "x" * BODY_BYTES_MAX}})
    await hold(history, {})
    found = await reconcile(history, "product")
    assert (found.listed, found.unreadable, found.missing, found.not_loaded, found.under_way) == (1, 1, {}, 0, 0)


async def test_of_orders_that_are_not_listed_nothing_is_kept_but_when_the_first_was_read(history: History):
    def order(at_ms: int) -> OrderMark:
        return OrderMark(seen=tables.Seen(at_ms, at_ms), status_id=1)

    carts = {("checkouts", f"{STORE}/c{n}"): Checkout(orders={f"{n}": order(n), f"{n}0": order(n)}) for n in (3, 2, 4)}
    await hold(history, carts | {("checkouts", f"other{STORE}/c1"): Checkout(orders={"4": order(1)})})
    kept = await read_held(history.settings, STORE, "order", {"4", "5"})
    assert kept == ({"4": Held(Seen(4, 4))}, 2)
    everything, first_read_ms = await read_held(history.settings, STORE, "order")
    assert (set(everything), first_read_ms) == ({"2", "3", "4", "20", "30", "40"}, 2)


async def test_what_pages_still_bring_is_not_missing(history: History, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ahead, "PASSED_WITHIN_S", 0.0)
    await history.knobs(clock_offset_ms=-2 * HOUR_MS)
    await history.people(customers=1)
    await history.knobs(clock_offset_ms=0)
    await hold(history, {})
    asked_for = await history.ask()
    backfills = Backfills()
    for message in (asked_for, replace(begun(asked_for, "customer"), state="done", began_ms=asked_for.asked_ms)):
        backfills.take(message)

    async def missing() -> tuple[int, int]:
        found = await reconcile(history, "customer", backfills=backfills)
        return len(found.missing), found.not_loaded

    await write(history, PAGES)
    assert await missing() == (0, 1), "fetch has not read the page"
    await history.read_all(PAGES)
    await write(history, ACCOUNTS)
    assert await missing() == (0, 1), "resolve has not read the state"
    assert await asked(history) == []
    await history.read_all(ACCOUNTS, stage="resolve")
    assert await missing() == (1, 0)
    assert await asked(history) == ["1"]
