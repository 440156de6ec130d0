"""A store's hooks and what the store says of itself: what it takes to add a store, and to see whether it is well."""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import msgspec

from bigcommerce.webhooks import HOOK_SCOPES, SECRET_HEADER
from schemas.failures import AccessLost, QuotaSpent, Reject, Unavailable

TIMEOUT_S = 15.0
ATTEMPTS = 4
WAIT_S_MAX = 30.0  # BigCommerce's quota window: after it the quota is whole again
HOOKS_PER_PAGE = 250

# The OAuth scope that reading needs, by the beginning of the path. Hooks need none. Source: docs/facts/bigcommerce.md 3.3, 1.8
SCOPES = {
    "v2/store": "store_v2_information_read_only",
    "v3/customers": "store_v2_customers_read_only",
    "v2/orders": "store_v2_orders_read_only",
    "v3/carts": "store_cart_read_only",
    "v3/catalog": "store_v2_products_read_only",
}

T = TypeVar("T")


class StoreInformation(msgspec.Struct, frozen=True):
    """What a store says of itself. Source: docs/facts/bigcommerce.md 2.8 · example: tests/examples/bigcommerce/rest/store_v2.json"""

    domain: str
    currency: str


class Hook(msgspec.Struct, frozen=True):
    """One hook. Source: docs/facts/bigcommerce.md 1.8 · example: tests/examples/bigcommerce/rest/hooks_get_one.json"""

    id: int
    scope: str
    destination: str
    is_active: bool
    headers: dict[str, str] | None = None

    @property
    def secret(self) -> str:
        """Our own header's value; "" where it has none."""
        return next((value for name, value in (self.headers or {}).items() if name.lower() == SECRET_HEADER), "")


class Pagination(msgspec.Struct, frozen=True):
    """Of V3 listings: pages count from 1. Source: docs/facts/bigcommerce.md 2.3"""

    total_pages: int = 1


class Meta(msgspec.Struct, frozen=True):
    """What stands beside the data of a V3 listing; one that says nothing of pages has one."""

    pagination: Pagination = Pagination()


class HookPage(msgspec.Struct, frozen=True):
    """One page of the listing of hooks. Source: docs/facts/bigcommerce.md 1.8"""

    data: list[Hook]
    meta: Meta = Meta()


@dataclass
class HookChanges:
    """What `ensure_hooks` did, by scope."""

    created: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)  # were inactive, or had another destination or secret
    kept: list[str] = field(default_factory=list)


def store_client(api_url: str, store_hash: str, access_token: str) -> httpx.AsyncClient:
    """A client for the calls below. Source: docs/facts/bigcommerce.md 2.1"""
    headers = {"X-Auth-Token": access_token, "Accept": "application/json"}
    return httpx.AsyncClient(base_url=f"{api_url}/stores/{store_hash}/", headers=headers, timeout=TIMEOUT_S)


async def read_store(client: httpx.AsyncClient) -> StoreInformation:
    """The store's domain and default currency; also the proof that the token is good.

    Raises AccessLost, QuotaSpent, Unavailable, Reject.
    """
    return _read(await _call(client, "GET", "v2/store"), StoreInformation)


async def check_scopes(client: httpx.AsyncClient) -> None:
    """The token may read all that the stages read: customers, subscribers, orders, carts, products. Costs a call each.

    Raises AccessLost naming every scope that is missing, else as `read_store`.
    """
    missing = []
    no_cart = f"v3/carts/{uuid.uuid4()}"  # answered with 404
    for path in ("v3/customers", "v3/customers/subscribers", "v2/orders", no_cart, "v3/catalog/products"):
        answer = await _call(client, "GET", path, taken=(403, 404), params={"limit": 1})
        if answer.status_code == 403 and (scope := _scope(path)) not in missing:
            missing.append(scope)
    if missing:
        raise _lacks(", ".join(missing))


async def list_hooks(client: httpx.AsyncClient) -> list[Hook]:
    """All hooks that this token may see: those made by the same API account. Raises as `read_store`."""
    found: list[Hook] = []
    page = pages = 1
    while page <= pages:
        body = _read(await _call(client, "GET", "v3/hooks", params={"page": page, "limit": HOOKS_PER_PAGE}), HookPage)
        found += body.data
        page, pages = page + 1, body.meta.pagination.total_pages
    return found


async def ensure_hooks(client: httpx.AsyncClient, destination: str, secret: str) -> HookChanges:
    """There is one active hook per HOOK_SCOPES to `destination`, each with our secret header. Safe to repeat.

    A hook of ours with another destination (the public address has changed) is moved; others' hooks are left alone.
    Raises as `read_store`.
    """
    present = ours(await list_hooks(client), destination, secret)
    changes = HookChanges()
    wanted: dict[str, Any] = {"destination": destination, "is_active": True, "headers": {SECRET_HEADER: secret}}
    for scope in HOOK_SCOPES:
        hook = present.get(scope)
        if hook is None:
            await _call(client, "POST", "v3/hooks", json={"scope": scope, **wanted})
            changes.created.append(scope)
        elif trouble(hook, destination, secret):
            await _call(client, "PUT", f"v3/hooks/{hook.id}", json=wanted)
            changes.mended.append(scope)
        else:
            changes.kept.append(scope)
    return changes


def ours(hooks: list[Hook], destination: str, secret: str) -> dict[str, Hook]:
    """The hooks that we made, by scope: those to `destination`, else those that bear our secret."""
    found = {hook.scope: hook for hook in hooks if hook.secret == secret}
    return found | {hook.scope: hook for hook in hooks if hook.destination == destination}


def trouble(hook: Hook, destination: str, secret: str) -> str:
    """What is wrong with a hook of ours; "" when it is as it should be."""
    if not hook.is_active:
        return "deactivated"  # after 48 h of failed deliveries: docs/facts/bigcommerce.md 1.5
    if hook.destination != destination:
        return "leads to another address"
    return "" if hook.secret == secret else "bears another secret"


async def _call(client: httpx.AsyncClient, method: str, path: str, *, taken: tuple[int, ...] = (), **arguments: Any) -> httpx.Response:
    """The answer to a call that succeeded, or that has a status in `taken`; waits and tries again while that may help.

    Raises AccessLost (401, 403), QuotaSpent (429 to the last), Unavailable (5xx, no answer), Reject (any other).
    """
    failure: QuotaSpent | Unavailable
    for attempt in range(ATTEMPTS):
        wait_s = 0.5 * 2**attempt
        try:
            answer = await client.request(method, path, **arguments)
        except httpx.HTTPError as error:
            failure = Unavailable(f"BigCommerce does not answer at {client.base_url.host} ({type(error).__name__}); check the network")
        else:
            if answer.is_success or answer.status_code in taken:
                return answer
            if answer.status_code == 401:
                raise AccessLost("BigCommerce refuses the access token (401); make a new one in the store's API accounts")
            if answer.status_code == 403:
                raise _lacks(_scope(path))
            if answer.status_code == 429:
                failure = QuotaSpent("the store's API quota is spent; try again in a minute")
                wait_s = max(wait_s, _reset_s(answer.headers))
            elif answer.status_code >= 500:
                failure = Unavailable(f"BigCommerce answers {answer.status_code}; try again later")
            else:
                raise Reject(f"BigCommerce answers {answer.status_code} to {method} {path}: {_words(answer)}")
        if attempt < ATTEMPTS - 1:
            await asyncio.sleep(min(wait_s, WAIT_S_MAX))
    raise failure


def _scope(path: str) -> str:
    return SCOPES.get("/".join(path.split("/")[:2]), f"for {path}")


def _lacks(scopes: str) -> AccessLost:
    return AccessLost(f"the access token lacks the scope {scopes} (403); make one that has it in the store's API accounts")


def _reset_s(headers: Mapping[str, str]) -> float:
    """Seconds until the quota is whole again. Source: docs/facts/bigcommerce.md 2.2"""
    try:
        return int(headers.get("X-Rate-Limit-Time-Reset-Ms", "0")) / 1000
    except ValueError:
        return 0.0


def _words(answer: httpx.Response) -> str:
    """BigCommerce's own words in a refusal of V3; those of the fields at fault where it names them."""
    try:
        body = answer.json()
        return "; ".join([str(body["title"]), *(f"{name}: {text}" for name, text in body.get("errors", {}).items())])
    except (ValueError, KeyError, TypeError, AttributeError):
        return "(no words that can be read)"


def _read(answer: httpx.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.DecodeError as error:
        raise Unavailable(f"BigCommerce's answer to {answer.request.url.path} cannot be read ({error})") from None
