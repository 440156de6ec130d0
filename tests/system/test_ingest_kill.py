"""Every webhook that was answered 200 is on the topic, whoever is killed meanwhile."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import orjson
import pytest

from ops.embedded_kafka import EmbeddedKafka
from tests.ingest.process import (
    ANSWER_S_MAX,
    IngestProcess,
    add_stores,
    create_topics,
    read_webhooks,
    settings_of,
    signed,
    store,
    webhook,
)

pytestmark = pytest.mark.system
PER_SECOND = 150
KILLS = 4
BETWEEN_KILLS = 250  # webhooks that are taken before the next kill


async def deliver_while(ingest: IngestProcess, kill: Callable[[], Awaitable[None]], kills: int) -> tuple[set[int], int]:
    """Deliver webhooks with ids from 1 on, and kill each time BETWEEN_KILLS more were taken.

    Returns the ids that were answered 200, and how many were sent.
    """
    taken: set[int] = set()
    done = asyncio.Event()
    sent = 0

    async with httpx.AsyncClient(timeout=ANSWER_S_MAX) as client, asyncio.TaskGroup() as group:

        async def deliver(id: int) -> None:
            body = webhook("abc", id=id)
            try:
                answer = await client.post(f"{ingest.url}/webhooks/abc", content=body, headers=signed(body))
            except httpx.TransportError:
                return
            assert answer.status_code in {200, 503}
            if answer.status_code == 200:
                taken.add(id)

        async def kill_again() -> None:
            for _ in range(kills):
                goal = len(taken) + BETWEEN_KILLS
                while len(taken) < goal:
                    await asyncio.sleep(0.01)
                await kill()
            goal = len(taken) + BETWEEN_KILLS
            while len(taken) < goal:
                await asyncio.sleep(0.01)
            done.set()

        group.create_task(asyncio.wait_for(kill_again(), 120))
        while not done.is_set():
            sent += 1
            group.create_task(deliver(sent))
            await asyncio.sleep(1 / PER_SECOND)
    return taken, sent


async def ids_on(ingest: IngestProcess) -> list[int]:
    return [orjson.loads(orjson.loads(record.value)["body"])["data"]["id"] for record in await read_webhooks(ingest.settings)]


async def test_ingest_is_killed_under_load(kafka: str, prefix: str, tmp_path: Path):
    made = settings_of(kafka, prefix)
    await create_topics(made)
    await add_stores(made, [store("abc.1")])
    ingest = IngestProcess(made, tmp_path / "log").start()

    async def kill() -> None:
        ingest.kill()
        await asyncio.to_thread(ingest.start)

    try:
        taken, sent = await deliver_while(ingest, kill, KILLS)
    finally:
        ingest.kill()
    found = await ids_on(ingest)
    assert taken <= set(found) <= set(range(1, sent + 1))
    assert len(taken) >= (KILLS + 1) * BETWEEN_KILLS
    assert len(found) == len(set(found))  # nobody sends a record twice


async def test_kafka_is_killed_under_load(kafka_folder: Path, tmp_path: Path):
    with EmbeddedKafka(kafka_folder, tmp_path / "kafka") as broker:
        made = settings_of(broker.address, "")
        await create_topics(made)
        await add_stores(made, [store("abc.1")])
        ingest = IngestProcess(made, tmp_path / "log").start()

        async def kill() -> None:
            os.kill(broker.pid, signal.SIGKILL)
            await asyncio.to_thread(broker.stop)
            await asyncio.to_thread(broker.start)

        try:
            taken, _ = await deliver_while(ingest, kill, 1)
        finally:
            ingest.kill()
        found = await ids_on(ingest)
        assert taken <= set(found)
        assert len(found) == len(set(found))
