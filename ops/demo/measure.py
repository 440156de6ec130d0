"""How long it took to read, to decide and to be accepted, from what stands on Kafka and in Engagement's log."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from schemas.commands import Command
from schemas.connection import read_topic
from schemas.records import Decoder, Origin, origin_of
from schemas.settings import Settings
from schemas.topics import ACCOUNTS, CHECKOUTS, COMMANDS, DEAD_LETTERS, HISTORY, PAGES, PEOPLE, SUBSCRIBERS, WEBHOOKS
from schemas.webhooks import WebhookReceived

DECIDED = (ACCOUNTS, CHECKOUTS, SUBSCRIBERS, PEOPLE, COMMANDS, HISTORY)
PLACE = ("name", "ids", "event_type", "timestamp")


@dataclass(frozen=True)
class Read:
    """`unread_s`: the longest time, in seconds, that something new in the shop stood before we had read it and decided what follows from
    it: from a webhook's own time to its receipt, and from there to the last record that it caused. `history_known_s`: when the last thing
    that follows from a page of a backfill was decided, UNIX seconds; 0 where none was loaded.
    """

    unread_s: float
    history_known_s: float


async def read(settings: Settings) -> Read:
    """From all that stands on the topics between a webhook and its commands."""
    told_s = caused_s = known_s = 0.0
    for record in await read_topic(settings, WEBHOOKS.name):
        webhook = Decoder(WEBHOOKS.messages).decode(record.value, record.headers)
        if isinstance(webhook, WebhookReceived):
            told_s = max(told_s, webhook.received_at_ms / 1000 - orjson.loads(webhook.body)["created_at"])
    for topic in DECIDED:
        decoder = Decoder(topic.messages)
        for record in await read_topic(settings, topic.name):
            origin = origin_of(record.topic, record.partition, record.offset, record.timestamp, record.headers)
            if of_history(settings, origin):
                known_s = max(known_s, record.timestamp / 1000)
            elif getattr(decoder.decode(record.value, record.headers), "told", True):  # else found missing: looked for twice, on purpose
                caused_s = max(caused_s, (record.timestamp - origin.observed_at_ms) / 1000)
    return Read(told_s + caused_s, known_s)


def of_history(settings: Settings, origin: Origin) -> bool:
    """Whether a page of a backfill is the cause."""
    return origin.cause.startswith(f"{settings.topic_prefix}{PAGES.name}/")


async def dead_letters(settings: Settings) -> int:
    return len(await read_topic(settings, DEAD_LETTERS.name))


@dataclass(frozen=True)
class Accepted:
    """`waited_ms`: for each command, ms from the receipt of the webhook that caused it to Engagement's first acceptance.

    What follows an anonymization in its lane waits on purpose and is not in it, nor is history. `never`: commands that were never accepted.
    """

    waited_ms: list[int]
    never: int


async def accepted(settings: Settings, entries: Iterable[dict[str, Any]], since_ms: int = 0) -> Accepted:
    """What became of the commands whose webhooks were received from `since_ms` on; `entries`: Engagement's log, a dictionary a command."""
    first: dict[bytes, int] = {}
    for entry in entries:
        if entry["outcome"] == "queued" and entry["name"] != "anonymize":
            first.setdefault(_place(*(entry[name] for name in PLACE)), entry["received_at_ms"])
    decoder, waited, held_back, never = Decoder(COMMANDS.messages), [], set(), 0
    for record in await read_topic(settings, COMMANDS.name):
        command = decoder.decode(record.value, record.headers)
        if not isinstance(command, Command):
            continue
        if command.kind == "anonymize":
            held_back.add(record.key)
            continue
        origin = origin_of(record.topic, record.partition, record.offset, record.timestamp, record.headers)
        if origin.observed_at_ms < since_ms:
            continue
        data = orjson.loads(memoryview(command.data))
        stamp = data.get("timestamp", data.get("update_timestamp"))
        at_ms = first.get(_place(command.kind, data["customer_ids"], data.get("event_type"), stamp))
        if at_ms is None:
            never += 1
        elif record.key not in held_back and not of_history(settings, origin):
            waited.append(at_ms - origin.observed_at_ms)
    return Accepted(waited, never)


def _place(name: str, ids: Any, event_type: str | None, timestamp: float | None) -> bytes:
    return orjson.dumps([name, ids, event_type or "", timestamp], option=orjson.OPT_SORT_KEYS)


def percentile(values: list[int], percent: int) -> int | None:
    """The value that `percent` of them do not exceed; None where there are none."""
    if len(values) < 2:
        return max(values, default=None)
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1])
