"""Webhooks that never came are made good by a comparison, on real processes."""

import subprocess
import sys
from typing import Any

import orjson
import pytest

from ops.demo.compare import compare
from ops.demo.deployment import HASH, PROJECT, Deployment
from ops.demo.measure import dead_letters, read
from schemas.connection import read_topic
from schemas.topics import WEBHOOKS
from tests.system.conftest import act, rest, wait_until

pytestmark = pytest.mark.system

VARIANTS = [{"sku": label, "options": [{"name": "Size", "label": label}]} for label in ("S", "M")]
LINE = {"product_id": 7, "variant_id": 70, "sku": "S7", "name": "Seven", "price": "5"}


def reconcile(deployment: Deployment, *more: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    command = [sys.executable, "-P", "-m", "ops", "reconcile", HASH, "--margin", "0", "--json", *more]
    ran = subprocess.run(command, env=deployment.environment(), capture_output=True, text=True, timeout=120, check=False)
    return ran.returncode, {row["resource"]: row for row in orjson.loads(ran.stdout or "[]")}, ran.stderr


def knobs(deployment: Deployment, **changed: Any) -> None:
    deployment.shop.put("/_sim/knobs", json=changed).raise_for_status()


async def differences(deployment: Deployment) -> list[str]:
    shop = deployment.shop.get("/_sim/state").json()["stores"][HASH]
    engagement = deployment.engagement.get("/_sim/state", params={"project": PROJECT}).json()
    [found] = await read(deployment.settings)
    rows = compare(shop, engagement, await dead_letters(deployment.settings), found.unread_s)
    return [f"{row.what}: {wrong}" for row in rows for wrong in row.wrong]


def consents(deployment: Deployment) -> list[tuple[str, str]]:
    state = deployment.engagement.get("/_sim/state", params={"project": PROJECT}).raise_for_status().json()
    found = [
        (profile["hard"]["email_id"], event["properties"]["action"])
        for profile in state["profiles"]
        for event in sorted(profile["events"], key=lambda event: event["timestamp"])
        if event["type"] == "consent" and event["properties"]["category"] == "bigcommerce"
    ]
    return sorted(found)


async def test_what_no_webhook_told_is_found_and_read(deployment: Deployment):
    async with deployment.parts():
        known, listed, _ = act(
            deployment,
            {"action": "create_customer", "email": "known@example.com", "first_name": "Known"},
            {"action": "create_subscriber", "email": "listed@example.com"},
            {"action": "create_subscriber", "email": "second@example.com"},
        )
        [order] = act(deployment, {"action": "create_order", "customer_id": known["id"], "lines": [LINE]})
        kept, changed, deleted = act(
            deployment, *({"action": "create_product", "fields": {"name": f"P{n}"}, "variants": VARIANTS} for n in range(3))
        )
        await rest(deployment)
        assert reconcile(deployment)[1]["customer"]["missing"] == 0

        knobs(deployment, drop=1)
        act(
            deployment,
            {"action": "update_customer", "id": known["id"], "fields": {"first_name": "Changed"}},
            {"action": "create_customer", "email": "new@example.com", "first_name": "New"},
            {"action": "create_order", "billing": {"email": "guest@example.com"}, "lines": [LINE]},
            {"action": "set_order_status", "id": order["id"], "status": 2},
            {"action": "delete_subscriber", "id": listed["id"]},
            {"action": "create_subscriber", "email": "third@example.com"},
            {"action": "delete_variant", "id": kept["variant_ids"][0]},
            {"action": "update_product", "id": changed["id"], "fields": {"name": "Changed"}},
            {"action": "delete_product", "id": deleted["id"]},
            {"action": "create_product", "fields": {"name": "New"}, "variants": VARIANTS},
        )
        await rest(deployment)
        assert await differences(deployment) != []

        code, found, err = reconcile(deployment)
        assert code == 0, err
        kinds = ("missing", "older", "gone")
        assert {resource: tuple(row[kind] for kind in kinds) for resource, row in found.items()} == {
            "customer": (1, 1, 0),
            "subscriber": (1, 0, 1),
            "order": (1, 1, 0),
            "product": (1, 2, 1),
        }
        assert [hour["count"] for hour in found["order"]["hours"]] == [1, 1]
        assert found["customer"]["calls"] <= 2
        await rest(deployment)
        await wait_until(lambda: ("listed@example.com", "reject") in consents(deployment))
        await rest(deployment)
        assert await differences(deployment) == []
        again = reconcile(deployment)[1]
        assert [again[resource][kind] for resource in again for kind in kinds] == [0] * 12


async def asked(deployment: Deployment, resource: str) -> int:
    """How often fetch was asked to look at one."""
    records = await read_topic(deployment.settings, WEBHOOKS.name)
    looks = [record for record in records if ("schema", b"look-at/1") in record.headers and record.key.split(b"/")[1] == resource.encode()]
    return len(looks)


async def test_all_subscribers_deleted_at_once_are_found_and_more_customers_than_a_day_takes_are_left_alone(deployment: Deployment):
    async with deployment.parts():
        customers = act(deployment, *({"action": "create_customer", "email": f"c{n}@example.com"} for n in range(101)))
        subscribers = act(deployment, *({"action": "create_subscriber", "email": f"s{n}@example.com"} for n in range(3)))
        await rest(deployment)
        knobs(deployment, drop=1)
        act(
            deployment,
            *({"action": "delete_customer", "id": one["id"]} for one in customers),
            *({"action": "delete_subscriber", "id": one["id"]} for one in subscribers),
        )
        before = await asked(deployment, "customer")
        code, found, err = reconcile(deployment)
        assert (code, found["customer"]["gone"], found["customer"]["left_alone"]) == (1, 101, 101)
        assert "--all-gone" in err
        assert await asked(deployment, "customer") == before
        await wait_until(lambda: consents(deployment)[1::2] == [(f"s{n}@example.com", "reject") for n in range(3)])

        code, found, _ = reconcile(deployment, "--only", "customers", "--all-gone")
        assert (code, found["customer"]["gone"], found["customer"]["left_alone"]) == (0, 101, 0)
        assert await asked(deployment, "customer") == before + 101
