"""resolve in one process without Kafka: the real agents, topics as queues, tables as dictionaries.

A topic keeps its order, or with `one_line=False` only each key does; between topics the order is drawn by the seed.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import orjson

from schemas.commands import CatalogWrite, Command
from schemas.dead_letters import DeadLetter
from schemas.entities import (
    CartGone,
    CartState,
    CustomerGone,
    CustomerState,
    OrderState,
    ProductGone,
    ProductState,
    SubscriberGone,
    SubscriberState,
)
from schemas.keys import checkout_key, entity_key, person_hash, person_lane
from schemas.people import Erased
from schemas.records import Decoder, Message, Origin, encode, headers_of
from schemas.topics import ACCOUNTS, CATALOG, CHECKOUTS, COMMANDS, DEAD_LETTERS, HISTORY, PEOPLE, PRODUCTS, SUBSCRIBERS, WEBHOOKS, Topic
from schemas.webhooks import LookAt
from streams.engine import Incoming
from streams.resolve.agents import make_agents
from streams.resolve.rules.change import Store

PROJECT = "project-1"


def lane_of(email: str) -> str:
    return person_lane(PROJECT, person_hash(b"key", email))


STORE = Store(store="abc123.1", domain="my-awesome.store", currency="USD", lane_of=lane_of)


DECODERS = {topic.name: Decoder(topic.messages) for topic in (COMMANDS, HISTORY, CATALOG, DEAD_LETTERS, WEBHOOKS)}


class Line:
    """Feed it messages with `put`, let it run with `run`; `commands` are what deliver would get, in order for each lane."""

    def __init__(self, seed: int = 0, *, one_line: bool = True, stores: Iterable[Store] = (STORE,)) -> None:
        by_store = {store.store: store for store in stores}
        self.agents = {agent.topic.name: agent for agent in make_agents(by_store.__getitem__, "")}
        self.queues: dict[tuple[str, str], deque[tuple[int, Any]]] = {}
        self.offsets: dict[str, int] = {}
        self.rows: dict[tuple[str, bytes], bytes] = {}
        self.commands: list[tuple[str, Command]] = []
        self.catalog: list[CatalogWrite] = []
        self.history: set[tuple[str, int]] = set()  # lane and number of those that go by engagement.history
        self.letters: list[DeadLetter] = []
        self.looks: list[LookAt] = []
        self.random = random.Random(seed)
        self.one_line = one_line
        self.log: list[Incoming] = []  # every record, as its agent got it

    def put(self, topic: str, key: str, value: bytes, headers: tuple[tuple[str, bytes], ...]) -> None:
        offset = self.offsets[topic] = self.offsets.get(topic, -1) + 1
        line = "" if self.one_line else key
        self.queues.setdefault((topic, line), deque()).append((offset, (key, value, headers)))

    def tell(self, *messages: Message, cause: Topic = WEBHOOKS) -> "Line":
        """Put messages of fetch on their topics."""
        for message in messages:
            topic, key = place(message)
            self.put(topic, key, encode(message), headers_of(message, Origin(f"{cause.name}/0/1", 1)))
        return self

    def run(self) -> "Line":
        while self.step():
            pass
        return self

    def step(self) -> bool:
        """One record of any topic; whether there was one."""
        ready = [place for place, queue in self.queues.items() if queue]
        if not ready:
            return False
        topic, line = self.random.choice(ready)
        offset, (key, value, headers) = self.queues[topic, line].popleft()
        record = Incoming(topic, 0, offset, key.encode(), value, headers, 1)
        self.log.append(record)
        self.decide(record)
        return True

    def waiting(self) -> list[str]:
        """A topic for each line that has a record."""
        return [topic for (topic, _), queue in self.queues.items() if queue]

    def run_batch(self, topic: str) -> None:
        """What waits on a topic as one batch of the engine."""
        for record in self._batch(topic):
            self.decide(record)

    def run_killed(self, topic: str, meanwhile: Callable[[], object] = lambda: None, *, go_on: bool = True) -> "Line":
        """As `run_batch`, for a batch that a kill meets between its effects and its rows: it is done again.

        Then, with `go_on`, all else that waits.
        """
        batch = self._batch(topic)
        rows = dict(self.rows)
        for record in batch:
            self.decide(record)
        self.rows = rows
        meanwhile()
        for record in batch:
            self.decide(record)
        return self.run() if go_on else self

    def _batch(self, topic: str) -> list[Incoming]:
        places = [place for place in self.queues if place[0] == topic]
        waiting = sorted(((n, v) for place in places for n, v in self.queues[place]), key=lambda record: record[0])
        for place in places:
            self.queues[place].clear()
        return [Incoming(topic, 0, offset, key.encode(), value, headers, 1) for offset, (key, value, headers) in waiting]

    def decide(self, record: Incoming, *, write: bool = True) -> None:
        """One record through its agent; without `write` as far as a kill between effects and state would let it."""
        decision = self.agents[record.topic].decide(record, self.rows.get((record.topic, record.key)))
        for sent in decision.send:
            self._sent(sent.topic, sent.key.decode(errors="replace"), sent.value or b"", sent.headers)
        if decision.row is not None and write:
            self.rows[record.topic, record.key] = decision.row

    def _sent(self, topic: str, key: str, value: bytes, headers: tuple[tuple[str, bytes], ...]) -> None:
        if topic in self.agents:
            self.put(topic, key, value, headers)
            return
        message = DECODERS[topic].decode(value, headers)
        if isinstance(message, Command):
            self.commands.append((key, message))
            if topic == HISTORY.name:
                self.history.add((key, message.number))
        elif isinstance(message, CatalogWrite):
            self.catalog.append(message)
        elif isinstance(message, DeadLetter):
            self.letters.append(message)
        elif isinstance(message, LookAt):
            self.looks.append(message)

    # What came out, as plain values.

    def bodies(self, kind: str = "") -> list[dict[str, Any]]:
        """Bodies of the commands of one kind, each once: deliver skips a number that it has seen."""
        once = {(lane, c.number): c for lane, c in self.commands}
        return [orjson.loads(memoryview(c.data)) for c in once.values() if not kind or c.kind == kind]

    def events(self, type: str = "") -> list[dict[str, Any]]:
        return [body for body in self.bodies("customers/events") if not type or body["event_type"] == type]

    def distinct_events(self, type: str = "") -> list[dict[str, Any]]:
        """As Engagement counts them: equal ones are one."""
        return [orjson.loads(e) for e in {orjson.dumps(e, option=orjson.OPT_SORT_KEYS): None for e in self.events(type)}]

    def properties(self) -> dict[str, dict[str, Any]]:
        """What each profile's properties end as: by email_id, else customer_id."""
        stamped: dict[str, dict[str, tuple[float, Any]]] = {}
        for body in self.bodies("customers"):
            ids = body["customer_ids"]
            found = stamped.setdefault(ids.get("email_id") or ids.get("customer_id") or "?", {})
            for name, value in body["properties"].items():
                if name not in found or body["update_timestamp"] >= found[name][0]:
                    found[name] = body["update_timestamp"], value
        return {who: {name: value for name, (_, value) in found.items()} for who, found in stamped.items()}

    def consents(self) -> dict[tuple[str, str], str]:
        """The last consent of each profile and category, by its timestamp."""
        last: dict[tuple[str, str], tuple[float, str]] = {}
        for body in self.events("consent"):
            ids = body["customer_ids"]
            place = ids.get("email_id") or ids.get("customer_id") or "?", body["properties"]["category"]
            last[place] = max(last.get(place, (0.0, "")), (body["timestamp"], body["properties"]["action"]))
        return {place: action for place, (_, action) in last.items()}

    def items(self, catalog: str) -> dict[str, dict[str, Any]]:
        """What the catalog holds in the end."""
        found: dict[str, dict[str, Any]] = {}
        for write in self.catalog:
            if write.catalog == catalog:
                found[write.item_id] = orjson.loads(memoryview(write.properties))
        return {id: properties for id, properties in found.items() if properties is not None}

    def table(self, topic: str) -> dict[str, Any]:
        """Rows without what depends on how often and when records came: offsets, numbers, the last stamps sent."""
        rows = {}
        for (name, key), row in self.rows.items():
            if name == topic:
                found = orjson.loads(row)
                found.pop("offset", None)
                found.pop("number", None)
                rows[key.decode()] = found
        return rows


def place(message: Message) -> tuple[str, str]:
    match message:
        case CustomerState() | CustomerGone():
            return ACCOUNTS.name, entity_key(message.store, message.id)
        case SubscriberState() | SubscriberGone():
            return SUBSCRIBERS.name, entity_key(message.store, message.id)
        case CartState() | CartGone():
            return CHECKOUTS.name, checkout_key(message.store, message.id)
        case OrderState():
            return CHECKOUTS.name, checkout_key(message.store, orjson.loads(memoryview(message.body)).get("cart_id"), message.id)
        case Erased():
            return PEOPLE.name, lane_of(message.email)
        case ProductState() | ProductGone():
            return PRODUCTS.name, entity_key(message.store, message.id)
    raise TypeError(message)


def iso(ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc2822(ms: int) -> str:
    from email.utils import formatdate

    return formatdate(ms / 1000)


T0 = 1_700_000_000_000  # whole seconds, as BigCommerce's times


def raw(body: Any) -> msgspec.Raw:
    return msgspec.Raw(orjson.dumps(body))


def customer(
    id: int = 11, email: str = "jane@example.com", *, at: int = 0, created: int = 0, read: int = 0, **fields: Any
) -> CustomerState:
    """A customer's state, modified `at` seconds and read `read` seconds after T0."""
    modified = T0 + at * 1000
    body = {
        "id": id,
        "email": email,
        "first_name": "Jane",
        "date_created": iso(T0 + created * 1000),
        "date_modified": iso(modified),
        **fields,
    }
    return CustomerState(store=STORE.store, id=str(id), version=modified, read_at_ms=modified + 1000 + read * 1000, body=raw(body))


def customer_gone(id: int = 11, *, at: int, told: bool = True) -> CustomerGone:
    return CustomerGone(store=STORE.store, id=str(id), told=told, at_ms=T0 + at * 1000, read_at_ms=0 if told else T0 + at * 1000)


def subscriber(
    id: int = 5, email: str = "jane@example.com", consents: list[str] | None = None, *, at: int = 0, created: int = 0
) -> SubscriberState:
    modified = T0 + at * 1000
    body = {"id": id, "email": email, "date_created": iso(T0 + created * 1000), "date_modified": iso(modified)}
    if consents is not None:
        body["consents"] = consents
    return SubscriberState(store=STORE.store, id=str(id), version=modified, read_at_ms=modified + 1000, body=raw(body))


def subscriber_gone(id: int = 5, *, at: int) -> SubscriberGone:
    return SubscriberGone(store=STORE.store, id=str(id), told=True, at_ms=T0 + at * 1000, read_at_ms=0)


def erased(email: str = "jane@example.com", *, at: int) -> Erased:
    return Erased(store=STORE.store, email=email, at_ms=T0 + at * 1000)


def cart(
    id: str = "c-1",
    lines: dict[str, int] | None = None,
    *,
    version: int = 1,
    at: int = 0,
    customer: int = 0,
    email: str = "",
    **fields: Any,
) -> CartState:
    """A cart; `lines` is product id to quantity."""
    items = [
        {"id": f"l{p}", "product_id": int(p), "variant_id": int(p) * 10, "sku": f"S{p}", "quantity": q} for p, q in (lines or {}).items()
    ]
    updated = T0 + at * 1000
    body = {
        "id": id,
        "customer_id": customer,
        "email": email,
        "currency": {"code": "USD"},
        "cart_amount": 10.5 * sum((lines or {}).values()),
        "coupons": [],
        "line_items": {"physical_items": items},
        "created_time": iso(T0),
        "updated_time": iso(updated),
        "version": version,
        **fields,
    }
    return CartState(store=STORE.store, id=id, version=version, read_at_ms=updated + 1000, body=raw(body))


def cart_gone(id: str = "c-1", *, at: int, told: bool = True, converted: bool = False) -> CartGone:
    return CartGone(
        store=STORE.store, id=id, told=told, converted=converted, at_ms=T0 + at * 1000, read_at_ms=0 if told else T0 + at * 1000
    )


def order(
    id: int = 101,
    status: int = 11,
    *,
    at: int = 0,
    created: int = 0,
    customer: int = 0,
    email: str = "",
    cart_id: str | None = "c-1",
    **fields: Any,
) -> OrderState:
    modified = T0 + at * 1000
    line = {"id": id * 10, "product_id": 7, "variant_id": 70, "sku": "S7", "name": "Seven", "quantity": 2, "price_inc_tax": "5.2500"}
    body = {
        "id": id,
        "customer_id": customer,
        "date_created": rfc2822(T0 + created * 1000),
        "date_modified": rfc2822(modified),
        "status_id": status,
        "total_inc_tax": "10.5000",
        "default_currency_code": "USD",
        "cart_id": cart_id,
        "billing_address": {"email": email},
        "products": [line],
        **fields,
    }
    return OrderState(store=STORE.store, id=str(id), version=modified, read_at_ms=modified + 1000, body=raw(body))


def product(
    id: int = 7, *, at: int = 0, read: int = 0, brand: str | None = "OFS", paths: dict[str, list[str]] | None = None, **fields: Any
) -> ProductState:
    """A product's state; `variants` are dicts with an id at least."""
    modified = T0 + at * 1000
    body = {
        "id": id,
        "name": "Jar",
        "sku": "J",
        "price": 10,
        "calculated_price": 8,
        "brand_id": 36,
        "inventory_tracking": "none",
        "is_visible": True,
        "availability": "available",
        "custom_url": {"url": "/jar/", "is_customized": False},
        "date_created": iso(T0),
        "date_modified": iso(modified),
        "variants": [{"id": id * 10}],
        **fields,
    }
    return ProductState(
        store=STORE.store,
        id=str(id),
        version=modified,
        read_at_ms=modified + 1000 + read * 1000,
        body=raw(body),
        brand_name=brand,
        category_paths=paths or {},
    )


def product_gone(id: int = 7, *, at: int, told: bool = True) -> ProductGone:
    return ProductGone(store=STORE.store, id=str(id), told=told, at_ms=T0 + at * 1000, read_at_ms=0 if told else T0 + at * 1000)
