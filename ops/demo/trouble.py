"""What goes wrong while the shop lives, as it does in truth: at the shop's webhooks and API, at Engagement, and to our own parts."""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from ops.demo.deployment import FIRST, Deployment, Tenant
from ops.demo.outage import Outage
from ops.supervise import Child

QUOTA = 60  # calls in a window of a second: more than we need, less than two apps can use
PAUSE_S = (3.0, 7.0)  # at the least and at the most between two times that the other app spends the quota
PATIENCE_S = 0.5  # of the other app: the shop's life waits for it
NO_ANSWER_S = 16.0  # longer than any call of ours waits


@dataclass(frozen=True)
class Trouble:
    """`shop`: knobs of the simulated BigCommerce. `engagement`: requests that fail before or after they were carried out, which a
    reader of its answers cannot tell. `kill_every_s`: parts die by kill -9, one after the other, None: none does. `outage`: the last one
    of several stores loses its access, then its project, for a while. `loses_webhooks`: at the end, for a while, all of them."""

    shop: dict[str, Any]
    engagement: tuple[dict[str, Any], ...]
    kill_every_s: float | None = None
    outage: bool = False
    loses_webhooks: bool = False


USUAL = Trouble(
    # Deliveries as they really come: some twice, some late, all out of order; reads that lag behind their webhooks.
    shop={"duplicate": 0.05, "delay": 0.05, "delay_ms": 3000, "shuffle_ms": 400, "read_lag_ms": 300, "retry_scale": 0.02},
    engagement=(
        {"kind": "429", "probability": 0.01},
        {"kind": "429", "probability": 0.01, "retry_after_s": 1},
        {"kind": "500", "probability": 0.01},
        {"kind": "503", "probability": 0.01, "applied": True},
        {"kind": "drop", "probability": 0.01, "applied": True},
    ),
)
HEAVY = Trouble(
    shop={
        "duplicate": 0.3,
        "delay": 0.3,
        "delay_ms": 5000,
        "shuffle_ms": 1500,
        "read_lag_ms": 1500,  # above two seconds a stale read may be taken for the present: docs/decisions.md
        "retry_scale": 0.01,
        "throttle": 0.05,
        "error_5xx": 0.05,
        "slow": 0.05,
        "slow_ms": 2000,
        "hang": 0.01,
        "hang_ms": 1000 * NO_ANSWER_S,
        "drop_connection": 0.05,
    },
    engagement=(
        {"kind": "429", "probability": 0.03},
        {"kind": "429", "probability": 0.03, "retry_after_s": 1},
        {"kind": "500", "probability": 0.03},
        {"kind": "503", "probability": 0.03, "applied": True},
        {"kind": "504", "probability": 0.01, "applied": True},
        {"kind": "drop", "probability": 0.03},
        {"kind": "drop", "probability": 0.03, "applied": True},
        {"kind": "slow", "probability": 0.003, "wait_s": NO_ANSWER_S},
        {"kind": "slow", "probability": 0.003, "wait_s": NO_ANSWER_S, "applied": True},
    ),
    kill_every_s=2.0,
    outage=True,
    loses_webhooks=True,
)


class Troublemaker:
    """Causes trouble from now on: what the simulators do by themselves at once, the rest whenever `act` is called."""

    def __init__(self, deployment: Deployment, trouble: Trouble, seed: int, tenants: Sequence[Tenant] = (FIRST,)) -> None:
        """The deployment's parts run."""
        self._deployment, self.loses_webhooks = deployment, trouble.loses_webhooks
        self.reads_lag_s = 2 * trouble.shop["read_lag_ms"] / 1000
        self._other_app = OtherApp(deployment, tenants[0], seed)
        self._killer = Killer(deployment.children, trouble.kill_every_s) if trouble.kill_every_s else None
        deployment.shop.put("/_sim/knobs", json=trouble.shop).raise_for_status()
        for tenant in tenants:
            deployment.shop.put(f"/_sim/stores/{tenant.hash}", json={"quota": QUOTA}).raise_for_status()
        faults = [fault | {"project": tenant.project} for tenant in tenants for fault in trouble.engagement]
        deployment.engagement.post("/_sim/faults", json=faults).raise_for_status()
        self._outage = Outage(deployment, tenants[-1], faults) if trouble.outage and len(tenants) > 1 else None

    def act(self) -> None:
        """What it is time for; may block for as long as the other app makes its calls."""
        self._other_app.act()
        if self._killer:
            self._killer.act()
        if self._outage:
            self._outage.act()

    @property
    def is_done(self) -> bool:
        """Whether every part that is to be killed was killed at least once, and no store is away."""
        return (self._killer is None or min(self._killer.killed.values()) > 0) and (self._outage is None or self._outage.is_over)

    @property
    def away_s(self) -> tuple[float, float]:
        """From when and until when a store was away, UNIX seconds; both 0 where none was."""
        return (self._outage.from_s, self._outage.until_s) if self._outage else (0.0, 0.0)

    def done(self) -> dict[str, int]:
        """What went wrong so far, in words, and how often."""
        found = self._deployment.shop.get("/_sim/counters").json()
        fired = self._deployment.engagement.get("/_sim/faults").json()["fired"]
        killed = self._killer.killed if self._killer else {}
        return counted(found, fired, killed) | ended({name: child.ends for name, child in self._deployment.children.items()})


def counted(shop: Mapping[str, Any], engagement: Mapping[str, int], killed: Mapping[str, int]) -> dict[str, int]:
    """`shop`: the simulator's counters. `engagement`: how often each of its faults fired. The other app's own trouble is not in it."""
    of_shop: Counter[str] = Counter()
    for at, times in shop["faults"].items():
        endpoint, _, fault = at.rpartition(" ")
        if not endpoint.endswith("/store"):
            of_shop[fault] += times
    webhooks = shop["webhooks"]
    faults = {
        "webhooks doubled": webhooks.get("duplicated", 0),
        "webhooks delayed": webhooks.get("delayed", 0),
        "webhooks dropped": webhooks.get("dropped", 0),
        "webhooks refused, and sent again": webhooks.get("retries", 0),
        "BigCommerce: stale reads": shop["stale_reads"],
        "BigCommerce: 401, access lost": sum(times for call, times in shop["calls"].items() if call.endswith(" 401")),
        "BigCommerce: 429, quota spent": of_shop["quota"],
        "BigCommerce: 429 without headers": of_shop["throttle"],
        "BigCommerce: 5xx": of_shop["error_5xx"],
        "BigCommerce: slow answers": of_shop["slow"],
        "BigCommerce: no answer in time": of_shop["hang"],
        "BigCommerce: connections dropped": of_shop["drop_connection"],
        "Engagement: 429": engagement.get("429", 0),
        "Engagement: 5xx": sum(engagement.get(name, 0) for name in ("500", "503 applied", "504 applied")),
        "Engagement: no answer in time": engagement.get("slow", 0) + engagement.get("slow applied", 0),
        "Engagement: connections dropped": engagement.get("drop", 0) + engagement.get("drop applied", 0),
    }
    return faults | {f"{name} killed": times for name, times in killed.items()}


def ended(ends: Mapping[str, Mapping[int, int]]) -> dict[str, int]:
    """How often parts ended by themselves, which nobody made them do: `ends` by part and exit code."""
    return {
        f"{name} ended by itself with {code}": times
        for name, codes in ends.items()
        for code, times in codes.items()
        if code != -signal.SIGKILL
    }


class Killer:
    """Kills the parts with -9 in turn, the first at once: while history is loaded; who watches over them starts them again."""

    def __init__(self, children: Mapping[str, Child], every_s: float) -> None:
        self.killed = dict.fromkeys(children, 0)
        self._children, self._every_s = children, every_s
        self._next_s = time.monotonic()

    def act(self) -> None:
        """One more is killed if it is time to; one that is not running is waited for."""
        if time.monotonic() < self._next_s:
            return
        name = list(self.killed)[sum(self.killed.values()) % len(self.killed)]
        pid = self._children[name].pid
        with contextlib.suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGKILL)
                self.killed[name] += 1
                self._next_s = time.monotonic() + self._every_s


class OtherApp:
    """Another app of a store: now and then it makes so many calls that the quota, which is the store's, is spent for all."""

    def __init__(self, deployment: Deployment, tenant: Tenant, seed: int) -> None:
        self._shop, self._random = deployment.shop, random.Random(seed)  # noqa: S311 - to be had again, no secret
        self._address, self._token = f"/stores/{tenant.hash}/v2/store", deployment.access_token(tenant)
        self._next_s = time.monotonic() + self._random.uniform(*PAUSE_S)

    def act(self) -> None:
        """Spend the quota if it is time to; blocks meanwhile."""
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + self._random.uniform(*PAUSE_S)
        for _ in range(QUOTA):
            with contextlib.suppress(httpx.HTTPError):  # the shop's API fails this app, too
                answer = self._shop.get(self._address, headers={"x-auth-token": self._token}, timeout=PATIENCE_S)
                if answer.headers.get("x-rate-limit-requests-left") == "0":
                    return
