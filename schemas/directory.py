"""The directory of stores: the `stores` topic, read to its end before anything starts, then followed."""

import asyncio
import base64
import contextlib
import time

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.connection import kafka_options
from schemas.failures import Unavailable, Undecodable, WrongSetting
from schemas.records import Decoder
from schemas.settings import Settings
from schemas.stores import Deployment, Seal, Store
from schemas.topics import STORES

log = structlog.get_logger()
READ_S_MAX = 60.0


class Directory:
    """All stores of the deployment, secrets opened; follows changes within about a second.

    `by_store` is keyed by `{s}`; `person_key` is b"" until the first store was added.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises WrongSetting without CARTSTREAM_SECRET_KEY."""
        self.by_store: dict[str, Store] = {}
        self.person_key = b""
        self._settings = settings
        self._seal = Seal(settings)
        self._decoder = Decoder(STORES.messages)
        self._changed = asyncio.Event()
        self._follow: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when the topic was read to its end. Raises Unavailable, WrongSetting."""
        topic = self._settings.topic_prefix + STORES.name
        self._consumer = AIOKafkaConsumer(**kafka_options(self._settings), enable_auto_commit=False)
        try:
            partitions = await self._partitions(topic)
            await self._consumer.start()
            self._consumer.assign(partitions)
            await self._consumer.seek_to_beginning(*partitions)
            ends = await self._consumer.end_offsets(partitions)
            deadline = time.monotonic() + READ_S_MAX
            while not all([await self._consumer.position(tp) >= end for tp, end in ends.items()]):
                await self._read(timeout_ms=200)
                if time.monotonic() > deadline:
                    raise Unavailable(f"the topic {topic} could not be read within {READ_S_MAX:.0f} s; check Kafka")
        except (KafkaError, OSError) as error:
            await self._consumer.stop()
            raise Unavailable(f"the topic {topic} cannot be read ({error}); is Kafka up, and was `cartstream topics` run?") from error
        except BaseException:
            await self._consumer.stop()
            raise
        self._follow = asyncio.create_task(self._follow_changes())

    async def _partitions(self, topic: str) -> list[TopicPartition]:
        """The topic's partitions. A consumer would look for those that do not exist until its time-out, and not say so."""
        admin = AIOKafkaAdminClient(**kafka_options(self._settings))
        await admin.start()
        try:
            (found,) = await admin.describe_topics([topic])
        finally:
            await admin.close()
        if found["error_code"]:
            raise Unavailable(f"the topic {topic} does not exist; run `cartstream topics`")
        if (count := len(found["partitions"])) != self._settings.partitions:
            raise WrongSetting(f"CARTSTREAM_PARTITIONS: is {self._settings.partitions}, {topic} has {count}; set it to that")
        return [TopicPartition(topic, number) for number in range(count)]

    async def stop(self) -> None:
        if self._follow:
            self._follow.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follow
            self._follow = None
            with contextlib.suppress(asyncio.CancelledError):  # aiokafka's own, while Kafka is away
                await self._consumer.stop()

    async def known(self, store: str) -> Store:
        """The store; waits until it is there: a record of a store that is not known yet waits."""
        while store not in self.by_store:
            log.warning("a record of a store that is not known yet waits", store=store)
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), 30)
        return self.by_store[store]

    def of_hash(self, store_hash: str) -> Store | None:
        """The latest generation of a store that is not removed."""
        found = [s for s in self.by_store.values() if s.hash == store_hash]
        latest = max(found, key=lambda s: s.generation, default=None)
        return None if latest is None or latest.removed else latest

    async def _follow_changes(self) -> None:
        while True:
            try:
                await self._read(timeout_ms=1000)
            except KafkaError as error:
                log.warning("the stores topic cannot be read for now", error=str(error))
                await asyncio.sleep(1)

    async def _read(self, timeout_ms: int) -> None:
        for batch in (await self._consumer.getmany(timeout_ms=timeout_ms)).values():
            for record in batch:
                try:
                    message = self._decoder.decode(record.value, record.headers)
                    if isinstance(message, Store):
                        self.by_store[message.store] = self._seal.opened(message)
                    elif isinstance(message, Deployment):
                        self.person_key = base64.b64decode(self._seal.open(message.person_key))
                except Undecodable as error:
                    log.error("a record of the stores topic cannot be read", offset=record.offset, reason=error.reason)
                except WrongSetting as error:
                    if self._follow is None:
                        raise
                    log.error("a store cannot be opened", offset=record.offset, reason=str(error))
                self._changed.set()
