import io
import json
import signal
import subprocess
import time

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console

from ops.lag import Lag, Sample, clear_in_s, lag_of, tables
from ops.topics import create_topics
from schemas.committed import Apart, Committed
from schemas.connection import kafka_options, producer
from schemas.settings import Settings
from schemas.topics import COMMANDS, STAGES, WEBHOOKS, group
from tests.ops.conftest import COMMAND, Run


async def send(settings: Settings, topic: str, count: int, age_s: int) -> None:
    sender = producer(kafka_options(settings))
    await sender.start()
    for number in range(count):
        await sender.send_and_wait(topic, b"x", partition=1, timestamp_ms=int((time.time() - age_s) * 1000) + number)
    await sender.stop()


async def commit(settings: Settings, stage: str, tp: TopicPartition, offset: int) -> None:
    consumer = AIOKafkaConsumer(**kafka_options(settings), group_id=group(settings.topic_prefix, stage), enable_auto_commit=False)
    await consumer.start()
    consumer.assign([tp])
    await consumer.commit({tp: offset})
    await consumer.stop()


async def test_lag_counts_the_records_and_the_age_of_the_first_that_is_not_committed(run: Run, settings: Settings, prefix: str):
    await create_topics(settings)
    webhooks, commands = TopicPartition(prefix + WEBHOOKS.name, 1), TopicPartition(prefix + COMMANDS.name, 1)
    await send(settings, webhooks.topic, 2, age_s=7200)
    await send(settings, webhooks.topic, 3, age_s=600)
    await commit(settings, "fetch", webhooks, 2)
    await send(settings, commands.topic, 1, age_s=0)
    await commit(settings, "deliver", commands, 1)

    ran = run("lag", "--json")
    assert ran.code == 0, ran.err
    found = {(row["stage"], row["topic"], row["partition"]): row for row in ran.json}
    assert len(found) == 4 * sum(map(len, STAGES.values()))
    behind = found["fetch", webhooks.topic, 1]
    assert (behind["records"], behind["waits_for"]) == (3, "BigCommerce")
    assert 600 <= behind["seconds"] < 7200
    assert (behind["rate_in"], behind["rate_out"], behind["clear_in_s"]) == (0.0, 0.0, None)
    assert sum(row["records"] for row in ran.json) == 3
    assert found["deliver", commands.topic, 1] == {
        "stage": "deliver",
        "topic": commands.topic,
        "partition": 1,
        "records": 0,
        "seconds": 0.0,
        "rate_in": 0.0,
        "rate_out": 0.0,
        "clear_in_s": 0.0,
        "waits_for": None,
        "apart": {},
    }

    of_another_count = run("lag", "--json", partitions="1")
    assert {(row["topic"], row["partition"]) for row in of_another_count.json} == {(topic, number) for _, topic, number in found}

    shown = run("lag").out
    assert "BigCommerce" in shown
    assert webhooks.topic in shown
    assert commands.topic not in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_rates_are_what_came_and_went_between_two_samples():
    tp = TopicPartition("bigcommerce.webhooks", 0)
    before, now = Sample(10.0, {tp: 100}, {tp: Committed(40)}), Sample(12.0, {tp: 120}, {tp: Committed(90)})
    assert lag_of("fetch", tp, before, now, 3.21) == Lag("fetch", tp.topic, 0, 30, 3.2, 10.0, 25.0, 2.0, "BigCommerce")


def test_history_waits_for_its_turn_and_hides_no_lag_of_live_commands():
    live, history = TopicPartition("p.engagement.commands", 0), TopicPartition("p.engagement.history", 0)
    sample = Sample(10.0, {live: 100, history: 90_000}, {live: Committed(97), history: Committed(0)})
    found = [lag_of("deliver", tp, sample, sample, 7.0) for tp in (live, history)]
    assert [lag.waits_for for lag in found] == ["Engagement", "its turn: CARTSTREAM_HISTORY_RPS"]
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(tables(found))
    rows = [line.split() for line in console.export_text().splitlines()]
    assert ["deliver", "3"] in [row[:2] for row in rows]
    assert ["deliver,", "history", "90,000"] in [row[:3] for row in rows]


def test_a_store_that_has_to_wait_counts_with_what_it_has_left_and_is_named():
    tp = TopicPartition("bigcommerce.webhooks", 0)
    before = Sample(10.0, {tp: 100}, {tp: Committed(100, {"abc123.1": Apart(4, 60)})})
    now = Sample(12.0, {tp: 120}, {tp: Committed(110, {"abc123.1": Apart(40, 30)})})
    lag = lag_of("fetch", tp, before, now, 7.0)
    assert (lag.records, lag.rate_in, lag.rate_out, lag.apart) == (40, 10.0, 20.0, {"abc123.1": 30})
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(tables([lag, lag]))
    rows = [line.split() for line in console.export_text().splitlines()]
    assert ["abc123.1", "fetch", "60"] in rows


def test_an_age_that_could_not_be_read_is_not_known():
    tp = TopicPartition("bigcommerce.webhooks", 0)
    sample = Sample(10.0, {tp: 100}, {tp: Committed(40)})
    unknown = lag_of("fetch", tp, sample, sample, None)
    assert unknown.seconds is None
    known = lag_of("fetch", tp, sample, sample, 7.0)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(tables([unknown, known]))
    rows = [line.split() for line in console.export_text().splitlines()]
    assert [row[2] for row in rows if row[:1] == ["fetch"] and row[1] == "120"] == ["?"]
    assert [row[4] for row in rows if row[:2] == ["fetch", tp.topic]] == ["?", "7.0"]


@pytest.mark.parametrize("arguments", [("--json",), ()], ids=["json", "table"])
async def test_a_watch_goes_on_until_it_is_interrupted(environment: dict[str, str], settings: Settings, arguments: tuple[str, ...]):
    await create_topics(settings)
    command = [*COMMAND, "lag", "--watch", *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout
        assert watching.stderr
        samples = [watching.stdout.readline() for _ in range(2)]
        assert all(samples), watching.stderr.read()
        watching.send_signal(signal.SIGINT)
        watching.stdout.read()
        assert (watching.wait(30), watching.stderr.read()) == (0, "")
    if arguments:
        assert [len(json.loads(line)) for line in samples] == [4 * sum(map(len, STAGES.values()))] * 2


def test_what_grows_or_stands_has_no_time_to_clear():
    assert clear_in_s(10, 5.0, 4.0) is None
    assert clear_in_s(10, 0.0, 0.0) is None
    assert clear_in_s(0, 5.0, 5.0) == 0.0
    assert clear_in_s(10, 1.0, 3.0) == 5.0


def test_lag_without_topics_says_what_to_run(run: Run):
    refused = run("lag")
    assert refused.code == 3
    assert "run `cartstream topics`" in refused.err
