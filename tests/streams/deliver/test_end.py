"""The loops that make calls end when they are told to, whatever happens at that instant."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from unittest.mock import Mock

import pytest

from schemas.directory import Directory
from schemas.settings import Settings
from streams.deliver.loop import Deliver
from tests.streams.deliver.world import KEY


def commands(deliver: Deliver) -> tuple[asyncio.Event, Coroutine[Any, Any, None]]:
    return deliver._wake, deliver._call_out()


def catalogs(deliver: Deliver) -> tuple[asyncio.Event, Coroutine[Any, Any, None]]:
    return deliver._catalogs._wake, deliver._catalogs.run(Mock(), Mock())  # neither is asked for anything


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("loop", [commands, catalogs])
async def test_a_loop_ends_though_something_has_come_so_many_turns_before(
    loop: Callable[[Deliver], tuple[asyncio.Event, Coroutine[Any, Any, None]]], turns: int
) -> None:
    settings = Settings(_env_file=None, secret_key=KEY)
    wake, work = loop(Deliver(settings, Directory(settings), Mock()))
    working = asyncio.create_task(work)
    for _ in range(5):
        await asyncio.sleep(0)  # until it waits
    wake.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    working.cancel()
    ended, _ = await asyncio.wait({working}, timeout=5)
    working.cancel()
    assert ended
