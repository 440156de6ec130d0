"""De-duplication and timestamps: docs/facts/engagement.md 2.3, 4."""

from typing import Any

import pytest

IDS = {"email_id": "a@x"}


def test_an_equal_event_is_stored_once_and_processed_twice(project: Any) -> None:
    project.event(IDS, "purchase", 10.25, purchase_id="1", items=[1, 2], total=10)
    project.event(IDS, "purchase", 10.25, total=10, items=[1, 2], purchase_id="1")
    counters = project.counters()
    assert (counters["received"], counters["processed"], counters["stored"], counters["deduped"]) == (2, 2, 1, 1)
    assert len(project.profiles()[0]["events"]) == 1


@pytest.mark.parametrize(
    ("name", "at", "properties"),
    [
        ("refund", 10.25, {"total": 10}),
        ("purchase", 10.250001, {"total": 10}),
        ("purchase", 10.25, {"total": 11}),
        ("purchase", 10.25, {"total": 10.0}),
        ("purchase", 10.25, {"total": "10"}),
        ("purchase", 10.25, {"total": 10, "more": None}),
        ("purchase", 10.25, {}),
    ],
    ids=["type", "timestamp", "value", "number type", "text", "one more property", "one less"],
)
def test_an_event_that_differs_in_anything_is_another(project: Any, name: str, at: float, properties: dict[str, Any]) -> None:
    project.event(IDS, "purchase", 10.25, total=10)
    project.event(IDS, name, at, **properties)
    assert len(project.profiles()[0]["events"]) == 2


def test_the_order_of_a_list_counts(project: Any) -> None:
    project.event(IDS, items=[1, 2])
    project.event(IDS, items=[2, 1])
    assert project.counters()["stored"] == 2


def test_duplicates_are_looked_for_within_one_profile_only(project: Any) -> None:
    project.event({"email_id": "a@x"})
    project.event({"email_id": "b@x"})
    assert [len(profile["events"]) for profile in project.profiles()] == [1, 1]


def test_a_consent_is_stored_however_often_it_comes(project: Any) -> None:
    for _ in range(3):
        project.event(IDS, "consent", 10, action="accept", category="bigcommerce", valid_until="unlimited")
    assert len(project.profiles()[0]["events"]) == 3
    counters = project.counters()
    assert (counters["consents"], counters["deduped"]) == (3, 0)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (1709566376, 1709566376.0),
        (1709566376.1234567, 1709566376.123457),
        ("2024-03-04T15:32:56Z", 1709566376.0),
        ("2024-03-04T16:32:56.5+01:00", 1709566376.5),
        (1709566376000, 1709566376000.0),  # milliseconds are read as seconds
    ],
)
def test_a_timestamp_is_seconds_or_iso_8601(project: Any, given: Any, stored: float) -> None:
    project.event(IDS, at=given)
    assert project.profiles()[0]["events"][0]["timestamp"] == stored


def test_an_event_without_timestamp_has_the_time_of_its_receipt(project: Any) -> None:
    project.track("customers/events", {"customer_ids": IDS, "event_type": "visit"})
    project.settle()
    [event] = project.profiles()[0]["events"]
    assert event["timestamp"] == event["received_at_ms"] / 1000


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"event_type": "visit"}, "At least one id should be specified."),
        ({"customer_ids": {}, "event_type": "visit"}, "At least one id should be specified."),
        ({"customer_ids": {"email_id": "null"}, "event_type": "visit"}, "At least one valid id should be specified"),
        ({"customer_ids": {"email_id": "x" * 501}, "event_type": "visit"}, "At least one valid id should be specified"),
        ({"customer_ids": IDS}, "Event type is required"),
        ({"customer_ids": IDS, "event_type": "visit", "timestamp": "yesterday"}, "Timestamp is not valid"),
        ({"customer_ids": IDS, "event_type": "visit", "timestamp": True}, "Timestamp is not valid"),
        ({"customer_ids": IDS, "event_type": "visit", "properties": []}, "Properties must be an object"),
        ({"customer_ids": IDS, "event_type": "visit", "properties": {"a": "x" * 16_000}}, "Property value is too large"),
        ({"customer_ids": IDS, "event_type": "visit", "properties": {str(i): "x" * 15_000 for i in range(60)}}, "Message is too large"),
    ],
)
def test_what_is_wrong_with_an_event_is_said_and_nothing_stored(project: Any, body: Any, error: str) -> None:
    answer = project.track("customers/events", body)
    assert (answer.status_code, answer.json()) == (400, {"success": False, "errors": [error]})
    project.knobs(single_failure_status=200)
    answer = project.track("customers/events", body)
    assert (answer.status_code, answer.json()) == (200, {"success": False, "errors": [error]})
    project.settle()
    assert project.profiles() == []
