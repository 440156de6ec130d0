"""Live changes at a steady rate, and how long each takes from the shop to Engagement's first acceptance."""

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import Any

from ops.demo.deployment import PROJECT, Deployment
from ops.demo.measure import percentile
from schemas.connection import read_topic
from schemas.records import origin_of
from schemas.topics import ACCOUNTS, CHECKOUTS, COMMANDS, PEOPLE, WEBHOOKS, Topic

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

    async def figures(self) -> dict[str, dict[str, int | None]]:
        """By phase, of all that were made: how many, ms until Engagement accepted them, and until what they caused stood on a topic.

        Raises LookupError where one was not accepted within ACCEPTED_S_MAX.
        """
        deadline, since = time.monotonic() + ACCEPTED_S_MAX, 0
        while missing := self.made.keys() - self.accepted.keys():
            if time.monotonic() > deadline:
                raise LookupError(f"{len(missing)} live changes did not reach Engagement")
            since = await asyncio.to_thread(self._look, since)
            await asyncio.sleep(LOOK_S)
        found: dict[str, dict[str, list[int]]] = {}
        for email, (phase, made_ms) in self.made.items():
            found.setdefault(phase, {}).setdefault("Engagement", []).append(self.accepted[email] - made_ms)
        for topic in (ACCOUNTS, CHECKOUTS, PEOPLE, COMMANDS):
            for phase, ms in await self._stood_ms(topic):
                found.setdefault(phase, {}).setdefault(topic.name, []).append(ms)
        return {phase: _described(each) for phase, each in found.items()}

    async def _stood_ms(self, topic: Topic) -> list[tuple[str, int]]:
        """Of each webhook that caused a record there its phase, and ms from its receipt to the first one: reads are made twice."""
        firsts = dict(reversed(self.made.values()))
        webhooks, found = f"{self.deployment.settings.topic_prefix}{WEBHOOKS.name}/", dict[str, tuple[str, int]]()
        for record in await read_topic(self.deployment.settings, topic.name):
            origin = origin_of(record.topic, record.partition, record.offset, record.timestamp, record.headers)
            if origin.cause.startswith(webhooks):
                _, phase = max((first, phase) for phase, first in firsts.items() if first <= origin.observed_at_ms)
                stood = phase, record.timestamp - origin.observed_at_ms
                found[origin.cause] = min(stood, found.get(origin.cause, stood))
        return list(found.values())

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


def _described(waited_ms: dict[str, list[int]]) -> dict[str, int | None]:
    figures: dict[str, int | None] = {"changes": len(waited_ms["Engagement"])}
    for place, ms in waited_ms.items():
        figures |= {f"{place}: p{percent} ms": percentile(ms, percent) for percent in (50, 99)}
    return figures
