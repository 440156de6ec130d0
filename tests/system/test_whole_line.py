"""The whole line as real processes: every part killed with -9 under load, history too; in the end the shop and Engagement are the same."""

import asyncio
import random
from dataclasses import replace

import pytest

from ops.demo.deployment import FIRST, Deployment
from ops.demo.run import LivingShop, live, live_before
from ops.demo.shop_life import ShopLife
from ops.demo.trouble import USUAL, Troublemaker

pytestmark = pytest.mark.system

SECONDS = 24
KILL_EVERY_S = 1.7


async def test_the_shop_and_engagement_are_the_same_after_every_part_was_killed(deployment: Deployment):
    seed = random.randrange(10**6)

    async def watch(_: int, __: int | None) -> None:
        """Nobody looks."""

    shop = LivingShop(FIRST, ShopLife(seed))
    await asyncio.to_thread(live_before, deployment, shop)
    async with deployment.parts():
        trouble = Troublemaker(deployment, replace(USUAL, kill_every_s=KILL_EVERY_S), seed)
        summary = await live(deployment, [shop], SECONDS, trouble, watch)
    assert summary.came_to_rest, f"seed {seed}, {summary.faults}"
    assert min(summary.faults[f"{part} killed"] for part in deployment.children) >= 1, summary.faults
    [of_store] = summary.stores
    assert [(row.what, row.wrong) for row in of_store.rows if row.wrong] == [], f"seed {seed}, {summary.faults}"
    nothing = ("hard ids that clash", "dead letters", "lapsed subscribers, anonymized")
    assert all(row.in_shop for row in of_store.rows if row.what not in nothing)
