"""The store's quota of REST calls, shared by all its apps (docs/facts/bigcommerce.md 2.2)."""

import time


class Quota:
    """Fixed windows; the first call after one opens the next."""

    def __init__(self) -> None:
        self._ends, self._used = 0.0, 0

    def take(self, calls_max: int, window_ms: int) -> tuple[bool, dict[str, str]]:
        """Whether one more call is allowed, and the rate headers of its answer."""
        now = time.monotonic()
        if now >= self._ends:
            self._ends, self._used = now + window_ms / 1000, 0
        allowed = self._used < calls_max
        self._used += allowed
        return allowed, {
            "x-rate-limit-time-window-ms": str(window_ms),
            "x-rate-limit-time-reset-ms": str(max(1, round((self._ends - now) * 1000))),
            "x-rate-limit-requests-quota": str(calls_max),
            "x-rate-limit-requests-left": str(calls_max - self._used),
        }
