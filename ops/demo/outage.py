"""One store's own trouble: BigCommerce refuses its token, then Engagement fails for its project too; both are mended after a while."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from ops.demo.deployment import Deployment, Tenant
from schemas.failures import Retry

FAILING = ("throttle", "error_5xx", "slow", "hang", "drop_connection")  # knobs
# Since the beginning, s; everything was killed once by then. The token comes last, for `store add` asks Engagement, too.
TOKEN_LOST_S, PROJECT_DOWN_S, PROJECT_UP_S, TOKEN_GIVEN_S = 8.0, 11.0, 15.0, 18.0


class Outage:
    """Happens as `act` is called; `from_s` to `until_s`, UNIX seconds, something of the store's is away, 0 while it is not known."""

    def __init__(self, deployment: Deployment, tenant: Tenant, faults: Sequence[dict[str, Any]]) -> None:
        """`faults` are Engagement's other ones, which stay."""
        self._deployment, self._tenant, self._faults = deployment, tenant, list(faults)
        self._began, self.from_s, self.until_s = time.monotonic(), 0.0, 0.0
        self._left: list[tuple[float, Callable[[], None]]] = [
            (TOKEN_LOST_S, self._lose_token),
            (PROJECT_DOWN_S, self._fail_project),
            (PROJECT_UP_S, self._mend_project),
            (TOKEN_GIVEN_S, self._give_token),
        ]

    @property
    def is_over(self) -> bool:
        return not self._left

    def act(self) -> None:
        """What it is time for; what fails is done at the next call."""
        with contextlib.suppress(Retry):
            while self._left and time.monotonic() - self._began >= self._left[0][0]:
                self._left[0][1]()
                self._left.pop(0)

    def _lose_token(self) -> None:
        self.from_s = time.time()
        changed = {"access_token": secrets.token_urlsafe(16)}
        self._deployment.shop.put(f"/_sim/stores/{self._tenant.hash}", json=changed).raise_for_status()

    def _give_token(self) -> None:
        """As the merchant does who has made a new one: `store add` once more, in fair weather, for it waits for each call that fails."""
        shop = self._deployment.shop
        failing = {name: chance for name, chance in shop.get("/_sim/knobs").json().items() if name in FAILING}
        shop.put("/_sim/knobs", json=dict.fromkeys(failing, 0)).raise_for_status()
        try:
            asyncio.run(self._deployment.add(self._tenant))
        finally:
            shop.put("/_sim/knobs", json=failing).raise_for_status()
        self.until_s = time.time()

    def _fail_project(self) -> None:
        self._set([{"kind": "500", "project": self._tenant.project}, *self._faults])

    def _mend_project(self) -> None:
        self._set(self._faults)

    def _set(self, faults: list[dict[str, Any]]) -> None:
        self._deployment.engagement.post("/_sim/faults", json=faults).raise_for_status()
