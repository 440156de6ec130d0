"""A store's quota of calls, as the headers of each answer tell it. It is shared by all apps of the store, and may change at any time."""

from collections.abc import Mapping

FREE_SHARE = 2 / 3  # of a window's quota is used as fast as work comes; the rest is spread, so that a burst never ends in silence
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


def wait_after_429(headers: Mapping[str, str]) -> float | None:
    """Seconds until the window ends; None where the headers do not say, which is an overload of the platform: back off.

    Source: docs/facts/bigcommerce.md 2.2
    """
    reset_ms = _number(headers, RESET)
    return None if reset_ms is None else min(reset_ms, RESET_MS_MAX) / 1000


def _number(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name, "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 12 else None
