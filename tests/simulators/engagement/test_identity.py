"""The merge rules of docs/facts/engagement.md 3, one by one."""

from typing import Any

EMAIL = {"email_id": "jane@example.com"}


def event_names(profile: Any) -> list[str]:
    return [event["type"] for event in profile["events"]]


def test_an_unknown_customer_is_created_by_an_event(project: Any) -> None:
    project.event(EMAIL, "visit")
    [profile] = project.profiles()
    assert profile["hard"] == EMAIL
    assert event_names(profile) == ["visit"]


def test_an_id_belongs_to_one_profile_whatever_stands_beside_it(project: Any) -> None:
    project.event({"email_id": "a@x", "cart_id": "c1"}, "one")
    project.event({"cart_id": "c1"}, "two")
    project.event({"email_id": "a@x"}, "three")
    [profile] = project.profiles()
    assert event_names(profile) == ["one", "two", "three"]
    assert profile["soft"] == {"cart_id": ["c1"]}


def test_different_hard_ids_of_a_type_stay_two_profiles(project: Any) -> None:
    project.event({"email_id": "a@x"}, "one")
    project.event({"email_id": "b@x"}, "two")
    assert [(p["hard"], event_names(p)) for p in project.profiles()] == [
        ({"email_id": "a@x"}, ["one"]),
        ({"email_id": "b@x"}, ["two"]),
    ]


def test_hard_ids_are_case_sensitive(project: Any) -> None:
    project.event({"email_id": "A@x"})
    project.event({"email_id": "a@x"})
    assert len(project.profiles()) == 2


def test_ids_are_trimmed_and_lowercased_where_the_project_says_so(project: Any) -> None:
    project.set(normalize_ids=True)
    project.event({"email_id": " A@x "})
    project.event({"email_id": "a@X"}, at=2)
    [profile] = project.profiles()
    assert profile["hard"] == {"email_id": "a@x"}


def test_a_known_hard_id_with_an_anonymous_soft_id_merges_both(project: Any) -> None:
    project.event({"cart_id": "c1"}, "anonymous")
    project.event(EMAIL, "known")
    project.event({**EMAIL, "cart_id": "c1"}, "joined")
    [profile] = project.profiles()
    assert profile["number"] == 1, "the one created first remains"
    assert profile["hard"] == EMAIL
    assert event_names(profile) == ["anonymous", "known", "merge", "joined"]
    assert project.counters()["merged"] == 1


def test_a_new_hard_id_names_an_anonymous_profile_without_a_merge(project: Any) -> None:
    project.event({"cart_id": "c1"}, "anonymous")
    project.event({"cart_id": "c1", **EMAIL}, "named")
    [profile] = project.profiles()
    assert profile["hard"] == EMAIL
    assert event_names(profile) == ["anonymous", "named"]
    assert project.counters()["merged"] == 0


def test_a_soft_id_of_another_person_is_stolen_and_events_stay(project: Any) -> None:
    project.event({"email_id": "a@x", "cookie": "k"}, "of a")
    project.event({"email_id": "b@x", "cookie": "k"}, "of b")
    project.event({"cookie": "k"}, "by cookie")
    first, second = project.profiles()
    assert event_names(first) == ["of a"]
    assert first["soft"] == {}
    assert event_names(second) == ["of b", "by cookie"]
    assert second["soft"] == {"cookie": ["k"]}
    assert project.counters()["stolen"] == 1
    assert project.counters()["conflicts"] == 0


def test_soft_ids_of_two_persons_in_one_call_leave_two_persons(project: Any) -> None:
    project.event({"email_id": "a@x", "cookie": "k"})
    project.event({"email_id": "b@x", "cart_id": "c"})
    project.event({"cookie": "k", "cart_id": "c"}, "both")
    first, second = project.profiles()
    assert first["soft"] == {"cookie": ["k"], "cart_id": ["c"]}
    assert "both" in event_names(first)
    assert second["soft"] == {}


def test_hard_ids_of_different_types_merge_where_none_clashes(project: Any) -> None:
    project.event({"email_id": "a@x"}, "by email")
    project.event({"customer_id": "1"}, "by id")
    project.event({"customer_id": "1", "email_id": "a@x"}, "both")
    [profile] = project.profiles()
    assert profile["number"] == 1
    assert profile["hard"] == {"email_id": "a@x", "customer_id": "1"}
    assert event_names(profile) == ["by email", "by id", "merge", "both"]


def test_hard_ids_of_two_persons_are_a_conflict_and_the_first_listed_is_taken(project: Any) -> None:
    project.event({"email_id": "a@x", "customer_id": "1"})
    project.event({"email_id": "b@x", "customer_id": "2"})
    project.event({"customer_id": "2", "email_id": "a@x"}, "clash")
    first, second = project.profiles()
    assert "clash" not in event_names(first)
    assert "clash" in event_names(second)
    assert second["hard"] == {"email_id": "b@x", "customer_id": "2"}
    [conflict] = project.state()["conflicts"]
    assert conflict["ids"] == {"customer_id": "2", "email_id": "a@x"}
    assert conflict["refused"] == {"email_id": "a@x"}
    assert conflict["applied_to"] == {"number": 2, "hard": {"email_id": "b@x", "customer_id": "2"}}
    assert conflict["other"] == {"number": 1, "hard": {"email_id": "a@x", "customer_id": "1"}}
    assert project.counters()["conflicts"] == 1


def test_a_second_value_of_a_hard_type_is_a_conflict_and_renames_nobody(project: Any) -> None:
    project.event({"customer_id": "1", "email_id": "old@x"})
    project.event({"customer_id": "1", "email_id": "new@x"}, "moved")
    [profile] = project.profiles()
    assert profile["hard"] == {"customer_id": "1", "email_id": "old@x"}
    [conflict] = project.state()["conflicts"]
    assert conflict["refused"] == {"email_id": "new@x"}
    assert conflict["other"] is None
    project.event({"email_id": "new@x"}, "alone")
    assert len(project.profiles()) == 2, "the refused id was given to nobody"


def test_a_merge_keeps_the_newest_property_and_of_equal_stamps_the_sources(project: Any) -> None:
    project.customer({"email_id": "a@x"}, 10, newest="destination", tie="destination", older="destination", own="destination")
    project.customer({"customer_id": "1"}, 10, tie="source")
    project.customer({"customer_id": "1"}, 9, newest="source")
    project.customer({"customer_id": "1"}, 11, older="source")
    project.event({"email_id": "a@x", "customer_id": "1"})
    [profile] = project.profiles()
    assert profile["properties"] == {"newest": "destination", "tie": "source", "older": "source", "own": "destination"}


def test_equal_events_of_two_profiles_stay_two_after_a_merge(project: Any) -> None:
    project.event({"email_id": "a@x"}, "same")
    project.event({"customer_id": "1"}, "same")
    project.event({"email_id": "a@x", "customer_id": "1"}, "joined")
    [profile] = project.profiles()
    assert event_names(profile).count("same") == 2
    project.event({"customer_id": "1"}, "same")
    assert event_names(project.profiles()[0]).count("same") == 2, "a third is a duplicate of either"


def test_the_65th_soft_id_of_a_type_drops_the_one_unused_longest(project: Any) -> None:
    for i in range(64):
        project.event({**EMAIL, "cookie": f"k{i}"}, at=i)
    project.event({"cookie": "k0"}, at=100)
    project.event({**EMAIL, "cookie": "new", "cart_id": "c"}, at=101)
    [profile] = project.profiles()
    assert set(profile["soft"]["cookie"]) == {"new", "k0", *(f"k{i}" for i in range(2, 64))}
    assert profile["soft"]["cart_id"] == ["c"]
    assert project.counters()["evicted"] == 1
    project.event({"cookie": "k1"}, "stranger")
    assert len(project.profiles()) == 2


def test_a_merge_keeps_the_cap_of_soft_ids(project: Any) -> None:
    for i in range(40):
        project.event({"email_id": "a@x", "cookie": f"a{i}"}, at=i)
        project.event({"customer_id": "1", "cookie": f"b{i}"}, at=i)
    project.event({"email_id": "a@x", "customer_id": "1"})
    [profile] = project.profiles()
    assert len(profile["soft"]["cookie"]) == 64
    assert not {"a0", "b0"} & set(profile["soft"]["cookie"])


def test_invalid_ids_beside_a_valid_one_are_dropped(project: Any) -> None:
    ids = {"customer_id": None, "cookie": "", "cart_id": "undefined", "subscriber_id": "--", "no_such_type": "1", **EMAIL}
    project.event(ids)
    [profile] = project.profiles()
    assert (profile["hard"], profile["soft"]) == (EMAIL, {})
    assert project.counters()["dropped_ids"] == 5


def test_a_number_is_stored_as_text(project: Any) -> None:
    project.event({"customer_id": 1}, "number")
    project.event({"customer_id": "1"}, "text")
    [profile] = project.profiles()
    assert profile["hard"] == {"customer_id": "1"}


def test_id_types_are_settings_of_the_project(project: Any) -> None:
    project.set(hard_ids=["registered"], soft_ids=["cookie"])
    project.event({"registered": "x", "cookie": "k", "email_id": "a@x"})
    [profile] = project.profiles()
    assert (profile["hard"], profile["soft"]) == ({"registered": "x"}, {"cookie": ["k"]})


def test_events_stand_in_the_order_of_application_after_a_merge(project: Any) -> None:
    project.event({"email_id": "a@x"}, "one", 3)
    project.event({"customer_id": "1"}, "two", 2)
    project.event({"email_id": "a@x"}, "three", 1)
    project.event({"email_id": "a@x", "customer_id": "1"}, "four", 0)
    [profile] = project.profiles()
    assert event_names(profile) == ["one", "two", "three", "merge", "four"]
    assert [event["sequence"] for event in profile["events"]] == sorted(event["sequence"] for event in profile["events"])
