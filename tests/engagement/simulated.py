"""A project of the simulated Engagement, for tests."""

import uuid
from typing import Any

import httpx

from schemas.stores import Store


class Project:
    """One project of the simulator, with nobody else in it."""

    def __init__(self, url: str) -> None:
        self.url = url
        token = str(uuid.uuid4())
        self.store = Store(
            store="s.1", domain="shop.example.com", currency="EUR", engagement_url=url, project=token, access_token="",
            api_key_id="id", api_secret="secret", webhook_secret="",
        )  # fmt: skip
        self._http = httpx.Client(base_url=f"{url}/_sim", timeout=40)
        self.settle()

    def post(self, path: str, body: object) -> Any:
        answer = self._http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def settle(self, denied: tuple[str, ...] = ()) -> None:
        """The project is there with one key."""
        self.post("/projects", {"token": self.store.project, "keys": [{"id": "id", "secret": "secret", "denied": denied}]})

    def fail(self, kind: str, **options: object) -> None:
        self.post("/faults", [{"kind": kind, "project": self.store.project, **options}])

    def profiles(self) -> list[dict[str, Any]]:
        """All profiles, once all that was accepted is applied."""
        assert self.post("/idle", {"timeout_s": 30})["idle"]
        found: list[dict[str, Any]] = self._http.get("/state", params={"project": self.store.project}).json()["profiles"]
        return found

    def catalogs(self) -> list[dict[str, Any]]:
        """All catalogs with their items, once all that was accepted is applied."""
        assert self.post("/idle", {"timeout_s": 30})["idle"]
        found: list[dict[str, Any]] = self._http.get("/state", params={"project": self.store.project}).json()["catalogs"]
        return found

    def items(self, catalog: str = "products") -> dict[str, dict[str, Any]]:
        [found] = [one["items"] for one in self.catalogs() if one["name"] == catalog] or [{}]
        return found

    def delete_catalog(self, id: str) -> None:
        """Somebody else did."""
        auth = (self.store.api_key_id, self.store.api_secret)
        url = f"{self.url}/data/v2/projects/{self.store.project}/catalogs/{id}"
        assert httpx.delete(url, auth=auth, timeout=20).status_code == 200

    def events(self) -> list[dict[str, Any]]:
        return [event for profile in self.profiles() for event in profile["events"]]

    def counters(self) -> dict[str, Any]:
        found: dict[str, Any] = self._http.get("/counters", params={"project": self.store.project}).json()
        return found

    def track(self, data: bytes) -> None:
        """Somebody else sent this event."""
        auth = (self.store.api_key_id, self.store.api_secret)
        url = f"{self.url}/track/v2/projects/{self.store.project}/customers/events"
        assert httpx.post(url, content=data, auth=auth, timeout=20).status_code == 200

    def close(self) -> None:
        self.post("/faults", [])
        self._http.close()
