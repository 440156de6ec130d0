"""How BigCommerce writes numbers, money, times and ids, and the reading of one JSON object field by field.

A field that is absent or null is None; one of a type that it can never have is Undecodable, and the error names it.
"""

import calendar
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_tz
from typing import Any

import msgspec

from schemas.failures import Undecodable

MONEY_MAX = Decimal(10) ** 15
_json = msgspec.json.Decoder(float_hook=Decimal)


def read_object(body: bytes) -> "Fields":
    """The JSON object in `body`. Raises Undecodable."""
    try:
        data = _json.decode(body)
    except (msgspec.DecodeError, RecursionError, ArithmeticError, ValueError) as error:
        raise Undecodable(f"not JSON ({type(error).__name__})") from None
    if not isinstance(data, dict):
        raise Undecodable("not a JSON object")
    return Fields(data)


class Fields:
    """One JSON object; `path` is where it stands in the body."""

    def __init__(self, data: dict[str, Any], path: str = "") -> None:
        self.data, self.path = data, path

    def _wrong(self, name: str, wanted: str) -> Undecodable:
        return Undecodable(f"expected {wanted}, got {type(self.data.get(name)).__name__}", self.path + name)

    def text(self, name: str) -> str | None:
        """A string; a number is taken as its digits."""
        value = self.data.get(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return str(value)
        raise self._wrong(name, "text")

    def integer(self, name: str) -> int | None:
        """A whole number, also as text; "" is None."""
        value = self.data.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str | Decimal | int) and not isinstance(value, bool):
            try:
                number = Decimal(value)
                if number == number.to_integral_value() and abs(number) < MONEY_MAX:
                    return int(number)
            except ArithmeticError:  # InvalidOperation for no number, Overflow for one that Decimal cannot hold
                pass
        raise self._wrong(name, "a whole number")

    def boolean(self, name: str) -> bool | None:
        """True or false."""
        value = self.data.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(name, "true or false")

    def id(self, name: str) -> str:
        """An id as text; "" where there is none (absent, null, 0 or empty: BigCommerce's ids begin at 1)."""
        value = self.data.get(name)
        if isinstance(value, str) and not value.strip().isdigit():
            return value.strip()  # a cart's UUID
        return str(self.integer(name) or "")

    def required_id(self, name: str) -> str:
        """An id that must be there. Raises Undecodable."""
        found = self.id(name)
        if not found:
            raise Undecodable("missing", self.path + name)
        return found

    def money(self, name: str) -> Decimal | None:
        """An amount in major units, from `"69.8400"` (V2) or a number (V3); "" is None.

        Source: docs/facts/bigcommerce.md 2.5, 2.6 · example: tests/examples/bigcommerce/rest/orders_v2_one.json
        """
        value = self.data.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            try:
                amount = Decimal(value)
                if amount.is_finite() and abs(amount) < MONEY_MAX:
                    return amount
            except ArithmeticError:  # InvalidOperation for no number, Overflow for one that Decimal cannot hold
                pass
        raise self._wrong(name, "an amount")

    def time_ms(self, name: str) -> int | None:
        """An instant in ms UTC, from ISO 8601 (V3) or RFC 2822 (V2); "" is None.

        Source: docs/facts/bigcommerce.md 2.3, 2.5
        """
        value = self.data.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            found = parse_time_ms(value)
            if found is not None:
                return found
        raise self._wrong(name, "a time")

    def required_time_ms(self, name: str) -> int:
        """An instant that must be there, ms UTC. Raises Undecodable."""
        found = self.time_ms(name)
        if found is None:
            raise Undecodable("missing", self.path + name)
        return found

    def object(self, name: str) -> "Fields":
        """A JSON object; empty where there is none (V2 writes an absent one as `[]` too)."""
        value = self.data.get(name)
        if value is None or value == []:
            return Fields({}, f"{self.path}{name}.")
        if isinstance(value, dict):
            return Fields(value, f"{self.path}{name}.")
        raise self._wrong(name, "an object")

    def objects(self, name: str) -> list["Fields"]:
        """A list of JSON objects; empty where there is none; a single object counts as a list of one."""
        value = self.data.get(name)
        if value is None:
            return []
        if isinstance(value, dict):
            value = [value]
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                raise Undecodable(f"expected an object, got {type(item).__name__}", f"{self.path}{name}[{index}]")
        return [Fields(item, f"{self.path}{name}[{index}].") for index, item in enumerate(value)]


def parse_time_ms(value: str) -> int | None:
    """ms UTC of an ISO 8601 or RFC 2822 time (a zone-less one is UTC), None when it is neither."""
    try:
        moment = datetime.fromisoformat(value)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        parsed = parsedate_tz(value)
        return None if parsed is None else (calendar.timegm(parsed[:9]) - (parsed[9] or 0)) * 1000
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
