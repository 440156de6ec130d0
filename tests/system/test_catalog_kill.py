"""fetch, resolve and deliver killed in turn while products change: in the end both catalogs hold what the shop sells, and no more.

Real: Kafka, all parts as processes, both simulators; reads lag, webhooks come twice and shuffled, Engagement fails now and then.
"""

import asyncio
import contextlib
import os
import random
import signal
import time

import pytest

from ops.demo.compare.catalogs import catalogs
from ops.demo.deployment import HASH, PROJECT, Deployment
from tests.system.conftest import act, rest

pytestmark = pytest.mark.system

SECONDS, KILL_EVERY_S = 15, 2.0
KILLED = ("deliver", "fetch", "resolve")
KNOBS = {"read_lag_ms": 500, "duplicate": 0.1, "shuffle_ms": 300}
FAULTS = [
    {"kind": "504", "endpoint": "catalogs/{catalog_id}/items", "applied": True, "probability": 0.1},
    {"kind": "500", "endpoint": "catalogs/{catalog_id}/items/bulk-delete", "probability": 0.1},
    {"kind": "429", "endpoint": "catalogs/{catalog_id}/items", "probability": 0.1},
]


class Life:
    """Products come, change and go; their variants too."""

    def __init__(self, deployment: Deployment, seed: int) -> None:
        self.deployment, self.random, self.number = deployment, random.Random(seed), 0
        self.products: dict[int, list[int]] = {}
        act(deployment, {"action": "create_brand", "name": "OFS"}, {"action": "create_category", "name": "Kitchen"})

    def step(self) -> None:
        self.number += 1
        random_, deployment = self.random, self.deployment
        id = random_.choice(list(self.products)) if len(self.products) > 5 else 0
        happens = random_.choice(("new", "price", "variant price", "variant price", "new variant", "drop variant", "gone"))
        if not id or happens == "new":
            fields = {"name": f"P{self.number}", "price": self.number, "brand_id": 1, "categories": [1], "inventory_tracking": "variant"}
            variants = [self._variant() for _ in range(random_.randrange(1, 4))]
            [made] = act(deployment, {"action": "create_product", "fields": fields, "variants": variants})
            self.products[made["id"]] = made["variant_ids"]
        elif happens == "price":
            act(deployment, {"action": "update_product", "id": id, "fields": {"price": self.number}})
        elif happens == "variant price":
            act(deployment, {"action": "update_variant", "id": random_.choice(self.products[id]), "fields": {"price": self.number}})
        elif happens == "new variant":
            [made] = act(deployment, {"action": "create_variant", "product_id": id, "variant": self._variant()})
            self.products[id].append(made["id"])
        elif happens == "drop variant" and len(self.products[id]) > 1:
            act(deployment, {"action": "delete_variant", "id": self.products[id].pop()})
        elif happens == "gone":
            del self.products[id]
            act(deployment, {"action": "delete_product", "id": id})

    def _variant(self) -> dict[str, object]:
        return {"options": [{"name": "Size", "label": str(self.number)}], "sku": f"S{self.number}", "inventory_level": self.number}


async def test_the_catalogs_are_right_after_every_stage_was_killed(deployment: Deployment):
    seed = random.randrange(10**6)
    killed, chance = dict.fromkeys(KILLED, 0), random.Random(seed)
    async with deployment.parts():
        deployment.shop.put("/_sim/knobs", json=KNOBS).raise_for_status()
        deployment.engagement.post("/_sim/faults", json=FAULTS).raise_for_status()
        life, began, kill_at = Life(deployment, seed), time.monotonic(), time.monotonic() + 3
        while time.monotonic() - began < SECONDS:
            life.step()
            if time.monotonic() > kill_at:
                kill_at = time.monotonic() + KILL_EVERY_S
                name = KILLED[sum(killed.values()) % len(KILLED)]
                if pid := deployment.children[name].pid:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        killed[name] += 1
            await asyncio.sleep(chance.uniform(0.02, 0.1))
        await rest(deployment)
        shop = deployment.shop.get("/_sim/state").json()["stores"][HASH]
        held = deployment.engagement.get("/_sim/state", params={"project": PROJECT}).json()
    rows = list(catalogs(shop, held))
    assert [(row.what, row.wrong) for row in rows if row.wrong] == [], f"seed {seed}, killed {killed}"
    assert min(killed.values()) >= 1, killed
    assert all(row.right > 5 for row in rows)
    assert sorted(catalog["name"] for catalog in held["catalogs"]) == ["products", "variants"]
