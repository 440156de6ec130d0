"""Money and times as the platform writes them."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def text(amount: Decimal) -> str:
    """V2: a string with four decimals."""
    return str(amount.quantize(Decimal("0.0001"), ROUND_HALF_UP))


def number(amount: Decimal) -> float | int:
    """V3: a JSON number."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def iso(at_ms: int) -> str:
    """V3 `2024-05-14T09:34:00Z`, whole seconds."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_millis(at_ms: int) -> str:
    """Carts: `2018-09-17T14:53:40.000Z`, whole seconds in a format that has room for more."""
    return iso(at_ms)[:-1] + ".000Z"


def rfc2822(at_ms: int) -> str:
    """V2 `Tue, 05 Mar 2019 21:40:11 +0000`, whole seconds."""
    return format_datetime(datetime.fromtimestamp(at_ms // 1000, UTC))


@lru_cache(maxsize=1 << 17)  # a listing compares every row
@lru_cache(maxsize=100_000)
def seconds_of(when: str) -> float:
    """A filter's or a body's time, ISO 8601 or RFC 2822, UTC where it names no zone, as Unix seconds. Raises ValueError."""
    try:
        at = datetime.fromisoformat(when)
    except ValueError:
        at = parsedate_to_datetime(when)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
