"""What Engagement's answers mean, per command. Source: docs/facts/engagement.md 2.4, 2.5, 5, 6.

A request fails as a whole by an exception of schemas.failures: QuotaSpent (nothing of it was taken), Unavailable (it may
have been taken), AccessLost, CommandRefused. Otherwise each command has an outcome of its own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from schemas.failures import AccessLost, CommandRefused, QuotaSpent, Unavailable

WORDS_MAX = 300  # characters of Engagement's own words that we keep
NOT_OUR_PROJECT = ("could not authenticate", "invalid project id")  # 400, but it is the address or token that is wrong
FIELDS_NAMED = re.compile(r"Fields \[([^\]]*)\]")
EMAIL = re.compile(r"\S+@\S+")


@dataclass(frozen=True)
class Done:
    """Engagement has taken the command (it applies it later)."""


@dataclass(frozen=True)
class Refused:
    """Engagement will never take the command; `reason` is in its own words."""

    reason: str
    field: str = ""  # that it names as the one at fault


@dataclass(frozen=True)
class Unanswered:
    """The answer does not speak of this command: it may have been taken."""


Outcome = Done | Refused | Unanswered


def read_batch(status: int, headers: Mapping[str, str], body: bytes, ids: Sequence[str]) -> list[Outcome]:
    """The outcome of each command of a batch, in the order of `ids`, the `command_id`s that were sent.

    Results are matched by `command_id`, or by place where they have none and none is missing. Raises QuotaSpent,
    Unavailable, AccessLost, and CommandRefused where the batch as such was refused: fewer commands may pass.
    """
    results = _read(status, headers, body).get("results")
    if not isinstance(results, list):
        raise Unavailable("Engagement's answer to a batch holds no results")
    by_id = {result["command_id"]: result for result in results if isinstance(result, dict) and isinstance(result.get("command_id"), str)}
    by_place = results if not by_id and len(results) == len(ids) else [None] * len(ids)
    return [_outcome(by_id.get(id, result)) for id, result in zip(ids, by_place, strict=True)]


def read_single(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    """The content of a single call's answer; None where Engagement does not know the customer.

    Raises QuotaSpent, Unavailable, AccessLost, CommandRefused.
    """
    if status == 404 and says_unknown_customer(body):
        return None
    return _read(status, headers, body)


def read_items(status: int, headers: Mapping[str, str], body: bytes, count: int) -> list[Outcome]:
    """The outcome of each of `count` catalog items, in their order.

    Raises QuotaSpent, Unavailable, AccessLost (404 too: there is no such catalog), and CommandRefused where the call as such was
    refused: fewer items may pass.
    """
    content = _accepted(status, headers, body)
    if isinstance(content, dict) and not _succeeded(content):
        raise _refused(content)
    if not isinstance(content, list) or len(content) != count:
        raise Unavailable("Engagement's answer to catalog items cannot be read")
    return [_item_outcome(result) for result in content]


def _item_outcome(result: Any) -> Outcome:
    outcome = _outcome(result)
    return Refused(outcome.reason, _field_in(outcome.reason)) if isinstance(outcome, Refused) else outcome


def _field_in(words: str) -> str:
    """The fields that a refusal names: `Fields [a, b] are not properly defined.`, with quotes or without."""
    named = FIELDS_NAMED.search(words)
    return ", ".join(name.strip(" '\"") for name in named[1].split(",")) if named else ""


def says_unknown_customer(body: bytes) -> bool:
    """Whether a 404 is Engagement's own word that there is no such customer; whatever stands before it may answer 404, too."""
    content = _content(body)
    return isinstance(content, dict) and content.get("success") in (False, "false", "False") and "customer" in _words(content).lower()


def _read(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    content = _accepted(status, headers, body)
    if not isinstance(content, dict):
        raise Unavailable(f"Engagement's answer ({status}) cannot be read")
    if not _succeeded(content):
        raise _refused(content)
    return content


def _refused(content: Any) -> CommandRefused:
    words = _words(content) or "HTTP 200 without a reason"
    return CommandRefused(words, _field_in(words))


def _accepted(status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """The content of an answer whose status says success; its text where it is no JSON."""
    content = _content(body)
    words = _words(content) or f"HTTP {status} without a reason"
    if status == 429:
        raise QuotaSpent("Engagement: too many requests", _retry_after_s(headers))
    if status >= 500 or status == 408:
        raise Unavailable(f"Engagement answered {status}", _retry_after_s(headers))
    if status in (401, 403) or (status == 400 and any(found in words.lower() for found in NOT_OUR_PROJECT)):
        raise AccessLost(f"Engagement does not accept the key or project ({status}: {words})")
    if 300 <= status < 400 or status in (404, 405):
        raise AccessLost(f"the project's Engagement address is not the API's ({status}: {words})")
    if status >= 400:
        raise CommandRefused(words, _field_in(words))
    return content


def _outcome(result: Any) -> Outcome:
    if not isinstance(result, dict) or "success" not in result:
        return Unanswered()
    return Done() if _succeeded(result) else Refused(_words(result) or "refused without a reason")


def _succeeded(content: dict[str, Any]) -> bool:
    return content.get("success") in (True, "true", "True")  # the documentation prints booleans as text


def _content(body: bytes) -> Any:
    """The JSON of a body; its text where it is none, which happens with 400 and 500."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")


def _words(content: Any) -> str:
    """Engagement's own words, wherever they stand, without anything that looks like an e-mail."""
    found = [content.get(field) for field in ("errors", "error", "message")] if isinstance(content, dict) else content
    return EMAIL.sub("(e-mail)", "; ".join(_texts(found)))[:WORDS_MAX]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.strip():
        yield value.strip()
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds, or a date, which counts from the answer's own `Date`. `headers` finds names in lower case."""
    given = headers.get("retry-after", "").strip()
    if given.isdecimal():
        return float(given)
    try:
        return max(0.0, (parsedate_to_datetime(given) - parsedate_to_datetime(headers.get("date", ""))).total_seconds())
    except (ValueError, TypeError):
        return None
