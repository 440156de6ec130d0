"""The directory against a real Kafka."""

import asyncio
import base64
from collections.abc import AsyncIterator

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.connection import kafka_options, producer
from schemas.directory import Directory
from schemas.failures import Unavailable, WrongSetting
from schemas.records import Message, Origin, encode, headers_of
from schemas.settings import Settings
from schemas.stores import DEPLOYMENT, Deployment, Seal, Store
from schemas.topics import STORES

KEY = base64.urlsafe_b64encode(bytes(32)).decode()


def store(name: str, **changed: object) -> Store:
    made = Store(
        store=name,
        domain="shop.example.com",
        currency="USD",
        engagement_url="https://api.example.com",
        project="p",
        access_token="token",
        api_key_id="key",
        api_secret="secret",
        webhook_secret="header",
    )
    return msgspec.structs.replace(made, **changed)


@pytest.fixture
def settings(kafka: str, prefix: str) -> Settings:
    return Settings(_env_file=None, kafka=kafka, topic_prefix=prefix, partitions=2, replication=1, secret_key=KEY)


@pytest.fixture
async def topic(settings: Settings) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    name = settings.topic_prefix + STORES.name
    await admin.create_topics([NewTopic(name, settings.partitions, 1, topic_configs=STORES.config(1))])
    await admin.close()
    return name


@pytest.fixture
async def sender(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    made = producer(kafka_options(settings))
    await made.start()
    yield made
    await made.stop()


async def put(sender: AIOKafkaProducer, topic: str, key: str, message: Message) -> None:
    headers = list(headers_of(message, Origin(cause="", observed_at_ms=1)))
    await sender.send_and_wait(topic, encode(message), key=key.encode(), headers=headers)


async def test_all_stores_are_there_after_the_start_with_their_secrets_open(settings: Settings, topic: str, sender: AIOKafkaProducer):
    seal = Seal(settings)
    for number in range(10):
        await put(sender, topic, f"s{number}.1", seal.sealed(store(f"s{number}.1")))
    await put(sender, topic, DEPLOYMENT, Deployment(person_key=seal.close(base64.b64encode(b"p" * 32).decode())))
    await put(sender, topic, "s0.1", seal.sealed(store("s0.1", domain="new.example.com")))
    await sender.send_and_wait(topic, b"broken", key=b"s1.1", headers=[("schema", b"store/9")])

    directory = Directory(settings)
    await directory.start()
    try:
        assert set(directory.by_store) == {f"s{number}.1" for number in range(10)}
        assert directory.by_store["s0.1"] == store("s0.1", domain="new.example.com")
        assert directory.person_key == b"p" * 32
    finally:
        await directory.stop()


async def test_an_empty_directory_starts_and_follows_what_is_added(settings: Settings, topic: str, sender: AIOKafkaProducer):
    directory = Directory(settings)
    await directory.start()
    try:
        assert (directory.by_store, directory.person_key) == ({}, b"")
        waiting = asyncio.create_task(directory.known("late.1"))
        await put(sender, topic, "late.1", Seal(settings).sealed(store("late.1")))
        assert await asyncio.wait_for(waiting, 60) == store("late.1")
    finally:
        await directory.stop()


async def test_the_latest_generation_that_is_not_removed_answers_for_a_hash(settings: Settings, topic: str, sender: AIOKafkaProducer):
    seal = Seal(settings)
    for one in (store("a.1", removed=True), store("a.2"), store("b.9"), store("b.10", removed=True)):
        await put(sender, topic, one.store, seal.sealed(one))
    directory = Directory(settings)
    await directory.start()
    try:
        assert directory.of_hash("a") == store("a.2")
        assert directory.of_hash("b") is None
        assert directory.of_hash("c") is None
    finally:
        await directory.stop()


async def test_another_secret_key_stops_the_start(settings: Settings, topic: str, sender: AIOKafkaProducer):
    await put(sender, topic, "a.1", Seal(settings).sealed(store("a.1")))
    other = Settings(**{**settings.model_dump(), "secret_key": base64.urlsafe_b64encode(b"1" * 32).decode()})
    with pytest.raises(WrongSetting, match="CARTSTREAM_SECRET_KEY"):
        await Directory(other).start()


async def test_a_missing_topic_and_another_number_of_partitions_are_told_at_once(settings: Settings):
    with pytest.raises(Unavailable, match="run `cartstream topics`"):
        await Directory(settings).start()
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(settings.topic_prefix + STORES.name, 3, 1)])
    await admin.close()
    with pytest.raises(WrongSetting, match="CARTSTREAM_PARTITIONS: is 2"):
        await Directory(settings).start()


async def test_kafka_that_is_away_is_unavailable(settings: Settings):
    with pytest.raises(Unavailable, match=r"Kafka at 127\.0\.0\.1:1 cannot be used"):
        await Directory(settings.model_copy(update={"kafka": "127.0.0.1:1"})).start()
