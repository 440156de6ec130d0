"""The shop's history in plain values: each entity's states, when each began, and whether it may have come and gone unread."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from email.utils import parsedate_tz
from typing import Any

Json = dict[str, Any]
NOT_PLACED = (0, 1, 5, 6)


@dataclass(frozen=True)
class State:
    """What an entity was from `at_s` on; `brief`: it stood so shortly that nobody need have read it."""

    at_s: float
    body: Json
    brief: bool


@dataclass(frozen=True)
class Entity:
    """`deleted_s`: when it was deleted, in whole seconds, None while it lives. `lines` are an order's."""

    id: str
    states: list[State]
    deleted_s: int | None
    deleted_ms: int
    lines: list[Json]

    @property
    def last(self) -> State:
        return self.states[-1]

    @property
    def seen(self) -> bool:
        """Whether some state of it was certainly read."""
        return not all(state.brief for state in self.states)

    @property
    def first_seen(self) -> list[State]:
        """The states that can be the first one that was read."""
        certain = next((n for n, state in enumerate(self.states) if not state.brief), len(self.states))
        return self.states[: certain + 1]

    @property
    def last_seen(self) -> list[State]:
        """The states that can be the last one that was read."""
        certain = next((n for n in reversed(range(len(self.states))) if not self.states[n].brief), 0)
        return self.states[certain:]


@dataclass(frozen=True)
class Unheard:
    """A time of which no webhook told. What stood at its end was read by `read_s`; what had changed again by then may never have been."""

    from_s: float
    until_s: float
    read_s: float


class Shop:
    """One store's entities by id. `seen_within_s`: a state that stood that long, once somebody followed, was read."""

    def __init__(self, shop: Json, seen_within_s: float, unheard: Sequence[Unheard] = ()) -> None:
        self.seen_within_s, self._unheard = seen_within_s, unheard
        self.customers, self.subscribers, self.orders, self.carts = (
            {entity.id: entity for entity in map(self._entity, shop[kind])} for kind in ("customer", "subscriber", "order", "cart")
        )

    def _entity(self, found: Json) -> Entity:
        ends = [state["at_ms"] / 1000 for state in found["states"][1:]]
        states = [
            State(
                state["at_ms"] / 1000, state["body"], end is not None and end - self.read_from(state["at_ms"] / 1000) < self.seen_within_s
            )
            for state, end in zip(found["states"], [*ends, None], strict=True)
            if state["body"]
        ]
        deleted_ms = found["deleted_at_ms"]
        return Entity(
            str(found["id"]), states, None if deleted_ms is None else deleted_ms // 1000, deleted_ms or 0, found.get("products", [])
        )

    def read_from(self, at_s: float) -> float:
        """From when on what happened then can have been read."""
        return max((time.read_s for time in self._unheard if time.from_s <= at_s < time.until_s), default=at_s)


def clean(email: str) -> str:
    return email.strip().lower()


def email_of(order: Json) -> str:
    return clean(str(order["billing_address"]["email"]))


def placed(order: Json) -> bool:
    return order["status_id"] not in NOT_PLACED


def seconds(when: str) -> int:
    """UNIX seconds of ISO 8601 or RFC 2822."""
    if when[:1].isdigit():
        return int(datetime.fromisoformat(when).timestamp())
    return calendar.timegm(parsedate_tz(when)[:9])  # type: ignore[index]


def money(amount: str | float | Decimal) -> float:
    """Rounded half up to cents: the shop sells in dollars alone."""
    return float(Decimal(str(amount)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def product_list(lines: list[Json]) -> list[Json]:
    """Of an order's or a cart's lines, those that are products."""
    return [
        {"product_id": str(line["product_id"]), "variant_id": str(line["variant_id"]), "sku": line["sku"], "quantity": line["quantity"]}
        for line in lines
        if line.get("product_id")
    ]


def products(lines: list[Json]) -> Json:
    """What `purchase` and `cart_update` say of their lines."""
    listed = product_list(lines)
    return {
        "product_list": listed,
        "product_ids": sorted({line["product_id"] for line in listed}),
        "variant_ids": sorted({line["variant_id"] for line in listed}),
        "total_quantity": sum(line["quantity"] for line in lines),
    }
