"""Catalog items to Engagement, beside the commands: with queues of their own, so that neither's trouble holds up the other.

A project's catalogs are made where they are missing, by the process that has partition 0 of `engagement.catalog` alone: two
that are created at once would be two. The others wait until they are there.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiokafka import ConsumerRecord

from engagement.answers import Done, Outcome, Refused, Unanswered
from engagement.catalogs import FIELDS
from engagement.client import Client
from engagement.limits import ITEMS_PER_CALL_MAX, Pace
from schemas.commands import CatalogWrite
from schemas.directory import Directory
from schemas.failures import AccessLost, CommandRefused, Failure, QuotaSpent, Reject, Retry, Undecodable
from schemas.records import Decoder
from schemas.stores import Store
from schemas.topics import CATALOG
from schemas.waiting import until_set
from streams.consumer import BatchConsumer
from streams.deliver import metrics
from streams.deliver.rules.catalog_items import Item, Items
from streams.deliver.rules.queue import TRIES_MAX, Queue, backoff_s

log = structlog.get_logger()

CALLS_MAX = 2  # under way for one catalog of a store
LOOK_S_MAX = 1.0  # between two looks when nothing happens: a store may have become known
ACCESS_S = 30.0  # between two tries with a key that is not accepted
MISSING_S = 2.0  # between two looks for catalogs that another process is to make

Project = tuple[str, str]  # address and token


class Target:
    """One catalog of one store."""

    def __init__(self, store: str, catalog: str, start_s: float, settle_s: float) -> None:
        self.store, self.catalog = store, catalog
        self.items = Items(start_s, settle_s)
        self.queue: Queue[Item] = Queue(ITEMS_PER_CALL_MAX, CALLS_MAX)


class Catalogs:
    """The catalog writes of one deliver process."""

    def __init__(
        self,
        settle_s: float,
        directory: Directory,
        paces: dict[str, Pace],
        start: Callable[[Coroutine[Any, Any, None]], None],
        bury: Callable[[ConsumerRecord, str, Reject, int], Awaitable[None]],
    ) -> None:
        """`paces` by host are the commands' too; `start` a call that a rebalance waits for; `bury` writes a dead letter."""
        self._settle_s, self._directory, self._paces, self._start, self._bury = settle_s, directory, paces, start, bury
        self._decoder = Decoder(CATALOG.messages)
        self._targets: dict[tuple[str, str], Target] = {}
        self._ids: dict[Project, dict[str, str]] = {}  # name to id of the catalogs that are there
        self._look_at_s: dict[Project, float] = {}  # when to look for them again; inf while that is under way
        self._creates = False
        self._start_s = 0.0
        self._wake = asyncio.Event()

    def begin(self, partitions: set[int], now_s: float) -> None:
        """These partitions of `engagement.catalog` are ours."""
        self._creates, self._start_s = 0 in partitions, now_s
        self._wake.set()

    def forget(self) -> None:
        """No partition is ours; a look for catalogs that is under way may never end."""
        self._creates, self._targets, self._look_at_s = False, {}, {}

    def accept(self, record: ConsumerRecord) -> None:
        """The write goes as soon as its item may. An older one of that item that waits is done with."""
        try:
            write = self._decoder.decode(record.value, record.headers)
        except Undecodable as error:
            self._start(self._undecodable(record, error))
            return
        assert isinstance(write, CatalogWrite)
        key = write.store, write.catalog
        if key not in self._targets:
            self._targets[key] = Target(*key, self._start_s, self._settle_s)
        target = self._targets[key]
        item, replaced = target.items.add(record, write)
        if item:
            target.queue.put(item)
        if replaced:
            self._done(replaced, "replaced")
        self._wake.set()

    async def run(self, consumer: BatchConsumer, client: Client) -> None:
        """Makes calls, for ever. Raises Fenced."""
        self._consumer, self._client = consumer, client
        while True:
            self._wake.clear()
            wait_s = min(LOOK_S_MAX, self._make_calls() - time.monotonic())
            metrics.WAITING_ITEMS.set(sum(len(target.items) for target in self._targets.values()))
            await until_set(self._wake, max(0.0, wait_s))

    def _make_calls(self) -> float:
        """Every call that may be made now is under way; returns when to look again."""
        now_s, next_s = time.monotonic(), float("inf")
        if self._creates:
            for store in self._directory.by_store.values():
                if not store.removed:
                    next_s = min(next_s, self._look_for(store, now_s))
        for target in list(self._targets.values()):
            store_or_none = self._directory.by_store.get(target.store)
            if store_or_none is None or not len(target.items):
                continue
            if target.catalog not in self._ids.get(_project(store_or_none), {}):
                next_s = min(next_s, self._look_for(store_or_none, now_s))
                continue
            next_s = min(next_s, self._make_calls_of(target, store_or_none, now_s))
        return next_s

    def _make_calls_of(self, target: Target, store: Store, now_s: float) -> float:
        pace = self._paces.setdefault(urlsplit(store.engagement_url).netloc, Pace())
        while True:
            due_s = target.queue.next_s(now_s)
            if due_s <= now_s:
                due_s = now_s + pace.start(now_s)
            if due_s > now_s:
                return due_s
            cut = target.queue.cut(now_s)
            items = [item for item in cut if item.removed == cut[0].removed]  # removals have a call of their own
            for item in cut:
                if item.removed == cut[0].removed:
                    target.items.begin(item)
                else:
                    target.queue.put(item)
            self._start(self._call(target, store, items))

    # The catalogs themselves

    def _look_for(self, store: Store, now_s: float) -> float:
        """When to look again for the project's catalogs; a look that is due is under way."""
        project = _project(store)
        if self._ids.get(project, {}).keys() >= FIELDS.keys():
            return float("inf")
        at_s = self._look_at_s.get(project, 0.0)
        if at_s <= now_s:
            self._look_at_s[project] = at_s = float("inf")
            self._start(self._find_or_make(project, store))
        return at_s

    async def _find_or_make(self, project: Project, store: Store) -> None:
        """A kill between a look and a creation costs nothing: the next one looks again."""
        wait_s = MISSING_S
        try:
            self._consumer.check_fence()
            found = await self._client.catalogs(store)
            for name in FIELDS:
                if name not in found and self._creates and not store.removed:
                    self._consumer.check_fence()
                    found[name] = await self._client.create_catalog(store, name)
                    log.info("a catalog was made", store=store.store, catalog=name)
            self._ids[project] = {name: found[name] for name in FIELDS if name in found}
            metrics.CALLS.labels("catalogs", "answered").inc()
            if store.removed:
                await self._bury_all(store, CommandRefused("the store was removed, and its project has no such catalog"))
        except Failure as error:
            metrics.CALLS.labels("catalogs", type(error).__name__).inc()
            log.error("catalog items wait for their catalogs", store=store.store, why=str(error))
            wait_s = ACCESS_S if not isinstance(error, Retry) else backoff_s(4, error.after_s, random.random())  # noqa: S311
            if store.removed and isinstance(error, AccessLost):
                await self._bury_all(store, CommandRefused(f"the store was removed; {error}"))
        self._look_at_s[project] = time.monotonic() + wait_s
        self._wake.set()

    async def _bury_all(self, store: Store, error: CommandRefused) -> None:
        """What waits for catalogs that are not there, of a store that was removed."""
        for target in [t for t in self._targets.values() if t.store == store.store and t.catalog not in self._ids.get(_project(store), {})]:
            del self._targets[target.store, target.catalog]
            for item in target.items.all():
                await self._bury(item.record, store.store, error, 1)
                self._done(item.record, "dead_letter")

    # Calls out

    async def _call(self, target: Target, store: Store, items: list[Item]) -> None:
        """One call is made, and each of its items is done, a dead letter, or goes again."""
        kind, began_s = "remove_items" if items[0].removed else "write_items", time.monotonic()
        try:
            outcomes = await self._send(target, store, items)
        except Failure as error:
            metrics.CALLS.labels(kind, type(error).__name__).inc()
            await self._without_outcomes(target, store, items, began_s, error)
        else:
            metrics.CALLS.labels(kind, "answered").inc()
            target.queue.answered()
            for item, outcome in zip(items, outcomes, strict=True):
                match outcome:
                    case Done():
                        self._end(target, item, "sent")
                    case Refused(reason, field):
                        await self._refused(target, item, CommandRefused(reason, field))
                    case Unanswered():
                        await self._unanswered(target, item, "Engagement's answer does not speak of it")
        self._wake.set()

    async def _send(self, target: Target, store: Store, items: Sequence[Item]) -> list[Outcome]:
        self._consumer.check_fence()
        catalog_id = self._ids.get(_project(store), {}).get(target.catalog, "")
        if items[0].removed:
            return await self._client.remove_items(store, catalog_id, [item.id for item in items])
        return await self._client.write_items(store, catalog_id, [(item.id, item.data) for item in items])

    async def _without_outcomes(self, target: Target, store: Store, items: list[Item], began_s: float, error: Failure) -> None:
        """The call as a whole failed."""
        now_s = time.monotonic()
        match error:
            case Retry():
                target.queue.failed(began_s, now_s)
                wait_s = backoff_s(target.queue.failures, error.after_s, random.random())  # noqa: S311
                target.queue.pause(now_s + wait_s)
                log.warning("catalog items are sent again", store=store.store, why=str(error), wait_s=round(wait_s, 1))
                for item in items:
                    if isinstance(error, QuotaSpent):
                        self._again(target, item)  # what is over the limit is not taken
                    else:
                        await self._unanswered(target, item, str(error))
            case AccessLost() if store.removed:
                target.queue.answered()
                for item in items:
                    await self._refused(target, item, CommandRefused(f"the store was removed; {error}"))
            case AccessLost():  # a catalog that is not there any more too: it is looked for, and made, again
                self._ids.pop(_project(store), None)
                self._look_at_s[_project(store)] = now_s + ACCESS_S
                log.error("catalog items wait until Engagement accepts them", store=store.store, why=str(error))
                target.queue.failed(began_s, now_s)
                for item in items:
                    self._again(target, item)
            case CommandRefused() if len(items) == 1:
                target.queue.answered()
                await self._refused(target, items[0], error)
            case CommandRefused():  # as a call; with fewer others each time the one at fault is found
                target.queue.answered()
                for item in items:
                    item.tries += 1
                    self._again(target, item)
            case _:
                raise error

    # What becomes of an item

    def _done(self, record: ConsumerRecord, how: str) -> None:
        metrics.ITEMS.labels(how).inc()
        self._consumer.done(record)

    def _end(self, target: Target, item: Item, how: str) -> None:
        self._done(item.record, how)
        if following := target.items.end(item, time.monotonic()):
            target.queue.put(following)

    def _again(self, target: Target, item: Item, *, after_s: float = 0.0) -> None:
        """The same bytes go once more, or newer ones in their place."""
        now_s = time.monotonic()
        waiting, replaced = target.items.again(item, now_s, now_s + after_s)
        target.queue.put(waiting)
        if replaced:
            self._done(replaced, "replaced")

    async def _unanswered(self, target: Target, item: Item, why: str) -> None:
        """It may have been taken: it goes again, once that would be applied, or never."""
        if target.queue.gives_up(item):
            await self._refused(target, item, CommandRefused(f"{why}, in {TRIES_MAX} tries, while others were answered"))
            return
        item.tries += 1
        self._again(target, item, after_s=max(self._settle_s, backoff_s(item.tries, None, random.random())))  # noqa: S311

    async def _refused(self, target: Target, item: Item, error: CommandRefused) -> None:
        """A dead letter that names the item, and the field where Engagement does."""
        place = CommandRefused(f"{target.catalog} {item.id}: {error.reason}", error.field)
        await self._bury(item.record, target.store, place, item.tries + 1)
        self._end(target, item, "dead_letter")

    async def _undecodable(self, record: ConsumerRecord, error: Undecodable) -> None:
        await self._bury(record, "", error, 1)
        self._done(record, "dead_letter")


def _project(store: Store) -> Project:
    return store.engagement_url, store.project
