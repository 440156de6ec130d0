"""How far loading may be ahead of the stages: what waits on the topics between stays bounded, however much history there is."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from ingest.rate import OVER_S, Rate, Waiting
from schemas.connection import admin_client, consumer, offsets_of, partitions_of, reaching_kafka
from schemas.settings import Settings
from schemas.stores import Store
from schemas.topics import ACCOUNTS, CATALOG, CHECKOUTS, HISTORY, PAGES, PEOPLE, PRODUCTS, STAGES, SUBSCRIBERS, Topic, group

# By what a stage has left of a topic in all partitions: more than it does between two commits, so that it is never idle for our sake. What
# fetch and resolve have left is less, as long as they do anything: `rate.py` sees to that.
AHEAD_MAX = {
    PAGES: 16,  # records, of up to 900 kB each: 15 MB
    ACCOUNTS: 3_000,
    SUBSCRIBERS: 3_000,
    CHECKOUTS: 3_000,
    PRODUCTS: 1_000,  # each with all its variants
    PEOPLE: 4_000,
    HISTORY: 1_000_000,  # about a gigabyte. Engagement takes some hundreds a second: this is half an hour of them
    CATALOG: 100_000,
}
LOOK_S = 0.25
PASSED_WITHIN_S = 10.0  # a stage that is not behind has committed by then what stands on its topics


async def pages_passed(settings: Settings, topic: Topic) -> bool:
    """Whether of all pages that stand on Kafka fetch has written the states, and resolve has those on `topic` in its rows.

    What is not so within PASSED_WITHIN_S is given up. A page of any store counts, for pages do not say when the last of a store is through.
    Raises Unavailable.
    """
    deadline = time.monotonic() + PASSED_WITHIN_S
    async with admin_client(settings) as admin:
        reader = consumer(settings)
        with reaching_kafka(settings):
            try:
                await reader.start()
                for stage, read in (("fetch", PAGES), ("resolve", topic)):
                    partitions = await partitions_of(admin, [settings.topic_prefix + read.name])
                    ends = await reader.end_offsets(partitions)
                    while True:
                        offsets = await offsets_of(admin, reader, group(settings.topic_prefix, stage), partitions)
                        if all(ends[tp] <= offsets[tp].first for tp in partitions):
                            break
                        if time.monotonic() > deadline:
                            return False
                        await asyncio.sleep(LOOK_S)
            finally:
                await reader.stop()
    return True


class Ahead:
    """One for all stores of a process, for all stores share the topics."""

    def __init__(
        self, settings: Settings, admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer, bounds: Mapping[str, int] | None = None
    ) -> None:
        """`bounds` by topic, without its prefix; AHEAD_MAX where none are given."""
        self._prefix, self._admin, self._reader = settings.topic_prefix, admin, reader
        self._bounds = {topic.name: most for topic, most in AHEAD_MAX.items()} if bounds is None else bounds
        self._partitions: dict[str, list[TopicPartition]] = {}  # by stage
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._left: dict[tuple[str, str], int] = {}  # records, by stage and topic, without those of tenants that are apart
        self._apart: dict[tuple[str, str], Counter[str]] = {}  # these
        self._waiting: dict[TopicPartition, Waiting] = {}  # of fetch and resolve: each worker commits when it likes
        self._rate, self._heeded_at = Rate(), time.monotonic()
        self._free_at, self._held = float("-inf"), False

    async def behind(self, store: Store) -> str:
        """What has to be waited for before more of a store is loaded, in words; "" when there is room. Raises KafkaError, Unavailable.

        What another store has left that waits, and holds up nobody (schemas/committed.py), does not count.
        """
        await self._look_now_and_then()
        for (stage, topic), records in self._left.items():
            apart = self._apart[stage, topic]
            if records + apart[store.store] + apart[store.project] > self._bounds[topic.removeprefix(self._prefix)]:
                return f"{stage}, which is behind on {topic}"
        return ""

    async def _look_now_and_then(self) -> None:
        async with self._looking:
            if time.monotonic() - self._looked_at > LOOK_S:
                await self._look()
                self._looked_at = time.monotonic()

    def begin(self) -> None:
        """Another resource is loaded from now on."""
        self._rate.begin()

    async def turn(self, entities: int) -> None:
        """So many were loaded: returns when there is time for more. Raises as `behind`."""
        self._free_at = max(self._free_at + entities / self._rate.per_s, time.monotonic())
        while (wait_s := self._free_at - time.monotonic()) > 0:
            self._held = True
            await asyncio.sleep(min(wait_s, LOOK_S))
            await self._look_now_and_then()

    async def _look(self) -> None:
        if not self._partitions:
            for stage, topics in STAGES.items():
                if bounded := [self._prefix + topic.name for topic in topics if topic.name in self._bounds]:
                    self._partitions[stage] = await partitions_of(self._admin, bounded)
        for stage, partitions in self._partitions.items():
            offsets = await offsets_of(self._admin, self._reader, group(self._prefix, stage), partitions)
            ends, now = await self._reader.end_offsets(partitions), time.monotonic()
            for topic in {tp.topic for tp in partitions}:
                self._left[stage, topic], self._apart[stage, topic] = 0, Counter()
            for tp in partitions:
                stands = offsets[tp]
                self._left[stage, tp.topic] += ends[tp] - stands.offset
                self._apart[stage, tp.topic].update({tenant: apart.records for tenant, apart in stands.apart.items()})
                if stage != "deliver":
                    self._waiting.setdefault(tp, Waiting()).see(now, ends[tp], stands.offset)
        if (now := time.monotonic()) - self._heeded_at > OVER_S:
            rest_s = self._rate.heed(max((waiting.s for waiting in self._waiting.values()), default=0.0), held=self._held)
            self._heeded_at = now + rest_s
            self._free_at, self._held = max(self._free_at, now + rest_s), False
