"""How many API calls a burst costs, as real processes on this machine: counts, never times.

    .venv/bin/python -m bench.calls [--webhooks 1000] [--customers 400] [--orders 1000] [--json]

1. A burst of webhooks about changed accounts: 1,000 of them about 400 accounts may cost 10 calls.
2. Consecutive new orders, half of them of guests, the others of accounts that have not been read lately, which are read with them:
   1,000 may cost 60 calls. Each is a checkout: its cart ends, and its status changes, so it comes with four webhooks.

A burst stands on Kafka at once, as ingest writes it: over how many seconds webhooks reach ingest is the machine's matter, and each of
them has its reads. The calls are those that the simulated BigCommerce counted until nothing was left to do; its reads lag behind
changes. Other sizes are allowed as many calls by proportion. Exit 1 where there were more, or where the line did not come to rest.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ops import logs, output
from ops.demo.deployment import HASH, Deployment
from ops.demo.run import come_to_rest
from ops.exits import DONE, FAILED
from ops.lag import Gauge, behind
from ops.stores import opened_directory
from schemas.connection import kafka_options, producer
from schemas.keys import webhook_key
from schemas.records import Origin, encode, headers_of
from schemas.topics import WEBHOOKS
from schemas.webhooks import WebhookReceived

ACTIONS_PER_POST = 100
CALLS_PER_WEBHOOK_OF_A_CUSTOMER, CALLS_PER_ORDER = 10 / 1000, 60 / 1000
ORDERS_PER_ACCOUNT = 2
READ_LAG_MS = 300
ROOT = Path(__file__).resolve().parent.parent


Webhook = tuple[str, dict[str, Any]]  # scope and data


class Failed(Exception):
    """Why the counts would say nothing, in plain words."""


@dataclass(frozen=True)
class Cost:
    """What a burst of so many webhooks cost: calls by endpoint and status, and all together."""

    burst: str
    webhooks: int
    calls: int
    allowed: int
    by_endpoint: dict[str, int]

    @property
    def is_allowed(self) -> bool:
        return self.calls <= self.allowed


async def measured(deployment: Deployment, webhooks: int, customers: int, orders: int) -> list[Cost]:
    """What each burst costs. Raises Failed."""
    knobs = {"drop": 1, "read_lag_ms": READ_LAG_MS}  # webhooks are written here
    deployment.shop.put("/_sim/knobs", json=knobs).raise_for_status()
    buyers = max(1, orders // 2 // ORDERS_PER_ACCOUNT)
    async with deployment.parts(events=None), behind(deployment.settings) as gauge:
        ids = await _made(deployment, [_customer(number) for number in range(max(customers, buyers))])
        await _write(deployment, [("store/customer/created", _data("customer", id)) for id in ids])
        await _rest(deployment, gauge)
        changed = [ids[number % customers] for number in range(webhooks)]
        await _made(deployment, [{"action": "update_customer", "id": id, "fields": {"phone": str(n)}} for n, id in enumerate(changed)])
        burst = [("store/customer/updated", _data("customer", id)) for id in changed]
        allowed = round(webhooks * CALLS_PER_WEBHOOK_OF_A_CUSTOMER)
        accounts = await _cost(deployment, gauge, f"{webhooks:,} webhooks about {customers:,} accounts", allowed, burst)

        await _forget(deployment)
        carts = await _made(deployment, [_cart(ids[number // 2 % buyers] if number % 2 else 0) for number in range(orders)])
        bought = await _made(deployment, [_checkout(cart, number) for number, cart in enumerate(carts)])
        sale = [webhook for cart, order in zip(carts, bought, strict=True) for webhook in _checked_out(cart, order)]
        orders_cost = await _cost(deployment, gauge, f"{orders:,} new orders", round(orders * CALLS_PER_ORDER), sale)
    return [accounts, orders_cost]


async def _cost(deployment: Deployment, gauge: Gauge, name: str, allowed: int, burst: list[Webhook]) -> Cost:
    before = _calls(deployment)
    await _write(deployment, burst)
    await _rest(deployment, gauge)
    calls = {at: times - before.get(at, 0) for at, times in _calls(deployment).items() if times > before.get(at, 0)}
    return Cost(name, len(burst), sum(calls.values()), allowed, calls)


async def _write(deployment: Deployment, burst: list[Webhook]) -> None:
    """The webhooks are on Kafka as ingest writes them."""
    now_ms = time.time_ns() // 1_000_000
    envelope = {"producer": f"stores/{HASH}", "created_at": now_ms // 1000, "store_id": "1001"}
    async with opened_directory(deployment.settings) as directory:
        [store] = directory.by_store
    writer = producer(kafka_options(deployment.settings))
    await writer.start()
    try:
        sent = []
        for number, (scope, data) in enumerate(burst):
            body = json.dumps(envelope | {"hash": f"{number:040x}", "scope": scope, "data": data})
            resource, id = str(data["type"]), str(data["id"])
            message = WebhookReceived(store=store, resource=resource, id=id, scope=scope, received_at_ms=now_ms, body=body)
            headers = list(headers_of(message, Origin(cause="", observed_at_ms=now_ms)))
            sent.append(await writer.send(WEBHOOKS.name, encode(message), webhook_key(store, resource, id).encode(), headers=headers))
        await asyncio.gather(*sent)
    finally:
        await writer.stop()


def _calls(deployment: Deployment) -> dict[str, int]:
    found: dict[str, int] = deployment.shop.get("/_sim/counters").json()["calls"]
    return found


async def _made(deployment: Deployment, actions: list[dict[str, Any]]) -> list[Any]:
    """The actions are done as fast as they can be; the ids that they made. Raises Failed."""
    ids: list[Any] = []
    for first in range(0, len(actions), ACTIONS_PER_POST):
        part = actions[first : first + ACTIONS_PER_POST]
        answers = (await asyncio.to_thread(deployment.shop.post, "/_sim/actions", json=part)).raise_for_status().json()
        if refused := [answer for answer in answers if "error" in answer]:
            raise Failed(f"the simulator refused: {refused[0]['error']}")
        ids += [answer.get("id") for answer in answers]
    return ids


async def _forget(deployment: Deployment) -> None:
    """fetch has read no account lately: it is killed, and started again by who watches over it."""
    child = deployment.children["fetch"]
    killed = child.pid
    if killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(killed, signal.SIGKILL)
    async with asyncio.timeout(60):
        while child.pid in (killed, None):
            await asyncio.sleep(0.1)


async def _rest(deployment: Deployment, gauge: Gauge) -> None:
    async def nobody(_: int) -> None:
        """Watches nothing."""

    if not await come_to_rest(deployment, gauge, nobody):
        raise Failed("the line did not come to rest")


def _customer(number: int) -> dict[str, Any]:
    return {"action": "create_customer", "email": f"person{number}@example.com", "attributes": {"Shoe Size": "42"}}


def _data(kind: str, id: int | str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "id": id, **more}


def _checked_out(cart: str, order: int) -> list[Webhook]:
    """What BigCommerce tells of a checkout. Source: docs/facts/bigcommerce.md 1.6"""
    return [
        ("store/order/created", _data("order", order)),
        ("store/cart/converted", _data("cart", cart, orderId=order)),
        ("store/order/updated", _data("order", order)),
        ("store/order/statusUpdated", _data("order", order, status={"previous_status_id": 0, "new_status_id": 11})),
    ]


def _cart(customer: int) -> dict[str, Any]:
    line = {"product_id": 77, "variant_id": 5, "name": "Towel", "price": "10.00"}
    return {"action": "create_cart", "lines": [line]} | ({"customer_id": customer} if customer else {})


def _checkout(cart: str, number: int) -> dict[str, Any]:
    return {"action": "checkout", "cart_id": cart, "billing": {"email": f"guest{number}@example.com"}}


def one_run(webhooks: int, customers: int, orders: int) -> list[Cost]:
    """As `measured`, with servers of its own."""
    with tempfile.TemporaryDirectory(prefix="cartstream-bench-", ignore_cleanup_errors=True) as folder:
        deployment = Deployment(Path(folder), ROOT / ".cartstream" / "kafka")
        with deployment.servers():
            return asyncio.run(measured(deployment, webhooks, customers, orders))


def main() -> int:
    parser = argparse.ArgumentParser(description="How many API calls a burst costs.")
    parser.add_argument("--webhooks", type=int, default=1000)
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    logs.configure_quiet()
    try:
        costs = one_run(arguments.webhooks, arguments.customers, arguments.orders)
    except Failed as failure:
        print(f"failed: {failure}", file=sys.stderr)
        return FAILED
    if arguments.json:
        print(json.dumps([asdict(cost) for cost in costs], indent=2))
    else:
        output.show(output.table(("burst", "webhooks", "calls", "allowed"), [(c.burst, c.webhooks, c.calls, c.allowed) for c in costs]))
        calls = [(cost.burst, at, times) for cost in costs for at, times in sorted(cost.by_endpoint.items())]
        output.show(output.table(("burst", "endpoint, status", "calls"), calls))
    return DONE if all(cost.is_allowed for cost in costs) else FAILED


if __name__ == "__main__":
    sys.exit(main())
