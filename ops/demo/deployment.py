"""A whole deployment on this machine: Kafka, both simulators, and all parts as real processes, which start again when they end."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from aiokafka.admin import AIOKafkaAdminClient
from cryptography.fernet import Fernet
from pydantic import SecretStr

from ops import backfill, environment, slots, stores, supervise
from ops.embedded_kafka import EmbeddedKafka, free_port
from ops.topics import create_topics
from schemas.connection import admin_client
from schemas.failures import Unavailable
from schemas.settings import Settings
from schemas.settings import load as load_settings
from schemas.stores import Store
from schemas.topics import WORKERS, group
from simulators import process

HASH, PROJECT = "abc123", "11111111-2222-3333-4444-555555555555"  # of the simulator's first store
READY_S_MAX = 90.0
QUOTA_WINDOW_MS = 1000  # in truth 30 s: a demo has no time to wait for the end of one
CALL = httpx.Timeout(60)


@dataclass(frozen=True)
class Tenant:
    """A store of the simulated BigCommerce, and the project of its own that its people go to."""

    hash: str
    project: str

    @property
    def store(self) -> str:
        return f"{self.hash}.1"

    def bears(self, key: bytes) -> bool:
        """Whether a record with that key is about this store or its people."""
        return key.startswith((f"{self.store}/".encode(), f"{self.project}/".encode()))


FIRST = Tenant(HASH, PROJECT)
SECOND = Tenant("abc124", "66666666-7777-8888-9999-000000000000")


class Deployment:
    """Everything runs while its context is open. `shop` and `engagement` are clients of the simulators' control pages."""

    def __init__(self, folder: Path, jars: Path, *, settle_s: float = 1.0, partitions: int = 4, lapsed_days: int = 0) -> None:
        """`folder` takes tables, Kafka's records and locks; `jars` is where Kafka's jars are kept."""
        self.folder, self._jars, self._settle_s, self._partitions = folder, jars, settle_s, partitions
        self._lapsed_days = lapsed_days
        self.settings = Settings()
        self.children: dict[str, supervise.Child] = {}
        self._keys: dict[Tenant, dict[str, str]] = {}

    @contextlib.contextmanager
    def servers(self) -> Iterator[None]:
        """Kafka and the simulators; blocks while they start."""
        with contextlib.ExitStack() as held:
            kafka = held.enter_context(EmbeddedKafka(self._jars, self.folder / "kafka-data"))
            shop = held.enter_context(process.start("bigcommerce", "--stores", "2", "--quota", "100000"))
            engagement = held.enter_context(process.start("engagement"))
            port = free_port()
            self.settings = load_settings().model_copy(
                update={
                    "kafka": kafka.address,
                    "kafka_security": "PLAINTEXT",
                    "topic_prefix": "",
                    "partitions": self._partitions,
                    "replication": 1,
                    "listen": f"127.0.0.1:{port}",
                    "public_url": f"http://127.0.0.1:{port}",
                    "bigcommerce_api": shop.url,
                    "secret_key": SecretStr(Fernet.generate_key().decode()),
                    "data": self.folder,
                    "settle_s": self._settle_s,
                    "anonymize_lapsed_days": self._lapsed_days,
                    "slot": None,
                }
            )
            self._engagement_url = engagement.url
            self.shop = httpx.Client(base_url=shop.url, timeout=CALL)
            self.shop.put("/_sim/knobs", json={"quota_window_ms": QUOTA_WINDOW_MS}).raise_for_status()
            self.engagement = httpx.Client(base_url=engagement.url, timeout=CALL)
            held.callback(self.shop.close)
            held.callback(self.engagement.close)
            yield

    @contextlib.asynccontextmanager
    async def parts(self, events: str | None = "all", tenants: Sequence[Tenant] = (FIRST,)) -> AsyncIterator[None]:
        """The topics and all parts; the stores with their hooks, whose history is loaded with these `events`, None: not at all.

        Returns when ingest is ready.
        """
        await create_topics(self.settings)
        added = [await self.add(tenant, events or "") for tenant in tenants]
        seen = self.environment()
        claimed = [slots.claim(self.folder, stage, None) for stage in WORKERS]
        self.children = {"ingest": supervise.part("ingest", seen, log_file=self.log_file("ingest"))}
        self.children |= {s.stage: supervise.part(s.stage, seen, s, self.log_file(s.stage)) for s in claimed}
        told = asyncio.Event()
        lives = asyncio.create_task(supervise.watch_over(list(self.children.values()), told))
        try:
            await self._ready(lives)
            for store in added if events is not None else ():
                await backfill.begin(self.settings, store, events or "", say=lambda _: None)
            yield
        finally:
            told.set()
            await lives
            for slot in claimed:
                slot.release()

    async def add(self, tenant: Tenant, events: str = "") -> Store:
        """What `store add` does, with the store's present token; again where it was added before."""
        if tenant not in self._keys:
            self._keys[tenant] = {"id": "key", "secret": secrets.token_urlsafe(16)}
            self.engagement.post("/_sim/projects", json={"token": tenant.project, "keys": [self._keys[tenant]]}).raise_for_status()
        key, token = self._keys[tenant], self.access_token(tenant)
        given = stores.Secrets(access_token=token, api_key_id=key["id"], api_secret=key["secret"])
        store, _ = await stores.add_store(
            self.settings, stores.Wanted(tenant.hash, self._engagement_url, tenant.project, True, given, events=events)
        )
        return store

    def access_token(self, tenant: Tenant) -> str:
        """With which BigCommerce lets its caller in to the store now."""
        [token] = [store["access_token"] for store in self.shop.get("/_sim/stores").json() if store["hash"] == tenant.hash]
        return str(token)

    def act(self, tenant: Tenant, actions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Things happen in the store's shop; its answers, in the same order."""
        of_store = [action | {"store": tenant.hash} for action in actions]
        return list(self.shop.post("/_sim/actions", json=of_store).raise_for_status().json())

    def in_shop(self, tenant: Tenant) -> dict[str, Any]:
        """All that the store's shop holds and ever held."""
        found = self.shop.get("/_sim/state", params={"store": tenant.hash}).raise_for_status().json()
        return dict(found["stores"][tenant.hash])

    def held(self, tenant: Tenant) -> dict[str, Any]:
        """What Engagement holds in the store's project."""
        return dict(self.engagement.get("/_sim/state", params={"project": tenant.project}).raise_for_status().json())

    def log_file(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def environment(self) -> dict[str, str]:
        """What the parts see."""
        settings = self.settings
        return environment.for_children(settings) | {
            "CARTSTREAM_KAFKA_SECURITY": "PLAINTEXT",
            "CARTSTREAM_TOPIC_PREFIX": "",
            "CARTSTREAM_LISTEN": settings.listen,
            "CARTSTREAM_PUBLIC_URL": settings.public_url,
            "CARTSTREAM_BIGCOMMERCE_API": settings.bigcommerce_api,
            "CARTSTREAM_SECRET_KEY": settings.secret_key.get_secret_value(),
            "CARTSTREAM_DATA": str(settings.data),
            "CARTSTREAM_SETTLE_S": str(settings.settle_s),
            "CARTSTREAM_ANONYMIZE_LAPSED_DAYS": str(settings.anonymize_lapsed_days),
        }

    async def _ready(self, lives: asyncio.Task[int]) -> None:
        """Returns when ingest takes webhooks and all workers have partitions. Raises Unavailable naming a part that does not start."""
        deadline, late = time.monotonic() + READY_S_MAX, "ingest"
        async with httpx.AsyncClient(timeout=2) as client, admin_client(self.settings) as admin:
            while not lives.done() and time.monotonic() < deadline:
                late = await self._not_ready(client, admin)
                if not late:
                    return
                await asyncio.sleep(0.1)
        said = self.log_file(late).read_text(errors="replace").splitlines()[-1:]
        raise Unavailable(f"{late} does not start: {said[0] if said else 'it says nothing'}")

    async def _not_ready(self, client: httpx.AsyncClient, admin: AIOKafkaAdminClient) -> str:
        """A part that is not ready, "" when all are."""
        for stage in WORKERS:
            # One group a request: aiokafka 0.14 cannot read an answer about several.
            [answer] = await admin.describe_consumer_groups([group("", stage)])
            if answer.groups[0][2] != "Stable":
                return stage
        with contextlib.suppress(httpx.HTTPError):
            if (await client.get(f"{self.settings.public_url}/readyz")).is_success:
                return ""
        return "ingest"
