"""The client against the simulator."""

import socket

import msgspec
import pytest

from engagement import commands
from engagement.answers import Done, Refused
from engagement.client import EVENTS_PER_PAGE, BatchCommand, Client
from schemas.failures import AccessLost, CommandRefused, QuotaSpent, Unavailable

IDS = {"email_id": "jane@example.com"}


def event(number: int, type: str = "purchase") -> BatchCommand:
    return BatchCommand(f"e-{number}", "customers/events", commands.event(IDS, type, 1709566376000 + number, {"purchase_id": str(number)}))


async def test_a_batch_is_taken_and_each_command_is_answered(client: Client, project) -> None:
    update = BatchCommand("c", "customers", commands.customers(IDS, {"first_name": "Jane"}, 1709566376000))
    nobody = BatchCommand("n", "customers/events", commands.event({}, "purchase", 1709566376000, {"purchase_id": "9"}))
    outcomes = await client.send_batch(project.store, [event(1), nobody, update, event(2)])
    assert outcomes == [Done(), Refused("At least one id should be specified."), Done(), Done()]
    assert sorted(found["properties"]["purchase_id"] for found in project.events()) == ["1", "2"]


async def test_the_same_bytes_sent_twice_are_one_event(client: Client, project) -> None:
    for _ in range(2):
        assert await client.send_batch(project.store, [event(1)]) == [Done()]
    assert len(project.events()) == 1


async def test_data_that_is_not_json_makes_engagement_refuse_the_batch(client: Client, project) -> None:
    with pytest.raises(CommandRefused, match="Invalid JSON"):
        await client.send_batch(project.store, [event(1), BatchCommand("x", "customers", b"{")])
    assert project.events() == []


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ({"kind": "429", "retry_after_s": 3}, QuotaSpent),
        ({"kind": "500"}, Unavailable),
        ({"kind": "503"}, Unavailable),
        ({"kind": "504"}, Unavailable),
        ({"kind": "empty", "applied": True}, Unavailable),
        ({"kind": "drop", "applied": True}, Unavailable),
        ({"kind": "slow", "applied": True, "wait_s": 4.0}, Unavailable),
    ],
)
async def test_a_fault_is_told_by_what_is_to_be_done(client: Client, project, fault: dict[str, object], failure: type[Exception]) -> None:
    project.fail(**fault)
    with pytest.raises(failure) as failed:
        await client.send_batch(project.store, [event(1)])
    assert failed.value.after_s == fault.get("retry_after_s")


async def test_a_key_that_is_not_accepted_is_lost_access(client: Client, project) -> None:
    wrong = msgspec.structs.replace(project.store, api_secret="other")
    with pytest.raises(AccessLost, match="invalid secret"):
        await client.send_batch(wrong, [event(1)])
    for address in (project.url + "/elsewhere", "ftp://example.com", "nonsense"):
        with pytest.raises(AccessLost, match="address"):
            await client.send_batch(msgspec.structs.replace(project.store, engagement_url=address), [event(1)])


async def test_nobody_listening_is_unavailable(client: Client, project) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = msgspec.structs.replace(project.store, engagement_url=f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(Unavailable):
            await client.send_batch(nobody, [event(1)])


async def test_anonymizing_somebody_or_nobody_is_done(client: Client, project) -> None:
    await client.send_batch(project.store, [event(1)])
    project.events()
    for _ in range(2):
        await client.anonymize(project.store, commands.anonymize(IDS))
        project.events()


async def test_anonymizing_without_an_id_is_refused_and_without_permission_lost_access(client: Client, project) -> None:
    with pytest.raises(CommandRefused):
        await client.anonymize(project.store, commands.anonymize({}))
    project.settle(denied=("gdpr.anonymize",))
    with pytest.raises(AccessLost):
        await client.anonymize(project.store, commands.anonymize(IDS))


async def test_events_of_a_type_are_found_over_several_pages_and_none_of_nobody(client: Client, project) -> None:
    assert await client.events(project.store, IDS, ["consent"]) == []
    everything = [event(n, "consent" if n % 20 else "other") for n in range(EVENTS_PER_PAGE + 100)]
    for start in range(0, len(everything), 50):
        await client.send_batch(project.store, everything[start : start + 50])
    project.events()
    found = await client.events(project.store, IDS, ["consent"])
    assert sorted(int(one["properties"]["purchase_id"]) for one in found) == [n for n in range(EVENTS_PER_PAGE + 100) if n % 20]
