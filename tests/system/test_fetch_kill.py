"""fetch as a real process, killed again and again under load: at the end Kafka holds the shop's truth, nothing missing.

Real: Kafka, the fetch process, the simulated BigCommerce, which answers late, wrongly or not at all; its reads lag. The test is
ingest: it sends every webhook, some twice, in any order. The seed says what happens and who dies when; it is printed. The shop lives at
a pace of its own, not at the machine's.
"""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.entities import CartGone, CartState, CustomerGone, CustomerState, EntityGone, OrderState, SubscriberGone, SubscriberState
from schemas.topics import ACCOUNTS, CHECKOUTS, DEAD_LETTERS, SUBSCRIBERS
from simulators.process import start
from tests.streams.fetch.stage import HASH, Stage

pytestmark = pytest.mark.system

STEPS, STEPS_PER_S = 500, 25
LOAD_S = STEPS / STEPS_PER_S
KILLS = 6
LINE = {"product_id": 5, "variant_id": 50, "name": "Mug", "price": "12.50", "quantity": 2}
KINDS = {
    "customer": (CustomerState, CustomerGone),
    "subscriber": (SubscriberState, SubscriberGone),
    "cart": (CartState, CartGone),
    "order": (OrderState, EntityGone),  # of which there is none
}


@pytest.fixture
async def stage(kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator[Stage]:
    with start("bigcommerce", "--seed", "1") as simulator:
        async with Stage(kafka, prefix, simulator.url, tmp_path) as ready:
            yield ready


class Life:
    """A shop's life: each step is an action and the webhooks that it fires."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage, self.random = stage, random.Random(seed)
        self.alive: dict[str, list[Any]] = {kind: [] for kind in KINDS}
        self.numbers = itertools.count()

    async def step(self) -> None:
        webhooks = await self._act()
        doubled = [webhook for webhook in webhooks for _ in range(self.random.choice((1, 1, 2)))]
        self.random.shuffle(doubled)
        await self.stage.webhooks(*doubled)

    async def _act(self) -> list[tuple[str, dict[str, Any]]]:
        n, chance = next(self.numbers), self.random.random()
        kind = self.random.choice(list(KINDS))
        if not self.alive[kind] or chance < 0.3:
            made = {
                "customer": {"action": "create_customer", "email": f"c{n}@example.com", "attributes": {"size": "L"}},
                "subscriber": {"action": "create_subscriber", "email": f"s{n}@example.com"},
                "cart": {"action": "create_cart", "lines": [LINE], "customer_id": self._some_customer()},
                "order": {"action": "create_order", "lines": [LINE], "customer_id": self._some_customer(), "status": 0},
            }
            [answer] = await self.stage.act(made[kind])
            self.alive[kind].append(answer["id"])
            return [(f"store/{kind}/created", {"id": answer["id"]})]
        id = self.random.choice(self.alive[kind])
        if chance < 0.4:
            return await self._end(kind, id)
        if kind == "customer" and chance < 0.6:
            await self.stage.act({"action": "create_address", "customer_id": id, "fields": {"city": f"City {n}"}})
            return [("store/customer/address/created", {"id": n, "address": {"customer_id": id}})]
        changed = {
            "customer": {"action": "update_customer", "id": id, "fields": {"first_name": f"Name {n}"}},
            "subscriber": {"action": "update_subscriber", "id": id, "fields": {"first_name": f"Name {n}"}},
            "cart": {"action": "set_cart_email", "cart_id": id, "email": f"cart{n}@example.com"},
            "order": {"action": "update_order", "id": id, "fields": {"staff_notes": f"Note {n}"}},
        }
        await self.stage.act(changed[kind])
        return [(f"store/{kind}/updated", {"id": id})]

    async def _end(self, kind: str, id: Any) -> list[tuple[str, dict[str, Any]]]:
        self.alive[kind].remove(id)
        if kind == "order":
            await self.stage.act({"action": "archive_order", "id": id})
            return [("store/order/archived", {"id": id})]
        if kind == "cart" and self.random.random() < 0.5:
            [order] = await self.stage.act({"action": "checkout", "cart_id": id})
            self.alive["order"].append(order["id"])
            return [("store/cart/converted", {"id": id, "orderId": order["id"]})]  # the order's own webhook is lost
        await self.stage.act({"action": f"delete_{kind}", **({"cart_id": id} if kind == "cart" else {"id": id})})
        return [(f"store/{kind}/deleted", {"id": id}), (f"store/{kind}/updated", {"id": id})]

    def _some_customer(self) -> int:
        return self.random.choice([0, *self.alive["customer"]])


async def test_whenever_fetch_is_killed_the_last_states_are_the_shops_truth(stage: Stage):
    seed = int(time.time())
    print(f"seed {seed}")
    life, deaths = Life(stage, seed), random.Random(seed + 1)
    await stage.knobs(read_lag_ms=1500, error_5xx=0.05, throttle=0.05, drop_connection=0.05, slow=0.1, slow_ms=500)
    (await stage.http.put(f"/_sim/stores/{HASH}", json={"quota": 2000})).raise_for_status()
    stage.start()

    async def die_and_live() -> None:
        for _ in range(KILLS):
            await asyncio.sleep(deaths.uniform(0.3, 2 * LOAD_S / KILLS - 0.3))
            stage.kill()
            stage.start()

    dying = asyncio.create_task(die_and_live())
    begins = time.monotonic()
    for number in range(STEPS):
        await asyncio.sleep(begins + number / STEPS_PER_S - time.monotonic())
        await life.step()
    await dying
    await stage.wait_until_done()
    assert "a bug" not in stage.log

    found = await stage.written(ACCOUNTS, SUBSCRIBERS, CHECKOUTS)
    for kind, (state, gone) in KINDS.items():
        assert held(found, state, gone) == await truth(stage, kind), kind
    assert not await stage.written(DEAD_LETTERS)


def held(found: list[tuple[str, Any, Any]], state: type, gone: type) -> dict[str, Any]:
    """What a reader holds who goes by versions, and to whom a told deletion is final: id to body, or to how it ended."""
    newest: dict[str, Any] = {}
    ended: dict[str, str] = {}
    for _, message, _ in found:
        if type(message) is state and message.id not in newest:
            newest[message.id] = message
        elif type(message) is state:
            newest[message.id] = max(newest[message.id], message, key=lambda m: (m.version, m.read_at_ms))
        elif type(message) is gone and message.told:
            ended[message.id] = "converted" if getattr(message, "converted", False) else "gone"
    return {id: plain(orjson.loads(bytes(message.body))) for id, message in newest.items()} | ended


async def truth(stage: Stage, kind: str) -> dict[str, Any]:
    entities = await stage.truth(kind)
    converted = {order["body"]["cart_id"] for order in (await stage.truth("order")).values()}
    end = {id: "converted" if id in converted else "gone" for id in entities}
    return {id: end[id] if entity["deleted_at_ms"] else plain(entity["body"]) for id, entity in entities.items()}


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """Without store credit, which is not asked for, and without an order's lines, which the truth keeps elsewhere."""
    return {name: value for name, value in body.items() if name not in ("store_credit_amounts", "consignments")}
