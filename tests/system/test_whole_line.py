"""The whole line as real processes: every part killed with -9 under load, history too; in the end the shop and Engagement are the same."""

import asyncio
import contextlib
import os
import random
import signal
import time

import pytest

from ops.demo.deployment import Deployment
from ops.demo.run import live, live_before
from ops.demo.shop_life import ShopLife
from schemas.topics import WORKERS

pytestmark = pytest.mark.system

SECONDS = 24
KILL_EVERY_S = 1.7


async def test_the_shop_and_engagement_are_the_same_after_every_part_was_killed(deployment: Deployment):
    seed = random.randrange(10**6)
    parts = [*WORKERS, "ingest"]
    killed, at = dict.fromkeys(parts, 0), 0.0

    async def kill_one_in_turn(_: int, left: int | None) -> None:
        nonlocal at
        if left is None and time.monotonic() > at:
            at = time.monotonic() + KILL_EVERY_S
            name = parts[sum(killed.values()) % len(parts)]
            if pid := deployment.children[name].pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed[name] += 1

    life = ShopLife(seed)
    await asyncio.to_thread(live_before, deployment, life)
    async with deployment.parts():
        summary = await live(deployment, life, SECONDS, kill_one_in_turn)
    assert summary.came_to_rest, f"seed {seed}, killed {killed}"
    assert min(killed.values()) >= 1, killed
    assert [(row.what, row.wrong) for row in summary.rows if row.wrong] == [], f"seed {seed}, killed {killed}"
    assert all(row.in_shop for row in summary.rows if row.what not in ("hard ids that clash", "dead letters"))
