"""Real upkeep processes between a real Kafka and the BigCommerce simulator; the test asks for history, and reads what is loaded."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from ops.backfill import Wanted, ask, backfill_of
from schemas.backfills import Backfill, BackfillProgress, Backfills
from schemas.entities import Page
from schemas.records import Message
from schemas.topics import BACKFILLS, PAGES, Topic, group
from tests.streams.fetch.stage import PARTITIONS, ROOT, SECRET_KEY, STORE, Stage

SESSION_S = 6.0  # the shortest that Kafka allows
WAIT_S_MAX = 60.0
LINE = {"product_id": 5, "variant_id": 50, "name": "Mug", "price": "12.50", "quantity": 2}
MAIN = """
import sys
from ingest.upkeep import main
from ops import environment
sys.exit(main(environment.load(), int(sys.argv[1]), float(sys.argv[2])))
"""
LISTS = {"customer": "GET /v3/customers 200", "subscriber": "GET /v3/customers/subscribers 200", "order": "GET /v2/orders 200"}


class History(Stage):
    """Upkeep processes by slot, with their topics and a store."""

    def __init__(self, kafka: str, prefix: str, simulator: str, folder: Path) -> None:
        super().__init__(kafka, prefix, simulator, folder)
        self._folder = folder
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    async def __aexit__(self, *_: object) -> None:
        for slot in list(self.processes):
            self.end(slot, signal.SIGKILL)
        await super().__aexit__()

    def begin(self, slot: int = 0) -> None:
        seen = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CARTSTREAM_KAFKA": self.settings.kafka,
            "CARTSTREAM_TOPIC_PREFIX": self.settings.topic_prefix,
            "CARTSTREAM_PARTITIONS": str(PARTITIONS),
            "CARTSTREAM_REPLICATION": "1",
            "CARTSTREAM_SECRET_KEY": SECRET_KEY,
            "CARTSTREAM_BIGCOMMERCE_API": self.simulator,
            "CARTSTREAM_DATA": str(self._folder / "data"),
        }
        with open(self._folder / f"upkeep-{slot}.log", "ab") as log:
            command = [sys.executable, "-P", "-c", MAIN, str(slot), str(SESSION_S)]
            self.processes[slot] = subprocess.Popen(command, env=seen, stdout=log, stderr=log)

    def end(self, slot: int, number: signal.Signals) -> int:
        process = self.processes.pop(slot)
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        return process.wait(30)

    def said(self, slot: int = 0) -> str:
        return (self._folder / f"upkeep-{slot}.log").read_text()

    # commands' side

    async def send(self, topic: Topic, key: str, message: Message) -> None:
        await self._send(topic, key, message)

    async def ask(self, store: str = STORE, **wanted: Any) -> Backfill:
        backfill = backfill_of(store, Wanted(**wanted))
        await ask(self.settings, backfill)
        return backfill

    async def backfills(self) -> Backfills:
        found = Backfills()
        for _, message, _ in await self.written(BACKFILLS):
            found.take(message)
        return found

    async def until(self, holds: Callable[[dict[str, BackfillProgress]], object], store: str = STORE) -> dict[str, BackfillProgress]:
        """The progress by resource, as soon as it is such that `holds`."""
        deadline = time.monotonic() + WAIT_S_MAX
        while True:
            found = {at.resource: at for at in (await self.backfills()).progress(store)}
            if holds(found):
                return found
            assert time.monotonic() < deadline, f"there is {found}\n{self.said()}"
            await asyncio.sleep(0.1)

    async def until_done(self, store: str = STORE) -> dict[str, BackfillProgress]:
        return await self.until(lambda found: found and all(at.state == "done" for at in found.values()), store)

    # the shop's side

    async def people(self, customers: int, subscribers: int = 0, orders: int = 0) -> None:
        """The shop has a past."""
        actions: list[dict[str, Any]] = [{"action": "create_customer", "email": f"c{n}@example.com"} for n in range(customers)]
        actions += [{"action": "create_subscriber", "email": f"s{n}@example.com"} for n in range(subscribers)]
        actions += [{"action": "create_order", "lines": [LINE], "billing": {"email": f"o{n}@example.com"}} for n in range(orders)]
        await self.act(*actions)

    # the stages' side

    async def read_all(self, topic: Topic, stage: str = "fetch") -> None:
        """The stage has done all that stands on the topic now."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka, group_id=group(self.settings.topic_prefix, stage), enable_auto_commit=False
        )
        await consumer.start()
        try:
            partitions = [TopicPartition(self.settings.topic_prefix + topic.name, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            await consumer.commit(await consumer.end_offsets(partitions))
        finally:
            await consumer.stop()

    async def pages(self) -> list[Page]:
        return [message for _, message, _ in await self.written(PAGES)]

    async def ids(self) -> dict[str, set[int]]:
        """What all pages bring, by resource."""
        found: dict[str, set[int]] = {}
        for page in await self.pages():
            found.setdefault(page.resource, set()).update(entity["id"] for entity in orjson.loads(bytes(page.body)))
        return found

    async def twice(self) -> Counter[tuple[str, str, int]]:
        """How often each page (resource, run, number) is there beyond once."""
        found = Counter((page.resource, page.run, page.page, page.part) for page in await self.pages())
        return Counter({place[:3]: count - 1 for place, count in found.items() if count > 1})
