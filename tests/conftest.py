"""A real Kafka for every test that asks for one: CARTSTREAM_KAFKA, else testcontainers where Docker answers, else the embedded one.

Each process that runs tests has its own.
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from ops.embedded_kafka import EmbeddedKafka

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))  # warnings and worse
# A machine under load is slow, which is no fault of an example.
hypothesis.settings.register_profile("cartstream", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("cartstream")
ROOT = Path(__file__).resolve().parent.parent
PROCESS_BYTES = 2 * 2**30  # of memory: a Kafka, and at times a whole deployment with another one


def pytest_xdist_auto_num_workers() -> int:
    """How many processes run tests: three for two cores, for tests wait half of their time, as far as memory has room for them."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min((os.cpu_count() or 1) * 3 // 2, memory_bytes // PROCESS_BYTES))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: whoever is done takes over others, and one that began last would be waited for."""
    items.sort(key=lambda item: item.get_closest_marker("system") is None)


def docker_answers() -> bool:
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "version"], capture_output=True, timeout=20, check=False).returncode == 0


@pytest.fixture(scope="session")
def kafka_folder() -> Path:
    """Where the embedded Kafka's jars stay between runs."""
    return Path(os.environ.get("CARTSTREAM_DATA", ROOT / ".cartstream")) / "kafka"


@pytest.fixture(scope="session")
def kafka(kafka_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address (`host:port`) of a broker that all tests share: use fresh names."""
    if given := os.environ.get("CARTSTREAM_KAFKA"):
        yield given
    elif docker_answers():
        from testcontainers.kafka import KafkaContainer

        with KafkaContainer() as container:
            yield container.get_bootstrap_server()
    else:
        with EmbeddedKafka(kafka_folder, tmp_path_factory.mktemp("kafka")) as embedded:
            yield embedded.address


@pytest.fixture
def prefix() -> str:
    """A topic prefix that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}."
