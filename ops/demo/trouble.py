"""What goes wrong while the shop lives, as it does in truth: at the shop's webhooks and API, and at Engagement."""

import random
import time

from ops.demo.deployment import HASH, PROJECT, Deployment

# Deliveries as they really come: some twice, some late, all out of order; reads that lag behind their webhooks.
DELIVERIES = {"duplicate": 0.05, "delay": 0.05, "delay_ms": 3000, "shuffle_ms": 400, "read_lag_ms": 300, "retry_scale": 0.02}
QUOTA = 60  # calls in a window of a second: more than we need, less than two apps can use
PAUSE_S = (3.0, 7.0)  # at the least and at the most between two times that the other app spends the quota
# Requests that fail before or after they were carried out. A reader of its answers cannot know which.
FAULTS = (
    {"kind": "429", "probability": 0.01},
    {"kind": "429", "probability": 0.01, "retry_after_s": 1},
    {"kind": "500", "probability": 0.01},
    {"kind": "503", "probability": 0.01, "applied": True},
    {"kind": "drop", "probability": 0.01, "applied": True},
)


def cause_trouble(deployment: Deployment) -> None:
    """From now on."""
    deployment.shop.put("/_sim/knobs", json=DELIVERIES).raise_for_status()
    deployment.shop.put(f"/_sim/stores/{HASH}", json={"quota": QUOTA}).raise_for_status()
    faults = [fault | {"project": PROJECT} for fault in FAULTS]
    deployment.engagement.post("/_sim/faults", json=faults).raise_for_status()


class OtherApp:
    """Another app of the store: now and then it makes so many calls that the quota, which is the store's, is spent for all."""

    def __init__(self, deployment: Deployment, seed: int) -> None:
        self._shop, self._random = deployment.shop, random.Random(seed)  # noqa: S311 - to be had again, no secret
        self._token = deployment.shop.get("/_sim/stores").json()[0]["access_token"]
        self._next_s = time.monotonic() + self._random.uniform(*PAUSE_S)

    def act(self) -> None:
        """Spend the quota if it is time to; blocks meanwhile."""
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + self._random.uniform(*PAUSE_S)
        for _ in range(QUOTA):
            if self._shop.get(f"/stores/{HASH}/v2/store", headers={"x-auth-token": self._token}).status_code == 429:
                return
