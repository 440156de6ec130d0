"""A whole deployment of real processes for the tests that need one."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.demo.deployment import Deployment
from ops.demo.run import come_to_rest
from ops.lag import behind


@pytest.fixture
def deployment(kafka_folder: Path, tmp_path: Path) -> Iterator[Deployment]:
    """Kafka and simulators run; `async with deployment.parts()` runs the rest. The parts' logs are shown when a test fails."""
    found = Deployment(tmp_path, kafka_folder)
    with found.servers():
        yield found
    for log in sorted(tmp_path.glob("*.log")):
        print(f"== {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]))


def act(deployment: Deployment, *actions: dict[str, Any]) -> list[dict[str, Any]]:
    """Things happen in the shop; its answers. None may be refused."""
    answers = deployment.shop.post("/_sim/actions", json=list(actions)).raise_for_status().json()
    assert not [answer for answer in answers if "error" in answer]
    return answers


async def rest(deployment: Deployment) -> None:
    """Returns when nothing is under way any more."""

    async def watch(_: int) -> None:
        """Nobody looks."""

    async with behind(deployment.settings) as gauge:
        assert await come_to_rest(deployment, gauge, watch)


async def wait_until(condition, deadline_s: float = 60, every_s: float = 0.2) -> None:
    """Returns when `condition()` is true; fails after `deadline_s`."""
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(every_s)
