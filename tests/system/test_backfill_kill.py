"""A shop with a past is added, and upkeep and fetch are killed again and again while its history is loaded and the shop lives on.

Real: all processes, Kafka, both simulators. At the end Engagement holds every account's profile as it is at last and one purchase of every
order, and no more pages were listed than the shop has, and one for each kill.
"""

import os
import random
import signal
import time
from collections import Counter
from typing import Any

import pytest

from ops.backfill import following
from ops.demo.deployment import HASH, PROJECT, Deployment
from schemas.connection import read_topic
from schemas.entities import Page
from schemas.records import Decoder
from schemas.topics import PAGES
from tests.system.conftest import act, rest

pytestmark = pytest.mark.system

PEOPLE, QUOTA, WINDOW_MS = 3000, 18, 3000  # history may have two thirds of it: four calls a second
KILLS = 4
LINE = {"product_id": 5, "variant_id": 50, "sku": "MUG", "name": "Mug", "price": "12.50", "quantity": 2}


async def test_whatever_is_killed_under_a_backfill_nothing_is_missing_and_no_page_is_read_twice_but_for_a_kill(deployment: Deployment):
    seed = int(time.time())
    print(f"seed {seed}")
    deaths = random.Random(seed)
    act(deployment, *({"action": "create_customer", "email": f"c{n}@example.com", "first_name": "Old"} for n in range(PEOPLE)))
    ids = [customer["id"] for customer in state(deployment)["customer"]]
    act(deployment, *({"action": "create_order", "lines": [LINE], "customer_id": id, "order_source": "www"} for id in ids))
    deployment.shop.put("/_sim/knobs", json={"quota_window_ms": WINDOW_MS}).raise_for_status()
    deployment.shop.put(f"/_sim/stores/{HASH}", json={"quota": QUOTA}).raise_for_status()

    async with deployment.parts():
        kills, changed, kinds = 0, set[int](), Counter[str]()
        async with following(deployment.settings) as follower:
            while not (follower.backfills.asked and follower.backfills.done(f"{HASH}.1")):
                await follower.look(0.3)
                some = deaths.choice(ids)
                changed.add(some)
                act(deployment, {"action": "update_customer", "id": some, "fields": {"first_name": f"New {len(changed)}"}})
                pages = sum(at.page for at in follower.backfills.progress(f"{HASH}.1"))
                if kills < KILLS and pages >= 4 * (kills + 1):
                    part = ("upkeep", "fetch")[kills % 2]
                    pid = deployment.children[part].pid
                    if pid:
                        os.kill(pid, signal.SIGKILL)
                        kills, kinds[part] = kills + 1, kinds[part] + 1
        assert kinds == {"upkeep": 2, "fetch": 2}
        loaded = {at.resource: at.loaded for at in follower.backfills.progress(f"{HASH}.1")}
        assert loaded == {"customer": PEOPLE, "subscriber": 0, "order": PEOPLE, "product": 0}
        deployment.shop.put(f"/_sim/stores/{HASH}", json={"quota": 100_000}).raise_for_status()
        await rest(deployment)

    engagement = deployment.engagement.get("/_sim/state", params={"project": PROJECT}).json()
    by_customer = {profile["hard"].get("customer_id"): profile for profile in engagement["profiles"]}
    for customer in state(deployment)["customer"]:
        profile = by_customer[str(customer["id"])]
        assert profile["properties"]["first_name"] == customer["body"]["first_name"]
        purchases = [event for event in profile["events"] if event["type"] == "purchase"]
        assert len(purchases) == 1, (customer["id"], purchases)
    assert not engagement["conflicts"]
    assert await written_again(deployment) <= kinds["upkeep"]


async def written_again(deployment: Deployment) -> int:
    """How many pages are on Kafka beyond once."""
    decoder, found = Decoder(PAGES.messages), Counter[tuple[str, int, int]]()
    for record in await read_topic(deployment.settings, PAGES.name):
        page = decoder.decode(record.value, record.headers)
        assert isinstance(page, Page)
        found[page.resource, page.page, page.part] += 1
    return len({(resource, number) for (resource, number, _), count in found.items() if count > 1})


def state(deployment: Deployment) -> dict[str, list[dict[str, Any]]]:
    """What the shop holds, by kind."""
    return deployment.shop.get("/_sim/state").json()["stores"][HASH]
