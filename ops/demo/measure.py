"""How long it took to read, to decide and to be accepted, from what stands on Kafka and in Engagement's log."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ops.demo.deployment import FIRST, Tenant
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
    """Of one store. `unread_s`: the longest time, in seconds, that something new in its shop stood before we had read it and decided what
    follows from it: from a webhook's own time to its receipt, and from there to the last record that it caused. `history_known_s`: when
    the last thing that follows from a page of a backfill was decided, UNIX seconds; 0 where none was loaded.
    """

    unread_s: float
    history_known_s: float


async def read(settings: Settings, tenants: Sequence[Tenant] = (FIRST,)) -> list[Read]:
    """Of each, from all that stands on the topics between a webhook and its commands."""
    told_s, caused_s, known_s = (dict.fromkeys(tenants, 0.0) for _ in range(3))
    for record in await read_topic(settings, WEBHOOKS.name):
        webhook = Decoder(WEBHOOKS.messages).decode(record.value, record.headers)
        tenant = _tenant(tenants, record.key)
        if tenant and isinstance(webhook, WebhookReceived):
            told_s[tenant] = max(told_s[tenant], webhook.received_at_ms / 1000 - orjson.loads(webhook.body)["created_at"])
    for topic in DECIDED:
        decoder = Decoder(topic.messages)
        for record in await read_topic(settings, topic.name):
            tenant = _tenant(tenants, record.key)
            origin = origin_of(record.topic, record.partition, record.offset, record.timestamp, record.headers)
            if tenant and of_history(settings, origin):
                known_s[tenant] = max(known_s[tenant], record.timestamp / 1000)
            elif tenant and getattr(decoder.decode(record.value, record.headers), "told", True):  # else looked for twice, on purpose
                caused_s[tenant] = max(caused_s[tenant], (record.timestamp - origin.observed_at_ms) / 1000)
    return [Read(told_s[tenant] + caused_s[tenant], known_s[tenant]) for tenant in tenants]


def _tenant(tenants: Sequence[Tenant], key: bytes) -> Tenant | None:
    """Whose the record with that key is."""
    return next((tenant for tenant in tenants if tenant.bears(key)), None)


def of_history(settings: Settings, origin: Origin) -> bool:
    """Whether a page of a backfill is the cause."""
    return origin.cause.startswith(f"{settings.topic_prefix}{PAGES.name}/")


async def dead_letters(settings: Settings, tenant: Tenant | None = None) -> int:
    """How many there are; of one store with those of which the store cannot be told."""
    decoder = Decoder(DEAD_LETTERS.messages)
    letters = [decoder.decode(record.value, record.headers) for record in await read_topic(settings, DEAD_LETTERS.name)]
    return sum(tenant is None or getattr(letter, "store", "") in ("", tenant.store) for letter in letters)


@dataclass(frozen=True)
class Accepted:
    """`waited_ms`: for each command, ms from the receipt of the webhook that caused it to Engagement's first acceptance.

    What follows an anonymization in its lane waits on purpose and is not in it, nor is history. `never`: commands that were never accepted.
    """

    waited_ms: list[int]
    never: int


async def accepted(settings: Settings, entries: Iterable[dict[str, Any]], since_ms: int = 0, tenant: Tenant = FIRST) -> Accepted:
    """What became of a store's commands whose webhooks were received from `since_ms` on; `entries`: Engagement's log, a dictionary each."""
    first: dict[bytes, int] = {}
    for entry in entries:
        if entry["outcome"] == "queued" and entry["name"] != "anonymize":
            first.setdefault(_place(*(entry[name] for name in PLACE)), entry["received_at_ms"])
    decoder, waited, held_back, never = Decoder(COMMANDS.messages), [], set(), 0
    for record in await read_topic(settings, COMMANDS.name):
        command = decoder.decode(record.value, record.headers)
        if not isinstance(command, Command) or not tenant.bears(record.key):
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
