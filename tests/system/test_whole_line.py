"""The whole line as real processes: every part killed with -9 under load, history too; in the end the shop and Engagement are the same."""

import asyncio
import random
from dataclasses import replace

import pytest

from ops.demo.deployment import Deployment
from ops.demo.run import live, live_before
from ops.demo.shop_life import ShopLife
from ops.demo.trouble import USUAL, Troublemaker

pytestmark = pytest.mark.system

SECONDS = 24
KILL_EVERY_S = 1.7


async def test_the_shop_and_engagement_are_the_same_after_every_part_was_killed(deployment: Deployment):
    seed = random.randrange(10**6)

    async def watch(_: int, __: int | None) -> None:
        """Nobody looks."""

    life = ShopLife(seed)
    await asyncio.to_thread(live_before, deployment, life)
    async with deployment.parts():
        trouble = Troublemaker(deployment, replace(USUAL, kill_every_s=KILL_EVERY_S, settle_s=SECONDS), seed)
        summary = await live(deployment, life, SECONDS, trouble, watch)
    assert summary.came_to_rest, f"seed {seed}, {summary.faults}"
    assert min(summary.faults[f"{part} killed"] for part in deployment.children) >= 1, summary.faults
    assert [(row.what, row.wrong) for row in summary.rows if row.wrong] == [], f"seed {seed}, {summary.faults}"
    assert all(row.in_shop for row in summary.rows if row.what not in ("hard ids that clash", "dead letters"))
