"""A store's webhooks as its client set them up, and their rules (docs/facts/bigcommerce.md 1.5, 1.8)."""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

Body = dict[str, Any]

HOOKS_PER_SCOPE_MAX = 10
LOOPBACK = ("127.0.0.1", "localhost", "::1")

SCOPES = frozenset(
    f"store/{resource}/{event}"
    for resource, events in {
        "customer": "created updated deleted address/created address/updated address/deleted payment/instrument/default/updated",
        "subscriber": "created updated deleted",
        "order": "created updated archived statusUpdated message/created refund/created transaction/created transaction/updated",
        "cart": "created updated deleted abandoned couponApplied converted lineItem/created lineItem/updated lineItem/deleted",
        "product": "created updated deleted inventory/updated inventory/order/updated",
        "sku": "created updated deleted inventory/updated inventory/order/updated",
        "category": "created updated deleted",
        "shipment": "created updated deleted",
        "information": "updated",
        "app": "uninstalled",
        "hook": "deliveryException",
    }.items()
    for event in events.split()
)
WILDCARDS = frozenset(scope.rsplit("/", depth)[0] + "/*" for scope in SCOPES for depth in (1, 2) if scope.count("/") > depth)


class HookError(Exception):
    """A call that the hooks API refuses."""

    def __init__(self, status: int, title: str, errors: dict[str, str] | None = None) -> None:
        super().__init__(title)
        self.status, self.title, self.errors = status, title, errors


class Hook(msgspec.Struct, kw_only=True):
    """`headers` go with every delivery. `deactivated`: by the platform, after the last retry."""

    id: int
    client_id: str
    store_hash: str
    scope: str
    destination: str
    headers: dict[str, str] | None
    is_active: bool
    created_at: int
    updated_at: int
    deactivated: bool = False

    def body(self) -> Body:
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name != "deactivated"}
        return {**fields, "events_history_enabled": False}

    def takes(self, scope: str) -> bool:
        return self.is_active and (self.scope == scope or (self.scope.endswith("/*") and scope.startswith(self.scope[:-1])))


class Hooks:
    """All hooks of one store, by id."""

    def __init__(self, store_hash: str) -> None:
        self.by_id: dict[int, Hook] = {}
        self._store_hash, self._last_id = store_hash, 18_048_000

    def taking(self, scope: str) -> list[Hook]:
        """The active hooks that an event of `scope` goes to."""
        return [hook for hook in self.by_id.values() if hook.takes(scope)]

    def get(self, client_id: str, hook_id: int) -> Hook:
        """Raises HookError (404) for what this client did not make."""
        hook = self.by_id.get(hook_id)
        if hook is None or hook.client_id != client_id:
            raise HookError(404, f"Webhook with id [{hook_id}] not found")
        return hook

    def create(self, client_id: str, fields: object, now_s: int) -> Hook:
        """Raises HookError: 422 for fields that are missing or wrong, or an eleventh hook of a scope; 409 for one that is there."""
        if not isinstance(fields, dict):
            raise HookError(422, "JSON data is missing or invalid")
        missing = {name: "error.path.missing." for name in ("scope", "destination") if name not in fields}
        if missing:
            raise HookError(422, "JSON data is missing or invalid", missing)
        hook = Hook(
            id=self._last_id + 1,
            client_id=client_id,
            store_hash=self._store_hash,
            scope="",
            destination="",
            headers=None,
            is_active=True,
            created_at=now_s,
            updated_at=now_s,
        )
        self._change(hook, fields)
        self._last_id += 1
        self.by_id[hook.id] = hook
        return hook

    def update(self, client_id: str, hook_id: int, fields: object, now_s: int) -> Hook:
        """Raises HookError as `create` does, and 422 where no field is named. `is_active` true wakes a deactivated hook."""
        hook = self.get(client_id, hook_id)
        if not isinstance(fields, dict) or not fields.keys() & {"scope", "destination", "is_active", "headers"}:
            raise HookError(422, "Update webhook request should not be empty")
        self._change(hook, fields)
        hook.updated_at = now_s
        return hook

    def delete(self, client_id: str, hook_id: int) -> Hook:
        return self.by_id.pop(self.get(client_id, hook_id).id)

    def _change(self, hook: Hook, fields: Body) -> None:
        scope, destination = fields.get("scope", hook.scope), fields.get("destination", hook.destination)
        headers, is_active = fields.get("headers", hook.headers), fields.get("is_active", hook.is_active)
        errors = {}
        if not _is_scope(scope):
            errors["scope"] = "error.invalid"
        if not _is_destination(destination):
            errors["destination"] = "error.invalid"
        if headers is not None and not (isinstance(headers, dict) and all(map(_is_header, headers.items()))):
            errors["headers"] = "error.expected.jsobject"
        if not isinstance(is_active, bool):
            errors["is_active"] = "error.expected.jsboolean"
        if errors:
            raise HookError(422, "JSON data is missing or invalid", errors)
        others = [
            other for other in self.by_id.values() if other.id != hook.id and (other.client_id, other.scope) == (hook.client_id, scope)
        ]
        if any(other.destination == destination for other in others):
            raise HookError(409, "Webhook with this scope and destination already exists")
        if len(others) >= HOOKS_PER_SCOPE_MAX:
            raise HookError(422, f"No more than {HOOKS_PER_SCOPE_MAX} webhooks of a scope are allowed")
        hook.deactivated = hook.deactivated and not fields.get("is_active")
        hook.scope, hook.destination, hook.headers, hook.is_active = scope, destination, headers, is_active


def _is_scope(scope: object) -> bool:
    if not isinstance(scope, str):
        return False
    plain = re.sub(r"^store/channel/\d+/", "store/", scope)
    return plain in SCOPES or plain in WILDCARDS


def _is_header(pair: tuple[str, object]) -> bool:
    return all(isinstance(text, str) and text.isascii() and text.isprintable() for text in pair)


def _is_destination(destination: object) -> bool:
    """HTTPS on port 443, as the platform wants it; anything on this machine, for the simulator's sake."""
    if not isinstance(destination, str):
        return False
    try:
        url = urlsplit(destination)
        port = url.port
    except ValueError:
        return False
    return (url.scheme == "https" and bool(url.hostname) and port in (None, 443)) or (
        url.scheme in ("http", "https") and url.hostname in LOOPBACK
    )
