"""The real fetch process between a real Kafka and the BigCommerce simulator; the test is ingest, and reads what fetch writes."""

import asyncio
import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import httpx
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from pydantic import SecretStr

from bigcommerce.webhooks import parse_webhook
from ops.topics import create_topics
from schemas.committed import Committed
from schemas.connection import admin_client, consumer, offsets_of, partitions_of
from schemas.entities import Page
from schemas.keys import page_key, webhook_key
from schemas.records import Decoder, Message, Origin, encode, headers_of
from schemas.settings import Settings
from schemas.stores import Seal, Store
from schemas.topics import ACCOUNTS, CHECKOUTS, DEAD_LETTERS, PAGES, PRODUCTS, STAGES, STORES, SUBSCRIBERS, WEBHOOKS, Topic, group
from schemas.webhooks import WebhookReceived

ROOT = Path(__file__).resolve().parents[3]
SECRET_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
HASH, STORE, TOKEN = "abc123", "abc123.1", "token-abc123"
PARTITIONS = 4
OUTPUTS = (ACCOUNTS, SUBSCRIBERS, CHECKOUTS, PRODUCTS, DEAD_LETTERS)
WAIT_S_MAX = 60.0


class Stage:
    """A fetch process with its topics and a store, and both of its sides."""

    def __init__(self, kafka: str, prefix: str, simulator: str, folder: Path) -> None:
        self.settings = Settings(
            _env_file=None,
            kafka=kafka,
            topic_prefix=prefix,
            partitions=PARTITIONS,
            replication=1,
            secret_key=SecretStr(SECRET_KEY),
            bigcommerce_api=simulator,
        )
        self.simulator = simulator
        self._log = folder / "fetch.log"
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        await create_topics(self.settings)
        self._producer = AIOKafkaProducer(bootstrap_servers=self.settings.kafka, acks="all")
        await self._producer.start()
        self.http = httpx.AsyncClient(base_url=self.simulator, timeout=30)
        await self.add_store(STORE, TOKEN)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._end(signal.SIGKILL)
        await self.http.aclose()
        await self._producer.stop()

    # the process

    def start(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CARTSTREAM_KAFKA": self.settings.kafka,
            "CARTSTREAM_TOPIC_PREFIX": self.settings.topic_prefix,
            "CARTSTREAM_PARTITIONS": str(PARTITIONS),
            "CARTSTREAM_REPLICATION": "1",
            "CARTSTREAM_SECRET_KEY": SECRET_KEY,
            "CARTSTREAM_BIGCOMMERCE_API": self.simulator,
        }
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ops.part", "fetch", "0"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """kill -9 of a process that runs: one that ended by itself fails the test."""
        self._assert_that_it_runs()
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code. As `kill`."""
        self._assert_that_it_runs()
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(number)
        try:
            code = process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            process.stdin.close()
        return code

    def _assert_that_it_runs(self) -> None:
        if self._process and (code := self._process.poll()) is not None:
            raise AssertionError(f"fetch ended by itself with {code}\n{self.log}")

    @property
    def log(self) -> str:
        return self._log.read_text()

    # ingest's side

    async def add_store(self, name: str, token: str, **changed: Any) -> None:
        seal = Seal(self.settings)
        fields = {
            "store": name,
            "domain": "shop.example.com",
            "currency": "USD",
            "engagement_url": "http://127.0.0.1:1",
            "project": "project",
            "access_token": seal.close(token),
            "api_key_id": "",
            "api_secret": "",
            "webhook_secret": "",
        }
        await self._write(STORES, name, Store(**fields | changed))

    async def webhooks(self, *named: tuple[str, Any], store: str = STORE, at_ms: int | None = None) -> None:
        """Webhooks (scope, data) of now, or of `at_ms`, are on Kafka."""
        shared = {"created_at": (at_ms or int(time.time() * 1000)) // 1000, "producer": f"stores/{store.partition('.')[0]}"}
        await asyncio.gather(*(self.deliver(orjson.dumps(shared | {"scope": scope, "data": data}), store) for scope, data in named))

    async def deliver(self, body: bytes, store: str = STORE) -> None:
        """A webhook as BigCommerce sends it is on Kafka."""
        webhook = orjson.loads(body)
        scope = webhook["scope"]
        read = parse_webhook(body)
        resource, id = read.resource, read.id
        received_at_ms = int(time.time() * 1000)
        message = WebhookReceived(store=store, resource=resource, id=id, scope=scope, received_at_ms=received_at_ms, body=body.decode())
        await self._send(WEBHOOKS, webhook_key(store, resource, id), message)

    async def hook(self, scope: str, destination: str) -> None:
        """The simulator's webhooks of this scope go there."""
        body = {"scope": scope, "destination": destination}
        answer = await self.http.post(f"/stores/{HASH}/v3/hooks", json=body, headers={"x-auth-token": TOKEN})
        answer.raise_for_status()

    async def pages(self, *pages: Page) -> None:
        """As backfill writes them."""
        await asyncio.gather(*(self._send(PAGES, page_key(page.store, page.resource, page.run, page.page), page) for page in pages))

    async def _write(self, topic: Topic, key: str, message: Message) -> None:
        await self._send(topic, key, message)

    async def _send(self, topic: Topic, key: str, message: Message) -> ConsumerRecord:
        headers = headers_of(message, Origin(cause="", observed_at_ms=int(time.time() * 1000)))
        name = self.settings.topic_prefix + topic.name
        return await self._producer.send_and_wait(name, encode(message), key.encode(), headers=list(headers))

    async def write_raw(self, value: bytes, headers: Iterable[tuple[str, bytes | None]] = (), topic: Topic = WEBHOOKS) -> None:
        await self._producer.send_and_wait(self.settings.topic_prefix + topic.name, value, b"raw", headers=list(headers))

    # the shop's side

    async def act(self, *actions: dict[str, Any]) -> list[dict[str, Any]]:
        answers = (await self.http.post("/_sim/actions", json=list(actions))).json()
        assert not [answer for answer in answers if "error" in answer], answers
        return answers

    async def knobs(self, **changed: float) -> None:
        (await self.http.put("/_sim/knobs", json=changed)).raise_for_status()

    async def raw(self, kind: str, id: str, body: bytes) -> None:
        (await self.http.put(f"/_sim/raw/{kind}/{id}", content=body)).raise_for_status()

    async def truth(self, kind: str, store_hash: str = HASH) -> dict[str, dict[str, Any]]:
        """Every entity that ever was, by id."""
        state = (await self.http.get("/_sim/state", params={"store": store_hash, "kind": kind})).json()
        return {str(entity["id"]): entity for entity in state["stores"][store_hash][kind]}

    async def calls(self) -> dict[str, int]:
        """Calls that fetch made, by endpoint and status."""
        return (await self.http.get("/_sim/counters")).json()["calls"]

    # resolve's side

    async def written(self, *topics: Topic) -> list[tuple[str, Message, dict[str, bytes]]]:
        """Everything that these topics hold: key, message, headers; in order within a key."""
        found = []
        for topic in topics or OUTPUTS:
            decoder = Decoder(topic.messages)
            records = await self._read(topic)
            found += [(record.key.decode(), decoder.decode(record.value, record.headers), dict(record.headers)) for record in records]
        return found

    async def wait_for(self, holds: Callable[[list[Any]], Any], *topics: Topic) -> list[tuple[str, Message, dict[str, bytes]]]:
        """`written`, as soon as it is such that `holds`."""
        deadline = time.monotonic() + WAIT_S_MAX
        while True:
            found = await self.written(*topics)
            if holds([message for _, message, _ in found]):
                return found
            self._assert_that_it_runs()
            assert time.monotonic() < deadline, f"not written in {WAIT_S_MAX} s; there is {found}\n{self.log}"
            await asyncio.sleep(0.1)

    async def wait_until_done(self) -> None:
        """Every record of `bigcommerce.webhooks` and `bigcommerce.pages` is acknowledged."""
        deadline = time.monotonic() + WAIT_S_MAX
        while lag := await self.lag():
            self._assert_that_it_runs()
            assert time.monotonic() < deadline, f"{lag} records are left after {WAIT_S_MAX} s\n{self.log}"
            await asyncio.sleep(0.1)

    async def lag(self, *topics: Topic) -> int:
        return sum(end - stands.done for stands, end in (await self.stands(*topics)).values())

    async def stands(self, *topics: Topic) -> dict[TopicPartition, tuple[Committed, int]]:
        """What fetch has committed for each partition, and its end."""
        async with admin_client(self.settings) as admin:
            partitions = await partitions_of(admin, [self.settings.topic_prefix + topic.name for topic in topics or STAGES["fetch"]])
            reader = consumer(self.settings)
            await reader.start()
            try:
                found = await offsets_of(admin, reader, group(self.settings.topic_prefix, "fetch"), partitions)
                ends = await reader.end_offsets(partitions)
            finally:
                await reader.stop()
        return {tp: (found[tp], ends[tp]) for tp in partitions}

    async def _read(self, topic: Topic) -> list[ConsumerRecord]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = [TopicPartition(self.settings.topic_prefix + topic.name, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            records: list[ConsumerRecord] = []
            async with asyncio.timeout(WAIT_S_MAX):
                while not all([await consumer.position(tp) >= end for tp, end in ends.items()]):
                    for batch in (await consumer.getmany(timeout_ms=100)).values():
                        records += batch
            return records
        finally:
            await consumer.stop()
