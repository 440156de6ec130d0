"""A person is erased on request, on real processes: gone at Engagement, with a receipt, and not brought back."""

import os
import signal
import subprocess
import sys
from typing import Any

import orjson
import pytest

from ops.demo.deployment import HASH, PROJECT, Deployment
from tests.system.conftest import act, rest

pytestmark = pytest.mark.system

EMAIL = "zebedee.quux@example.com"
LINE = {"product_id": 7, "variant_id": 70, "sku": "S7", "name": "Seven", "price": "5"}


def erase(deployment: Deployment, *more: str) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-P", "-m", "ops", "erase", "-", "--yes", "--json", *more]
    ran = subprocess.run(
        command, env=deployment.environment(), input=f" {EMAIL.upper()}\n", capture_output=True, text=True, timeout=120, check=False
    )
    assert EMAIL not in (ran.stdout + ran.stderr).lower()
    return ran.returncode, orjson.loads(ran.stdout), ran.stderr


def live(deployment: Deployment) -> list[dict[str, Any]]:
    state = deployment.engagement.get("/_sim/state", params={"project": PROJECT}).raise_for_status().json()
    assert state["conflicts"] == []
    return [profile for profile in state["profiles"] if profile["hard"]]


async def test_a_person_is_erased_on_request_and_comes_back_by_what_they_do_later_alone(deployment: Deployment):
    async with deployment.parts():
        customer, subscriber, _ = act(
            deployment,
            {"action": "create_customer", "email": EMAIL, "first_name": "Zebedee"},
            {"action": "create_subscriber", "email": EMAIL},
            {"action": "create_customer", "email": "other@example.com", "first_name": "Other"},
        )
        act(deployment, {"action": "create_order", "billing": {"email": EMAIL}, "lines": [LINE]})
        await rest(deployment)
        assert {profile["hard"]["email_id"] for profile in live(deployment)} == {EMAIL, "other@example.com"}

        code, receipt, err = erase(deployment)
        assert code == 0, err
        [request] = receipt["requests"]
        assert (request["done"], request["known"], len(request["anonymizations"])) == (True, True, 1)
        assert request["anonymizations"][0]["accounts"] == [str(customer["id"])]
        assert request["row"].startswith(f"{PROJECT}/")
        stands = {"store": HASH, "accounts": [str(customer["id"])], "subscribers": [str(subscriber["id"])], "why": ""}
        assert receipt["stands_at_bigcommerce"] == [stands]
        await rest(deployment)
        assert [profile["hard"]["email_id"] for profile in live(deployment)] == ["other@example.com"]

        act(deployment, {"action": "update_customer", "id": customer["id"], "fields": {"first_name": "Z"}})
        await rest(deployment)
        assert [profile["hard"]["email_id"] for profile in live(deployment)] == ["other@example.com"]

        act(deployment, {"action": "create_order", "billing": {"email": EMAIL}, "lines": [LINE]})
        await rest(deployment)
        [back] = [profile for profile in live(deployment) if profile["hard"]["email_id"] == EMAIL]
        assert back["hard"] == {"email_id": EMAIL}

        assert [log.name for log in deployment.folder.glob("*.log") if EMAIL.encode() in log.read_bytes().lower()] == []


async def test_a_person_whom_nobody_knows_is_said_to_be_unknown(deployment: Deployment):
    async with deployment.parts():
        code, receipt, err = erase(deployment)
        assert code == 0, err
        [request] = receipt["requests"]
        assert (request["done"], request["known"]) == (True, False)
        assert receipt["stands_at_bigcommerce"] == [{"store": HASH, "accounts": [], "subscribers": [], "why": ""}]
        assert live(deployment) == []

        pid = deployment.children["deliver"].pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        code, receipt, err = erase(deployment, "--wait", "3")
        assert (code, receipt["requests"][0]["decided"], receipt["requests"][0]["done"]) == (1, True, False)
        assert "(deliver)" in err
        os.kill(pid, signal.SIGCONT)
