"""How BigCommerce writes numbers, money, times and ids, and the reading of one JSON object field by field.

A field that is absent or null is None; one of a type that it can never have is Undecodable, and the error names it.
"""

import calendar
import re
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_tz
from typing import Any

import msgspec

from schemas.failures import Undecodable
from schemas.keys import clean_email

MONEY_MAX = Decimal(10) ** 15
TEXT_BYTES_MAX = 16_000  # as JSON; Engagement takes no value that is as long. Source: docs/facts/engagement.md 2.6
EMAIL_MAX = 256  # characters; longer ones are none by RFC 5321, and no ids to Engagement
NOT_IDS = frozenset({"null", "undefined"})  # Engagement refuses them as ids. Source: docs/facts/engagement.md 2.5
_json = msgspec.json.Decoder(float_hook=Decimal)
_id = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}", re.ASCII)


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

    def text(self, name: str, *, long: bool = False) -> str | None:
        """A string; a number is taken as its digits. Undecodable where it is as long as TEXT_BYTES_MAX, unless it may be `long`."""
        value = self.data.get(name)
        if value is None:
            return value
        if isinstance(value, str):
            if not long and len(value) > TEXT_BYTES_MAX // 6:  # JSON has at most six bytes for a character
                self.check_length(name, value)
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

    def check_length(self, name: str, value: Any) -> None:
        """Raises Undecodable where `value` is too long for Engagement."""
        length = len(msgspec.json.encode(value))
        if length >= TEXT_BYTES_MAX:
            raise Undecodable(f"too long ({length:,} bytes)", self.path + name)

    def email(self, name: str) -> str:
        """A cleaned e-mail; "" where there is none, or where it cannot be an id. Undecodable where it is longer than EMAIL_MAX."""
        value = clean_email(self.text(name) or "")
        if len(value) > EMAIL_MAX:
            raise Undecodable(f"too long for an e-mail ({len(value):,} characters)", self.path + name)
        return value if any(map(str.isalnum, value)) and value not in NOT_IDS else ""

    def id(self, name: str) -> str:
        """An id as text; "" where there is none (absent, null, 0 or empty: BigCommerce's ids begin at 1)."""
        value = self.data.get(name)
        if isinstance(value, str) and not value.strip().isdigit():
            value = value.strip()  # a cart's UUID
            if value in ("", *NOT_IDS) or _id.fullmatch(value):
                return "" if value in NOT_IDS else value
            raise self._wrong(name, "an id")
        number = self.integer(name) or 0
        if number < 0:
            raise self._wrong(name, "an id")
        return str(number or "")

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
