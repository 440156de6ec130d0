"""`dead-letters list`: what could not be processed, and why."""

import asyncio
import datetime
from typing import Any

import structlog

from ops import output
from ops.exits import DONE
from schemas.connection import read_topic
from schemas.dead_letters import DeadLetter
from schemas.failures import Undecodable
from schemas.records import Decoder
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS

log = structlog.get_logger()


async def read_dead_letters(settings: Settings) -> list[DeadLetter]:
    """All dead letters that Kafka still keeps, the newest last. Raises Unavailable."""
    decoder = Decoder(DEAD_LETTERS.messages)
    found: list[DeadLetter] = []
    for record in await read_topic(settings, DEAD_LETTERS.name):
        try:
            message = decoder.decode(record.value, record.headers)
        except Undecodable as error:
            log.warning("a dead letter cannot be read", partition=record.partition, offset=record.offset, reason=error.reason)
            continue
        assert isinstance(message, DeadLetter)
        found.append(message)
    return sorted(found, key=lambda letter: letter.at_ms)


def row(letter: DeadLetter) -> dict[str, Any]:
    """One dead letter as `--json` prints it; `at` is ISO 8601, UTC."""
    at = datetime.datetime.fromtimestamp(letter.at_ms / 1000, datetime.UTC)
    return {
        "id": letter.id,
        "store": letter.store,
        "stage": letter.stage,
        "topic": letter.topic,
        "key": letter.key,
        "reason": f"{letter.field}: {letter.reason}" if letter.field else letter.reason,
        "times": letter.times,
        "at": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def main(settings: Settings, as_json: bool) -> int:
    """The command. Raises Unavailable."""
    rows = [row(letter) for letter in asyncio.run(read_dead_letters(settings))]
    if as_json:
        output.show_json(rows)
    elif rows:
        columns = ("at", "stage", "store", "times", "id", "reason")
        output.show(output.table(columns, [[found[name] for name in columns] for found in rows]))
    else:
        output.say("There are no dead letters.")
    return DONE
