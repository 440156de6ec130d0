"""Every topic: its key, its settings, what stands on it, who writes and who reads it.

All topics have the same number of partitions, so that records with the same key meet in the same worker.
"""

from dataclasses import dataclass

from schemas.backfills import Backfill, BackfillProgress
from schemas.commands import CatalogWrite, Command
from schemas.dead_letters import DeadLetter
from schemas.entities import (
    CartGone,
    CartState,
    CustomerGone,
    CustomerState,
    OrderState,
    Page,
    ProductGone,
    ProductState,
    SubscriberGone,
    SubscriberState,
)
from schemas.people import AccountGone, AccountSeen, Activity, EmailTaken, Erased, Lapsed, SubscriptionGone, SubscriptionSeen
from schemas.records import Message
from schemas.stores import Deployment, Store
from schemas.webhooks import LookAt, WebhookReceived

DAY_MS = 24 * 60 * 60 * 1000
RETENTION_MS = 30 * DAY_MS


@dataclass(frozen=True)
class Topic:
    """One topic. `compacted` topics keep the last record of each key, all others keep every record for RETENTION_MS.

    `table` is resolve's table that follows it, "" for none.
    """

    name: str
    key: str
    messages: tuple[type[Message], ...]
    writers: str
    readers: str
    compacted: bool = False
    table: str = ""

    def config(self, replication: int) -> dict[str, str]:
        """The topic's settings on the broker.

        What was erased from a compacted topic is gone within about a day. Kafka deletes whole segments, so a segment of a day makes
        the retention late by a day at the most, where its own default makes it late by a week.
        """
        kept = (
            {"cleanup.policy": "compact", "max.compaction.lag.ms": str(DAY_MS)}
            if self.compacted
            else {"cleanup.policy": "delete", "retention.ms": str(RETENTION_MS)}
        )
        return kept | {"segment.ms": str(DAY_MS), "min.insync.replicas": str(2 if replication > 2 else 1)}


WEBHOOKS = Topic("bigcommerce.webhooks", "{s}/{resource}/{id}", (WebhookReceived, LookAt), "ingest, resolve, reconcile, upkeep", "fetch")
PAGES = Topic("bigcommerce.pages", "{s}/{resource}/{run}/{page}", (Page,), "backfill", "fetch")
CHECKOUTS = Topic(
    "bigcommerce.checkouts", "{s}/{cart_id} or {s}/order-{id}", (CartState, CartGone, OrderState), "fetch", "resolve", table="checkouts"
)
ACCOUNTS = Topic(
    "bigcommerce.accounts", "{s}/{customer_id}", (CustomerState, CustomerGone, Activity), "fetch, resolve", "resolve", table="accounts"
)
SUBSCRIBERS = Topic(
    "bigcommerce.subscribers", "{s}/{subscriber_id}", (SubscriberState, SubscriberGone), "fetch", "resolve", table="subscribers"
)
PRODUCTS = Topic("bigcommerce.products", "{s}/{product_id}", (ProductState, ProductGone), "fetch", "resolve", table="products")
PEOPLE = Topic(
    "people",
    "{project}/{h}",
    (Activity, AccountSeen, AccountGone, EmailTaken, SubscriptionSeen, SubscriptionGone, Erased, Lapsed),
    "resolve, erase, upkeep",
    "resolve",
    table="profiles",
)
COMMANDS = Topic("engagement.commands", "the lane: {project}/{h} or {s}/{cart_id}", (Command,), "resolve", "deliver")
HISTORY = Topic("engagement.history", "the lane: {project}/{h} or {s}/{cart_id}", (Command,), "resolve", "deliver")
CATALOG = Topic("engagement.catalog", "{s}/{product_id}", (CatalogWrite,), "resolve", "deliver")
DEAD_LETTERS = Topic("dead-letters", "the key of what failed", (DeadLetter,), "all", "people")
STORES = Topic("stores", "{s}, or `deployment`", (Store, Deployment), "store commands", "all", compacted=True)
BACKFILLS = Topic(
    "backfills", "{s}, or {s}/{resource}", (Backfill, BackfillProgress), "backfill commands, upkeep", "upkeep, all commands", compacted=True
)

TOPICS = (
    WEBHOOKS,
    PAGES,
    CHECKOUTS,
    ACCOUNTS,
    SUBSCRIBERS,
    PRODUCTS,
    PEOPLE,
    COMMANDS,
    HISTORY,
    CATALOG,
    DEAD_LETTERS,
    STORES,
    BACKFILLS,
)

# Which topics each stage's consumer group reads; the group is `{prefix}cartstream-{stage}`.
STAGES = {
    "fetch": (WEBHOOKS, PAGES),
    "resolve": (CHECKOUTS, ACCOUNTS, SUBSCRIBERS, PRODUCTS, PEOPLE),
    "deliver": (COMMANDS, HISTORY, CATALOG),
}

# The parts that run as workers, each in a slot and in a consumer group of its own.
WORKERS = ("upkeep", *STAGES)


def group(prefix: str, worker: str) -> str:
    """The consumer group of a stage, or of upkeep."""
    return f"{prefix}cartstream-{worker}"
