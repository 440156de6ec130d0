"""One store's shop: all that it holds and ever held, and what reads see of it. What happens to it stands in customers, carts,
orders and products."""

import bisect
import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import singledispatch
from typing import Any

import msgspec

from simulators.bigcommerce.actions import Action
from simulators.bigcommerce.cart_body import Cart
from simulators.bigcommerce.knobs import Knobs

Body = dict[str, Any]
Fire = Callable[["Store", str, Body], None]

KINDS = ("customer", "subscriber", "cart", "order", "brand", "category", "product")


class Refused(Exception):
    """The action cannot be done to the shop as it is."""


class Store(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A store and the one API account (client) that it has."""

    hash: str
    store_id: int
    access_token: str
    client_id: str = "sample-client-id"
    client_secret: str = "sample-client-secret"
    currency: str = "USD"
    rates: dict[str, Decimal] = {}
    """Units of another currency for one of the store's."""
    tax_rate: Decimal = Decimal("0.1")
    domain: str = "shop.example.com"
    quota: int = 450
    """REST calls in a window."""
    forbidden: list[str] = []
    """Permissions taken away: customers, orders, carts, products, information."""

    @property
    def secure_url(self) -> str:
        return f"https://{self.domain}"

    @property
    def api_url(self) -> str:
        return f"https://api.bigcommerce.com/stores/{self.hash}"


@dataclass(slots=True)
class State:
    """What an entity was from `at_ms` on (`body` None: deleted); reads see it from `seen_from` on (monotonic seconds)."""

    at_ms: int
    seen_from: float
    body: Body | None


@dataclass(slots=True)
class Entity:
    id: int | str
    states: list[State] = field(default_factory=list)
    raw: bytes | None = None

    @property
    def body(self) -> Body | None:
        return self.states[-1].body if self.states else None

    def seen(self, now: float) -> Body | None:
        """The newest state that reads see at `now`."""
        if self.states and self.states[-1].seen_from <= now:
            return self.states[-1].body
        return next((state.body for state in reversed(self.states) if state.seen_from <= now), None)


class Shop:
    """Every state that ever was is kept. Bodies are never changed in place: a change puts a new one."""

    def __init__(self, store: Store, knobs: Knobs, clock: Callable[[], int], fire: Fire, seed: int) -> None:
        self.store, self.clock = store, clock
        self.entities: dict[str, dict[int | str, Entity]] = {kind: {} for kind in KINDS}
        self._ids: dict[str, list[Any]] = {kind: [] for kind in KINDS}  # in the order of listings: rising, carts as they came
        self.carts: dict[str, Cart] = {}
        self.stale_reads = 0  # of one entity, that saw an older state than it had
        self.attribute_ids: dict[str, int] = {}
        self.address_owners: dict[int, int] = {}
        self.variant_owners: dict[int, int] = {}
        self._emails: dict[str, dict[str, int | str]] = {"customer": {}, "subscriber": {}}
        self._last_ids = dict.fromkeys((*KINDS, "address", "variant", "sku", "image", "option"), 0) | {"order": 100}
        self._lists: dict[Any, list[Any]] = {}
        self._all_seen_from = 0.0
        self._knobs, self._fire, self._random = knobs, fire, random.Random(f"{seed}/{store.hash}")

    def find(self, kind: str, entity_id: int | str) -> Body | bytes | None:
        """What a read of one entity sees now: its body, the raw body that was set for it, or None."""
        entity = self.entities[kind].get(entity_id)
        if entity is None:
            return None
        if entity.raw:
            return entity.raw
        seen = entity.seen(time.monotonic())
        self.stale_reads += seen is not entity.body
        return seen

    def all(
        self, kind: str, low: int | None = None, high: int | None = None, *, newest_first: bool = False
    ) -> Iterator[tuple[int | str, Body | bytes]]:
        """What reads see now of all entities, by id; those from `low` to `high` where these are given."""
        now, ids, table = time.monotonic(), self._ids[kind], self.entities[kind]
        begin = 0 if low is None else bisect.bisect_left(ids, low)
        end = len(ids) if high is None else bisect.bisect_right(ids, high)
        for at in range(end - 1, begin - 1, -1) if newest_first else range(begin, end):
            entity = table[ids[at]]
            if (seen := entity.raw or entity.seen(now)) is not None:
                yield entity.id, seen

    def listed(self, key: Any, make: Callable[[], list[Any]]) -> list[Any]:
        """What `make` gives, kept until the shop changes: pages of a long listing need not look through all of it each."""
        if key in self._lists:
            return self._lists[key]
        begins = time.monotonic()
        rows = make()
        if self._all_seen_from <= begins:  # what comes to be seen while they are made may be missing in them
            self._lists[key] = rows
        return rows

    def set_raw(self, kind: str, entity_id: int | str, raw: bytes | None) -> None:
        """Reads see `raw` from now on, or, with None, the entity itself again."""
        self._entity(kind, entity_id).raw = raw
        if isinstance(entity_id, int):  # listings go by id; new ids come after it
            self._last_ids[kind] = max(self._last_ids[kind], entity_id)
            self._ids[kind].sort()

    def live(self, kind: str, entity_id: int | str) -> Body:
        """The entity as it is, whatever reads see. Raises Refused where it is not, or not any more."""
        entity = self.entities[kind].get(entity_id)
        if entity is None or entity.body is None:
            raise Refused(f"no {kind} {entity_id}")
        return entity.body

    def put(self, kind: str, entity_id: int | str, body: Body | None) -> None:
        """The entity is `body` from now on; None deletes it."""
        entity = self._entity(kind, entity_id)
        if (emails := self._emails.get(kind)) is not None:
            if entity.body:
                emails.pop(entity.body["email"].lower(), None)
            if body:
                emails[body["email"].lower()] = entity_id
        lag_s = self._random.random() * self._knobs.read_lag_ms / 1000
        seen_from = time.monotonic() + lag_s if lag_s else 0.0
        self._all_seen_from = max(self._all_seen_from, seen_from)
        entity.states.append(State(self.clock(), seen_from, body))

    def _entity(self, kind: str, entity_id: int | str) -> Entity:
        """Made where there is none; it is about to change."""
        self._lists.clear()
        table = self.entities[kind]
        if entity_id not in table:
            table[entity_id] = Entity(entity_id)
            self._ids[kind].append(entity_id)
        return table[entity_id]

    def next_id(self, kind: str) -> int:
        self._last_ids[kind] += 1
        return self._last_ids[kind]

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def fire(self, scope: str, data: Body) -> None:
        self._fire(self.store, scope, data)

    def rate(self, currency: str) -> Decimal:
        """Units of `currency` for one of the store's. Raises Refused where the store has none."""
        if currency == self.store.currency:
            return Decimal(1)
        if currency not in self.store.rates:
            raise Refused(f"the store has no rate for {currency}")
        return self.store.rates[currency]

    def refuse_known_email(self, kind: str, email: str, but: int = 0) -> None:
        """Raises Refused where another live customer (or subscriber) has the e-mail."""
        owner = self._emails[kind].get(email.lower(), but)
        if owner != but:
            raise Refused(f"the e-mail belongs to {kind} {owner}")


def known(body: Body, fields: Body) -> Body:
    """`fields`, all of which `body` has. Raises Refused."""
    unknown = fields.keys() - body.keys() | fields.keys() & {"id"}
    if unknown:
        raise Refused(f"no such fields: {', '.join(sorted(unknown))}")
    return fields


@singledispatch
def apply(action: Action, shop: Shop) -> Body:  # noqa: ARG001
    """`action` is done to `shop` and its webhooks are on their way. Answers the ids that it made. Raises Refused."""
    raise Refused(f"unknown action {action}")
