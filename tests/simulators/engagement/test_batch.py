"""Batches and the queue behind them: docs/facts/engagement.md 2.4."""

from typing import Any

import pytest

from simulators import process

IDS = {"email_id": "a@x"}


def command(i: int, ids: dict[str, Any] = IDS) -> dict[str, Any]:
    return {"name": "customers/events", "command_id": f"c-{i}", "data": {"customer_ids": ids, "event_type": f"e{i}", "timestamp": i}}


def applied(project: Any) -> list[str]:
    return [event["type"] for event in project.profiles()[0]["events"]]


def test_each_command_has_its_result_at_its_place(project: Any) -> None:
    commands = [
        command(1),
        {"name": "customers", "data": {"customer_ids": IDS, "properties": {"first_name": "Jane"}}},
        {"name": "customers", "command_id": "c-3", "data": {"customer_ids": {}}},
        {"name": "system/time"},
        {"name": "customers/destroy", "command_id": "c-5", "data": {}},
        {"name": "customers/events", "command_id": "c-6"},
        {"command_id": "c-7"},
    ]
    answer = project.track("batch", {"commands": commands, "sdk": "unknown keys do no harm"})
    assert answer.status_code == 200
    body = answer.json()
    assert body["success"] is True
    assert body["start_time"] <= body["end_time"]
    time_result = body["results"].pop(3)
    assert time_result["success"] is True
    assert isinstance(time_result["time"], float)
    assert body["results"] == [
        {"success": True, "command_id": "c-1"},
        {"success": True},
        {"success": False, "errors": ["At least one id should be specified."], "command_id": "c-3"},
        {"success": False, "errors": ["Unknown command"], "command_id": "c-5"},
        {"success": False, "errors": ["Data must be an object"], "command_id": "c-6"},
        {"success": False, "errors": ["Unknown command"], "command_id": "c-7"},
    ]
    project.settle()
    [profile] = project.profiles()
    assert profile["properties"] == {"first_name": "Jane"}
    assert applied(project) == ["e1"]
    assert project.counters()["commands"] == {"customers/events": 2, "customers": 2, "unknown": 2}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "No commands"),
        ({"commands": []}, "No commands"),
        ({"commands": [command(1), "text"]}, "Invalid JSON"),
        ({"commands": [command(1), None]}, "Invalid JSON"),
        ([], "Invalid JSON"),
        ({"commands": [command(i) for i in range(51)]}, "Too many commands"),
    ],
)
def test_a_batch_of_a_wrong_shape_is_refused_whole(project: Any, body: Any, message: str) -> None:
    answer = project.track("batch", body)
    assert (answer.status_code, answer.json()) == (400, {"success": False, "message": message})
    project.settle()
    assert project.profiles() == []


def test_a_body_that_is_not_json_is_refused(project: Any) -> None:
    answer = project.http.post(f"/track/v2/projects/{project.token}/batch", content=b'{"commands": [')
    assert (answer.status_code, answer.json()) == (400, {"success": False, "message": "Invalid JSON"})


def test_only_the_command_that_is_too_large_is_refused(project: Any) -> None:
    large = command(2)
    large["data"]["properties"] = {"a": "x" * 16_000}
    results = project.track("batch", {"commands": [command(1), large, command(3)]}).json()["results"]
    assert [result["success"] for result in results] == [True, False, True]
    project.settle()
    assert sorted(applied(project)) == ["e1", "e3"]


def test_fifty_commands_are_all_applied_in_an_order_of_their_own(project: Any) -> None:
    sent = [f"e{i}" for i in range(50)]
    project.track("batch", {"commands": [command(i) for i in range(50)]})
    project.settle()
    assert sorted(applied(project)) == sorted(sent)
    assert applied(project) != sent
    sequences = [event["sequence"] for event in project.profiles()[0]["events"]]
    assert sequences == sorted(sequences)


def test_without_shuffle_commands_are_applied_as_listed(project: Any) -> None:
    project.knobs(shuffle=False)
    project.track("batch", {"commands": [command(i) for i in range(50)]})
    project.settle()
    assert applied(project) == [f"e{i}" for i in range(50)]


def test_the_same_seed_gives_the_same_order(project: Any) -> None:
    def order(seed: int) -> list[str]:
        with process.start("engagement", "--seed", str(seed)) as running:
            another = type(project)(running.url)
            another.track("batch", {"commands": [command(i) for i in range(50)]})
            another.settle()
            found = applied(another)
            another.http.close()
            return found

    first, again, other = order(1), order(1), order(2)
    assert first == again
    assert first != other


def test_success_means_accepted_and_applied_after_the_delay(project: Any) -> None:
    project.knobs(tracking_delay_ms=[150, 150])
    answer = project.track("batch", {"commands": [command(1)]}).json()
    project.settle()
    [event] = project.profiles()[0]["events"]
    assert event["applied_at_ms"] - event["received_at_ms"] >= 149
    assert answer["end_time"] * 1000 < event["applied_at_ms"]


def test_a_refused_event_type_or_property_refuses_its_command_only(project: Any) -> None:
    project.set(keys=[{"id": "key", "secret": "secret", "denied": ["events.set:e2", "customers.set:phone"]}])
    commands = [
        command(1),
        command(2),
        {"name": "customers", "data": {"customer_ids": IDS, "properties": {"phone": "1"}}},
        {"name": "customers", "data": {"customer_ids": IDS, "properties": {"city": "Brno"}}},
    ]
    results = project.track("batch", {"commands": commands}).json()["results"]
    assert results == [
        {"success": True, "command_id": "c-1"},
        {"success": False, "errors": ["Not authorized to add event of specified type"], "command_id": "c-2"},
        {"success": False, "errors": ["not authorized to update specified customer properties"]},
        {"success": True},
    ]
    project.settle()
    assert applied(project) == ["e1"]
    assert project.profiles()[0]["properties"] == {"city": "Brno"}
