"""resolve as a process: the engine with its four agents."""

import asyncio
from collections.abc import Sequence

import structlog

from schemas.connection import kafka_options
from schemas.directory import Directory
from schemas.keys import person_hash, person_lane
from schemas.settings import Settings
from schemas.topics import group
from streams.engine import Engine, Incoming, NotReady
from streams.resolve.agents import lost_letter, make_agents, store_in
from streams.resolve.rules.change import Store

log = structlog.get_logger()


def main(settings: Settings, slot: int, session_timeout_s: float = 45.0) -> int:
    """Work until SIGTERM. Returns only where it cannot start (70); else the engine ends the process: 0, 70, 75 (start again)."""
    directory = Directory(settings)
    starting: asyncio.Task[None] | None = None

    def store_of(store: str) -> Store:
        found = directory.by_store[store]

        def lane_of(email: str) -> str:
            return person_lane(found.project, person_hash(directory.person_key, email))

        return Store(store=store, domain=found.domain, currency=found.currency, lane_of=lane_of)

    agents = make_agents(store_of, settings.topic_prefix)

    async def stores_are_known(records: Sequence[Incoming]) -> None:
        nonlocal starting
        starting = starting or asyncio.create_task(directory.start())  # all agents wait for the one start
        await starting
        for record in records:
            store = store_in(record.value)
            if store is not None and store not in directory.by_store:
                await directory.known(store)

    engine = Engine(
        group=group(settings.topic_prefix, "resolve"),
        kafka=kafka_options(settings),
        store=settings.tables,
        data=settings.data / "resolve" / str(slot),
        partitions=settings.partitions,
        replication=settings.replication,
        slot=slot,
        lost=lost_letter(settings.topic_prefix),
        prepare=stores_are_known,
        session_timeout_s=session_timeout_s,
    )
    for agent in agents:
        engine.agent(settings.topic_prefix + agent.topic.name, agent.table, agent.decide)
    try:
        engine.run()
    except NotReady as error:
        log.error("resolve.not_ready", reason=str(error))
        return 70
