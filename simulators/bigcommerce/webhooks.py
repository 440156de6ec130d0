"""The webhook sender: envelope, signature, retries, deactivation, blocklist (docs/facts/bigcommerce.md 1.1 to 1.6)."""

import asyncio
import base64
import hashlib
import hmac
import math
import os
import random
import ssl
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import orjson

from simulators.bigcommerce.hooks import Hook, Hooks
from simulators.bigcommerce.knobs import Knobs
from simulators.bigcommerce.shop import Body, Store

RETRY_DELAYS_S = (60, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 50400, 86400)
USER_AGENT = "pekko-http/1.3.0"
AT_ONCE = 50
STALE_S = 600
BLOCK_WINDOW_S, BLOCK_S, BLOCK_REQUESTS_MIN, BLOCK_RATIO = 120, 180, 100, 0.9


def sign(client_secret: str, webhook_id: str, timestamp_s: int, body: bytes) -> str:
    """The `webhook-signature` header (facts 1.4 a)."""
    signed = f"{webhook_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(client_secret.encode(), signed, "sha256")).decode()


@dataclass(slots=True)
class Delivery:
    store: Store
    hook: Hook
    scope: str
    hash: str
    body: bytes
    failures: int = 0


@dataclass
class Domain:
    """How one destination's answers were of late: (when, whether it was a success), how many failed, and when it was blocked."""

    answers: deque[tuple[float, bool]] = field(default_factory=deque)
    failed: int = 0
    blocked_at: float = -math.inf

    def blocked_s(self, scale: float) -> float:
        """For how long it will be blocked; not above 0: it is not."""
        return self.blocked_at + BLOCK_S * scale - time.monotonic()


class Sender:
    """`publish` and `send` return at once; AT_ONCE tasks deliver. `start` and `stop` go around them."""

    def __init__(self, knobs: Knobs, clock: Callable[[], int], hooks: dict[str, Hooks], seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.fired: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.pending: Counter[str] = Counter()
        """By store: deliveries that are queued, under way, or waiting for a retry."""
        self.domains: dict[str, Domain] = {}
        self._knobs, self._clock, self._hooks, self._random = knobs, clock, hooks, random.Random(f"{seed}/webhooks")
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._events = 0

    def start(self) -> None:
        tls = ssl.create_default_context()
        self._workers = [asyncio.create_task(self._work(tls)) for _ in range(AT_ONCE)]
        for worker in self._workers:
            worker.add_done_callback(_end_if_failed)

    async def stop(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def publish(self, store: Store, scope: str, data: Body) -> None:
        """An event: each active hook of `scope` gets the same body, unless a knob has it otherwise."""
        self.fired[scope] += 1
        taking = self._hooks[store.hash].taking(scope)
        if not taking:
            return
        self._events += 1
        digest = hashlib.sha1(f"{store.hash}/{self._events}/{self._random.random()}".encode(), usedforsecurity=False).hexdigest()
        envelope = {
            "producer": f"stores/{store.hash}",
            "hash": digest,
            "created_at": (self._clock() + round(self._knobs.stamp_lag_ms)) // 1000,
            "store_id": str(store.store_id),
            "scope": scope,
            "data": data,
        }
        for hook in taking:
            self._send_with_faults(store, hook, envelope)

    def send(self, store: Store, scope: str, body: bytes, webhook_id: str) -> int:
        """`body` as it is to the active hooks of `scope`; answers how many there are."""
        taking = self._hooks[store.hash].taking(scope)
        for hook in taking:
            self._queue_up(Delivery(store, hook, scope, webhook_id, body), 0)
        return len(taking)

    def _send_with_faults(self, store: Store, hook: Hook, envelope: Body) -> None:
        knobs, scope = self._knobs, envelope["scope"]
        if (not knobs.drop_only or scope in knobs.drop_only) and self._happens("drop"):
            self.counts["dropped"] += 1
            return
        if self._happens("numeric_store_id"):
            envelope = {**envelope, "store_id": store.store_id}
        if "status" in envelope["data"] and self._happens("missing_status"):
            envelope = {**envelope, "data": {key: value for key, value in envelope["data"].items() if key != "status"}}
        delivery = Delivery(store, hook, scope, envelope["hash"], orjson.dumps(envelope))
        delay_s = 0.0
        if self._happens("delay"):
            self.counts["delayed"] += 1
            delay_s = self._random.random() * knobs.delay_ms / 1000
        delay_s += self._random.random() * knobs.shuffle_ms / 1000 if knobs.shuffle_ms else 0.0
        delay_s += knobs.stamp_lag_ms / 1000
        self._queue_up(delivery, delay_s)
        if self._happens("duplicate"):
            self.counts["duplicated"] += 1
            self._queue_up(Delivery(store, hook, scope, delivery.hash, delivery.body), delay_s + self._random.uniform(0.1, 1.0))
        if self._happens("unknown_scope"):
            strange = {**envelope, "hash": f"{self._random.getrandbits(160):040x}", "scope": "store/unknown/happened"}
            self._queue_up(Delivery(store, hook, strange["scope"], strange["hash"], orjson.dumps(strange)), delay_s)

    def _happens(self, knob: str) -> bool:
        chance: float = getattr(self._knobs, knob)
        return bool(chance) and self._random.random() < chance

    def _queue_up(self, delivery: Delivery, delay_s: float) -> None:
        self.pending[delivery.store.hash] += 1
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._queue.put_nowait, delivery)
        else:
            self._queue.put_nowait(delivery)

    async def _work(self, tls: ssl.SSLContext) -> None:
        """With a client of its own: a pool looks through all its connections at each request, with AT_ONCE of them for 4 ms."""
        headers = {"user-agent": USER_AGENT, "accept-encoding": "gzip"}
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1), verify=tls, trust_env=False, headers=headers) as client:
            while True:
                delivery = await self._queue.get()
                if delivery.hook.is_active and delivery.hook.id in self._hooks[delivery.store.hash].by_id:
                    await self._attempt(client, delivery)
                else:
                    self.counts["given_up"] += 1
                self.pending[delivery.store.hash] -= 1

    async def _attempt(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        domain = self.domains.setdefault(urlsplit(delivery.hook.destination).netloc, Domain())
        if self._knobs.blocklist and domain.blocked_s(self._knobs.retry_scale) > 0:
            self.counts["blocked"] += 1
            self._retry(delivery)
            return
        self.counts["attempts"] += 1
        if not delivery.failures:
            self.sent[delivery.scope] += 1
        ok = await self._post(client, delivery)
        self._judge(domain, ok=ok)
        if ok:
            self.counts["delivered"] += 1
        else:
            self.counts["failed"] += 1
            self._retry(delivery)

    async def _post(self, client: httpx.AsyncClient, delivery: Delivery) -> bool:
        """Whether the destination answered 2xx in time. Every attempt is stamped and signed anew."""
        timestamp_s = self._clock() // 1000 - (STALE_S if self._happens("stale_timestamp") else 0)
        secret = "not-the-secret" if self._happens("bad_signature") else delivery.store.client_secret
        headers = {
            **(delivery.hook.headers or {}),
            "content-type": "application/json",
            "webhook-id": delivery.hash,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": sign(secret, delivery.hash, timestamp_s, delivery.body),
        }
        try:
            answer = await client.post(delivery.hook.destination, content=delivery.body, headers=headers, timeout=self._knobs.timeout_s)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return answer.is_success

    def _retry(self, delivery: Delivery) -> None:
        """The delivery waits for its next attempt; after the last one the hook is deactivated and what waits for it is lost."""
        delivery.failures += 1
        if delivery.failures <= len(RETRY_DELAYS_S):
            self.counts["retries"] += 1
            self._queue_up(delivery, RETRY_DELAYS_S[delivery.failures - 1] * self._knobs.retry_scale)
        else:
            self.counts["given_up"] += 1
            self.counts["deactivated"] += delivery.hook.is_active
            delivery.hook.is_active, delivery.hook.deactivated = False, True

    def _judge(self, domain: Domain, *, ok: bool) -> None:
        """The sliding window of the blocklist."""
        if not self._knobs.blocklist:
            return
        now, scale = time.monotonic(), self._knobs.retry_scale
        domain.answers.append((now, ok))
        domain.failed += not ok
        while domain.answers[0][0] < now - BLOCK_WINDOW_S * scale:
            domain.failed -= not domain.answers.popleft()[1]
        if len(domain.answers) >= BLOCK_REQUESTS_MIN and domain.failed > (1 - BLOCK_RATIO) * len(domain.answers):
            domain.blocked_at = now
            domain.answers.clear()
            domain.failed = 0
            self.counts["blocks"] += 1


def _end_if_failed(worker: asyncio.Task[None]) -> None:
    """A simulator that lost a worker to a bug would deliver too little in silence: it ends."""
    if not worker.cancelled() and (error := worker.exception()):
        traceback.print_exception(error)
        os._exit(1)
