import json
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from ops.embedded_kafka import EmbeddedKafka
from ops.topics import create_topics
from schemas.connection import kafka_options
from schemas.keys import changelog
from schemas.settings import Settings
from schemas.topics import ACCOUNTS, STAGES, STORES, TOPICS, WEBHOOKS, group
from tests.ops.conftest import Run


async def make(kafka: str, name: str, partitions: int, config: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
    await admin.close()
    assert not answer.topic_errors[0][1]


async def config_of(kafka: str, name: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    await admin.close()
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


async def test_topics_creates_all_and_a_second_time_changes_nothing(run: Run, kafka: str, prefix: str):
    first = run("topics", "--json")
    assert first.code == 0, first.err
    assert {t["topic"] for t in first.json["topics"]} == {prefix + topic.name for topic in TOPICS}
    assert {(t["partitions"], t["replication"], t["result"]) for t in first.json["topics"]} == {(4, 1, "created")}
    assert first.json["groups"] == [group(prefix, stage) for stage in STAGES]
    for topic in TOPICS:
        config = await config_of(kafka, prefix + topic.name)
        assert config.items() >= topic.config(1).items()

    second = run("topics", "--json")
    assert second.code == 0
    assert {t["result"] for t in second.json["topics"]} == {"ok"}
    assert second.json["groups"] == []


async def test_a_topic_is_not_made_anew_under_the_table_that_follows_it(run: Run, kafka: str, prefix: str):
    rows = changelog(group(prefix, "resolve"), ACCOUNTS.table)
    await make(kafka, rows, 4, {"cleanup.policy": "compact"})
    refused = run("topics", "--json")
    assert refused.code == 1
    assert {t["topic"]: t["note"] for t in refused.json["topics"] if t["result"] == "refused"} == {
        prefix + ACCOUNTS.name: f"its table's rows are there: restore it, or delete {rows} too"
    }
    assert {t["result"] for t in refused.json["topics"]} == {"refused", "missing"}


async def test_a_new_group_stands_at_the_beginning_of_its_topics(settings: Settings, kafka: str, prefix: str):
    await create_topics(settings)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    for stage, topics in STAGES.items():
        committed = await admin.list_consumer_group_offsets(group(prefix, stage))
        assert {tp.topic for tp in committed} == {prefix + topic.name for topic in topics}
        assert len(committed) == 4 * len(topics)
        assert {offset.offset for offset in committed.values()} == {0}
    await admin.close()


async def test_what_a_group_committed_stays_when_kafka_has_just_started(kafka_folder: Path, tmp_path: Path):
    broker = EmbeddedKafka(kafka_folder, tmp_path)
    settings = Settings(_env_file=None, kafka=broker.address, partitions=4, replication=1)
    options, done = kafka_options(settings), {TopicPartition(WEBHOOKS.name, 1): 1}

    async def group_of_fetch() -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(**options, group_id=group("", "fetch"), enable_auto_commit=False)
        await consumer.start()
        consumer.assign(list(done))
        return consumer

    with broker:
        assert (await create_topics(settings)).groups == [group("", stage) for stage in STAGES]
        consumer = await group_of_fetch()
        await consumer.commit(done)
        await consumer.stop()
    with broker:
        assert (await create_topics(settings)).groups == []
        consumer = await group_of_fetch()
        assert await consumer.committed(next(iter(done))) == 1
        await consumer.stop()


def test_another_number_of_partitions_is_refused_and_nothing_is_made(run: Run, prefix: str):
    assert run("topics").code == 0
    refused = run("topics", "--json", partitions="6")
    assert refused.code == 1
    assert {t["result"] for t in refused.json["topics"]} == {"refused"}
    assert "CARTSTREAM_PARTITIONS is 6; set it back to 4" in refused.err
    assert {t["result"] for t in run("topics", "--json").json["topics"]} == {"ok"}


async def test_one_topic_of_another_size_keeps_the_others_from_being_made(run: Run, kafka: str, prefix: str):
    await make(kafka, prefix + WEBHOOKS.name, 2, {})
    refused = run("topics", "--json")
    assert refused.code == 1
    assert {t["topic"]: t["result"] for t in refused.json["topics"]}[prefix + STORES.name] == "missing"


async def test_a_compacted_source_topic_is_refused(run: Run, kafka: str, prefix: str):
    await make(kafka, prefix + WEBHOOKS.name, 4, {"cleanup.policy": "compact"})
    refused = run("topics")
    assert refused.code == 1
    assert "CARTSTREAM_TOPIC_PREFIX" in refused.err


async def test_settings_that_lose_records_are_corrected_and_what_somebody_added_stays(run: Run, kafka: str, prefix: str):
    await make(kafka, prefix + WEBHOOKS.name, 4, {"retention.ms": "60000", "max.message.bytes": "2000000"})
    await make(kafka, prefix + STORES.name, 4, {"cleanup.policy": "delete"})
    found = {t["topic"]: t for t in run("topics", "--json").json["topics"]}
    assert found[prefix + WEBHOOKS.name]["result"] == found[prefix + STORES.name]["result"] == "corrected"
    webhooks = await config_of(kafka, prefix + WEBHOOKS.name)
    assert webhooks.items() >= {**WEBHOOKS.config(1), "max.message.bytes": "2000000"}.items()
    assert (await config_of(kafka, prefix + STORES.name))["cleanup.policy"] == "compact"


async def test_a_topic_that_somebody_keeps_longer_is_left_so(run: Run, kafka: str, prefix: str):
    await make(kafka, prefix + WEBHOOKS.name, 4, {"retention.ms": "-1", "cleanup.policy": "delete"})
    found = {t["topic"]: t for t in run("topics", "--json").json["topics"]}
    assert found[prefix + WEBHOOKS.name]["result"] in ("ok", "corrected")
    assert (await config_of(kafka, prefix + WEBHOOKS.name))["retention.ms"] == "-1"


def test_the_table_fits_its_width_and_names_every_topic(run: Run, prefix: str):
    shown = run("topics").out
    assert all(prefix + topic.name in shown for topic in TOPICS)
    assert max(map(len, shown.splitlines())) <= 100
    assert json.loads(run("topics", "--json").out)["topics"]


def test_more_replicas_than_brokers_is_a_wrong_setting(run: Run):
    refused = run("topics", replication="9")
    assert refused.code == 2
    assert refused.err.startswith("cartstream: CARTSTREAM_REPLICATION: is 9")
