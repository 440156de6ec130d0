"""Commands as real processes, against a real Kafka and both simulators."""

import base64
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.settings import Settings
from simulators.process import SimulatorProcess, start

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-P", "-m", "ops"]
SECRET_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()

Run = Callable[..., "Ran"]


@dataclass
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shop:
    """A store at the simulated BigCommerce and a project at the simulated Engagement."""

    hash: str
    token: str
    bigcommerce: str
    engagement: str
    project: str

    def secrets(self, **changed: str) -> str:
        """FILE of `store add`."""
        return json.dumps({"access_token": self.token, "api_key_id": "key", "api_secret": "secret", **changed})

    def add(self, run: Run, *more: str, file: str | None = None) -> Ran:
        arguments = ("--engagement-url", self.engagement, "--project", self.project, "--secrets", "-", *more)
        return run("store", "add", self.hash, *arguments, stdin=file or self.secrets())

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """BigCommerce's answer to this store's token."""
        url = f"{self.bigcommerce}/stores/{self.hash}/{path}"
        return httpx.request(method, url, headers={"X-Auth-Token": self.token}, **arguments).raise_for_status().json()

    def customers(self, count: int) -> None:
        """The shop has that many."""
        actions = [{"action": "create_customer", "store": self.hash, "email": f"{n}@example.com"} for n in range(count)]
        httpx.post(f"{self.bigcommerce}/_sim/actions", json=actions).raise_for_status()

    def hooks(self) -> list[dict[str, Any]]:
        return self.call("GET", "v3/hooks", params={"limit": 250})["data"]


@pytest.fixture(scope="session")
def bigcommerce() -> Iterator[SimulatorProcess]:
    with start("bigcommerce") as simulator:
        yield simulator


@pytest.fixture(scope="session")
def engagement() -> Iterator[SimulatorProcess]:
    with start("engagement") as simulator:
        yield simulator


@pytest.fixture
def environment(kafka: str, prefix: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a command, with nothing of ours in it but this."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CARTSTREAM_")} | {
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "100",
        "CARTSTREAM_KAFKA": kafka,
        "CARTSTREAM_TOPIC_PREFIX": prefix,
        "CARTSTREAM_PARTITIONS": "4",
        "CARTSTREAM_REPLICATION": "1",
        "CARTSTREAM_SECRET_KEY": SECRET_KEY,
        "CARTSTREAM_PUBLIC_URL": "http://127.0.0.1:8080",
        "CARTSTREAM_DATA": str(tmp_path / "data"),
    }


@pytest.fixture
def settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What the commands of this test read from their environment."""
    for name in [name for name in os.environ if name.startswith("CARTSTREAM_")]:
        monkeypatch.delenv(name)
    names = {name.removeprefix("CARTSTREAM_").lower(): v for name, v in environment.items() if name.startswith("CARTSTREAM_")}
    return Settings(_env_file=None, **names)


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Runs `cartstream ...` to its end; settings by name, None takes one away."""

    def run(*arguments: str, stdin: str = "", **settings: str | None) -> Ran:
        changed = {f"CARTSTREAM_{name.upper()}": value for name, value in settings.items()}
        seen = {name: value for name, value in (environment | changed).items() if value is not None}
        command = [*COMMAND, *arguments]
        ran = subprocess.run(command, env=seen, input=stdin, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    return run


@pytest.fixture
def shop(bigcommerce: SimulatorProcess, engagement: SimulatorProcess, environment: dict[str, str]) -> Shop:
    """A store and a project that no other test uses."""
    name = f"s{uuid.uuid4().hex[:10]}"
    store = {"hash": name, "store_id": uuid.uuid4().int % 10**9, "access_token": f"token-{name}"}
    httpx.post(f"{bigcommerce.url}/_sim/stores", json=store).raise_for_status()
    project = {"token": str(uuid.uuid4()), "keys": [{"id": "key", "secret": "secret"}]}
    httpx.post(f"{engagement.url}/_sim/projects", json=project).raise_for_status()
    environment["CARTSTREAM_BIGCOMMERCE_API"] = bigcommerce.url
    return Shop(name, store["access_token"], bigcommerce.url, engagement.url, project["token"])
