import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from simulators.process import start

DEADLINE_S = 20
numbers = itertools.count(1)


def until(holds: Callable[[], Any], what: str) -> Any:
    """What `holds` gives, as soon as it is true."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.01)
    raise AssertionError(f"never: {what}")


@dataclass
class Shop:
    """A store that no other test uses."""

    client: httpx.Client
    hash: str
    headers: dict[str, str]

    def act(self, *actions: dict[str, Any]) -> list[dict[str, Any]]:
        answers = self.try_to(*actions)
        assert not [answer for answer in answers if "error" in answer], answers
        return answers

    def try_to(self, *actions: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.client.post("/_sim/actions", json=[{"store": self.hash, **action} for action in actions])
        assert answer.status_code == 200
        return answer.json()

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.client.request(method, f"/stores/{self.hash}{path}", headers=self.headers, **more)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.call("GET", path, params=params)

    def data(self, path: str, **params: Any) -> Any:
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def change(self, **fields: Any) -> None:
        assert self.client.put(f"/_sim/stores/{self.hash}", json=fields).status_code == 200

    def knobs(self, **knobs: Any) -> None:
        assert self.client.put("/_sim/knobs", json=knobs).status_code == 200

    def raw(self, kind: str, entity_id: int | str, body: bytes) -> None:
        assert self.client.put(f"/_sim/raw/{kind}/{entity_id}", params={"store": self.hash}, content=body).status_code == 200

    def hook(self, scope: str, destination: str, **fields: Any) -> int:
        answer = self.call("POST", "/v3/hooks", json={"scope": scope, "destination": destination, **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["id"]

    def truth(self, kind: str) -> list[dict[str, Any]]:
        return self.client.get("/_sim/state", params={"store": self.hash, "kind": kind}).json()["stores"][self.hash][kind]

    def webhooks(self) -> dict[str, Any]:
        return self.client.get("/_sim/counters").json()["webhooks"]

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        return until(holds, what)

    def settled(self) -> None:
        until(lambda: not self.webhooks()["pending_by_store"].get(self.hash), "no webhook pending")


@pytest.fixture(scope="session")
def simulator() -> Iterator[str]:
    with start("bigcommerce", "--seed", "7") as process:
        yield process.url


@pytest.fixture
def shop(simulator: str) -> Iterator[Shop]:
    number = next(numbers)
    store = {"hash": f"store{number}", "store_id": 5000 + number, "access_token": f"token{number}", "quota": 1000, "rates": {"EUR": "0.8"}}
    with httpx.Client(base_url=simulator, timeout=DEADLINE_S) as client:
        defaults = client.get("/_sim/knobs").json()
        assert client.post("/_sim/stores", json=store).status_code == 200
        yield Shop(client, store["hash"], {"X-Auth-Token": store["access_token"]})
        client.put("/_sim/knobs", json=defaults)


@dataclass
class Receiver:
    """A destination of webhooks. `answers` are the next statuses; after them 200."""

    url: str
    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def wait_for(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        return until(lambda: len(self.got) >= count and self.got, f"{count} deliveries, there are {len(self.got)}")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = found.answers.pop(0) if found.answers else 200
            found.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        found = Receiver(f"http://127.0.0.1:{server.server_port}/hooks")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield found
        server.shutdown()
        thread.join()
