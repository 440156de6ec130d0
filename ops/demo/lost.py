"""Webhooks that never come: for a while shops are not heard of, and a reconcile finds what changed meanwhile."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ops.demo.compare import Unheard
from ops.demo.deployment import Deployment, Tenant
from ops.demo.shop_life import Action, ShopLife
from ops.reconcile import reconcile

LOST = [
    *(f"store/customer/{event}" for event in ("created", "updated")),
    *(f"store/subscriber/{event}" for event in ("created", "updated", "deleted")),
    *(f"store/order/{event}" for event in ("created", "updated", "statusUpdated")),
]
"""Of what a reconcile can see: carts have no list, and an account's time of modification does not move with its addresses."""


@dataclass(frozen=True)
class Lost:
    """When nothing was heard of a store, UNIX seconds, what happened there, and how much of it the reconcile found: missing, older here,
    or gone."""

    from_s: float
    until_s: float
    actions: int
    found: int

    def read_by(self, at_s: float) -> Unheard:
        return Unheard(self.from_s, self.until_s, at_s)


class Happening(NamedTuple):
    """What happens in a store's shop, and what a reconcile compares then: some `resources`, none named: all."""

    life: ShopLife
    actions: list[Action]
    resources: list[str]


async def lose_webhooks(deployment: Deployment, unheard: Mapping[Tenant, Happening], lag_s: float) -> dict[Tenant, Lost]:
    """This happens in the stores' shops unheard, and fetch is asked to read what changed. Everything is at rest before.

    `lag_s`: after which a listing shows what changed.
    """
    from_s = time.time()
    deployment.shop.put("/_sim/knobs", json={"drop": 1.0, "drop_only": LOST}).raise_for_status()
    for tenant, happening in unheard.items():
        happening.life.learn(await asyncio.to_thread(deployment.act, tenant, happening.actions))
    await asyncio.sleep(lag_s)
    deployment.shop.put("/_sim/knobs", json={"drop": 0.0, "drop_only": []}).raise_for_status()
    until_s, lost = time.time(), {}
    for tenant, happening in unheard.items():
        compared = await reconcile(deployment.settings, tenant.hash, happening.resources, 0, 0.0, all_gone=False)
        found = sum(len(ids) for one in compared for ids in one.differences.values())
        lost[tenant] = Lost(from_s, until_s, len(happening.actions), found)
    return lost
