"""Properties, anonymization and reads: docs/facts/engagement.md 2.2, 6."""

import time
from typing import Any

import httpx
import pytest

IDS = {"email_id": "a@x"}
UNKNOWN = {"errors": {"_global": ["Customer does not exist"]}, "success": False}


def test_the_newer_stamp_wins_per_property_an_equal_one_overwrites(project: Any) -> None:
    project.customer(IDS, 10, old="ten", same="ten", newer="ten", untouched="ten")
    project.customer(IDS, 11, newer="eleven")
    project.customer(IDS, 9, old="nine")
    project.customer(IDS, 10, same="ten again")
    [profile] = project.profiles()
    assert profile["properties"] == {"old": "ten", "same": "ten again", "newer": "eleven", "untouched": "ten"}
    assert profile["stamps"] == {"old": 10, "same": 10, "newer": 11, "untouched": 10}


def test_an_update_without_stamp_has_the_time_of_its_receipt(project: Any) -> None:
    project.customer(IDS, name="first")
    project.customer(IDS, 10, name="older")
    assert project.profiles()[0]["properties"] == {"name": "first"}
    [first, _] = project.log()
    assert project.profiles()[0]["stamps"] == {"name": first["received_at_ms"] / 1000}


def test_an_update_without_properties_makes_the_profile(project: Any) -> None:
    assert project.track("customers", {"customer_ids": IDS}).status_code == 200
    project.settle()
    assert [profile["hard"] for profile in project.profiles()] == [IDS]


def test_a_new_property_beyond_the_projects_cap_is_discarded(project: Any) -> None:
    project.set(properties_max=2)
    project.customer(IDS, a=1, b=2)
    project.customer({"email_id": "b@x"}, b=3, c=4)
    assert [profile["properties"] for profile in project.profiles()] == [{"a": 1, "b": 2}, {"b": 3}]
    assert project.counters()["discarded"] == 1


def test_anonymize_takes_ids_and_private_properties_and_leaves_the_rest(project: Any) -> None:
    project.customer({**IDS, "customer_id": "1", "cookie": "k"}, email="a@x", first_name="Jane", city="Brno", customer_group_id="7")
    project.event(IDS, "purchase")
    project.anonymize(IDS)
    [profile] = project.profiles()
    assert profile["hard"] == {}
    assert profile["soft"].keys() == {"cookie"}
    assert profile["soft"]["cookie"] != ["k"]
    assert profile["properties"] == {"customer_group_id": "7"}
    assert [event["type"] for event in profile["events"]] == ["purchase"]
    assert profile["former_ids"] == {**IDS, "customer_id": "1", "cookie": ["k"]}
    assert project.counters()["anonymized"] == 1


def test_which_properties_are_private_is_a_setting(project: Any) -> None:
    project.set(private_properties=["customer_group_id"])
    project.customer(IDS, email="a@x", customer_group_id="7")
    project.anonymize(IDS)
    assert project.profiles()[0]["properties"] == {"email": "a@x"}


def test_the_old_ids_make_a_new_profile_after_an_anonymization(project: Any) -> None:
    project.event({**IDS, "cookie": "k"}, "before")
    project.anonymize(IDS)
    project.event({"cookie": "k"}, "after by cookie")
    project.event(IDS, "after by email")
    anonymized, by_cookie, by_email = project.profiles()
    assert [event["type"] for event in anonymized["events"]] == ["before"]
    assert [event["type"] for event in by_cookie["events"]] == ["after by cookie"]
    assert [event["type"] for event in by_email["events"]] == ["after by email"]


def test_the_state_says_what_was_applied_after_an_anonymization(project: Any) -> None:
    project.event(IDS, "before")
    project.anonymize(IDS)
    project.event(IDS, "after")
    state = project.state()
    [anonymization] = state["anonymizations"]
    anonymized, returned = state["profiles"]
    assert anonymization["number"] == anonymized["number"]
    assert anonymization["former_ids"] == IDS
    assert anonymized["anonymized_at_ms"] == anonymization["applied_at_ms"]
    before, after = anonymized["events"][0], returned["events"][0]
    assert before["sequence"] < anonymization["sequence"] < after["sequence"]
    assert before["applied_at_ms"] <= anonymization["applied_at_ms"] <= after["applied_at_ms"]


def test_an_anonymization_overtakes_an_event_that_still_waits_in_the_other_queue(project: Any) -> None:
    project.customer(IDS, email="a@x")
    project.knobs(tracking_delay_ms=[2000, 2000], gdpr_delay_ms=[0, 0])
    project.track("customers/events", {"customer_ids": IDS, "event_type": "late", "timestamp": 1})
    project.anonymize(IDS)
    anonymized, returned = project.profiles()
    assert anonymized["events"] == []
    assert [event["type"] for event in returned["events"]] == ["late"]
    assert returned["hard"] == IDS


@pytest.mark.parametrize("call", ["anonymize", "export-one", "events"])
def test_an_unknown_customer_is_not_found(project: Any, call: str) -> None:
    answer = project.data(call, {"customer_ids": IDS})
    assert (answer.status_code, answer.json()) == (404, UNKNOWN)


@pytest.mark.parametrize("call", ["anonymize", "export-one", "events"])
def test_a_call_without_an_id_is_refused(project: Any, call: str) -> None:
    answer = project.data(call, {"customer_ids": {}})
    assert (answer.status_code, answer.json()) == (400, {"success": False, "errors": ["At least one id should be specified."]})


def test_a_customer_whose_first_event_still_waits_is_not_found(project: Any) -> None:
    project.knobs(tracking_delay_ms=[1000, 1000])
    project.track("customers/events", {"customer_ids": IDS, "event_type": "first"})
    assert project.data("anonymize", {"customer_ids": IDS}).status_code == 404
    project.settle()
    assert project.data("anonymize", {"customer_ids": IDS}).status_code == 200


def test_anonymize_bulk_has_a_result_for_each_customer(project: Any) -> None:
    project.event({**IDS, "customer_id": "1"})
    project.event({"email_id": "b@x"})
    internal_id = project.profiles()[1]["internal_id"]
    customers = [{"customer_ids": {**IDS, "customer_id": "1"}}, {"customer_ids": {"email_id": "c@x"}}, {"internal_id": internal_id}, {}]
    answer = project.data("anonymize_bulk", {"customers": customers})
    assert answer.status_code == 200
    assert [result["success"] for result in answer.json()["results"]] == [True, False, True, False]
    project.settle()
    assert all(profile["anonymized_at_ms"] for profile in project.profiles())


def test_anonymize_bulk_takes_a_thousand_customers_and_no_more(project: Any) -> None:
    customers = [{"customer_ids": {"email_id": f"{i}@x"}} for i in range(1001)]
    assert project.data("anonymize_bulk", {"customers": customers[:1000]}).status_code == 200
    assert project.data("anonymize_bulk", {"customers": customers}).status_code == 400


def test_a_customer_is_exported_whole(project: Any) -> None:
    project.customer({**IDS, "cookie": "k"}, first_name="Lukas")
    project.event(IDS, "second", 20.5, a=1)
    project.event(IDS, "first", 10)
    assert project.data("export-one", {"customer_ids": IDS}).json() == {
        "success": True,
        "ids": {**IDS, "cookie": ["k"]},
        "properties": {"first_name": "Lukas"},
        "events": [{"type": "first", "timestamp": 10.0, "properties": {}}, {"type": "second", "timestamp": 20.5, "properties": {"a": 1}}],
    }


def test_all_customers_are_exported_as_a_table(project: Any) -> None:
    project.set(soft_ids=["cookie"])
    project.customer({**IDS, "cookie": "k"}, first_name="Lukas")
    project.customer({"customer_id": "1"}, last_name="Novak")
    answer = project.data("export", {"format": "native_json"}).json()
    assert answer["fields"] == [
        {"type": "id", "id": "email_id"},
        {"type": "id", "id": "customer_id"},
        {"type": "id", "id": "cookie"},
        {"type": "property", "property": "first_name"},
        {"type": "property", "property": "last_name"},
    ]
    assert answer["data"] == [["a@x", None, ["k"], "Lukas", None], [None, "1", None, None, "Novak"]]


def test_events_are_chosen_by_type_and_ordered_by_time(project: Any) -> None:
    for at in (3, 1, 2):
        project.event(IDS, "consent", at, n=at)
    project.event(IDS, "visit", 0)

    def numbers(**wanted: Any) -> list[Any]:
        answer = project.data("events", {"customer_ids": IDS, "event_types": ["consent"], **wanted})
        return [event["properties"]["n"] for event in answer.json()["data"]]

    assert numbers(order="asc") == [1, 2, 3]
    assert numbers(order="desc", limit=2) == [3, 2]
    assert numbers(order="asc", skip=1, limit=1) == [2]
    assert len(project.data("events", {"customer_ids": IDS}).json()["data"]) == 4


def test_attributes_are_answered_in_order(project: Any) -> None:
    project.customer({**IDS, "cookie": "k"}, first_name="Lukas")
    project.event(IDS, "consent", 10, action="accept", category="newsletter", valid_until="unlimited")
    project.event(IDS, "consent", 10, action="accept", category="left", valid_until="unlimited")
    project.event(IDS, "consent", 11, action="reject", category="left")
    project.event(IDS, "consent", 10, action="accept", category="expired", valid_until=time.time() - 60)
    wanted = [
        {"type": "property", "property": "first_name"},
        {"type": "id", "id": "email_id"},
        {"type": "id", "id": "cookie"},
        *({"type": "consent", "category": category} for category in ("newsletter", "left", "expired", "never")),
        {"type": "segmentation", "id": "s"},
    ]
    results = project.data("attributes", {"customer_ids": IDS, "attributes": wanted}).json()["results"]
    assert [result.get("value") for result in results] == ["Lukas", "a@x", ["k"], True, False, False, False, None]
    assert [result["success"] for result in results] == [True] * 7 + [False]


@pytest.mark.parametrize(
    ("permission", "call"),
    [("gdpr.anonymize", "anonymize"), ("gdpr.anonymize", "anonymize_bulk"), ("gdpr.export_one", "export-one"), ("events.get", "events")],
)
def test_a_key_without_the_permission_is_refused(project: Any, permission: str, call: str) -> None:
    project.event(IDS)
    project.set(keys=[{"id": "key", "secret": "secret", "denied": [permission]}])
    answer: httpx.Response = project.data(call, {"customer_ids": IDS, "customers": [{"customer_ids": IDS}]})
    assert answer.status_code == 403
    assert answer.json()["errors"][0].startswith("No permission to")
