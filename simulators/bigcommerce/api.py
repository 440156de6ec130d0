"""What all REST calls have in common: token, permission, quota, faults, errors, the Date header (docs/facts/bigcommerce.md 2.1)."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simulators.bigcommerce.hooks import HookError, Hooks
from simulators.bigcommerce.knobs import Knobs
from simulators.bigcommerce.quota import Quota
from simulators.bigcommerce.shop import Shop
from simulators.bigcommerce.webhooks import Domain

LIMIT_MAX = 250
DOC_HOST = "https://developer.bigcommerce.com"
DOC = f"{DOC_HOST}/api-docs/getting-started/api-status-codes"


class ApiError(Exception):
    """An answer other than success."""

    def __init__(self, status: int, title: str, errors: dict[str, str] | None = None) -> None:
        super().__init__(title)
        self.status, self.title, self.errors = status, title, errors


@dataclass
class Call:
    """One REST call of a store, its token and permission checked."""

    shop: Shop
    hooks: Hooks
    ids: dict[str, Any]
    query: dict[str, str]
    body: bytes
    platform: "Platform"

    def ints(self, name: str) -> list[int] | None:
        """A comma list of ids. Raises ApiError (422)."""
        if name not in self.query:
            return None
        try:
            return [int(item) for item in self.query[name].split(",") if item]
        except ValueError:
            raise ApiError(422, "Invalid query parameter", {name: "must be integers"}) from None

    def integer(self, name: str, default: int | None = None) -> int | None:
        found = self.ints(name)
        return found[0] if found else default

    def page(self) -> tuple[int, int]:
        """(page from 1 on, limit). Raises ApiError: 413 for a limit above LIMIT_MAX, 422 for what is no positive number."""
        page, limit = self.integer("page", 1) or 0, self.integer("limit", 50) or 0
        if page < 1 or limit < 1:
            raise ApiError(422, "Invalid paging", {"page": "page and limit start from 1"})
        if limit > LIMIT_MAX:
            raise ApiError(413, f"limit is above {LIMIT_MAX}")
        return page, limit

    def includes(self) -> set[str]:
        return {item for item in self.query.get("include", "").split(",") if item}

    def json(self) -> object:
        """Raises ApiError (400) for what is no JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise ApiError(400, "Malformed JSON") from None


Answer = tuple[int, Any]
Handler = Callable[[Call], Answer]


class Platform:
    """All stores, what they share, and how a call is answered."""

    def __init__(self, knobs: Knobs, clock: Callable[[], int], domains: dict[str, Domain], seed: int) -> None:
        self.knobs, self.clock, self.domains = knobs, clock, domains
        self.shops: dict[str, Shop] = {}
        self.hooks: dict[str, Hooks] = {}
        self.calls: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        """As `calls`: by endpoint and what went wrong there, a knob's name or `quota`."""
        self.random = random.Random(f"{seed}/rest")
        self._quotas: dict[str, Quota] = {}

    def happens(self, knob: str) -> bool:
        chance: float = getattr(self.knobs, knob)
        return bool(chance) and self.random.random() < chance

    def _fails(self, label: str, knob: str) -> bool:
        if not self.happens(knob):
            return False
        self.faults[f"{label} {knob}"] += 1
        return True

    async def answer(self, request: Request, label: str, permission: str, handler: Handler) -> Response:
        """The handler's answer, or an error's, or a fault's; counted under `label` and its status."""
        v2 = request.url.path.split("/")[3] == "v2"
        slow_s = self.random.random() * self.knobs.slow_ms / 1000 if self._fails(label, "slow") else 0.0
        headers: dict[str, str] = {}
        content = b""
        await asyncio.sleep(slow_s / 2)  # a slow answer may be old, or late, by the time that it is read
        try:
            status, body = await self._handled(request, label, permission, handler, headers)
        except (ApiError, HookError) as error:
            status, body = error.status, _error_body(v2, error)
        await asyncio.sleep(slow_s / 2 + (self.knobs.hang_ms / 1000 if self._fails(label, "hang") else 0))
        if body is not None:
            content = body if isinstance(body, bytes) else orjson.dumps(body)
            headers["content-type"] = "application/json"
        headers["date"] = formatdate(self.clock() / 1000, usegmt=True)
        if status < 500 and self._fails(label, "drop_connection"):
            self.calls[f"{label} dropped"] += 1
            return BrokenAnswer(content, status, headers)
        self.calls[f"{label} {status}"] += 1
        return Response(content, status, headers)

    async def _handled(self, request: Request, label: str, permission: str, handler: Handler, headers: dict[str, str]) -> Answer:
        shop = self.shops.get(request.path_params["store_hash"])
        if shop is None or request.headers.get("x-auth-token") != shop.store.access_token:
            raise ApiError(401, "Unauthorized")
        if permission in shop.store.forbidden:
            raise ApiError(self.knobs.forbidden_status, "Your app does not have the required scope to access this resource")
        if self._fails(label, "throttle"):
            raise ApiError(429, "Too many requests")
        allowed, rate = self._quotas.setdefault(shop.store.hash, Quota()).take(shop.store.quota, self.knobs.quota_window_ms)
        headers.update(rate)
        if not allowed:
            self.faults[f"{label} quota"] += 1
            raise ApiError(429, "Too many requests")
        if self._fails(label, "error_5xx"):
            raise ApiError(self.random.choice((500, 502, 503, 504)), "Server error")
        ids = {name: value for name, value in request.path_params.items() if name != "store_hash"}
        call = Call(shop, self.hooks[shop.store.hash], ids, dict(request.query_params), await request.body(), self)
        if 0 < self.knobs.answers_in_time < (call.integer("limit") or 0):
            self.faults[f"{label} answers_in_time"] += 1
            raise ApiError(504, "Gateway time-out")
        return handler(call)


class BrokenAnswer(Response):
    """Half of an answer; then the connection is gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        headers = [
            *(pair for pair in self.raw_headers if pair[0] != b"content-length"),
            (b"content-length", str(len(self.body) + 2).encode()),
        ]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})
        raise ConnectionAbortedError


def _error_body(v2: bool, error: ApiError | HookError) -> Any:
    if v2:
        return [{"status": error.status, "message": error.title}]
    doc = DOC.removeprefix(DOC_HOST) if isinstance(error, HookError) else DOC
    body: dict[str, Any] = {"status": error.status, "title": error.title, "type": doc}
    return body if error.errors is None else {**body, "errors": error.errors}
