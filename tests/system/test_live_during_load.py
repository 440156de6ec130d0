"""A change that a page of a load shows before any webhook told of it does not wait behind the history of that load."""

import pytest

from ops.demo.deployment import PROJECT, Deployment
from ops.lag import behind
from schemas.topics import HISTORY
from tests.system.conftest import act, wait_until

pytestmark = pytest.mark.system

DAY_MS = 24 * 60 * 60 * 1000
PEOPLE = 3000


def consents(deployment: Deployment) -> set[tuple[str, str]]:
    profiles = deployment.engagement.get("/_sim/state", params={"project": PROJECT}).json()["profiles"]
    return {
        (profile["hard"]["email_id"], event["properties"]["action"])
        for profile in profiles
        for event in profile["events"]
        if event["type"] == "consent"
    }


async def test_a_consent_that_was_withdrawn_as_a_load_began_is_sent_while_its_history_waits(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CARTSTREAM_HISTORY_RPS", "0.5")
    deployment.shop.put("/_sim/knobs", json={"clock_offset_ms": -DAY_MS}).raise_for_status()
    for first in range(0, PEOPLE, 500):
        act(deployment, *({"action": "create_customer", "email": f"c{n}@example.com"} for n in range(first, first + 500)))
    [reader, _] = act(deployment, *({"action": "create_subscriber", "email": f"s{n}@example.com"} for n in range(2)))
    deployment.shop.put("/_sim/knobs", json={"clock_offset_ms": 0}).raise_for_status()
    act(deployment, {"action": "update_subscriber", "id": reader["id"], "fields": {"consents": []}})  # there are no hooks yet
    async with deployment.parts(), behind(deployment.settings) as gauge:
        await wait_until(lambda: consents(deployment))
        assert consents(deployment) == {("s0@example.com", "reject")}  # the other's, of the past, wait
        assert (await gauge.sample()).left({HISTORY.name}) > PEOPLE / 2
