"""The real ingest process, its topics and stores, and BigCommerce's side of a delivery."""

import asyncio
import base64
import hashlib
import hmac
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import SecretStr

from ops.embedded_kafka import free_port
from schemas.records import Origin, encode, headers_of
from schemas.settings import Settings
from schemas.stores import Seal, Store
from schemas.topics import STORES, TOPICS, WEBHOOKS

ROOT = Path(__file__).parents[2]
PARTITIONS = 4
SECRET_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
APP_CLIENT_SECRET = "the-apps-client-secret"
WEBHOOK_SECRET = "the-stores-webhook-secret"
START_S_MAX = 60.0
ANSWER_S_MAX = 9.0  # BigCommerce waits this long at least: docs/facts/bigcommerce.md 1.5


def settings_of(kafka: str, prefix: str) -> Settings:
    return Settings(
        _env_file=None,
        kafka=kafka,
        topic_prefix=prefix,
        partitions=PARTITIONS,
        replication=1,
        listen=f"127.0.0.1:{free_port()}",
        secret_key=SecretStr(SECRET_KEY),
        bigcommerce_client_secret=SecretStr(APP_CLIENT_SECRET),
    )


async def create_topics(settings: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.create_topics(
        [
            NewTopic(settings.topic_prefix + topic.name, PARTITIONS, 1, topic_configs=topic.config(1))
            for topic in TOPICS
            if topic in (STORES, WEBHOOKS)
        ]
    )
    await admin.close()


async def add_stores(settings: Settings, stores: Iterable[Store]) -> None:
    """Write stores as `store add` does: secrets sealed."""
    seal = Seal(settings)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    await producer.start()
    for store in stores:
        headers = headers_of(store, Origin(cause="", observed_at_ms=0))
        sealed = {name: seal.close(getattr(store, name)) for name in ("client_secret", "webhook_secret")}
        record = Store(**{name: getattr(store, name) for name in store.__struct_fields__} | sealed)
        await producer.send_and_wait(settings.topic_prefix + STORES.name, encode(record), store.store.encode(), headers=list(headers))
    await producer.stop()


def store(name: str, **changed: Any) -> Store:
    fields = {
        "store": name,
        "domain": "shop.example.com",
        "currency": "EUR",
        "engagement_url": "http://127.0.0.1:1",
        "project": "project",
        "access_token": "",
        "api_key_id": "",
        "api_secret": "",
        "webhook_secret": WEBHOOK_SECRET,
    }
    return Store(**fields | changed)


async def read_webhooks(settings: Settings) -> list[ConsumerRecord]:
    """Every record of `bigcommerce.webhooks`, from the beginning to the end that it has now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(settings.topic_prefix + WEBHOOKS.name, p) for p in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[ConsumerRecord] = []
        async with asyncio.timeout(60):
            while not all([await consumer.position(tp) >= end for tp, end in ends.items()]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records += batch
        return records
    finally:
        await consumer.stop()


def webhook(store_hash: str, scope: str = "store/product/updated", id: object = 180, **changed: object) -> bytes:
    """A body as BigCommerce writes it."""
    data = {"type": scope.split("/")[1], "id": id}
    envelope = {
        "producer": f"stores/{store_hash}",
        "hash": "64d3",
        "created_at": 1786447828,
        "store_id": "1003",
        "scope": scope,
        "data": data,
    }
    return orjson.dumps(envelope | changed)


def signed(body: bytes, key: str = APP_CLIENT_SECRET, age_s: float = 0) -> dict[str, str]:
    """The headers with which BigCommerce delivers `body`."""
    stamp = str(int(time.time() - age_s))
    digest = hmac.new(key.encode(), b"some-id." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": "some-id",
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


class IngestProcess:
    """One ingest, as a process of its own; its log is in `log`."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings = settings
        self.log = log
        self.url = f"http://{settings.listen}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "IngestProcess":
        """Returns when the process listens; whether it is ready is another matter."""
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "CARTSTREAM_KAFKA": self.settings.kafka,
            "CARTSTREAM_TOPIC_PREFIX": self.settings.topic_prefix,
            "CARTSTREAM_PARTITIONS": str(self.settings.partitions),
            "CARTSTREAM_LISTEN": self.settings.listen,
            "CARTSTREAM_SECRET_KEY": self.settings.secret_key.get_secret_value(),
            "CARTSTREAM_BIGCOMMERCE_CLIENT_SECRET": self.settings.bigcommerce_client_secret.get_secret_value(),
        }
        code = "import sys; from ingest.app import main; from schemas.settings import load; sys.exit(main(load()))"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-c", code], cwd=self.log.parent, env=environment, stdout=log, stderr=log)
        self.wait_for("/healthz")
        return self

    def wait_for(self, path: str, status: int = 200) -> None:
        deadline = time.monotonic() + START_S_MAX
        while self.status_of(path) != status:
            assert self.process
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"{path} did not become {status}: {self.log.read_text()}"
            time.sleep(0.05)

    def status_of(self, path: str) -> int | None:
        try:
            return httpx.get(self.url + path, timeout=ANSWER_S_MAX).status_code
        except httpx.TransportError:
            return None

    def deliver(self, store_hash: str, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        """POST as BigCommerce does, signed unless headers are given."""
        content = signed(body) if headers is None else headers
        return httpx.post(f"{self.url}/webhooks/{store_hash}", content=body, headers=content, timeout=ANSWER_S_MAX)

    def metric(self, sample: str) -> float:
        """The value of one sample, 0 where there is none yet."""
        lines = httpx.get(self.url + "/metrics", timeout=ANSWER_S_MAX).text.splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(sample + " ")), 0.0)

    def stop(self) -> int:
        """End it in order; its exit code."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.join()

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.join()

    def join(self) -> int:
        assert self.process
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
