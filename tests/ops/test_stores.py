import asyncio
import uuid
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import NewTopic

from bigcommerce.hooks import list_hooks, store_client
from bigcommerce.webhooks import HOOK_SCOPES, SECRET_HEADER
from schemas.connection import admin_client
from schemas.directory import opened_directory
from schemas.settings import Settings
from schemas.stores import Store
from schemas.topics import BACKFILLS, STORES
from tests.ops.conftest import Run, Shop


def stores(settings: Settings) -> tuple[dict[str, Store], bytes]:
    async def read() -> tuple[dict[str, Store], bytes]:
        async with opened_directory(settings) as directory:
            return dict(directory.by_store), directory.person_key

    return asyncio.run(read())


@pytest.fixture
async def topics(settings: Settings) -> None:
    """The topics that these commands need."""
    async with admin_client(settings) as admin:
        needed = [NewTopic(settings.topic_prefix + t.name, settings.partitions, 1, topic_configs=t.config(1)) for t in (STORES, BACKFILLS)]
        await admin.create_topics(needed)


@pytest.mark.usefixtures("topics")
def test_a_store_is_added_with_its_hooks_and_its_sealed_secrets(run: Run, shop: Shop, settings: Settings):
    added = shop.add(run)
    assert (added.code, added.out) == (0, f"{shop.hash}.1\n"), added.err
    assert "24 created" in added.err

    by_store, person_key = stores(settings)
    store = by_store[f"{shop.hash}.1"]
    assert (store.domain, store.currency, store.project) == ("shop.example.com", "USD", shop.project)
    assert (store.access_token, store.api_key_id, store.api_secret) == (shop.token, "key", "secret")
    assert len(person_key) == 32
    assert {hook["scope"] for hook in shop.hooks()} == set(HOOK_SCOPES)
    for hook in shop.hooks():
        assert hook["destination"] == f"http://127.0.0.1:8080/webhooks/{shop.hash}"
        assert hook["headers"] == {SECRET_HEADER: store.webhook_secret}
    assert shop.token not in added.out + added.err
    assert store.webhook_secret not in added.out + added.err


@pytest.mark.usefixtures("topics")
def test_no_secret_stands_on_the_topic_as_it_is(run: Run, shop: Shop, kafka: str, prefix: str):
    assert shop.add(run, file=shop.secrets(api_secret="secret", client_secret="very-secret-indeed")).code == 0

    async def values() -> list[bytes]:
        consumer = AIOKafkaConsumer(prefix + "stores", bootstrap_servers=kafka, auto_offset_reset="earliest")
        await consumer.start()
        found: list[bytes] = []
        while len(found) < 2:
            found += [record.value for records in (await consumer.getmany(timeout_ms=500)).values() for record in records]
        await consumer.stop()
        return found

    for value in asyncio.run(asyncio.wait_for(values(), 60)):
        assert shop.token.encode() not in value
        assert b"very-secret-indeed" not in value


@pytest.mark.usefixtures("topics")
def test_adding_again_keeps_generation_secret_and_hooks(run: Run, shop: Shop, settings: Settings):
    assert shop.add(run, file=shop.secrets(client_secret="signs\n")).code == 0
    before, key_before = stores(settings)
    again = shop.add(run)
    assert (again.code, again.out) == (0, f"{shop.hash}.1\n")
    assert "0 created, 0 mended, 24 were there" in again.err
    after, key_after = stores(settings)
    assert (after, key_after) == (before, key_before)
    assert after[f"{shop.hash}.1"].client_secret == "signs"
    assert len(shop.hooks()) == 24


@pytest.mark.usefixtures("topics")
def test_adding_again_wakes_moves_and_replaces_hooks_and_leaves_those_of_others(run: Run, shop: Shop):
    shop.call("POST", "v3/hooks", json={"scope": "store/order/created", "destination": "https://other.example.com/hook"})
    assert shop.add(run).code == 0
    asleep, removed = (
        next(hook for hook in shop.hooks() if hook["scope"] == scope) for scope in ("store/cart/updated", "store/sku/deleted")
    )
    shop.call("PUT", f"v3/hooks/{asleep['id']}", json={"is_active": False})
    shop.call("DELETE", f"v3/hooks/{removed['id']}")
    assert "1 created, 1 mended, 22 were there" in shop.add(run).err
    assert run("store", "list").code == 0
    moved = run(
        *("store", "add", shop.hash, "--engagement-url", shop.engagement, "--project", shop.project, "--secrets", "-"),
        stdin=shop.secrets(),
        public_url="https://ingest.example.com",
    )
    assert "0 created, 24 mended, 0 were there" in moved.err
    destinations = [hook["destination"] for hook in shop.hooks()]
    assert destinations.count("https://other.example.com/hook") == 1
    assert destinations.count(f"https://ingest.example.com/webhooks/{shop.hash}") == 24
    assert len(destinations) == 25


@pytest.mark.usefixtures("topics")
def test_a_second_store_in_one_project_is_refused(run: Run, shop: Shop, bigcommerce):
    assert shop.add(run).code == 0
    second = Shop(f"s{uuid.uuid4().hex[:10]}", "token", shop.bigcommerce, shop.engagement, shop.project)
    httpx.post(f"{bigcommerce.url}/_sim/stores", json={"hash": second.hash, "store_id": 7, "access_token": "token"}).raise_for_status()
    refused = second.add(run)
    assert refused.code == 2
    assert f"the store {shop.hash} goes there already" in refused.err
    assert not second.hooks()

    refused = second.add(run, "--shared-project")
    assert refused.code == 2
    assert f"with --shared-project, which {shop.hash} is not" in refused.err
    refused = shop.add(run, "--shared-project")
    assert refused.code == 2
    assert f"{shop.hash} was added without it" in refused.err


@pytest.mark.usefixtures("topics")
def test_two_stores_share_a_project_where_both_are_added_so(run: Run, shop: Shop, settings: Settings, bigcommerce):
    second = Shop(f"s{uuid.uuid4().hex[:10]}", "token", shop.bigcommerce, shop.engagement, shop.project)
    httpx.post(f"{bigcommerce.url}/_sim/stores", json={"hash": second.hash, "store_id": 8, "access_token": "token"}).raise_for_status()
    assert [shop.add(run, "--shared-project").code, second.add(run, "--shared-project").code] == [0, 0]
    by_store, _ = stores(settings)
    assert {store.hash: store.shared for store in by_store.values()} == {shop.hash: True, second.hash: True}
    listed = run("store", "list", "--json").json
    assert {row["store"]: row["shared_project"] for row in listed} == {f"{shop.hash}.1": True, f"{second.hash}.1": True}
    shown = [line.split() for line in run("store", "list").out.splitlines()]
    assert {cells[0]: cells[-2:] for cells in shown if cells and cells[0] in by_store} == {key: ["yes", "live"] for key in by_store}

    refused = second.add(run)
    assert refused.code == 2
    assert f"{second.hash} was added with it" in refused.err


@pytest.mark.usefixtures("topics")
def test_a_store_cannot_change_its_project(run: Run, shop: Shop, engagement):
    assert shop.add(run).code == 0
    other = {"token": str(uuid.uuid4()), "keys": [{"id": "key", "secret": "secret"}]}
    httpx.post(f"{engagement.url}/_sim/projects", json=other).raise_for_status()
    refused = Shop(shop.hash, shop.token, shop.bigcommerce, shop.engagement, other["token"]).add(run)
    assert refused.code == 2
    assert f"goes to the project {shop.project} already" in refused.err


@pytest.mark.usefixtures("topics")
def test_nothing_is_written_or_created_when_a_key_is_refused(run: Run, shop: Shop, settings: Settings):
    refused = [
        shop.add(run, file=shop.secrets(access_token="wrong")),
        shop.add(run, file=shop.secrets(api_key_id="wrong")),
        shop.add(run, file=shop.secrets(api_secret="wrong")),
        Shop(shop.hash, shop.token, shop.bigcommerce, shop.engagement, str(uuid.uuid4())).add(run),
    ]
    assert [ran.code for ran in refused] == [1, 1, 1, 1]
    for ran, words in zip(
        refused, ("BigCommerce refuses", "Engagement refuses", "Engagement refuses", "does not know the project"), strict=True
    ):
        assert ran.err.startswith("cartstream: ")
        assert words in ran.err
        assert len(ran.err.splitlines()) == 1
    assert stores(settings) == ({}, b"")
    assert shop.hooks() == []


@pytest.mark.usefixtures("topics")
def test_no_hooks_leaves_the_stores_hooks_alone_and_needs_no_public_address(run: Run, shop: Shop):
    added = run(
        *("store", "add", shop.hash, "--engagement-url", shop.engagement, "--project", shop.project, "--secrets", "-", "--no-hooks"),
        stdin=shop.secrets(),
        public_url=None,
    )
    assert added.code == 0, added.err
    assert shop.hooks() == []


def test_wrong_usage_is_told_in_one_line_before_anything_is_asked(run: Run, shop: Shop, tmp_path: Path):
    (tmp_path / "secrets.json").write_text('{"access_token": "t0ps3cret", "api_key": "x"}')
    common = ("--engagement-url", shop.engagement, "--project", shop.project, "--secrets")
    wrong = {
        "CARTSTREAM_SECRET_KEY: is not set": shop.add(lambda *a, **k: run(*a, **k, secret_key=None, kafka="127.0.0.1:1")),
        "CARTSTREAM_PUBLIC_URL: is not set": shop.add(lambda *a, **k: run(*a, **k, public_url=None, kafka="127.0.0.1:1")),
        "--secrets: nowhere.json cannot be read": run("store", "add", shop.hash, *common, "nowhere.json"),
        "--secrets: secrets.json must be JSON": run("store", "add", shop.hash, *common, "secrets.json"),
        "is not a store hash": run("store", "add", "Store-1", *common, "-", stdin=shop.secrets()),
        "--engagement-url: http: is taken": Shop(shop.hash, "t", "", "http://engagement.example.com", shop.project).add(run),
        "--engagement-url: must be an": Shop(shop.hash, "t", "", "https://[x", shop.project).add(run),
        "--secrets: access_token holds": shop.add(run, file=shop.secrets(access_token="t0ps3cret→")),
        "--project: is not": Shop(shop.hash, "t", "", shop.engagement, "a/b").add(run),
    }
    for words, ran in wrong.items():
        assert ran.code == 2, ran.err
        assert words in ran.err
        assert len(ran.err.splitlines()) == 1
        assert "t0ps3cret" not in ran.err


def test_without_the_topic_a_store_command_says_what_to_run(run: Run):
    refused = run("store", "list")
    assert refused.code == 3
    assert "run `cartstream topics`" in refused.err


@pytest.mark.usefixtures("topics")
def test_stores_are_listed(run: Run, shop: Shop):
    assert run("store", "list", "--json").json == []
    assert shop.add(run).code == 0
    (listed,) = run("store", "list", "--json").json
    assert listed == {
        "store": f"{shop.hash}.1",
        "domain": "shop.example.com",
        "currency": "USD",
        "engagement_url": shop.engagement,
        "project": shop.project,
        "shared_project": False,
        "state": "live",
    }
    shown = run("store", "list")
    assert f"{shop.hash}.1" in shown.out
    assert "yes" not in shown.out
    wrong_key = run("store", "list", secret_key="A" * 43 + "=")
    assert wrong_key.code == 2
    assert "is not the key that the stores were added with" in wrong_key.err


async def test_all_pages_of_a_stores_hooks_are_read(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    for number in range(7):
        shop.call("POST", "v3/hooks", json={"scope": "store/order/created", "destination": f"https://h{number}.example.com/"})
    monkeypatch.setattr("bigcommerce.hooks.HOOKS_PER_PAGE", 3)
    async with store_client(shop.bigcommerce, shop.hash, shop.token) as client:
        assert {hook.id for hook in await list_hooks(client)} == {hook["id"] for hook in shop.hooks()}
