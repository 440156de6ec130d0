"""`dead-letters list`: what could not be processed, and why."""

import asyncio
import datetime
import time
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from ops import output
from ops.exits import DONE
from ops.topics import admin_client
from schemas.connection import REQUEST_TIMEOUT_MS, kafka_options
from schemas.dead_letters import DeadLetter
from schemas.failures import Unavailable, Undecodable
from schemas.records import Decoder
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS

log = structlog.get_logger()
STALLED_S = 30.0


async def read_dead_letters(settings: Settings) -> list[DeadLetter]:
    """All dead letters that Kafka still keeps, the newest last. Raises Unavailable."""
    topic = settings.topic_prefix + DEAD_LETTERS.name
    decoder = Decoder(DEAD_LETTERS.messages)
    found: list[DeadLetter] = []
    async with admin_client(settings) as admin:
        if topic not in await admin.list_topics():
            raise Unavailable(f"the topic {topic} does not exist; run `cartstream topics`")
        consumer = AIOKafkaConsumer(**kafka_options(settings), enable_auto_commit=False, request_timeout_ms=REQUEST_TIMEOUT_MS)
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
            ends = await consumer.end_offsets(partitions)
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            heard = time.monotonic()
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                batches = await consumer.getmany(timeout_ms=500)
                heard = time.monotonic() if batches else heard
                if time.monotonic() - heard > STALLED_S:
                    raise Unavailable(f"nothing more of {topic} came within {STALLED_S:.0f} s; check Kafka")
                for record in (record for batch in batches.values() for record in batch):
                    try:
                        message = decoder.decode(record.value, record.headers)
                    except Undecodable as error:
                        log.warning("a dead letter cannot be read", partition=record.partition, offset=record.offset, reason=error.reason)
                        continue
                    assert isinstance(message, DeadLetter)
                    found.append(message)
        finally:
            await consumer.stop()
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
