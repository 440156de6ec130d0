"""An Engagement that behaves as the real one, as a process of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from engagement.client import Client
from simulators.process import start
from tests.engagement.simulated import Project


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
async def client() -> AsyncIterator[Client]:
    made = Client(call_s_max=2)
    yield made
    await made.close()
