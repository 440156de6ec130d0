"""`cartstream up` as its user runs it: real processes and the embedded Kafka."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from ops.embedded_kafka import free_port
from schemas.topics import WORKERS, group

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-P", "-m", "ops"]
DEADLINE_S = 120
PARTS = ["ingest", *WORKERS]


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.1)


def taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Up:
    """`cartstream up`, or another command that runs parts, in a folder of its own."""

    def __init__(self, folder: Path, kafka_folder: Path, command: tuple[str, ...] = ("up",), **settings: str) -> None:
        self.port = free_port()
        self.data = folder / "data"
        self.data.mkdir()
        (self.data / "kafka").symlink_to(kafka_folder.resolve())  # the jars, fetched once for all tests
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("CARTSTREAM_")} | {
            "PYTHONPATH": str(ROOT),
            "CARTSTREAM_DATA": str(self.data),
            "CARTSTREAM_LISTEN": f"127.0.0.1:{self.port}",
            "CARTSTREAM_SECRET_KEY": "A" * 43 + "=",
            **settings,
        }
        self.folder = folder
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen([*COMMAND, *command], env=self.environment, cwd=folder, stdout=log, stderr=log)

    def ready(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200
        return False

    def parts(self) -> dict[str, int]:
        """The processes of the parts, by name."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                line = child.cmdline()
                if "ops.part" in line:
                    found[line[line.index("ops.part") + 1]] = child.pid
        return found

    def all_processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(150)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)


def gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def given_kafka(kafka: str, prefix: str, tmp_path: Path, kafka_folder: Path) -> Iterator[Up]:
    """`up` beside a Kafka that is there already."""
    settings = {"KAFKA": kafka, "TOPIC_PREFIX": prefix, "PARTITIONS": "2", "REPLICATION": "1"}
    up = Up(tmp_path, kafka_folder, **{f"CARTSTREAM_{name}": value for name, value in settings.items()})
    yield up
    up.close()


def test_a_part_that_is_killed_comes_back_and_sigterm_ends_all(given_kafka: Up):
    up = given_kafka
    until(up.ready, "ingest took webhooks")
    until(lambda: set(up.parts()) == set(PARTS), "all parts ran")
    before = up.parts()
    for part in PARTS:
        os.kill(before[part], signal.SIGKILL)
    until(lambda: set(up.parts()) == set(PARTS) and not set(up.parts().values()) & set(before.values()), "all parts ran again")
    until(up.ready, "ingest took webhooks again")
    processes = up.all_processes()
    up.process.terminate()
    assert up.process.wait(150) == 0, (up.folder / "log").read_text()
    assert all(gone(process) for process in processes)
    assert not taken(up.port)


def test_a_worker_watches_over_its_process(kafka: str, prefix: str, tmp_path: Path, kafka_folder: Path):
    settings = {"KAFKA": kafka, "TOPIC_PREFIX": prefix, "PARTITIONS": "2", "REPLICATION": "1", "SLOT": "5"}
    worker = Up(tmp_path, kafka_folder, ("worker", "deliver"), **{f"CARTSTREAM_{name}": value for name, value in settings.items()})
    try:
        until(worker.parts, "the worker's process ran")
        before = worker.parts()
        assert set(before) == {"deliver"}
        os.kill(before["deliver"], signal.SIGKILL)
        until(lambda: worker.parts() and worker.parts() != before, "the worker's process ran again")
        assert [path.name for path in (worker.data / "deliver").iterdir()] == ["5"]
        processes = worker.all_processes()
        worker.process.terminate()
        assert worker.process.wait(150) == 0, (worker.folder / "log").read_text()
        assert all(gone(process) for process in processes)
    finally:
        worker.close()


def test_each_part_runs_by_its_own_command(kafka: str, prefix: str, tmp_path: Path, kafka_folder: Path):
    settings = {"KAFKA": kafka, "TOPIC_PREFIX": prefix, "PARTITIONS": "2", "REPLICATION": "1"}
    parts: dict[str, Up] = {}
    try:
        for name in ("topics", *PARTS):
            command = ("worker", name) if name in WORKERS else (name,)
            (tmp_path / name).mkdir()
            parts[name] = Up(tmp_path / name, kafka_folder, command, **{f"CARTSTREAM_{key}": value for key, value in settings.items()})
            if name == "topics":
                assert parts.pop(name).process.wait(DEADLINE_S) == 0
        until(parts["ingest"].ready, "ingest took webhooks")
        until(lambda: asyncio.run(states(kafka, prefix)) == dict.fromkeys(WORKERS, "Stable"), "every stage had its partitions")
        processes = [process for part in parts.values() for process in part.all_processes()]
        for part in parts.values():
            part.process.terminate()
        assert {name: part.process.wait(150) for name, part in parts.items()} == dict.fromkeys(PARTS, 0)
        assert all(gone(process) for process in processes)
    finally:
        for part in parts.values():
            part.close()


async def states(kafka: str, prefix: str) -> dict[str, str]:
    """The state of each stage's consumer group."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        answers = {stage: await admin.describe_consumer_groups([group(prefix, stage)]) for stage in WORKERS}
    finally:
        await admin.close()
    return {stage: answer.groups[0][2] for stage, [answer] in answers.items()}


def test_a_second_up_takes_the_next_slots(given_kafka: Up, tmp_path: Path, kafka_folder: Path):
    until(lambda: set(given_kafka.parts()) == set(PARTS), "all parts of the first ran")
    assert sorted(path.name for path in (given_kafka.data / "fetch").iterdir()) == ["0"]
    environment = {**given_kafka.environment, "CARTSTREAM_LISTEN": f"127.0.0.1:{free_port()}"}
    with open(tmp_path / "second", "wb") as log:
        second = subprocess.Popen([*COMMAND, "up"], env=environment, cwd=tmp_path, stdout=log, stderr=log)
    try:
        until((given_kafka.data / "deliver" / "1" / "lock").exists, "the second held slot 1")
    finally:
        second.terminate()
        second.wait(150)


def test_without_a_kafka_up_brings_its_own_and_starts_again_right_after_a_kill_that_nothing_outlives(tmp_path: Path, kafka_folder: Path):
    if taken(9092):
        pytest.skip("something else listens on 127.0.0.1:9092, where the embedded Kafka of `up` has to be")
    up = Up(tmp_path, kafka_folder)
    try:
        until(up.ready, "ingest took webhooks")
        lag = subprocess.run([*COMMAND, "lag", "--json"], env=up.environment, cwd=tmp_path, capture_output=True, timeout=60, check=False)
        assert lag.returncode == 0, lag.stderr
        processes = up.all_processes()
        os.kill(up.process.pid, signal.SIGKILL)
        up.process.wait(10)
        with open(tmp_path / "log", "ab") as log:
            up.process = subprocess.Popen([*COMMAND, "up"], env=up.environment, cwd=tmp_path, stdout=log, stderr=log)
        until(up.ready, "ingest took webhooks again")
        assert all(gone(process) for process in processes)
        processes = up.all_processes()
        up.process.terminate()
        assert up.process.wait(150) == 0, (up.folder / "log").read_text()
        assert all(gone(process) for process in processes)
        assert not taken(up.port)
        assert not taken(9092)
    finally:
        up.close()
