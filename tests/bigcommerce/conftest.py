"""A BigCommerce simulator, and its store's API."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from bigcommerce.client import BigCommerce, StoreApi
from simulators.process import start


class Shop:
    """The simulator's side of the store."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = "token-abc123"

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        async with httpx.AsyncClient(base_url=self.url) as http:
            answer = await http.request(method, path, **more)
        answer.raise_for_status()
        return answer.json()

    async def act(self, *actions: dict[str, Any]) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = await self._call("POST", "/_sim/actions", json=list(actions))
        assert not [answer for answer in answers if "error" in answer], answers
        return answers

    async def knobs(self, **changed: float) -> None:
        await self._call("PUT", "/_sim/knobs", json=changed)

    async def change(self, **changed: Any) -> None:
        await self._call("PUT", "/_sim/stores/abc123", json=changed)

    async def raw(self, kind: str, id: str, body: bytes) -> None:
        await self._call("PUT", f"/_sim/raw/{kind}/{id}", content=body)

    async def calls(self) -> dict[str, int]:
        counters = await self._call("GET", "/_sim/counters")
        found: dict[str, int] = counters["calls"]
        return found


@pytest.fixture
def shop() -> Iterator[Shop]:
    with start("bigcommerce", "--seed", "1") as simulator:
        yield Shop(simulator.url)


@pytest.fixture
async def api(shop: Shop) -> AsyncIterator[StoreApi]:
    async with BigCommerce(shop.url) as bigcommerce:
        yield StoreApi(bigcommerce, "abc123", lambda: shop.token)
