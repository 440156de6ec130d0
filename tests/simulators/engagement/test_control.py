"""What a test sees and sets."""

from typing import Any

import pytest

from simulators import process

IDS = {"email_id": "a@x"}


def test_the_log_has_each_command_as_received(project: Any) -> None:
    commands = [
        {"name": "customers/events", "data": {"customer_ids": IDS, "event_type": "visit", "timestamp": 5}},
        {"name": "customers", "data": {"customer_ids": IDS, "properties": {"a": 1}, "update_timestamp": 6}},
        {"name": "customers", "data": {"customer_ids": {}}},
    ]
    project.track("batch", {"commands": commands})
    project.settle()
    project.anonymize(IDS)
    log = project.log()
    assert [(row["name"], row["ids"], row["event_type"], row["timestamp"], row["outcome"]) for row in log] == [
        ("customers/events", IDS, "visit", 5, "queued"),
        ("customers", IDS, None, 6, "queued"),
        ("customers", {}, None, None, "At least one id should be specified."),
        ("anonymize", IDS, None, None, "queued"),
    ]
    assert len({row["request"] for row in log}) == 2
    assert project.profiles()[0]["events"][0]["received_at_ms"] == log[0]["received_at_ms"]


def test_the_log_goes_on_where_it_was_read_to(project: Any) -> None:
    start = project.sim("log")["next"]
    project.event(IDS, "one")
    first = project.sim(f"log?since={start}")
    project.event(IDS, "two")
    second = project.sim(f"log?since={first['next']}")
    assert [row[first["columns"].index("event_type")] for row in first["entries"] + second["entries"]] == ["one", "two"]


def test_idle_says_when_it_waited_in_vain(project: Any) -> None:
    project.event(IDS, "known")
    project.knobs(tracking_delay_ms=[2000, 2000], gdpr_delay_ms=[2000, 2000])
    project.data("anonymize", {"customer_ids": IDS})
    assert project.sim("idle", {"timeout_s": 0}) == {"idle": False, "pending": {"tracking": 0, "gdpr": 1, "catalog": 0}}
    project.track("customers/events", {"customer_ids": IDS, "event_type": "visit"})
    assert project.sim("idle", {"timeout_s": 0}) == {"idle": False, "pending": {"tracking": 1, "gdpr": 1, "catalog": 0}}
    assert project.counters()["processed"] == 1
    project.settle()
    assert project.counters()["processed"] == 2


def test_settings_are_replaced_and_profiles_stay(project: Any) -> None:
    project.event(IDS)
    project.set(keys=[{"id": "key", "secret": "new"}])
    assert len(project.profiles()) == 1
    assert project.track("batch", {}).status_code == 403


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("projects", {"token": "t", "no_such_setting": 1}),
        ("projects", {}),
        ("knobs", {"tracking_delay_ms": "long"}),
        ("knobs", {"no_such_knob": 1}),
        ("faults", [{"kind": "418"}]),
        ("idle", []),
    ],
)
def test_a_wrong_setting_is_refused(project: Any, path: str, content: Any) -> None:
    answer = project.http.post(f"/_sim/{path}", json=content)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_an_unknown_project_has_no_state(project: Any) -> None:
    assert project.http.get("/_sim/state?project=nobody").status_code == 400


def test_the_process_ends_on_sigterm(project: Any) -> None:
    running = process.start("engagement")
    another = type(project)(running.url)
    another.event(IDS)
    running.process.terminate()
    assert running.process.wait(timeout=10) == 0
    running.stop()
    another.http.close()
