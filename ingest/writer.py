"""Writes webhooks to Kafka within a bounded time, or says at once that it cannot.

The producer is idempotent and gives up no record: it sends one again until Kafka has it. So a record that was not
acknowledged in time is itself the probe: while any such record waits, Kafka counts as away and nothing is added to the
heap; when the last of them is acknowledged, Kafka is back. Such a record was answered 503 and may be written all the
same: BigCommerce sends it again, and a webhook that comes twice is harmless.
"""

import asyncio
import contextlib

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from schemas.connection import kafka_options, producer
from schemas.failures import Unavailable
from schemas.records import Headers
from schemas.settings import Settings
from schemas.topics import WEBHOOKS

log = structlog.get_logger()
ACK_S_MAX = 2.5  # with BODY_S_MAX of the door well below the 9 s after which BigCommerce hangs up
REQUEST_TIMEOUT_MS = 5_000  # a broker that went without a word is left after this
START_S_MAX = 15.0
STOP_S_MAX = 5.0
RETRY_S = 1.0


class Writer:
    """A producer for `bigcommerce.webhooks` that is started again whenever it is of no use any more."""

    def __init__(self, settings: Settings) -> None:
        self._options = kafka_options(settings)
        self._topic = settings.topic_prefix + WEBHOOKS.name
        self._producer: AIOKafkaProducer | None = None
        self._late: set[asyncio.Task[object]] = set()
        self._broken = asyncio.Event()

    async def run(self) -> None:
        """Keeps a producer connected; ends only when cancelled, then what can be flushed within STOP_S_MAX is."""
        while True:
            started = producer(self._options, request_timeout_ms=REQUEST_TIMEOUT_MS)
            try:
                async with asyncio.timeout(START_S_MAX):
                    await started.start()
                    await started.partitions_for(self._topic)
                self._broken.clear()
                self._late.clear()
                self._producer = started
                await self._broken.wait()
            except (KafkaError, OSError) as error:  # TimeoutError is an OSError
                log.warning(
                    "webhooks cannot be written: is Kafka up, and was `cartstream topics` run?", topic=self._topic, error=str(error)
                )
            finally:
                self._producer = None
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(started.stop(), STOP_S_MAX)
            await asyncio.sleep(RETRY_S)

    async def write(self, key: bytes, value: bytes, headers: Headers) -> None:
        """Returns when all in-sync replicas have the record.

        Raises Unavailable: at once while Kafka is away, else within ACK_S_MAX. The record may be written then all the same.
        """
        if self._producer is None or self._late:
            raise Unavailable("Kafka is away")
        sent = asyncio.create_task(self._producer.send_and_wait(self._topic, value, key, headers=list(headers)))
        sent.add_done_callback(self._ended)
        await asyncio.wait({sent}, timeout=ACK_S_MAX)
        if not sent.done():
            if not self._late:
                log.warning("Kafka does not acknowledge; webhooks are answered 503 until it does", waited_s=ACK_S_MAX)
            self._late.add(sent)
            raise Unavailable("Kafka is away")
        if sent.cancelled() or sent.exception():
            raise Unavailable("Kafka is away")

    def _ended(self, sent: asyncio.Task[object]) -> None:
        was_late = sent in self._late
        self._late.discard(sent)
        if sent.cancelled() or isinstance(error := sent.exception(), KafkaTimeoutError):  # there was no room to wait in
            return
        # A record that failed for good took a sequence number with it, and the broker refuses all that follow: only a
        # producer with a new id goes on.
        if error and not self._broken.is_set():
            log.error("the producer failed and is started again", error=repr(error))
            self._broken.set()
        elif was_late and not self._late:
            log.info("Kafka acknowledges again")

    async def reachable(self) -> bool:
        """Whether a broker answers now, within ACK_S_MAX."""
        if self._producer is None or self._late:
            return False
        try:
            return bool(await asyncio.wait_for(self._producer.client.force_metadata_update(), ACK_S_MAX))
        except TimeoutError:
            return False
