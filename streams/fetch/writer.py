"""What fetch writes to Kafka, in the order in which it was asked to."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from schemas.dead_letters import letter_of, lost_letter
from schemas.failures import Reject
from schemas.membership import Fenced
from schemas.records import Message, Origin, encode, headers_of
from schemas.topics import DEAD_LETTERS, Topic


class Writer:
    """Records of one key reach Kafka in the order of the calls."""

    def __init__(self, producer: AIOKafkaProducer, prefix: str, fenced: Callable[[], bool]) -> None:
        self._producer, self._prefix, self._fenced = producer, prefix, fenced
        self._order = asyncio.Lock()  # a producer whose batch is full may let a small record pass a large one

    async def put(self, topic: Topic, key: str, message: Message, origin: Origin) -> asyncio.Future[Any]:
        """The record stands in line; the future is done when all in-sync replicas have it.

        Raises Fenced; Reject for one that is too large.
        """
        async with self._order:
            if self._fenced():
                raise Fenced
            try:
                sent: asyncio.Future[Any] = await self._producer.send(
                    self._prefix + topic.name, encode(message), key.encode(), headers=list(headers_of(message, origin))
                )
            except MessageSizeTooLargeError:
                raise Reject("too large for a record") from None
        return sent

    async def put_dead_letter(self, record: Any, origin: Origin, store: str, error: Reject, part: str = "") -> asyncio.Future[Any]:
        """As `put`. `part` names the entity where the record itself names another."""
        letter = letter_of(record, error, stage="fetch", store=store, part=part)
        return await self.put(DEAD_LETTERS, letter.key, letter, origin)

    async def put_lost(self, topic: str, partition: int, first: int, count: int) -> None:
        """It is on Kafka that retention removed records before they were read. Raises as `put`."""
        letter = lost_letter("fetch", topic, partition, first, count)
        await (await self.put(DEAD_LETTERS, letter.id, letter, Origin(cause=letter.id, observed_at_ms=letter.at_ms)))
