"""How long it took from a webhook's receipt to Engagement's acceptance, from what stands on Kafka and in Engagement's log."""

import statistics
from collections.abc import Iterable
from typing import Any

import orjson

from schemas.commands import Command
from schemas.connection import read_topic
from schemas.records import Decoder, origin_of
from schemas.settings import Settings
from schemas.topics import COMMANDS, DEAD_LETTERS

PLACE = ("name", "ids", "event_type", "timestamp")


async def dead_letters(settings: Settings) -> int:
    return len(await read_topic(settings, DEAD_LETTERS.name))


async def latencies_ms(settings: Settings, entries: Iterable[dict[str, Any]]) -> list[int]:
    """For each command that Engagement accepted, ms from the receipt of the webhook that caused it; the first acceptance counts.

    `entries` are Engagement's log, a dictionary a command. What follows an anonymization in its lane waits on purpose and is left out.
    """
    accepted: dict[bytes, int] = {}
    for entry in entries:
        if entry["outcome"] == "queued" and entry["name"] != "anonymize":
            accepted.setdefault(_place(*(entry[name] for name in PLACE)), entry["received_at_ms"])
    decoder, waited, held_back = Decoder(COMMANDS.messages), [], set()
    for record in await read_topic(settings, COMMANDS.name):
        command = decoder.decode(record.value, record.headers)
        if not isinstance(command, Command):
            continue
        if command.kind == "anonymize":
            held_back.add(record.key)
        data = orjson.loads(memoryview(command.data))
        stamp = data.get("timestamp", data.get("update_timestamp"))
        at_ms = accepted.get(_place(command.kind, data["customer_ids"], data.get("event_type"), stamp))
        if at_ms is not None and record.key not in held_back:
            origin = origin_of(record.topic, record.partition, record.offset, record.timestamp, record.headers)
            waited.append(at_ms - origin.observed_at_ms)
    return waited


def _place(name: str, ids: Any, event_type: str | None, timestamp: float | None) -> bytes:
    return orjson.dumps([name, ids, event_type or "", timestamp], option=orjson.OPT_SORT_KEYS)


def percentile(values: list[int], percent: int) -> int:
    """The value that `percent` of them do not exceed; 0 where there are none."""
    if len(values) < 2:
        return max(values, default=0)
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1])
