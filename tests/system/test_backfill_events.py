"""A store that is added with `--events none`: its people are known, its past bought nothing, its present does."""

from typing import Any

import pytest

from ops.demo.deployment import PROJECT, Deployment
from tests.system.conftest import act, rest

pytestmark = pytest.mark.system

LINE = {"product_id": 5, "variant_id": 50, "sku": "MUG", "name": "Mug", "price": "12.50", "quantity": 2}


def told(deployment: Deployment) -> dict[str, Any]:
    """By e-mail: whose account it is, and the types of its events."""
    profiles = deployment.engagement.get("/_sim/state", params={"project": PROJECT}).json()["profiles"]
    return {
        p["properties"]["email"]: (p["hard"].get("customer_id"), sorted(e["type"] for e in p["events"] if e["type"] != "consent"))
        for p in profiles
    }


async def test_orders_of_the_past_make_no_events_and_new_ones_do(deployment: Deployment):
    [account] = act(deployment, {"action": "create_customer", "email": "account@example.com"})
    act(deployment, {"action": "create_subscriber", "email": "reader@example.com"})
    old, guests = act(
        deployment,
        {"action": "create_order", "lines": [LINE], "customer_id": account["id"]},
        {"action": "create_order", "lines": [LINE], "billing": {"email": "guest@example.com"}},
    )
    async with deployment.parts(events="none"):
        await rest(deployment)
        nobody_bought = {"account@example.com": (str(account["id"]), []), "reader@example.com": (None, []), "guest@example.com": (None, [])}
        assert told(deployment) == nobody_bought

        act(deployment, {"action": "set_order_status", "id": old["id"], "status": 2})
        act(deployment, {"action": "set_order_status", "id": guests["id"], "status": 4})
        await rest(deployment)
        assert told(deployment) == nobody_bought

        [new] = act(deployment, {"action": "create_order", "lines": [LINE], "customer_id": account["id"]})
        act(deployment, {"action": "set_order_status", "id": new["id"], "status": 2})
        await rest(deployment)
        account_id, types = told(deployment)["account@example.com"]
        assert account_id == str(account["id"])
        assert types in (["order_update", "purchase", "purchase_item"], ["purchase", "purchase_item"])  # both states may come in one read
