"""Calls to BigCommerce's REST API: time-outs, at most three at once per store, its quota, and what is waited out."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Self

import httpx
import msgspec
import stamina
from prometheus_client import Counter

from bigcommerce.quota import pace, pace_history, wait_after_429
from schemas.failures import AccessLost, QuotaSpent, Reject, Retry, Unavailable

CALLS = Counter(
    "cartstream_bigcommerce_calls", "Calls to BigCommerce by endpoint and outcome: the status, or the error", ["endpoint", "outcome"]
)

CALLS_AT_ONCE_MAX = 3  # per store; what BigCommerce once documented. Source: docs/facts/bigcommerce.md 2.2
TIMEOUTS = httpx.Timeout(connect=5, read=10, write=5, pool=5)
CALL_S_MAX = 14.0  # the whole call, below what streams/consumer.py allows: no answer trickles in for ever
WAIT_S_MAX = 30.0  # between two tries of a call
TURN_S = 0.1  # how often a call that waits for its turn looks again: an answer may have told of a new window


class Answer(msgspec.Struct, frozen=True):
    """200, 204 (an empty list of V2: no body), or 404 where it may be one."""

    status: int
    body: bytes
    read_at_ms: int  # its Date header: whole seconds of BigCommerce's clock


class BigCommerce:
    """The connections to BigCommerce, one pool for all stores."""

    def __init__(self, api: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`api` is what stands before `/stores/…`; `transport` is httpx's own unless a test has another."""
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)  # each store is held to its three below
        headers = {"Accept": "application/json"}
        self.http = httpx.AsyncClient(base_url=api, timeout=TIMEOUTS, limits=limits, headers=headers, transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()


class StoreApi:
    """One store's API. All its calls go through one object, which knows the store's quota."""

    def __init__(self, bigcommerce: BigCommerce, store_hash: str, access_token: Callable[[], str]) -> None:
        """`access_token` is asked at each call: a merchant may mend it any time."""
        self._http = bigcommerce.http
        self._base = f"/stores/{store_hash}"
        self._access_token = access_token
        self._at_once = asyncio.Semaphore(CALLS_AT_ONCE_MAX)
        self._turn = asyncio.Lock()
        self._gap_s = 0.0
        self._free_at = 0.0
        self._spent_until = 0.0  # told by a 429: an answer to an earlier call, which may come after it, does not undo it

    async def get(self, endpoint: str, path: str, params: Mapping[str, str] | None = None, *, may_be_missing: bool = False) -> Answer:
        """As `try_get`, but what may work later is waited for, as long as it takes. Raises AccessLost, Reject."""
        async for attempt in stamina.retry_context(
            on=_wait, attempts=None, timeout=None, wait_initial=0.5, wait_max=WAIT_S_MAX, wait_jitter=1.0
        ):
            with attempt:
                return await self.try_get(endpoint, path, params, may_be_missing=may_be_missing)
        raise AssertionError("it is tried without end")

    async def try_get(self, endpoint: str, path: str, params: Mapping[str, str] | None = None, *, may_be_missing: bool = False) -> Answer:
        """One call, in its turn. `path` begins with `/v2` or `/v3`; `endpoint` is what it is counted under, without ids.

        Raises AccessLost (401, 403), QuotaSpent (429), Reject (400, 405, 406, 409, 413, 414, 415, 422: the call itself is wrong),
        Unavailable (no answer in time, one that is not JSON, and any other status: 5xx; 404 unless it may be one; 423 and what else
        says of the store that it is not to be had now). Source: docs/facts/bigcommerce.md 2.1, 2.2
        """
        async with self._at_once:
            await self._wait_for_turn()
            began = time.monotonic()
            try:
                async with asyncio.timeout(CALL_S_MAX):
                    response = await self._http.get(self._base + path, params=params, headers={"X-Auth-Token": self._access_token()})
            except (httpx.HTTPError, TimeoutError) as error:
                CALLS.labels(endpoint, type(error).__name__).inc()
                raise Unavailable(f"BigCommerce gave no answer to {endpoint} ({type(error).__name__})") from error
        CALLS.labels(endpoint, str(response.status_code)).inc()
        self._heed(response.headers, time.monotonic() - began)
        match response.status_code:
            case 200 if "json" in response.headers.get("content-type", ""):
                return Answer(200, response.content, _read_at_ms(response.headers))
            case 204:
                return Answer(204, b"", _read_at_ms(response.headers))
            case 404 if may_be_missing:
                return Answer(404, b"", _read_at_ms(response.headers))
            case 401 | 403 as status:
                raise AccessLost(f"BigCommerce answered {status} to {endpoint}")
            case 429:
                after_s = wait_after_429(response.headers)
                if after_s is not None:
                    self._spent_until = max(self._spent_until, time.monotonic() + after_s)
                raise QuotaSpent(f"BigCommerce answered 429 to {endpoint}", after_s)
            case 400 | 405 | 406 | 409 | 413 | 414 | 415 | 422 as status:
                raise Reject(f"BigCommerce answered {status} to {endpoint}")
            case status:  # 200 that is not JSON too: a page for people, of a proxy or of a store under maintenance
                raise Unavailable(f"BigCommerce answered {status} to {endpoint}, without JSON or for now")

    def _heed(self, headers: Mapping[str, str], took_s: float) -> None:  # noqa: ARG002 - matters to history alone
        gap_s = pace(headers)
        if gap_s is not None:
            self._gap_s, self._free_at = gap_s, time.monotonic() + gap_s

    async def _wait_for_turn(self) -> None:
        async with self._turn:
            while (wait_s := max(self._free_at, self._spent_until) - time.monotonic()) > 0:
                await asyncio.sleep(min(wait_s, TURN_S))
            self._free_at = time.monotonic() + self._gap_s


class HistoryApi(StoreApi):
    """As StoreApi, for loading history: one call after another, at a pace that leaves live reads their share of the quota."""

    async def get(self, endpoint: str, path: str, params: Mapping[str, str] | None = None, *, may_be_missing: bool = False) -> Answer:
        """As `try_get`: whoever loads shows what it waits for, and so does the waiting."""
        return await self.try_get(endpoint, path, params, may_be_missing=may_be_missing)

    def _heed(self, headers: Mapping[str, str], took_s: float) -> None:
        gap_s = pace_history(headers, took_s)
        if gap_s is not None:
            self._free_at = time.monotonic() + gap_s


def _wait(error: Exception) -> bool | float:
    """Whether to try again: in how many seconds, or with stamina's own backoff (True)."""
    if not isinstance(error, Retry):
        return False
    return True if error.after_s is None else error.after_s + random.random()  # noqa: S311 - so that our workers do not come back in step


def _read_at_ms(headers: httpx.Headers) -> int:
    try:
        return int(parsedate_to_datetime(headers["date"]).timestamp()) * 1000
    except (KeyError, ValueError):
        return int(time.time()) * 1000  # a proxy ate it: ours is the next best
