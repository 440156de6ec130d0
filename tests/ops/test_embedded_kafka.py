import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ops import embedded_kafka
from ops.embedded_kafka import EmbeddedKafka, KafkaUnavailable, jars


async def test_a_record_survives_a_restart_and_a_kill(kafka_folder: Path, tmp_path: Path):
    broker = EmbeddedKafka(kafka_folder, tmp_path)
    with broker:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
        await admin.start()
        await admin.create_topics([NewTopic("kept", 1, 1)])
        await admin.close()
        producer = AIOKafkaProducer(bootstrap_servers=broker.address, acks="all")
        await producer.start()
        await producer.send_and_wait("kept", b"one")
        await producer.stop()
        os.kill(broker.pid, signal.SIGKILL)
    with broker:
        consumer = AIOKafkaConsumer("kept", bootstrap_servers=broker.address, auto_offset_reset="earliest")
        await consumer.start()
        record = await asyncio.wait_for(consumer.getone(), 30)
        await consumer.stop()
    assert record.value == b"one"


def test_the_broker_ends_when_its_parent_is_killed(kafka_folder: Path, tmp_path: Path):
    script = (
        "import sys, time; from pathlib import Path; from ops.embedded_kafka import EmbeddedKafka\n"
        f"EmbeddedKafka(Path({str(kafka_folder)!r}), Path({str(tmp_path)!r})).start(); print('up', flush=True); time.sleep(120)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": "."})
    try:
        assert parent.stdout
        assert parent.stdout.readline() == b"up\n"
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.2)
    pytest.fail("the broker outlived its parent")


def test_a_jar_that_is_not_the_committed_one_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "a.jar").write_bytes(b"changed")
    sums = tmp_path / "sums"
    sums.write_text(f"{hashlib.sha256(b'released').hexdigest()}  a.jar\n")
    monkeypatch.setattr(embedded_kafka, "SUMS", sums)
    with pytest.raises(KafkaUnavailable, match=r"a\.jar is not the file"):
        jars(tmp_path)
