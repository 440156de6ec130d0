"""How many API calls a burst costs, as real processes on this machine: counts, never times.

    .venv/bin/python -m bench.calls [--webhooks 1000] [--customers 400] [--orders 1000] [--json]

1. A burst of webhooks about changed accounts: 1,000 of them about 400 accounts may cost 10 calls.
2. Consecutive new orders, half of them of guests, the others of accounts that have not been read lately, which are read with them:
   1,000 may cost 60 calls. Each is a checkout: its cart ends, and its status changes.

The calls are those that the simulated BigCommerce counted from the beginning of the burst until nothing was left to do. Other sizes
are allowed as many calls by proportion. Exit 1 where there were more, or where the line did not come to rest.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ops import logs, output
from ops.demo.deployment import Deployment
from ops.demo.run import come_to_rest, counted
from ops.exits import DONE, FAILED
from ops.lag import Gauge, behind

ACTIONS_PER_POST = 100
CALLS_PER_WEBHOOK_OF_A_CUSTOMER, CALLS_PER_ORDER = 10 / 1000, 60 / 1000
ORDERS_PER_ACCOUNT = 2
ROOT = Path(__file__).resolve().parent.parent


class Failed(Exception):
    """Why the counts would say nothing, in plain words."""


@dataclass(frozen=True)
class Cost:
    """What a burst cost: webhooks that were answered 200, and calls by endpoint and status."""

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
    async with deployment.parts(), behind(deployment.settings) as gauge:
        ids = await _made(deployment, [_customer(number) for number in range(max(customers, orders // ORDERS_PER_ACCOUNT // 2))])
        await _rest(deployment, gauge)
        changes = [
            {"action": "update_customer", "id": ids[number % customers], "fields": {"phone": str(number)}} for number in range(webhooks)
        ]
        name = f"{webhooks:,} webhooks about {customers:,} accounts"
        burst = await _cost(deployment, gauge, name, round(webhooks * CALLS_PER_WEBHOOK_OF_A_CUSTOMER), changes)
        accounts = ids[: max(1, orders // ORDERS_PER_ACCOUNT // 2)]
        carts = await _made(deployment, [_cart(accounts[number // 2 % len(accounts)] if number % 2 else 0) for number in range(orders)])
        await _rest(deployment, gauge)
        await _forget(deployment)
        bought = [_checkout(cart, number) for number, cart in enumerate(carts)]
        sale = await _cost(deployment, gauge, f"{orders:,} new orders", round(orders * CALLS_PER_ORDER), bought)
    return [burst, sale]


async def _cost(deployment: Deployment, gauge: Gauge, name: str, allowed: int, actions: list[dict[str, Any]]) -> Cost:
    webhooks, before = counted(deployment)[0], _calls(deployment)
    await _made(deployment, actions)
    await _rest(deployment, gauge)
    calls = {at: times - before.get(at, 0) for at, times in _calls(deployment).items() if times > before.get(at, 0)}
    return Cost(name, counted(deployment)[0] - webhooks, sum(calls.values()), allowed, calls)


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
