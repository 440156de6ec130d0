"""A simulator of Engagement as a process of its own, and a fresh project in it for each test."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from simulators import process

QUICK = {
    "tracking_delay_ms": [0, 5],
    "gdpr_delay_ms": [0, 5],
    "shuffle": True,
    "single_failure_status": 400,
    "requests_per_minute": 1_000_000,
    "retry_after_s": None,
}


class Project:
    """One project and the calls that tests make to it."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.token = str(uuid.uuid4())
        self.settings = {"token": self.token, "keys": [{"id": "key", "secret": "secret"}], **settings}
        self.http = httpx.Client(base_url=url, auth=("key", "secret"), timeout=30, verify=False)  # loading certificates takes long
        self.set(**settings)

    def sim(self, path: str, content: Any = None) -> Any:
        """A call to `/_sim/...`: GET without content."""
        answer = self.http.get(f"/_sim/{path}") if content is None else self.http.post(f"/_sim/{path}", json=content)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def set(self, **settings: Any) -> None:
        self.settings |= settings
        self.sim("projects", self.settings)

    def knobs(self, **knobs: Any) -> None:
        self.sim("knobs", knobs)

    def fault(self, **fault: Any) -> None:
        self.sim("faults", [{"project": self.token, "times": 1, **fault}])

    def track(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(f"/track/v2/projects/{self.token}/{path}", json=body)

    def data(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(f"/data/v2/projects/{self.token}/customers/{path}", json=body)

    def event(self, ids: dict[str, Any], name: str = "visit", at: Any = 1.5, **properties: Any) -> None:
        """An event that has been applied."""
        body = {"customer_ids": ids, "event_type": name, "timestamp": at, "properties": properties}
        assert self.track("customers/events", body).json() == {"errors": [], "success": True}
        self.settle()

    def customer(self, ids: dict[str, Any], at: float | None = None, **properties: Any) -> None:
        """An update that has been applied."""
        body = {"customer_ids": ids, "properties": properties} | ({} if at is None else {"update_timestamp": at})
        assert self.track("customers", body).json() == {"errors": [], "success": True}
        self.settle()

    def anonymize(self, ids: dict[str, Any]) -> None:
        assert self.data("anonymize", {"customer_ids": ids}).json() == {"success": True}
        self.settle()

    def settle(self) -> None:
        assert self.sim("idle", {})["idle"]

    def state(self) -> Any:
        return self.sim(f"state?project={self.token}")

    def profiles(self) -> list[Any]:
        return self.state()["profiles"]

    def counters(self) -> Any:
        return self.sim(f"counters?project={self.token}")

    def log(self) -> list[dict[str, Any]]:
        log = self.sim(f"log?project={self.token}")
        return [dict(zip(log["columns"], row, strict=True)) for row in log["entries"]]


@pytest.fixture(scope="session")
def simulator_url() -> Iterator[str]:
    with process.start("engagement", "--seed", "7") as running:
        yield running.url


@pytest.fixture
def project(simulator_url: str) -> Iterator[Project]:
    """A project of its own; the knobs are quick and no fault is set."""
    project = Project(simulator_url)
    project.knobs(**QUICK)
    project.sim("faults", [])
    yield project
    project.http.close()
