"""What ingest counts."""

import re

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest

SCOPES_MAX = 50  # scopes that get a series of their own; BigCommerce has about a hundred, we ask for 24
SCOPE_LENGTH_MAX = 100
OUTCOME_ACCEPTED = "accepted"


class Metrics:
    """Counters of one process, in a registry of their own. Labels take a bounded number of values, whatever arrives."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._scopes: set[str] = set()
        self._webhooks = Counter(
            "cartstream_webhooks",
            'Deliveries by store ("" when unknown) and outcome: accepted, or the reason of the refusal.',
            ["store", "outcome"],
            registry=self.registry,
        )
        self._proofs = Counter(
            "cartstream_webhooks_verified",
            "Verified deliveries by what proved them: signature or secret.",
            ["store", "by"],
            registry=self.registry,
        )
        self._old = Counter(
            "cartstream_webhooks_old_stamp",
            "Deliveries with a right signature and a stamp older than five minutes: late retries, or replays.",
            ["store"],
            registry=self.registry,
        )
        self._untracked = Counter(
            "cartstream_webhooks_untracked",
            "Accepted webhooks that name no entity that is tracked, by scope (numbers as 0).",
            ["scope"],
            registry=self.registry,
        )
        self._acknowledged = Histogram(
            "cartstream_webhook_acknowledge_seconds",
            "From the first byte of a delivery to its record on all in-sync replicas.",
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )

    def verified(self, store: str, by: str, old: bool) -> None:
        self._proofs.labels(store, by).inc()
        if old:
            self._old.labels(store).inc()

    def accepted(self, store: str, took_s: float) -> None:
        self._webhooks.labels(store, OUTCOME_ACCEPTED).inc()
        self._acknowledged.observe(took_s)

    def refused(self, store: str, reason: str) -> None:
        self._webhooks.labels(store, reason).inc()

    def untracked(self, scope: str) -> None:
        scope = re.sub(r"[0-9]+", "0", scope[:SCOPE_LENGTH_MAX], flags=re.ASCII)
        if len(self._scopes) < SCOPES_MAX:
            self._scopes.add(scope)
        self._untracked.labels(scope if scope in self._scopes else "more").inc()

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)
