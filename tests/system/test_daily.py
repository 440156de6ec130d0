"""What upkeep does for a store once a day, on real processes; the test's days have seconds."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ops.demo.deployment import PROJECT, Deployment
from tests.system.conftest import act, rest, wait_until

pytestmark = pytest.mark.system

DAY_S, DAY_MS = 5.0, 24 * 60 * 60 * 1000
MAIN = """
import sys
from ingest.upkeep import main
from ops import environment, logs
from ops.lapse import anonymize_lapsed
logs.configure(part="upkeep")
sys.exit(main(environment.load(), 0, jobs=[anonymize_lapsed], day_s=float(sys.argv[1])))
"""


@contextlib.contextmanager
def upkeep(deployment: Deployment, **settings: str) -> Iterator[None]:
    """Its days are short. It has the slot of the deployment's own, which stands still."""
    seen = os.environ | deployment.environment() | {f"CARTSTREAM_{name.upper()}": value for name, value in settings.items()}
    with open(deployment.folder / "upkeep.log", "ab") as log:
        process = subprocess.Popen([sys.executable, "-P", "-c", MAIN, str(DAY_S)], env=seen, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def profiles(deployment: Deployment) -> dict[str, list[str]]:
    """By e-mail, what each consents to, or refused."""
    state = deployment.engagement.get("/_sim/state", params={"project": PROJECT}).raise_for_status().json()
    return {
        profile["hard"]["email_id"]: [event["properties"]["action"] for event in profile["events"] if event["type"] == "consent"]
        for profile in state["profiles"]
        if "email_id" in profile["hard"]
    }


async def test_a_past_that_no_webhook_told_is_found_and_who_consented_to_nothing_for_long_is_anonymized(deployment: Deployment):
    past: list[dict[str, Any]] = [
        {"action": "create_subscriber", "email": "lapsed@example.com", "consents": []},
        {"action": "create_subscriber", "email": "reader@example.com"},
        {"action": "create_subscriber", "email": "buyer@example.com", "consents": []},
        {"action": "create_customer", "email": "buyer@example.com"},
    ]
    async with deployment.parts():
        pid = deployment.children["upkeep"].pid
        assert pid
        os.kill(pid, signal.SIGSTOP)  # the one with short days takes its place
        deployment.shop.put("/_sim/knobs", json={"clock_offset_ms": -40 * DAY_MS, "drop": 1}).raise_for_status()
        act(deployment, *past)
        deployment.shop.put("/_sim/knobs", json={"clock_offset_ms": 0, "drop": 0}).raise_for_status()
        act(deployment, {"action": "create_subscriber", "email": "young@example.com", "consents": []})
        await rest(deployment)
        assert set(profiles(deployment)) == {"young@example.com"}

        kept = {"reader@example.com", "buyer@example.com", "young@example.com"}
        with upkeep(deployment):  # nobody lapses unless a setting says so
            await wait_until(lambda: set(profiles(deployment)) == {*kept, "lapsed@example.com"})
        with upkeep(deployment, anonymize_lapsed_days="41"):
            await wait_until(lambda: (deployment.folder / "upkeep.log").read_text().count('"count": 0') >= 2)
        assert set(profiles(deployment)) == {*kept, "lapsed@example.com"}

        with upkeep(deployment, anonymize_lapsed_days="39"):
            await wait_until(lambda: set(profiles(deployment)) == kept)
        await rest(deployment)
        assert set(profiles(deployment)) == kept
        assert "accept" in profiles(deployment)["reader@example.com"]
        os.kill(pid, signal.SIGCONT)
