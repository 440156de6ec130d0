"""`backfill` and what `store add` asks for, as real processes, upkeep too."""

import asyncio
import subprocess
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from bigcommerce.listings import LISTED
from ops.backfill import NOBODY_S, Wanted, backfill_of, following, status_of
from ops.topics import create_topics
from schemas.backfills import Backfill, BackfillProgress, Backfills, begun
from schemas.directory import opened_directory
from schemas.failures import WrongSetting
from schemas.settings import Settings
from schemas.stores import Store
from tests.ops.conftest import COMMAND, Run, Shop

DAY_MS = 24 * 60 * 60 * 1000
LATER_MS = int(NOBODY_S * 1000) + 1


@pytest.fixture
async def topics(settings: Settings) -> None:
    await create_topics(settings)


@pytest.fixture
def upkeep(environment: dict[str, str], topics: None, shop: Shop) -> Iterator[None]:
    with subprocess.Popen([*COMMAND, "worker", "upkeep"], env=environment) as process:
        yield
        process.terminate()


@pytest.mark.usefixtures("upkeep")
def test_a_store_that_is_added_has_its_history_loaded_and_the_command_follows_it(run: Run, shop: Shop):
    shop.customers(3)
    added = shop.add(run)
    assert added.code == 0, added.err
    assert "campaigns that start at a purchase may start at these too" in added.err
    followed = run("backfill", shop.hash, "--json")
    assert followed.code == 0, followed.err
    found = {row["resource"]: row for row in followed.json}
    assert (found["customer"]["state"], found["customer"]["loaded"], found["customer"]["total"]) == ("done", 3, 3)
    assert {row["state"] for row in followed.json} == {"done"}

    again = run("backfill", shop.hash)
    assert "(customers, subscribers, orders, products) is loaded already" in again.err
    assert "done" in again.out
    run_before = found["customer"]["run"]
    assert "campaigns" not in shop.add(run).err  # nothing is asked for twice
    assert {row["run"] for row in run("backfill", "--status", "--json").json} == {run_before}

    anew = run("backfill", shop.hash, "--restart", "--only", "customers", "--events", "none", "--json")
    assert anew.code == 0, anew.err
    [row] = [row for row in anew.json if row["resource"] == "customer"]
    assert row["run"] > run_before
    assert {row["resource"] for row in anew.json} == set(LISTED)
    assert run("lag", "--json").json[-1]["stage"] != "backfill"

    followed = run("backfill", shop.hash, "--json")  # without options nothing is asked for, whatever was loaded last
    assert "(customers) is loaded already" in followed.err
    assert "campaigns" not in followed.err
    assert [found["run"] for found in followed.json if found["resource"] == "customer"] == [row["run"]]

    runs = set()
    for _ in range(2):  # it writes what is loaded already: each is a load
        rewritten = run("backfill", shop.hash, "--only", "products", "--rewrite", "--json")
        assert rewritten.code == 0, rewritten.err
        runs |= {row["run"] for row in rewritten.json if row["resource"] == "product"}
    assert len(runs) == 2


@pytest.mark.usefixtures("topics")
def test_without_upkeep_the_status_says_what_it_waits_for(run: Run, shop: Shop):
    assert "No history was asked for" in run("backfill", "--status").err
    assert shop.add(run, "--events", "none").code == 0
    rows = run("backfill", shop.hash, "--status", "--json").json
    assert [(row["resource"], row["state"], row["loaded"], row["total"]) for row in rows] == [
        ("customer", "asked", 0, None),
        ("subscriber", "asked", 0, None),
        ("order", "asked", 0, None),
        ("product", "asked", 0, None),
    ]
    of_backfills = [row for row in run("lag", "--json").json if row["stage"] == "backfill"]
    assert [(row["topic"], row["partition"], row["clear_in_s"]) for row in of_backfills] == [
        (f"{shop.hash}.1/{name}", None, None) for name in LISTED
    ]
    assert [row["waits_for"] for row in of_backfills][1:] == [f"its turn, after {name}s" for name in LISTED[:-1]]
    shown = run("lag").out
    assert "customer" in shown
    refused = run("backfill", shop.hash, "--only", "orders")
    assert refused.code == 2
    assert "a load of" in refused.err


@pytest.mark.usefixtures("topics")
def test_no_backfill_leaves_it(run: Run, shop: Shop):
    assert shop.add(run, "--no-backfill").code == 0
    assert run("backfill", "--status", "--json").json == []


@pytest.mark.usefixtures("topics")
def test_wrong_usage_is_told_before_anything_is_asked_for(run: Run, shop: Shop):
    wrong = {
        "--only: 'carts' is not loaded": run("backfill", "nobody", "--only", "carts"),
        "STORE: there is no store nobody": run("backfill", "nobody"),
        "STORE: is missing": run("backfill"),
        "--rewrite: is for the catalogs": run("backfill", "nobody", "--only", "products", "--only", "orders", "--rewrite"),
        "--since: 'soon' is no date": run("backfill", "nobody", "--since", "soon"),
        "--events: 'some' is not all": shop.add(run, "--events", "some"),
    }
    for words, ran in wrong.items():
        assert (ran.code, words in ran.err) == (2, True), ran.err
    assert run("store", "list", "--json").json == []


def test_events_say_from_when_on_orders_make_their_purchases():
    assert backfill_of("s.1", Wanted()).events_from_ms == 0
    none = backfill_of("s.1", Wanted(events="none"))
    assert none.events_from_ms == none.asked_ms
    assert backfill_of("s.1", Wanted(events="since=1970-01-02")).events_from_ms == DAY_MS
    assert backfill_of("s.1", Wanted(since="1970-01-02T02:00:00+02:00")).since_ms == DAY_MS
    with pytest.raises(WrongSetting):
        backfill_of("s.1", Wanted(events="since=then"))


def test_a_load_that_rewrites_says_so_and_only_products_are_rewritten():
    assert backfill_of("s.1", Wanted(only=("products",), rewrite=True)).rewrite
    assert not backfill_of("s.1", Wanted(only=("products",))).rewrite
    with pytest.raises(WrongSetting, match="--only products"):
        backfill_of("s.1", Wanted(rewrite=True))


def test_a_later_load_makes_no_more_purchases_than_the_one_before_unless_it_is_told_to():
    none = backfill_of("s.1", Wanted(events="none")).events_from_ms
    assert backfill_of("s.1", Wanted(restart=True), none).events_from_ms == none
    assert backfill_of("s.1", Wanted(restart=True, events="all"), none).events_from_ms == 0


@pytest.mark.usefixtures("topics")
def test_the_store_knows_which_orders_of_the_past_make_their_purchases(run: Run, shop: Shop, settings: Settings):
    assert shop.add(run, "--no-backfill", "--events", "none").code == 0
    before_ms = store_of(settings, shop).events_from_ms
    assert before_ms > 0
    added = shop.add(run)
    assert "is loaded now" in added.err
    assert store_of(settings, shop).events_from_ms == before_ms
    assert asked_of(settings, shop).events_from_ms == before_ms


@pytest.mark.usefixtures("topics", "upkeep")
def test_what_is_said_last_holds_and_who_asks_for_purchases_of_the_past_is_told_of_campaigns(run: Run, shop: Shop, settings: Settings):
    assert shop.add(run, "--no-backfill").code == 0
    for events, from_ms in (("since=1970-01-02", DAY_MS), ("all", 0), ("", 0)):
        loaded = run("backfill", shop.hash, "--restart", *(["--events", events] if events else []))
        assert loaded.code == 0, loaded.err
        assert "campaigns that start at a purchase may start at these too" in loaded.err
        assert store_of(settings, shop).events_from_ms == from_ms == asked_of(settings, shop).events_from_ms
    assert store_of(settings, shop).access_token == shop.token
    for quiet in (["--events", "none"], ["--only", "products", "--events", "all"]):
        loaded = run("backfill", shop.hash, "--restart", *quiet)
        assert (loaded.code, "campaigns" in loaded.err) == (0, False), loaded.err


def store_of(settings: Settings, shop: Shop) -> Store:
    async def read() -> Store:
        async with opened_directory(settings) as directory:
            return directory.by_store[f"{shop.hash}.1"]

    return asyncio.run(read())


def asked_of(settings: Settings, shop: Shop) -> Backfill:
    async def read() -> Backfill:
        async with following(settings) as follower:
            return follower.backfills.asked[f"{shop.hash}.1"]

    return asyncio.run(read())


def test_progress_of_another_run_is_of_no_use():
    first, second = backfill_of("s.1", Wanted()), replace(backfill_of("s.1", Wanted(only=("orders",))), run="another")
    found = Backfills()
    found.take(first)
    found.take(done(begun(first, "order")))
    found.take(done(begun(first, "customer")))
    assert [(at.resource, at.state) for at in found.progress("s.1")] == [
        ("customer", "done"),
        ("subscriber", "asked"),
        ("order", "done"),
        ("product", "asked"),
    ]
    assert not found.done("s.1")
    found.take(second)
    assert [(at.resource, at.state) for at in found.progress("s.1")] == [("order", "asked"), ("customer", "done")]
    assert not found.done("s.1")
    found.take(done(begun(second, "order")))
    assert found.done("s.1")


def done(at: BackfillProgress) -> BackfillProgress:
    return BackfillProgress(
        store=at.store, resource=at.resource, run=at.run, state="done", since_ms=0, began_ms=0, at_ms=0, loaded=5, total=4, rate=2.0
    )


def test_a_status_has_a_rate_and_a_time_to_finish_while_it_loads_alone():
    loading = BackfillProgress(
        store="s.1", resource="order", run="1", state="loading", since_ms=0, began_ms=0, at_ms=0, loaded=100, total=400, rate=50.0
    )
    status = status_of(loading, 0)
    assert (status.rate, status.clear_in_s, status.waits_for) == (50.0, 6.0, None)
    assert (status_of(done(loading), 0).total, status_of(done(loading), 0).clear_in_s) == (5, 0.0)
    asked = begun(backfill_of("s.1", Wanted()), "order")
    assert status_of(asked, asked.since_ms).waits_for is None
    assert "worker upkeep" in (status_of(asked, asked.since_ms + LATER_MS).waits_for or "")


@pytest.mark.parametrize("state", ["asked", "loading", "waiting"])
def test_a_resource_that_stands_behind_another_waits_for_its_turn(state: str):
    asked = backfill_of("s.1", Wanted())
    before, behind = replace(begun(asked, "customer"), state=state), begun(asked, "subscriber")
    assert status_of(behind, asked.asked_ms + LATER_MS, before).waits_for == "its turn, after customers"


def test_a_resource_whose_turn_it_is_has_a_moment_to_begin():
    asked = backfill_of("s.1", Wanted())
    before = replace(begun(asked, "customer"), state="done", at_ms=asked.asked_ms + LATER_MS)
    assert status_of(begun(asked, "subscriber"), before.at_ms + 1, before).waits_for is None
    assert "worker upkeep" in (status_of(begun(asked, "subscriber"), before.at_ms + LATER_MS, before).waits_for or "")
