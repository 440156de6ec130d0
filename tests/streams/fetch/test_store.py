"""One store's reads in this process. Real: StoreFetch, queues, client, writer. Doubled: BigCommerce's answers, Kafka's producer."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import pytest
from pydantic import SecretStr

from bigcommerce.client import BigCommerce
from schemas.directory import Directory
from schemas.entities import CartGone, CartState
from schemas.records import Decoder, Message, Origin
from schemas.settings import Settings
from schemas.stores import Store
from schemas.topics import CHECKOUTS, TOPICS
from streams.fetch.rules.route import RESOURCES, Look, Told
from streams.fetch.store import StoreFetch
from streams.fetch.writer import Writer
from tests.streams.fetch.stage import SECRET_KEY, STORE, TOKEN

DEADLINE_S = 20
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

    def __init__(self, fetch: StoreFetch, kafka: Kafka, done: list[Record], running: asyncio.Task[None]) -> None:
        self.fetch, self.kafka, self.done, self._running = fetch, kafka, done, running
        self._offsets = itertools.count()

    def record(self) -> Record:
        return Record(next(self._offsets))

    def look(self, resource: str, *ids: str) -> None:
        for id in ids:
            self.fetch.look(Look(resource, id, until_ms=0, changed_ms=0), self.record(), Origin("t/0/0", 1))

    def written(self, kind: type) -> list[Any]:
        return [message for message in self.kafka.written if type(message) is kind]

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
            yield OneStore(fetch, kafka, done, running)
        finally:
            running.cancel()
            await asyncio.wait({running})


def cart(id: str, customer_id: int = 0) -> dict[str, Any]:
    return {"data": {"id": id, "customer_id": customer_id, "updated_time": EARLIER, "version": 1}}


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
