import asyncio
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ops import embedded_kafka, up
from ops.embedded_kafka import EmbeddedKafka, KafkaUnavailable, jars


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.1)


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
        pid = int((tmp_path / "lock").read_text())
        os.kill(pid, 0)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    until(lambda: gone(pid), "the broker ended with its parent")


def test_a_broker_whose_keeper_is_killed_makes_room_for_the_next(kafka_folder: Path, tmp_path: Path):
    with EmbeddedKafka(kafka_folder, tmp_path) as broker:
        orphan, keeper = broker.pid, broker._keeper
        assert keeper
        keeper.kill()
        keeper.wait(10)
        if sys.platform == "linux":
            until(lambda: gone(orphan), "the broker ended with its keeper")
        broker.start()
        assert gone(orphan)
        assert broker.pid != orphan


def test_a_start_ends_the_broker_that_a_killed_keeper_left_on_the_folder(kafka_folder: Path, tmp_path: Path):
    """As it is where the kernel does not end a child with its parent; a small process stands for that broker."""
    command = [sys.executable, "-c", "import time; time.sleep(300)"]
    left = subprocess.Popen([*command, "kafka.Kafka", str(tmp_path / "server.properties")])
    stranger = subprocess.Popen(command)
    try:
        for process in (left, stranger):
            (tmp_path / "lock").write_text(str(process.pid))
            with EmbeddedKafka(kafka_folder, tmp_path):
                pass
        assert left.wait(10) == -signal.SIGKILL
        assert stranger.poll() is None
    finally:
        for process in (left, stranger):
            process.kill()
            process.wait(10)


def test_a_start_waits_for_a_broker_that_still_stops_and_names_one_that_does_not(kafka_folder: Path, tmp_path: Path):
    data = tmp_path / "kafka-data"
    with EmbeddedKafka(kafka_folder, data) as first:
        second = EmbeddedKafka(kafka_folder, data, first.port)
        ending = threading.Timer(2, first.stop)
        ending.start()
        with second:
            ending.join()
            with pytest.raises(KafkaUnavailable, match=rf"another `cartstream up` runs on {tmp_path}; stop that one"):
                EmbeddedKafka(kafka_folder, data, first.port).start()


def test_a_port_of_another_is_named_with_what_to_set(kafka_folder: Path, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(KafkaUnavailable, match=rf"127.0.0.1:{port} is taken. .* set CARTSTREAM_KAFKA=127.0.0.1:{port}"):
            EmbeddedKafka(kafka_folder, tmp_path, port).start()


async def test_a_restart_that_the_disk_refuses_is_told_and_tried_again(kafka_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(up, "WATCH_KAFKA_S", 0.01)
    (tmp_path / "full").write_text("no folder can be made here")
    with structlog.testing.capture_logs() as lines:
        keeping = asyncio.create_task(up._keep(EmbeddedKafka(kafka_folder, tmp_path / "full" / "data")))
        async with asyncio.timeout(60):
            while len(lines) < 4:
                assert not keeping.done()
                await asyncio.sleep(0.05)
        keeping.cancel()
    assert [line["event"] for line in lines[:4]] == ["Kafka ended by itself and starts again", "Kafka does not start"] * 2
    assert "(Not a directory); make room" in lines[1]["reason"]


def test_a_jar_that_is_not_the_committed_one_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "a.jar").write_bytes(b"changed")
    sums = tmp_path / "sums"
    sums.write_text(f"{hashlib.sha256(b'released').hexdigest()}  a.jar\n")
    monkeypatch.setattr(embedded_kafka, "SUMS", sums)
    with pytest.raises(KafkaUnavailable, match=r"a\.jar is not the file"):
        jars(tmp_path)
