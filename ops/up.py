"""`up`: everything on one machine, for a small shop or a first look."""

import asyncio
import contextlib

import structlog

from ops import environment, logs, slots, supervise
from ops.embedded_kafka import EmbeddedKafka, KafkaUnavailable
from ops.topics import create_topics, refusal
from schemas.failures import WrongSetting
from schemas.settings import Settings
from schemas.topics import WORKERS

log = structlog.get_logger()
WATCH_KAFKA_S = 1.0


def main(settings: Settings) -> int:
    """Runs until told to end. Raises WrongSetting, Unavailable."""
    logs.configure(part="up")
    with contextlib.ExitStack() as held:
        claimed = [slots.claim(settings.data, stage, settings.slot) for stage in WORKERS]
        for slot in claimed:
            held.callback(slot.release)
        kafka = held.enter_context(embedded_kafka(settings)) if environment.embedded(settings) else None
        return asyncio.run(_run(settings, claimed, kafka))


def embedded_kafka(settings: Settings) -> EmbeddedKafka:
    """The embedded Kafka of this deployment, on the address that every other command expects it at."""
    port = int(settings.kafka.rpartition(":")[2])
    return EmbeddedKafka(settings.data / "kafka", settings.data / "kafka-data", port)


async def _run(settings: Settings, claimed: list[slots.Slot], kafka: EmbeddedKafka | None) -> int:
    told = supervise.stop_signal()
    outcome = await create_topics(settings)
    if outcome.refused:
        raise WrongSetting(refusal(outcome.topics))
    children_see = environment.for_children(settings)
    children = [supervise.part("ingest", children_see)]
    children += [supervise.part(slot.stage, children_see, slot) for slot in claimed]
    keeper = asyncio.create_task(_keep(kafka)) if kafka else None
    log.info("up", kafka=settings.kafka, ingest=f"http://{settings.listen}")
    try:
        return await supervise.watch_over(children, told)
    finally:
        if keeper:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper


async def _keep(kafka: EmbeddedKafka) -> None:
    """Starts Kafka again when it ends; the parts wait for it meanwhile."""
    while True:
        await asyncio.sleep(WATCH_KAFKA_S)
        if not kafka.alive:
            log.warning("Kafka ended by itself and starts again")
            try:
                await asyncio.to_thread(kafka.start)
            except KafkaUnavailable as error:
                log.error("Kafka does not start", reason=str(error))
