"""Live changes at a steady rate, and how long each takes from the shop to Engagement's first acceptance."""

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import Any

from ops.demo.deployment import PROJECT, Deployment
from ops.demo.measure import percentile

ACCEPTED_S_MAX = 60.0  # for the last of them
LOOK_S = 0.5


@dataclass
class Trickle:
    """By turns a new account and a new guest's order, each of an e-mail of its own. `phase` is what a change made now counts to."""

    deployment: Deployment
    rate: float
    phase: str = ""
    made: dict[str, tuple[str, int]] = field(default_factory=dict)  # e-mail to its phase, and when it was made, UNIX ms
    accepted: dict[str, int] = field(default_factory=dict)  # e-mail to when Engagement first took a command about it, UNIX ms

    async def run(self) -> None:
        """For ever."""
        began = time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(began + number / self.rate - time.monotonic())
            email = f"live{number}@example.com"
            self.made[email] = self.phase, time.time_ns() // 1_000_000
            change = {"action": "create_customer", "email": email} if number % 2 else _order(email)
            await asyncio.to_thread(lambda change=change: self.deployment.shop.post("/_sim/actions", json=[change]).raise_for_status())

    async def waited_ms(self) -> dict[str, list[int]]:
        """By phase, of all that were made; -1 of one that was not accepted within ACCEPTED_S_MAX."""
        deadline, since = time.monotonic() + ACCEPTED_S_MAX, 0
        while self.made.keys() - self.accepted.keys() and time.monotonic() < deadline:
            since = await asyncio.to_thread(self._look, since)
            await asyncio.sleep(LOOK_S)
        found: dict[str, list[int]] = {}
        for email, (phase, made_ms) in self.made.items():
            found.setdefault(phase, []).append(self.accepted[email] - made_ms if email in self.accepted else -1)
        return found

    def _look(self, since: int) -> int:
        """Engagement's log from its entry `since` on is known; the entry to go on with."""
        log = self.deployment.engagement.get("/_sim/log", params={"project": PROJECT, "since": since}).json()
        ids, at, outcome = (log["columns"].index(name) for name in ("ids", "received_at_ms", "outcome"))
        for entry in log["entries"]:
            email = (entry[ids] or {}).get("email_id")
            if email in self.made and entry[outcome] == "queued":
                self.accepted.setdefault(email, entry[at])
        return int(log["next"])


def _order(email: str) -> dict[str, Any]:
    line = {"product_id": 77, "variant_id": 5, "name": "Towel", "price": "10.00"}
    return {"action": "create_order", "lines": [line], "billing": {"email": email}}


def described(waited_ms: list[int]) -> dict[str, int | None]:
    return {"changes": len(waited_ms), "p50_ms": percentile(waited_ms, 50), "p99_ms": percentile(waited_ms, 99), "max_ms": max(waited_ms)}
