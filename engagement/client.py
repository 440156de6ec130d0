"""The calls that deliver makes. Each ends within the time-out that it was given, connecting and waiting included."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import httpx
import orjson

from engagement.answers import Outcome, read_batch, read_items, read_single
from engagement.catalogs import Name, definition, ids_by_name
from schemas.failures import AccessLost, Unavailable
from schemas.stores import Store

EVENTS_PER_PAGE = 1000
CATALOGS = "data/v2/projects/{}/catalogs"


class BatchCommand(NamedTuple):
    """One command of a batch; `id` comes back in its result, `data` goes out byte for byte."""

    id: str
    kind: str
    data: bytes


class Client:
    """Engagement's API, for any store: one pool of connections per host. `store` has its secrets opened."""

    def __init__(self, call_s_max: float) -> None:
        self._call_s_max = call_s_max
        self._pools: dict[str, httpx.AsyncClient] = {}

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    async def send_batch(self, store: Store, commands: Sequence[BatchCommand]) -> list[Outcome]:
        """The outcome of each command; see `answers.read_batch` for it and for what is raised. At most 50 commands.

        Source: docs/facts/engagement.md 2.4. Engagement does not carry them out in this order.
        """
        body = b'{"commands":[' + b",".join(map(_command, commands)) + b"]}"
        answer = await self._post(store, f"track/v2/projects/{store.project}/batch", body)
        return read_batch(answer.status_code, answer.headers, answer.content, [command.id for command in commands])

    async def anonymize(self, store: Store, data: bytes) -> None:
        """Queued at Engagement, or nobody is known by these ids, which is as good. Raises as `answers.read_single` says.

        Source: docs/facts/engagement.md 6.
        """
        answer = await self._post(store, f"data/v2/projects/{store.project}/customers/anonymize", data)
        read_single(answer.status_code, answer.headers, answer.content)

    async def events(self, store: Store, customer_ids: dict[str, str], types: Iterable[str]) -> list[dict[str, Any]]:
        """All events of these types that a customer has now: `type`, `timestamp` (seconds), `properties`; none of an unknown one.

        Source: docs/facts/engagement.md 6. Needs the permission Events > Get. Raises as `answers.read_single` says.
        """
        found: list[dict[str, Any]] = []
        while True:
            body = {"customer_ids": customer_ids, "event_types": list(types), "order": "desc", "limit": EVENTS_PER_PAGE, "skip": len(found)}
            answer = await self._post(store, f"data/v2/projects/{store.project}/customers/events", orjson.dumps(body))
            content = read_single(answer.status_code, answer.headers, answer.content)
            page = [] if content is None else content.get("data")
            if not isinstance(page, list):
                raise Unavailable("Engagement's answer to a look-up of events cannot be read")
            found += [event for event in page if isinstance(event, dict)]
            if len(page) < EVENTS_PER_PAGE:
                return found

    async def catalogs(self, store: Store) -> dict[str, str]:
        """The catalogs of the project: name to id; of several with one name the one with the lowest id, for all of us the same.

        Source: docs/facts/engagement.md 5. Raises as `answers.read_single` says.
        """
        answer = await self._call("GET", store, CATALOGS.format(store.project))
        content = read_single(answer.status_code, answer.headers, answer.content) or {}
        rows = content.get("data")
        if not isinstance(rows, list):
            raise Unavailable("Engagement's list of catalogs cannot be read")
        return ids_by_name(rows)

    async def create_catalog(self, store: Store, name: Name) -> str:
        """The new catalog's id; it has its declared fields. Two calls make two catalogs. Raises as `answers.read_single` says."""
        answer = await self._post(store, CATALOGS.format(store.project), orjson.dumps(definition(name)))
        content = read_single(answer.status_code, answer.headers, answer.content) or {}
        if not isinstance(id := content.get("id"), str):
            raise Unavailable("Engagement's answer to a new catalog cannot be read")
        return id

    async def write_items(self, store: Store, catalog_id: str, items: Sequence[tuple[str, bytes]]) -> list[Outcome]:
        """Each item (id, properties as JSON) has these properties and no others; see `answers.read_items` for what is raised.

        At most ITEMS_PER_CALL_MAX. Source: docs/facts/engagement.md 5
        """
        body = b"[" + b",".join(b'{"item_id":%b,"properties":%b}' % (orjson.dumps(id), properties) for id, properties in items) + b"]"
        answer = await self._call("PUT", store, f"{CATALOGS.format(store.project)}/{quote(catalog_id)}/items", body)
        return read_items(answer.status_code, answer.headers, answer.content, len(items))

    async def remove_items(self, store: Store, catalog_id: str, ids: Sequence[str]) -> list[Outcome]:
        """None of these items is there. As `write_items`."""
        path = f"{CATALOGS.format(store.project)}/{quote(catalog_id)}/items/bulk-delete"
        answer = await self._call("DELETE", store, path, orjson.dumps(list(ids)))
        return read_items(answer.status_code, answer.headers, answer.content, len(ids))

    async def _post(self, store: Store, path: str, body: bytes) -> httpx.Response:
        return await self._call("POST", store, path, body)

    async def _call(self, method: str, store: Store, path: str, body: bytes | None = None) -> httpx.Response:
        host = urlsplit(store.engagement_url).netloc
        if host not in self._pools:  # each caller bounds how many calls it has under way
            unbounded = httpx.Limits(max_connections=None, max_keepalive_connections=20)
            self._pools[host] = httpx.AsyncClient(timeout=self._call_s_max, limits=unbounded)
        try:
            async with asyncio.timeout(self._call_s_max):  # httpx's own time-outs are per phase
                return await self._pools[host].request(
                    method,
                    f"{store.engagement_url.rstrip('/')}/{path}",
                    content=body,
                    headers={"content-type": "application/json"},
                    auth=(store.api_key_id, store.api_secret),
                )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise AccessLost("the project's Engagement address is not an address") from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unavailable(f"no answer from Engagement ({type(error).__name__})") from error


def _command(command: BatchCommand) -> bytes:
    return b'{"name":%b,"command_id":%b,"data":%b}' % (orjson.dumps(command.kind), orjson.dumps(command.id), command.data)
