"""The directory of stores: the `stores` topic, read to its end before anything starts, then followed."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator

import structlog
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from schemas.connection import admin_client, consumer, partitions_of, read_to_end, stop_client
from schemas.failures import Undecodable, WrongSetting
from schemas.records import Decoder
from schemas.settings import Settings
from schemas.stores import Deployment, Seal, Store
from schemas.topics import STORES
from schemas.waiting import until_set

log = structlog.get_logger()


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

    def has_several(self) -> bool:
        """Whether one store could make another wait."""
        return sum(not store.removed for store in self.by_store.values()) > 1

    async def start(self) -> None:
        """Returns when the topic was read to its end. Raises Unavailable, WrongSetting."""
        self._consumer = consumer(self._settings)
        try:
            async with admin_client(self._settings) as admin:
                partitions = await self._partitions(admin)
                await self._consumer.start()
                async for record in read_to_end(self._consumer, partitions):
                    self._take(record)
        except BaseException:
            await self._consumer.stop()
            raise
        self._follow = asyncio.create_task(self._follow_changes())

    async def _partitions(self, admin: AIOKafkaAdminClient) -> list[TopicPartition]:
        """The topic's partitions. A consumer would look for those that do not exist until its time-out, and not say so."""
        topic = self._settings.topic_prefix + STORES.name
        found = await partitions_of(admin, [topic])
        if (count := len(found)) != self._settings.partitions:
            raise WrongSetting(f"CARTSTREAM_PARTITIONS: is {self._settings.partitions}, {topic} has {count}; set it to that")
        return found

    async def stop(self) -> None:
        if self._follow:
            self._follow.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follow
            self._follow = None
            await stop_client(self._consumer)

    async def known(self, store: str) -> Store:
        """The store; waits until it is there: a record of a store that is not known yet waits."""
        while store not in self.by_store:
            log.warning("a record of a store that is not known yet waits", store=store)
            self._changed.clear()
            await until_set(self._changed, 30)
        return self.by_store[store]

    def of_hash(self, store_hash: str) -> Store | None:
        """The latest generation of a store that is not removed."""
        found = [s for s in self.by_store.values() if s.hash == store_hash]
        latest = max(found, key=lambda s: s.generation, default=None)
        return None if latest is None or latest.removed else latest

    async def _follow_changes(self) -> None:
        while True:
            try:
                for batch in (await self._consumer.getmany(timeout_ms=1000)).values():
                    for record in batch:
                        self._take(record)
            except KafkaError as error:
                log.warning("the stores topic cannot be read for now", error=str(error))
                await asyncio.sleep(1)

    def _take(self, record: ConsumerRecord[bytes, bytes]) -> None:
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


@contextlib.asynccontextmanager
async def opened_directory(settings: Settings) -> AsyncIterator[Directory]:
    """The directory, read to its end. Raises WrongSetting, Unavailable."""
    directory = Directory(settings)
    await directory.start()
    try:
        yield directory
    finally:
        await directory.stop()
