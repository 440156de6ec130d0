"""resolve as a process: the engine with its five agents."""

from collections.abc import Sequence

from schemas.connection import kafka_options
from schemas.directory import Directory
from schemas.failures import Unavailable
from schemas.keys import person_hash, person_lane
from schemas.settings import Settings
from schemas.topics import group
from streams.engine import Engine, Incoming, NotReady
from streams.membership import member_name
from streams.resolve.agents import lost, make_agents, store_in
from streams.resolve.rules.change import Store


def main(settings: Settings, slot: int, session_timeout_s: float = 45.0) -> int:
    """Work until SIGTERM. Never returns: the engine ends the process, with 0, 70 or 75 (start again).

    Raises Unavailable, WrongSetting where it cannot start.
    """
    directory = Directory(settings)

    def store_of(store: str) -> Store:
        found = directory.by_store[store]

        def lane_of(email: str) -> str:
            return person_lane(found.project, person_hash(directory.person_key, email))

        return Store(store=store, domain=found.domain, currency=found.currency, lane_of=lane_of, shared=found.shared)

    agents = make_agents(store_of, settings.topic_prefix)
    can_read = {settings.topic_prefix + agent.topic.name: agent.can_read for agent in agents}

    async def stores_are_known(records: Sequence[Incoming]) -> None:
        if not records:  # the start
            await directory.start()
        for record in records:
            store = store_in(record.value)
            if store is not None and store not in directory.by_store and can_read[record.topic](record):
                await directory.known(store)

    engine = Engine(
        group=group(settings.topic_prefix, "resolve"),
        kafka=kafka_options(settings),
        store=settings.tables,
        data=settings.data / "resolve" / str(slot),
        partitions=settings.partitions,
        replication=settings.replication,
        member=member_name(settings, slot),
        lost=lost(settings.topic_prefix),
        prepare=stores_are_known,
        session_timeout_s=session_timeout_s,
    )
    for agent in agents:
        engine.agent(settings.topic_prefix + agent.topic.name, agent.topic.table, agent.decide)
    try:
        engine.run()
    except NotReady as error:
        raise Unavailable(str(error)) from error
