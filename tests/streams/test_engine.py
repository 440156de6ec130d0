import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.engine import Decision, Engine, NotReady, Outgoing, _credentials, _within


def engine(kafka: str, prefix: str, data: Path, partitions: int = 2) -> Engine:
    """An engine that is not started: what these tests ask of it comes before."""
    made = Engine(
        group=f"{prefix}group",
        kafka={"bootstrap_servers": kafka},
        store="memory://",
        data=data,
        partitions=partitions,
        replication=1,
        member="0",
        lost=lambda topic, partition, first, count: Outgoing("lost", b"", None),
    )
    made.agent(f"{prefix}in", "rows", lambda record, row: Decision())
    return made


async def create(kafka: str, topic: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic, partitions, 1)])
    await admin.close()


async def settings(kafka: str, topic: str) -> Mapping[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    await admin.close()
    return {entry[0]: entry[1] for entry in answers[0].resources[0][4]}


def test_a_topic_and_a_table_have_one_agent_each(tmp_path: Path):
    made = engine("127.0.0.1:1", "p.", tmp_path)
    with pytest.raises(ValueError, match="one topic, one agent, one table"):
        made.agent("p.in", "others", lambda record, row: Decision())
    with pytest.raises(ValueError, match="one topic, one agent, one table"):
        made.agent("p.other", "rows", lambda record, row: Decision())


def test_it_refuses_to_start_without_its_topic(kafka: str, prefix: str, tmp_path: Path):
    with pytest.raises(NotReady, match=f"topic {prefix}in does not exist"):
        engine(kafka, prefix, tmp_path).run()


async def test_it_refuses_to_start_on_another_number_of_partitions(kafka: str, prefix: str, tmp_path: Path):
    await create(kafka, f"{prefix}in", 3)
    with pytest.raises(NotReady, match="has 3 partitions, not 2"):
        await engine(kafka, prefix, tmp_path)._check_topics()


async def test_it_refuses_a_changelog_with_another_number_of_partitions(kafka: str, prefix: str, tmp_path: Path):
    await create(kafka, f"{prefix}in", 2)
    await create(kafka, f"{prefix}group-rows-changelog", 1)
    with pytest.raises(NotReady, match="rows-changelog has 1 partitions, not 2"):
        await engine(kafka, prefix, tmp_path)._check_topics()


async def test_changelogs_are_compacted_within_a_day_and_may_be_created_twice(kafka: str, prefix: str, tmp_path: Path):
    made = engine(kafka, prefix, tmp_path)
    await made.create_changelogs()
    await made.create_changelogs()
    found = await settings(kafka, made.changelog("rows"))
    wanted = {"cleanup.policy": "compact", "segment.ms": "86400000", "max.compaction.lag.ms": "86400000", "min.insync.replicas": "1"}
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"security_protocol": "SSL", "ssl_context": None}, ("SSL", None, None)),
        (
            {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512"}
            | {"sasl_plain_username": "u", "sasl_plain_password": "p"},
            ("SASL_PLAINTEXT", "SCRAM-SHA-512", "u"),
        ),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "ssl_context": None}
            | {"sasl_plain_username": "u", "sasl_plain_password": "p"},
            ("SASL_SSL", "PLAIN", "u"),
        ),
    ],
)
def test_faust_connects_as_securely_as_aiokafka(given: dict[str, Any], expected: tuple[str, str | None, str | None] | None):
    import ssl

    if "ssl_context" in given:
        given = given | {"ssl_context": ssl.create_default_context()}
    found = _credentials(given)
    if expected is None:
        assert found is None
    else:
        mechanism = getattr(found, "mechanism", None)
        assert (found.protocol.value, mechanism and mechanism.value, getattr(found, "username", None)) == expected


async def test_work_that_does_not_end_when_cancelled_is_not_waited_for():
    """As a commit of Faust's that waits for another one while Kafka is away."""

    async def begins_anew() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(1)

    with pytest.raises(TimeoutError, match=r"not done within 0.05 s"):
        async with asyncio.timeout(5):
            await _within(0.05, begins_anew())


async def test_what_work_raises_is_raised_where_it_is_waited_for():
    async def failing() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await _within(5, failing())


def test_another_faust_is_refused():
    code = "import importlib.metadata as m; m.version = lambda name: '0.16.0'; import streams.engine"
    ended = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert "streams/engine.py is written for faust-streaming 0.15.3, this is 0.16.0" in ended.stderr


WORKER = """
import sys
from pathlib import Path
from streams.engine import Decision, Engine, Outgoing

kafka, prefix, data, *topics = sys.argv[1:]
made = Engine(group=f"{prefix}group", kafka={"bootstrap_servers": kafka}, store="memory://", data=Path(data), partitions=2,
              replication=1, member="0", lost=lambda topic, partition, first, count: Outgoing("lost", b"", None), session_timeout_s=6)
for topic in topics:
    made.agent(prefix + topic, topic, lambda record, row: Decision(row or b"row", [Outgoing(f"{prefix}out", record.key, record.value)]))
made.run()
"""


async def test_a_worker_that_is_back_with_another_topic_gets_its_partitions_too(kafka: str, prefix: str, tmp_path: Path):
    for topic in ("in", "added", "out"):
        await create(kafka, prefix + topic, 2)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    out = AIOKafkaConsumer(f"{prefix}out", bootstrap_servers=kafka, auto_offset_reset="earliest")
    await producer.start()
    await out.start()

    async def worked(*topics: str) -> set[tuple[str, bytes]]:
        """What a worker with these topics has done of new records in both partitions of each; then it ends in order."""
        wanted = {(topic.encode(), b"%d" % partition) for topic in topics for partition in (0, 1)}
        for topic, partition in wanted:
            await producer.send_and_wait(prefix + topic.decode(), topic, key=partition, partition=int(partition))
        command = [sys.executable, "-c", WORKER, kafka, prefix, str(tmp_path), *topics]
        with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as process:
            found: set[tuple[bytes, bytes]] = set()
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(40):
                        while not wanted <= found:
                            record = await out.getone()
                            found.add((record.value, record.key))
                process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(process.wait, 30) == 0
            finally:
                process.kill()
        return {(topic.decode(), partition) for topic, partition in found}

    try:
        assert await worked("in") == {("in", b"0"), ("in", b"1")}
        assert await worked("in", "added") == {(topic, partition) for topic in ("in", "added") for partition in (b"0", b"1")}
    finally:
        await out.stop()
        await producer.stop()
