"""One store's reads in this process. Real: StoreFetch, queues, client, writer. Doubled: BigCommerce's answers, Kafka's producer."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import pytest
from msgspec.structs import replace
from pydantic import SecretStr

from bigcommerce.client import BigCommerce
from schemas.dead_letters import DeadLetter
from schemas.directory import Directory
from schemas.entities import CartGone, CartState, CustomerState, OrderState
from schemas.records import Decoder, Message, Origin
from schemas.settings import Settings
from schemas.stores import Store
from schemas.topics import CHECKOUTS, TOPICS
from streams.fetch.rules.route import RESOURCES, Look, Told
from streams.fetch.store import SIDE_BY_SIDE, StoreFetch
from streams.fetch.writer import Writer
from tests.streams.fetch.stage import SECRET_KEY, STORE, TOKEN

DEADLINE_S = 30
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
READ_AT_MS = 1_700_000_000_000
EARLIER = "2020-01-01T00:00:00Z"
Answer = Callable[[str, dict[str, str]], Awaitable[Any]]
"""(path below the store, query) to a status or a JSON body."""


class Record(NamedTuple):
    """Of `bigcommerce.webhooks`, as far as it matters once it is routed."""

    offset: int
    topic: str = "bigcommerce.webhooks"
    partition: int = 0
    key: bytes = b""
    value: bytes = b""
    headers: tuple[tuple[str, bytes], ...] = ()


class Kafka:
    """A producer whose records are acknowledged at once."""

    def __init__(self) -> None:
        self.written: list[Message] = []
        self._decoders = {topic.name: Decoder(topic.messages) for topic in TOPICS}

    async def send(self, topic: str, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> asyncio.Future[None]:
        self.written.append(self._decoders[topic].decode(value, headers))
        acknowledged = asyncio.get_running_loop().create_future()
        acknowledged.set_result(None)
        return acknowledged


class OneStore:
    """A store with its reads under way, and what came of them."""

    def __init__(self, fetch: StoreFetch, directory: Directory, kafka: Kafka, done: list[Record], running: asyncio.Task[None]) -> None:
        self.fetch, self._directory, self.kafka, self.done, self._running = fetch, directory, kafka, done, running
        self._offsets = itertools.count()

    def record(self) -> Record:
        return Record(next(self._offsets))

    def look(self, resource: str, *ids: str) -> None:
        for id in ids:
            self.fetch.look(Look(resource, id, until_ms=0, changed_ms=0), self.record(), Origin("t/0/0", 1))

    def written(self, kind: type) -> list[Any]:
        return [message for message in self.kafka.written if type(message) is kind]

    def ids(self, kind: type) -> set[str]:
        return {message.id for message in self.written(kind)}

    def mend_access(self) -> None:
        """The merchant signed in again."""
        self._directory.by_store[STORE] = replace(self._directory.by_store[STORE])

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                if self._running.done():
                    await self._running
                await asyncio.sleep(0.01)


@asynccontextmanager
async def one_store(answer: Answer) -> AsyncIterator[OneStore]:
    async def answered(request: httpx.Request) -> httpx.Response:
        found = await answer(request.url.path.removeprefix("/stores/abc123"), dict(request.url.params))
        if isinstance(found, int):
            return httpx.Response(found, headers={"date": DATE})
        return httpx.Response(200, json=found, headers={"date": DATE})

    fields = dict.fromkeys(("domain", "currency", "engagement_url", "project", "api_key_id", "api_secret", "webhook_secret"), "")
    directory = Directory(Settings(_env_file=None, secret_key=SecretStr(SECRET_KEY)))
    directory.by_store[STORE] = Store(store=STORE, access_token=TOKEN, **fields)
    kafka, done = Kafka(), []
    async with BigCommerce("http://bigcommerce", httpx.MockTransport(answered)) as bigcommerce:
        fetch = StoreFetch(STORE, directory, bigcommerce, Writer(kafka, "", lambda: False), done.append)

        async def run() -> None:
            async with asyncio.TaskGroup() as tasks:
                for resource in RESOURCES:
                    tasks.create_task(fetch.run(resource))

        running = asyncio.create_task(run())
        try:
            yield OneStore(fetch, directory, kafka, done, running)
        finally:
            running.cancel()
            await asyncio.wait({running})


def cart(id: str, customer_id: int = 0) -> dict[str, Any]:
    return {"data": {"id": id, "customer_id": customer_id, "updated_time": EARLIER, "version": 1}}


def order(id: str, customer_id: int = 0) -> dict[str, Any]:
    times = {"date_created": EARLIER, "date_modified": EARLIER}
    return {"id": int(id), "customer_id": customer_id, "status_id": 11, "products": [], **times}


def customer(id: str, **more: Any) -> dict[str, Any]:
    return {"id": int(id), "email": "jane@example.com", "date_created": EARLIER, "date_modified": EARLIER, **more}


@pytest.mark.parametrize("ended_by", ["a deletion that is told", "a partition that goes"])
async def test_an_entity_with_an_account_may_end_while_it_is_read(ended_by: str):
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/v3/carts/c-1":
            asked.set()
            await go_on.wait()
        return cart(path.rpartition("/")[2], customer_id=7) if "carts" in path else {"data": []}

    async with one_store(answer) as store:
        store.look("cart", "c-1")
        await asked.wait()
        if ended_by == "a deletion that is told":
            gone = CartGone(store=STORE, id="c-1", told=True, at_ms=1, read_at_ms=0)
            await store.fetch.end(Told("cart", "c-1", CHECKOUTS, f"{STORE}/c-1", gone), store.record(), Origin("t/0/1", 1))
        else:
            store.fetch.queues["cart"].forget(lambda claim: True)
        go_on.set()
        store.look("cart", "c-2")
        await store.until(lambda: store.written(CartState))
        assert [state.id for state in store.written(CartState)] == ["c-2"]


async def test_carts_that_wait_for_their_next_try_hold_back_no_others():
    others = {f"c-{n}" for n in range(3, 23)}

    async def answer(path: str, query: dict[str, str]) -> Any:
        id = path.rpartition("/")[2]
        return cart(id) if id in others or others <= store.ids(CartState) else 503

    async with one_store(answer) as store:
        store.look("cart", *(f"c-{n}" for n in range(23)))
        await store.until(lambda: len(store.done) == 23)


@pytest.mark.parametrize("apart", [1000, 1], ids=["scattered", "left out by lists"])
async def test_orders_that_wait_for_their_next_try_hold_back_no_others(apart: int):
    ids = [str(n * apart) for n in range(1, 24)]
    others = set(ids[3:])

    async def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/v2/orders":
            return []
        id = path.rpartition("/")[2]
        return order(id) if id in others or others <= store.ids(OrderState) else 503

    async with one_store(answer) as store:
        store.look("order", *ids)
        await store.until(lambda: len(store.done) == 23)


async def test_a_burst_of_consecutive_orders_is_read_by_few_ranges_in_whatever_order_it_came():
    """From Kafka they come by partition, so that those that have waited longest lie all over the burst."""
    ids = [str(n) for n in range(1, 1001)]
    ranges: list[tuple[int, int]] = []

    async def answer(path: str, query: dict[str, str]) -> Any:
        assert path == "/v2/orders"
        ranges.append((int(query["min_id"]), int(query["max_id"])))
        return [order(str(n)) for n in range(ranges[-1][0], ranges[-1][1] + 1)]

    async with one_store(answer) as store:
        store.look("order", *(id for part in range(4) for id in ids[part::4]))
        await store.until(lambda: len(store.done) == 1000)
    assert store.ids(OrderState) == set(ids)
    assert len(ranges) <= 8, ranges  # not four for each part


async def test_when_access_is_lost_what_waits_is_not_tried_one_by_one():
    calls = Counter[str]()

    async def answer(path: str, query: dict[str, str]) -> Any:
        calls[path.split("/")[2]] += 1
        return 401

    async with one_store(answer) as store:
        store.look("order", *(str(n * 1000) for n in range(1, 101)))
        store.look("cart", *(f"c-{n}" for n in range(100)))
        await store.until(lambda: store.fetch._is_shut("order") and store.fetch._is_shut("cart"))
        await asyncio.sleep(1)
    assert all(count <= SIDE_BY_SIDE for count in calls.values()), calls


async def test_where_accounts_may_not_be_read_their_carts_and_orders_are():
    may_read = False

    async def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/v3/customers":
            return {"data": [customer(id) for id in query["id:in"].split(",")]} if may_read else 403
        id = path.rpartition("/")[2]
        return cart(id, customer_id=7) if "carts" in path else order(id, customer_id=7)

    async with one_store(answer) as store:
        store.look("customer", "5")
        store.look("cart", "c-1", "c-2")
        store.look("order", "1000", "2000")
        await store.until(lambda: len(store.done) == 4)
        store.look("cart", "c-3")
        await store.until(lambda: len(store.done) == 5)
        assert not store.written(CustomerState)
        may_read = True
        store.mend_access()
        await store.until(lambda: len(store.done) == 6)
    assert [state.id for state in store.written(CustomerState)] == ["5"]


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(("remembered_s", "calls"), [(600.0, 1), (0.0, 2)])
async def test_an_account_is_read_along_again_when_that_was_some_time_ago(
    monkeypatch: pytest.MonkeyPatch, there: bool, remembered_s: float, calls: int
):
    monkeypatch.setattr("streams.fetch.store.ACCOUNT_READ_S", remembered_s)
    asked: list[str] = []

    async def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/v3/customers":
            asked.append(query["id:in"])
            return {"data": [customer("7")] if there else []}
        return cart(path.rpartition("/")[2], customer_id=7)

    async with one_store(answer) as store:
        for n in (1, 2):
            store.look("cart", f"c-{n}")
            await store.until(lambda n=n: len(store.done) == n)
    assert asked == ["7"] * calls


async def test_an_account_that_was_missing_is_still_read_for_its_own_webhook():
    there: list[dict[str, Any]] = []

    async def answer(path: str, query: dict[str, str]) -> Any:
        return {"data": there} if path == "/v3/customers" else cart(path.rpartition("/")[2], customer_id=7)

    async with one_store(answer) as store:
        store.look("cart", "c-1")
        await store.until(lambda: len(store.done) == 1)
        there.append(customer("7"))
        store.look("customer", "7")
        await store.until(lambda: len(store.done) == 2)
    assert store.ids(CustomerState) == {"7"}


@pytest.mark.parametrize(("broken", "calls", "rejected"), [(1, 2, set()), (100, 3, {"1", "2", "3"})])
async def test_an_unreadable_list_of_attributes_is_asked_for_again_once_for_all_customers(broken: int, calls: int, rejected: set[str]):
    asked = 0

    async def answer(path: str, query: dict[str, str]) -> Any:
        nonlocal asked
        if path == "/v3/customers/attributes":
            asked += 1
            return {"data": "?" if asked <= broken else [{"id": 9, "name": "size"}]}
        attributes = [{"attribute_id": 9, "attribute_value": "L"}]
        return {"data": [customer(id, attributes=attributes if id != "4" else []) for id in query["id:in"].split(",")]}

    async with one_store(answer) as store:
        store.look("customer", "1", "2", "3", "4")
        await store.until(lambda: len(store.done) == 4)
    assert store.ids(CustomerState) == {"1", "2", "3", "4"} - rejected
    assert len(store.written(DeadLetter)) == len(rejected)
    assert asked == calls
