"""A store's quota of calls, as the headers of each answer tell it. It is shared by all apps of the store, and may change at any time."""

import math
from collections.abc import Mapping

FREE_SHARE = 2 / 3  # of a window's quota is used as fast as work comes; the rest is spread, so that a burst never ends in silence
RESERVE_SHARE = 1 / 3  # of a window's quota that history leaves to live reads, and to the store's other apps
RESET_MS_MAX = 60_000  # two windows as documented: a header that says more is wrong, and no store waits for hours on its word
RESET, LEFT, QUOTA = "x-rate-limit-time-reset-ms", "x-rate-limit-requests-left", "x-rate-limit-requests-quota"


def pace(headers: Mapping[str, str]) -> float | None:
    """The least time from now, and then between the starts of two calls, in seconds; 0 while there is plenty.

    None where the headers do not say: such an answer changes nothing. `headers` by lowercase name. `Time-Reset-Ms` is what is
    left of the window. Source: docs/facts/bigcommerce.md 2.2
    """
    reset_ms, left, quota = (_number(headers, name) for name in (RESET, LEFT, QUOTA))
    if reset_ms is None or left is None:
        return None
    if quota is not None and left > quota * (1 - FREE_SHARE):
        return 0.0
    return min(reset_ms, RESET_MS_MAX) / 1000 / max(left, 1)


def pace_history(headers: Mapping[str, str], took_s: float = 0.0) -> float | None:
    """Seconds from this answer to the next call of a backfill, which makes one call after another.

    Its calls are spread over what is left of the window, and it has none left when only RESERVE_SHARE of the quota is: so a live read
    finds room at once. `took_s`, which the answer took, is part of its share of the window: else the slower the answers, the less of
    the quota would be used. None as in `pace`, which has the source.
    """
    reset_ms, left, quota = (_number(headers, name) for name in (RESET, LEFT, QUOTA))
    if reset_ms is None or left is None:
        return None
    reset_s = min(reset_ms, RESET_MS_MAX) / 1000
    allowed = left - math.ceil((left if quota is None else quota) * RESERVE_SHARE)
    return reset_s if allowed <= 0 else max(0.0, reset_s / allowed - took_s)


def wait_after_429(headers: Mapping[str, str]) -> float | None:
    """Seconds until the window ends; None where the headers do not say, which is an overload of the platform: back off.

    Source: docs/facts/bigcommerce.md 2.2
    """
    reset_ms = _number(headers, RESET)
    return None if reset_ms is None else min(reset_ms, RESET_MS_MAX) / 1000


def _number(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name, "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 12 else None
