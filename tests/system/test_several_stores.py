"""Several stores in one deployment of real processes: one's trouble stops no other, and two may share a project."""

import asyncio
import secrets
import time
import uuid
from typing import Any

import pytest

from ops.demo.compare import Row, compare
from ops.demo.deployment import FIRST, Deployment
from ops.demo.measure import dead_letters, read
from ops.demo.run import TICK_S, LivingShop, happen
from ops.demo.shop_life import ShopLife
from ops.stores import Secrets, Wanted, add_store
from tests.system.conftest import act, wait_until

pytestmark = pytest.mark.system

SECONDS = 8


def make_project(deployment: Deployment) -> tuple[str, dict[str, str]]:
    """A project of its own at Engagement, and its key."""
    project, key = str(uuid.uuid4()), {"id": "key", "secret": secrets.token_urlsafe(16)}
    deployment.engagement.post("/_sim/projects", json={"token": project, "keys": [key]}).raise_for_status()
    return project, key


async def add(deployment: Deployment, hash: str, store_id: int, project: str, key: dict[str, str], *, shared: bool = False) -> None:
    """One more store with its hooks."""
    token = secrets.token_urlsafe(16)
    deployment.shop.post("/_sim/stores", json={"hash": hash, "store_id": store_id, "access_token": token}).raise_for_status()
    given = Secrets(access_token=token, api_key_id=key["id"], api_secret=key["secret"])
    await add_store(deployment.settings, Wanted(hash, str(deployment.engagement.base_url).rstrip("/"), project, True, given, shared))


def profiles(deployment: Deployment, project: str) -> dict[str, dict[str, Any]]:
    """The profiles that are known by an e-mail, by it."""
    state = deployment.engagement.get("/_sim/state", params={"project": project}).raise_for_status().json()
    assert state["conflicts"] == []
    return {profile["hard"]["email_id"]: profile for profile in state["profiles"] if "email_id" in profile["hard"]}


async def test_one_stores_lost_token_spent_quota_down_project_and_poison_stop_no_other(deployment: Deployment):
    async with deployment.parts():
        project, key = make_project(deployment)
        await add(deployment, "second", 2, project, key)
        act(deployment, {"action": "create_customer", "store": "second", "email": "first@second.com", "first_name": "First"})
        await wait_until(lambda: "first@second.com" in profiles(deployment, project))

        # A body that nobody can read, a project that is down, then a lost token and no quota: all in the second store.
        [poisoned] = act(deployment, {"action": "create_customer", "store": "second", "email": "poison@second.com"})
        raw = b'{"id": %d, "email": {"no": "text"}, "date_modified": "2026-01-01T00:00:00Z"}' % poisoned["id"]
        deployment.shop.put(f"/_sim/raw/customer/{poisoned['id']}", params={"store": "second"}, content=raw).raise_for_status()
        act(deployment, {"action": "update_customer", "store": "second", "id": poisoned["id"], "fields": {"first_name": "P"}})
        deployment.engagement.post("/_sim/faults", json=[{"kind": "500", "project": project}]).raise_for_status()
        act(deployment, {"action": "create_customer", "store": "second", "email": "down@second.com", "first_name": "Down"})
        [token] = [s["access_token"] for s in deployment.shop.get("/_sim/stores").json() if s["hash"] == "second"]
        deployment.shop.put("/_sim/stores/second", json={"access_token": "another", "quota": 1}).raise_for_status()
        lost = [f"lost{n}@second.com" for n in range(50)]
        act(deployment, *({"action": "create_customer", "store": "second", "email": email, "first_name": "Lost"} for email in lost))

        shop, began = LivingShop(FIRST, ShopLife(seed=7)), time.monotonic()
        while time.monotonic() - began < SECONDS:
            await asyncio.to_thread(happen, deployment, shop)
            await asyncio.sleep(TICK_S)
        rows: list[Row] = []

        async def are_the_same() -> bool:
            nonlocal rows
            [found] = await read(deployment.settings)
            rows = compare(deployment.in_shop(FIRST), deployment.held(FIRST), 0, found.unread_s)
            return not any(row.wrong for row in rows)

        deadline = time.monotonic() + 150
        while not await are_the_same():
            assert time.monotonic() < deadline, [(row.what, row.wrong[:3]) for row in rows if row.wrong]
            await asyncio.sleep(1)
        assert not set(lost) & set(profiles(deployment, project))

        # And nothing that the second store had to leave is lost.
        deployment.shop.put("/_sim/stores/second", json={"access_token": token, "quota": 450}).raise_for_status()
        deployment.engagement.post("/_sim/faults", json=[]).raise_for_status()
        wanted = {"first@second.com", "down@second.com", *lost}
        await wait_until(lambda: set(profiles(deployment, project)) >= wanted, deadline_s=120)
        assert set(profiles(deployment, project)) - {"poison@second.com"} == wanted
        assert await dead_letters(deployment.settings) >= 1


async def test_two_stores_in_one_project_keep_their_ids_apart_and_their_people_together(deployment: Deployment):
    async with deployment.parts():
        project, key = make_project(deployment)
        for store_id, hash in enumerate(("east", "west"), start=2):
            await add(deployment, hash, store_id, project, key, shared=True)
        made = act(
            deployment,
            {"action": "create_customer", "store": "east", "email": "east@example.com", "first_name": "East"},
            {"action": "create_customer", "store": "west", "email": "west@example.com", "first_name": "West"},
            {"action": "create_customer", "store": "east", "email": "both@example.com", "first_name": "Both"},
        )
        assert made[0]["id"] == made[1]["id"]
        await wait_until(lambda: set(profiles(deployment, project)) == {"east@example.com", "west@example.com", "both@example.com"})
        found = profiles(deployment, project)
        assert found["east@example.com"]["hard"]["customer_id"] == f"east-{made[0]['id']}"
        assert found["west@example.com"]["hard"]["customer_id"] == f"west-{made[1]['id']}"

        [other] = act(deployment, {"action": "create_customer", "store": "west", "email": "both@example.com", "first_name": "Both"})
        line = {"product_id": 7, "variant_id": 70, "sku": "S7", "name": "Seven", "price": "5"}
        bought = {
            "action": "create_order",
            "store": "west",
            "customer_id": other["id"],
            "billing": {"email": "both@example.com"},
            "lines": [line],
        }
        [order] = act(deployment, bought)

        def purchases() -> list[dict[str, Any]]:
            return [event for event in profiles(deployment, project)["both@example.com"]["events"] if event["type"] == "purchase"]

        await wait_until(lambda: bool(purchases()))
        [purchase] = purchases()
        assert purchase["properties"]["purchase_id"] == f"west-{order['id']}"
        assert purchase["properties"]["product_ids"] == ["west-7"]
        assert profiles(deployment, project)["both@example.com"]["hard"]["customer_id"] == f"east-{made[2]['id']}"

        act(deployment, {"action": "delete_customer", "store": "east", "id": made[2]["id"]})
        act(deployment, {"action": "delete_customer", "store": "east", "id": made[0]["id"]})
        await wait_until(lambda: "east@example.com" not in profiles(deployment, project))
        assert "both@example.com" in profiles(deployment, project)
        assert await dead_letters(deployment.settings) == 0
