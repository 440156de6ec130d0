"""Sign-in, limits and faults: docs/facts/engagement.md 1, 2.5, 2.6."""

import gzip
import uuid
from typing import Any

import httpx
import psutil
import pytest

from simulators.process import start

IDS = {"email_id": "a@x"}
EVENT = {"customer_ids": IDS, "event_type": "visit", "timestamp": 1}


def time_of(project: Any, token: str | None = None, **request: Any) -> httpx.Response:
    return project.http.get(f"/track/v2/projects/{token or project.token}/system/time", **request)


def test_system_time_is_answered(project: Any) -> None:
    body = time_of(project).json()
    assert body.keys() == {"errors", "success", "time"}
    assert isinstance(body["time"], float)


@pytest.mark.parametrize(
    ("auth", "status", "error"),
    [
        (("nobody", "secret"), 401, "access key not found"),
        (("key", "wrong"), 403, "invalid secret"),
    ],
)
def test_a_wrong_key_is_refused(project: Any, auth: tuple[str, str], status: int, error: str) -> None:
    answer = time_of(project, auth=auth)
    assert (answer.status_code, answer.json()) == (status, {"success": False, "error": error})


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Bearer x", "Token nothing"])
def test_a_header_that_says_nothing_is_refused(project: Any, header: str) -> None:
    answer = httpx.get(f"{project.http.base_url}/track/v2/projects/{project.token}/system/time", headers={"authorization": header})
    assert answer.status_code == 401


def test_a_project_that_is_not_known_is_refused(project: Any) -> None:
    unknown, malformed = time_of(project, str(uuid.uuid4())), time_of(project, "abc")
    assert (unknown.status_code, unknown.json()["error"]) == (400, "Invalid project id")
    assert (malformed.status_code, malformed.json()["error"]) == (400, "Could not authenticate")


def test_a_public_token_may_track_and_not_anonymize(project: Any) -> None:
    project.set(public_tokens=["public"])
    project.http.auth = None
    project.http.headers["authorization"] = "Token public"
    assert project.track("customers/events", EVENT).status_code == 200
    assert project.data("anonymize", {"customer_ids": IDS}).status_code == 401


def test_a_wrong_path_is_not_found(project: Any) -> None:
    answer = project.track("customers/destroy", {})
    assert (answer.status_code, answer.json()["errors"]["code"]) == (404, 404)


def test_every_answer_has_a_request_id(project: Any) -> None:
    first, second = (time_of(project).headers["x-request-id"] for _ in range(2))
    assert uuid.UUID(first) != uuid.UUID(second)


def test_a_compressed_body_is_refused(project: Any) -> None:
    answer = project.http.post(
        f"/track/v2/projects/{project.token}/customers/events",
        content=gzip.compress(b"{}"),
        headers={"content-encoding": "gzip"},
    )
    assert (answer.status_code, answer.text[:10]) == (400, "BadRequest")


def test_a_body_over_the_cap_is_refused(project: Any) -> None:
    project.knobs(body_bytes_max=1000)
    try:
        assert project.track("customers/events", {**EVENT, "properties": {"a": "x" * 1000}}).status_code == 413
        assert project.track("customers/events", EVENT).status_code == 200
    finally:
        project.knobs(body_bytes_max=10_000_000)


def test_too_many_requests_in_a_minute_are_refused_and_their_data_dropped(project: Any) -> None:
    project.knobs(requests_per_minute=3, retry_after_s=2)
    answers = [project.track("customers/events", {**EVENT, "timestamp": i}) for i in range(8)]  # a minute may end meanwhile
    project.knobs(requests_per_minute=1_000_000, retry_after_s=None)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(answer.headers["retry-after"] == "2" for answer in refused)
    project.settle()
    assert project.counters()["stored"] == len(answers) - len(refused)


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ({"kind": "429"}, (429, None, '{"success":false,"error":"Too many requests"}')),
        ({"kind": "429", "retry_after_s": 7}, (429, "7", '{"success":false,"error":"Too many requests"}')),
        ({"kind": "500"}, (500, None, "Internal Server Error")),
        ({"kind": "503"}, (503, None, '{"success":false,"error":"Service Unavailable"}')),
        ({"kind": "504"}, (504, None, "upstream request timeout")),
        ({"kind": "empty"}, (200, None, "")),
    ],
)
@pytest.mark.parametrize("applied", [False, True])
def test_a_failed_answer_hides_whether_it_was_applied(
    project: Any, fault: dict[str, Any], seen: tuple[int, str | None, str], applied: bool
) -> None:
    project.fault(**fault, applied=applied)
    answer = project.track("customers/events", EVENT)
    assert (answer.status_code, answer.headers.get("retry-after"), answer.text) == seen
    project.settle()
    assert project.counters()["stored"] == applied
    assert project.track("customers/events", EVENT).status_code == 200, "once, as asked"


@pytest.mark.parametrize("applied", [False, True])
def test_a_connection_drops_without_an_answer_before_or_after_it_was_applied(project: Any, applied: bool) -> None:
    project.fault(kind="drop", applied=applied)
    with pytest.raises(httpx.RemoteProtocolError):
        project.track("customers/events", EVENT)
    project.settle()
    counters = project.counters()
    assert counters["stored"] == applied
    assert counters["requests"] == {"customers/events": {"dropped": 1}}


@pytest.mark.parametrize("applied", [False, True])
def test_a_drop_ends_one_connection_only(project: Any, applied: bool) -> None:
    with httpx.Client(base_url=project.http.base_url, auth=("key", "secret"), verify=False) as other:
        other.get(f"/track/v2/projects/{project.token}/system/time")
        project.fault(kind="drop", applied=applied, endpoint="batch")
        with pytest.raises(httpx.RemoteProtocolError):
            project.track("batch", {"commands": [{"name": "system/time"}]})
        assert other.get(f"/track/v2/projects/{project.token}/system/time").status_code == 200


def test_drops_leave_nothing_open() -> None:
    with start("engagement") as running, httpx.Client(base_url=running.url, auth=("key", "secret"), verify=False) as client:
        token = str(uuid.uuid4())
        client.post("/_sim/projects", json={"token": token, "keys": [{"id": "key", "secret": "secret"}]}).raise_for_status()
        before = psutil.Process(running.process.pid).num_fds()
        client.post("/_sim/faults", json=[{"kind": "drop"}]).raise_for_status()
        for _ in range(6):
            with pytest.raises(httpx.RemoteProtocolError):
                client.get(f"/track/v2/projects/{token}/system/time")
        assert psutil.Process(running.process.pid).num_fds() < before + 10


@pytest.mark.parametrize("applied", [False, True])
def test_a_slow_answer_outlasts_its_caller_before_or_after_it_was_applied(project: Any, applied: bool) -> None:
    project.fault(kind="slow", wait_s=60, applied=applied)
    with pytest.raises(httpx.ReadTimeout):
        project.http.post(f"/track/v2/projects/{project.token}/customers/events", json=EVENT, timeout=0.5)
    project.settle()
    assert project.counters()["received"] == applied


def test_a_fault_is_for_one_endpoint_and_so_many_times(project: Any) -> None:
    project.sim("faults", [{"kind": "500", "endpoint": "batch", "project": project.token, "times": 2}])
    assert project.track("customers/events", EVENT).status_code == 200
    batch = {"commands": [{"name": "system/time"}]}
    assert [project.track("batch", batch).status_code for _ in range(3)] == [500, 500, 200]
    assert project.sim("faults")["faults"][0]["times"] == 0
    assert project.counters()["requests"] == {"customers/events": {"200": 1}, "batch": {"500": 2, "200": 1}}


def test_a_fault_has_a_chance(project: Any) -> None:
    project.fault(kind="500", times=None, probability=0.5)
    statuses = {project.track("batch", {"commands": [{"name": "system/time"}]}).status_code for _ in range(100)}
    assert statuses == {200, 500}


def test_the_customers_and_gdpr_calls_fail_too(project: Any) -> None:
    project.event(IDS)
    project.fault(kind="503", endpoint="anonymize", applied=True)
    assert project.data("anonymize", {"customer_ids": IDS}).status_code == 503
    project.settle()
    assert project.data("anonymize", {"customer_ids": IDS}).status_code == 404, "the first one was done"
