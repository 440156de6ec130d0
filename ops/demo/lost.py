"""Webhooks that never come: for a while the shop is not heard of, and a reconcile finds what changed meanwhile."""

import asyncio
import time
from dataclasses import dataclass

from ops.demo.deployment import HASH, Deployment
from ops.demo.shop_life import ShopLife
from ops.reconcile import reconcile

LOST = [
    *(f"store/customer/{event}" for event in ("created", "updated")),
    *(f"store/subscriber/{event}" for event in ("created", "updated", "deleted")),
    *(f"store/order/{event}" for event in ("created", "updated", "statusUpdated")),
]
"""Of what a reconcile can see: carts have no list, and an account's time of modification does not move with its addresses."""
READS_LAG_S = 3.0  # a listing shows what changed before


@dataclass(frozen=True)
class Lost:
    """When nothing was heard, UNIX seconds, what happened then, and how much of it the reconcile found: missing, older here, or gone."""

    from_s: float
    until_s: float
    actions: int
    found: int


async def lose_webhooks(deployment: Deployment, life: ShopLife) -> Lost:
    """The shop lives on unheard, and fetch is asked to read what changed. Everything is at rest before."""
    from_s = time.time()
    deployment.shop.put("/_sim/knobs", json={"drop": 1.0, "drop_only": LOST}).raise_for_status()
    actions = life.unheard()
    answered = await asyncio.to_thread(deployment.shop.post, "/_sim/actions", json=actions)
    life.learn(answered.raise_for_status().json())
    await asyncio.sleep(READS_LAG_S)
    deployment.shop.put("/_sim/knobs", json={"drop": 0.0, "drop_only": []}).raise_for_status()
    until_s = time.time()
    compared = await reconcile(deployment.settings, HASH, [], 0, 0.0, all_gone=False)
    return Lost(from_s, until_s, len(actions), sum(len(ids) for one in compared for ids in one.differences.values()))
