from collections.abc import AsyncIterator, Iterator

import pytest

from simulators.process import start
from tests.engagement.simulated import Project
from tests.streams.deliver.world import World


@pytest.fixture(scope="session")
def engagement_url() -> Iterator[str]:
    with start("engagement") as simulator:
        yield simulator.url


@pytest.fixture
def project(engagement_url: str) -> Iterator[Project]:
    made = Project(engagement_url)
    yield made
    made.close()


@pytest.fixture
async def world(kafka: str, prefix: str, project: Project) -> AsyncIterator[World]:
    """With one store, `s.1`, whose project is `project`."""
    made = World(kafka, prefix)
    await made.start()
    await made.add(project.store)
    yield made
    await made.stop()
