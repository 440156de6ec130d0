"""upkeep as real processes: what was asked for is loaded, once, by one of them, whatever becomes of it."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from ops.backfill import Wanted, ask, backfill_of
from schemas.entities import Page
from schemas.topics import PAGES
from simulators.process import start
from tests.ingest.history import LISTS, History
from tests.streams.fetch.stage import HASH, STORE, TOKEN

HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS


@pytest.fixture
async def history(kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator[History]:
    with start("bigcommerce", "--quota", "100000") as simulator:
        async with History(kafka, prefix, simulator.url, tmp_path) as ready:
            yield ready


async def test_all_that_the_store_holds_is_loaded_in_its_order_at_few_calls(history: History):
    await history.people(customers=510, subscribers=20, orders=260)
    asked = await history.ask()
    history.begin()
    found = await history.until_done()
    assert {name: at.loaded for name, at in found.items()} == {"customer": 510, "subscriber": 20, "order": 260, "product": 0}
    assert {at.run for at in found.values()} == {asked.run}
    assert {name: len(ids) for name, ids in (await history.ids()).items()} == {"customer": 510, "subscriber": 20, "order": 260}
    assert found["customer"].since_ms <= found["subscriber"].began_ms <= found["subscriber"].since_ms <= found["order"].began_ms
    calls = await history.calls()
    assert sum(calls.values()) <= 5 + 2 + 8 + 3  # with a count of each, an empty page at the end, two more passes of orders
    assert history.end(0, signal.SIGTERM) == 0


async def test_pages_say_what_was_asked_for_and_when_by_the_stores_clock(history: History):
    await history.act({"action": "create_product", "fields": {"name": "Jar"}})
    await history.knobs(clock_offset_ms=DAY_MS)
    asked = backfill_of(STORE, Wanted(only=("products",), rewrite=True, events="since=1970-01-02"))
    asked = replace(asked, asked_ms=asked.asked_ms - HOUR_MS)
    await ask(history.settings, asked)
    history.begin()
    await history.until_done()
    [page] = await history.pages()
    assert (page.rewrite, page.events_from_ms) == (True, DAY_MS)
    assert abs(page.asked_ms - (asked.asked_ms + DAY_MS)) < HOUR_MS / 2


async def test_a_killed_process_goes_on_at_its_last_page(history: History):
    await history.people(customers=2000)
    await history.knobs(slow=1, slow_ms=400)
    await history.ask(only=("customers",))
    kills = 0
    history.begin()
    for pages in (1, 3, 5):
        await history.until(lambda found, pages=pages: found["customer"].page >= pages)
        history.end(0, signal.SIGKILL)
        kills += 1
        history.begin()
    found = await history.until_done()
    assert found["customer"].loaded == 2000
    assert len((await history.ids())["customer"]) == 2000
    assert (await history.twice()).total() <= kills
    assert (await history.calls())[LISTS["customer"]] <= 8 + 1 + 1 + kills  # pages, the empty one, the count


async def test_two_processes_never_load_one_store_at_the_same_time_and_hand_it_over(history: History):
    for number in range(1, 5):  # some of them on each partition
        store = {"hash": f"s{number}", "store_id": number + 1, "access_token": TOKEN, "quota": 30}  # a call in one and a half seconds
        (await history.http.post("/_sim/stores", json=store)).raise_for_status()
        await history.add_store(f"s{number}.1", TOKEN)
        await history.act(*({"action": "create_customer", "store": f"s{number}", "email": f"{n}@example.com"} for n in range(1000)))
        await history.ask(f"s{number}.1", only=("customers",))
    history.begin(0)
    await history.until(lambda found: found["customer"].page >= 1, "s1.1")
    history.begin(1)
    for number in range(1, 5):
        found = await history.until_done(f"s{number}.1")
        assert found["customer"].loaded == 1000
    assert "loads history" in history.said(0)
    assert "loads history" in history.said(1)
    assert (await history.twice()).total() <= 4  # each store was handed over once, at the most


async def test_a_process_that_was_stopped_and_wakes_loads_nothing_any_more(history: History):
    await history.people(customers=2000)
    await history.knobs(slow=1, slow_ms=400)
    await history.ask(only=("customers",))
    history.begin(0)
    await history.until(lambda found: found["customer"].page >= 1)
    history.processes[0].send_signal(signal.SIGSTOP)
    history.begin(1)
    await history.until_done()
    pages = len(await history.pages())
    history.processes[0].send_signal(signal.SIGCONT)
    with contextlib.suppress(
        subprocess.TimeoutExpired
    ):  # it may learn from the group first that it lost its partitions, and go on as a member
        await asyncio.to_thread(history.processes[0].wait, 10)
    assert history.processes[0].returncode in (75, None), history.said(0)
    assert len(await history.pages()) <= pages + 1  # a record that was under way when it was stopped
    assert (await history.until_done())["customer"].loaded == 2000


async def test_what_it_waits_for_is_shown_and_it_goes_on_when_that_is_mended(history: History):
    await history.people(customers=10)
    await history.add_store(STORE, TOKEN, paused=True)
    await history.ask(only=("customers",))
    history.begin()
    waits = await history.until(lambda found: found["customer"].state == "waiting")
    assert waits["customer"].reason == "the store, which is paused"

    (await history.http.put(f"/_sim/stores/{HASH}", json={"forbidden": ["customers"]})).raise_for_status()
    await history.add_store(STORE, TOKEN)
    waits = await history.until(lambda found: "403" in found["customer"].reason)
    await history.until(lambda found: history.said().count("backfill waits") == 2)
    still = await history.until(bool)
    assert (still["customer"].state, still["customer"].since_ms) == ("waiting", waits["customer"].since_ms)

    (await history.http.put(f"/_sim/stores/{HASH}", json={"forbidden": []})).raise_for_status()
    done = await history.until_done()
    assert (done["customer"].loaded, done["customer"].reason) == (10, "")


async def test_no_more_is_listed_while_a_stage_is_far_behind(history: History):
    await history.people(customers=300)
    waiting = [Page(store=STORE, resource="order", run="1", page=page, read_at_ms=0, body=msgspec.Raw(b"[]")) for page in range(41)]
    await asyncio.gather(*(history.send(PAGES, str(page.page), page) for page in waiting))
    await history.ask(only=("customers",))
    history.begin()
    waits = await history.until(lambda found: found["customer"].state == "waiting")
    assert waits["customer"].reason == f"fetch, which is behind on {history.settings.topic_prefix}{PAGES.name}"
    assert not await history.calls()
    await history.read_all(PAGES)
    assert (await history.until_done())["customer"].loaded == 300


async def test_pages_that_bigcommerce_cannot_answer_in_time_are_asked_for_smaller(history: History):
    await history.people(customers=510, subscribers=260)
    await history.knobs(answers_in_time=200)
    await history.ask(only=("customers", "subscribers"))
    history.begin()
    found = await history.until_done()
    assert {name: at.loaded for name, at in found.items()} == {"customer": 510, "subscriber": 260}
    assert {name: len(ids) for name, ids in (await history.ids()).items()} == {"customer": 510, "subscriber": 260}
    assert max(len(msgspec.json.decode(page.body)) for page in await history.pages()) == 125


async def test_what_is_asked_for_last_is_loaded(history: History):
    await history.people(customers=2000, subscribers=3)
    await history.knobs(slow=1, slow_ms=1000)
    await history.ask(only=("customers",))
    history.begin()
    await history.until(lambda found: found["customer"].page >= 1)
    last = await history.ask(only=("subscribers",))
    found = await history.until(lambda found: found.get("subscriber") and found["subscriber"].state == "done")
    assert found["subscriber"].run == last.run
    assert found["customer"].state != "done"
