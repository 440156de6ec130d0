"""Every row of docs/facts/engagement.md 2.5, and the shapes that no row promises."""

import contextlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement.answers import Done, Refused, Unanswered, read_batch, read_items, read_single
from schemas.failures import AccessLost, CommandRefused, Failure, QuotaSpent, Unavailable


def batch(status: int, body: object, ids: list[str] | None = None, **headers: str) -> list[object]:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return list(read_batch(status, headers, raw, ids or ["a"]))


def test_each_command_has_its_own_outcome_though_the_whole_succeeded() -> None:
    results = [
        {"success": True},
        {"success": False, "errors": ["At least one id should be specified."]},
        {"success": False, "message": "Not authorized to add event of specified type"},
        {"success": False, "errors": {"properties": ["not authorized to update specified customer properties"]}},
        {"success": False},
    ]
    assert batch(200, {"results": results, "success": True}, list("abcde")) == [
        Done(),
        Refused("At least one id should be specified."),
        Refused("Not authorized to add event of specified type"),
        Refused("not authorized to update specified customer properties"),
        Refused("refused without a reason"),
    ]


def test_results_are_matched_by_command_id_wherever_they_stand() -> None:
    results = [{"success": False, "errors": ["no"], "command_id": "b"}, {"success": True, "command_id": "a"}]
    assert batch(200, {"results": results, "success": True}, ["a", "b"]) == [Done(), Refused("no")]


def test_a_command_without_a_result_is_unanswered() -> None:
    by_id = [{"success": True, "command_id": "b"}]
    assert batch(200, {"results": by_id, "success": True}, ["a", "b", "c"]) == [Unanswered(), Done(), Unanswered()]
    too_few = [{"success": True}]
    assert batch(200, {"results": too_few, "success": True}, ["a", "b"]) == [Unanswered(), Unanswered()]
    assert batch(200, {"results": ["?", {}], "success": True}, ["a", "b"]) == [Unanswered(), Unanswered()]


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (400, {"success": False, "error": "Could not authenticate"}, AccessLost),
        (400, {"success": False, "error": "Invalid project id"}, AccessLost),
        (401, {"success": False, "error": "access key not found"}, AccessLost),
        (403, {"success": False, "message": "invalid secret"}, AccessLost),
        (403, b"", AccessLost),
        (400, {"success": False, "message": "No commands"}, CommandRefused),
        (400, {"success": False, "message": "Invalid JSON"}, CommandRefused),
        (400, b"BadRequest: The browser (or proxy) sent a request that this server could not understand", CommandRefused),
        (400, {"success": False, "message": "Too many commands"}, CommandRefused),
        (413, {"success": False, "message": "Request entity too large"}, CommandRefused),
        (200, {"success": False, "errors": ["no permission"]}, CommandRefused),
        (404, b"The requested URL was not found on the server", AccessLost),
        (404, {"errors": {"code": 404, "description": "The requested URL was not found on the server"}}, AccessLost),
        (302, b"", AccessLost),
        (429, b"", QuotaSpent),
        (500, b"Internal Server Error", Unavailable),
        (503, {"success": False, "error": "Service Unavailable"}, Unavailable),
        (504, b"upstream request timeout", Unavailable),
        (408, b"", Unavailable),
        (200, b"", Unavailable),
        (200, b"<html>", Unavailable),
        (200, [], Unavailable),
        (200, {"success": True}, Unavailable),
        (200, {"success": True, "results": "?"}, Unavailable),
    ],
)
def test_a_batch_that_failed_as_a_whole_says_what_to_do(status: int, body: object, failure: type[Failure]) -> None:
    with pytest.raises(failure):
        batch(status, body)


def test_a_refusal_is_in_engagements_own_words_without_an_e_mail() -> None:
    with pytest.raises(CommandRefused) as refused:
        batch(400, {"success": False, "errors": {"_global": ["Customer jane@example.com is odd"]}})
    assert refused.value.reason == "Customer (e-mail) is odd"


@pytest.mark.parametrize(
    ("headers", "after_s"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:05 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 5.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:05 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(headers: dict[str, str], after_s: float | None) -> None:
    with pytest.raises(QuotaSpent) as spent:
        read_batch(429, headers, b"", ["a"])
    assert spent.value.after_s == after_s


def test_an_unknown_customer_is_no_failure_but_an_unknown_address_is() -> None:
    assert read_single(404, {}, orjson.dumps({"errors": {"_global": ["Customer does not exist"]}, "success": False})) is None
    assert read_single(200, {}, b'{"success":true}') == {"success": True}
    nobody_of_engagement = (
        b"The requested URL was not found on the server",
        b"default backend - 404",
        b"<html><h1>404 Not Found</h1><hr>nginx</html>",
        b'{"message":"no Route matched with those values"}',
        b'{"success":false,"error":"project does not exist"}',
        b"",
    )
    for body in nobody_of_engagement:
        with pytest.raises(AccessLost):
            read_single(404, {}, body)
    with pytest.raises(CommandRefused):
        read_single(200, {}, b'{"success":false,"errors":["At least one id should be specified."]}')


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["results", "success", "errors", "command_id"]), inner),
)
BODIES = st.binary(max_size=60) | (ANYTHING | st.fixed_dictionaries({"success": st.just(True), "results": ANYTHING})).map(orjson.dumps)


@given(st.integers(200, 599), BODIES)
def test_whatever_the_answer_is_it_is_an_outcome_for_each_command_or_a_failure(status: int, body: bytes) -> None:
    with contextlib.suppress(Failure):
        assert len(read_batch(status, {}, body, ["a", "b"])) == 2


def test_each_catalog_item_has_its_own_outcome_and_the_field_that_is_at_fault_is_found() -> None:
    words = "Fields [unprinted1] are not properly defined."
    results = [
        {"success": True, "queued": True},
        {"success": False, "queued": False, "errors": {"properties": [words]}},
        {"success": "False", "errors": {"properties": ["Fields ['a', 'b'] are not properly defined."]}},
        {"success": "True", "queued": "True"},
        {"success": False},
        {},
    ]
    assert read_items(200, {}, orjson.dumps(results), 6) == [
        Done(),
        Refused(words, "unprinted1"),
        Refused("Fields ['a', 'b'] are not properly defined.", "a, b"),
        Done(),
        Refused("refused without a reason"),
        Unanswered(),
    ]


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (200, [{"success": True}], Unavailable),  # of two items
        (200, "", Unavailable),
        (200, {"success": False, "errors": ["no"]}, CommandRefused),
        (400, {"errors": ["Fields [x] are not properly defined"]}, CommandRefused),
        (404, {"success": False}, AccessLost),
        (403, {"success": False}, AccessLost),
        (429, {}, QuotaSpent),
        (503, "down", Unavailable),
    ],
)
def test_an_answer_about_items_may_fail_as_a_whole(status: int, body: object, failure: type[Exception]) -> None:
    with pytest.raises(failure):
        read_items(status, {}, orjson.dumps(body), 2)


def test_a_refusal_of_a_single_item_names_the_field_too() -> None:
    with pytest.raises(CommandRefused) as refused:
        read_items(400, {}, orjson.dumps({"success": False, "errors": ["Fields [x] are not properly defined"]}), 1)
    assert refused.value.field == "x"
