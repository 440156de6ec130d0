"""Loads a store's history, resource by resource, page by page.

    list a page  ──▶  its parts on `bigcommerce.pages`, acknowledged  ──▶  how far we are on `backfills`, acknowledged  ──▶  next page

A kill between any two steps costs that page being read, and written under the same key, once more: what pages bring is compared by version.
Whatever keeps it from going on is tried again, with waits that grow, and stands on `backfills` meanwhile.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

import structlog
from msgspec.structs import replace

from bigcommerce.client import BigCommerce, HistoryApi
from bigcommerce.listings import SHRINKS, count, list_page
from ingest.ahead import Ahead
from ingest.pages import pages_of
from schemas.backfills import Backfill, BackfillProgress, State, begun, progress_key
from schemas.directory import Directory
from schemas.entities import Page
from schemas.failures import AccessLost, Reject, Retry, Unavailable
from schemas.keys import page_key, store_hash
from schemas.records import Message
from schemas.topics import BACKFILLS, PAGES, Topic

log = structlog.get_logger()

RETRY_S_MIN, RETRY_S_MAX = 1.0, 60.0
LOOK_S = 1.0  # at what was waited for
RATE_OVER_S = 60.0
SHRINK_AFTER = 2  # answers in a row that did not come, or were a 5xx
GROW_AFTER = 10  # pages; twice as many after each time that they had to shrink, for a try that fails takes half a minute


class Records(Protocol):
    """Where a load writes. `put` returns when all in-sync replicas have the records; `check` raises where another may load by now."""

    def check(self) -> None: ...
    async def put(self, topic: Topic, records: list[tuple[str, Message]], partition: int | None = None) -> None: ...


class Load:
    """One store's backfill in this process, from where it stopped."""

    def __init__(
        self,
        asked: Backfill,
        progress: Mapping[str, BackfillProgress],
        partition: int,
        *,
        directory: Directory,
        bigcommerce: BigCommerce,
        records: Records,
        ahead: Ahead,
    ) -> None:
        """`progress` by resource; `partition` is the store's on `backfills`."""
        self._asked, self._progress, self._partition = asked, progress, partition
        self._directory, self._records, self._ahead = directory, records, ahead
        self._api = HistoryApi(bigcommerce, store_hash(asked.store), lambda: directory.by_store[asked.store].access_token)

    async def run(self) -> None:
        """Returns when all is loaded, or the store was removed. Raises only what ends the process."""
        await self._directory.known(self._asked.store)
        for resource in self._asked.resources:
            at = self._progress.get(resource)
            at = at if at and at.run == self._asked.run else begun(self._asked, resource)
            if at.state != "done" and not await self._load(resource, at):
                log.warning("the store was removed: its history is not loaded", store=self._asked.store)
                return
        log.info("history is loaded", store=self._asked.store, run=self._asked.run)

    async def _load(self, resource: str, at: BackfillProgress) -> bool:
        """Whether it was loaded to its end: not where the store was removed."""
        asked, pace, size, tries = self._asked, Pace(at.loaded), Size(), 0
        self._ahead.begin()
        while at.state != "done":
            store = self._directory.by_store[asked.store]
            if store.removed:
                return False
            if waits_for := "the store, which is paused" if store.paused else await self._ahead.behind(store):
                at = await self._wait(at, waits_for)
                await asyncio.sleep(LOOK_S)
                continue
            self._records.check()
            try:
                if not at.began_ms:
                    at = await self._begin(resource, at)
                listed = await list_page(self._api, resource, at.after, asked.since_ms, size.shrink)
            except (Retry, Reject, AccessLost) as error:
                size.failed(error)
                at, tries = await self._wait(at, f"page {at.page + 1}: {error}"), tries + 1
                await asyncio.sleep(retry_in_s(error, tries))
                continue
            tries = 0
            size.listed()
            pages = pages_of(listed, store=at.store, resource=resource, run=at.run, page=at.page)
            await self._records.put(
                PAGES,
                [(page_key(page.store, page.resource, page.run, page.page), self._as_asked(page)) for page in pages],
            )
            state: State = "loading" if listed.after else "done"
            at = replace(
                self._turned(at, state, ""),
                page=at.page + 1,
                after=listed.after,
                loaded=at.loaded + len(listed.items),
                rate=pace.after(at.loaded + len(listed.items)),
            )
            await self._write(at)
            await self._ahead.turn(len(listed.items))
        return True

    def _as_asked(self, page: Page) -> Page:
        asked = self._asked
        asked_ms = page.read_at_ms - (_now_ms() - asked.asked_ms)  # `asked_ms` is by our clock
        return replace(page, events_from_ms=asked.events_from_ms, rewrite=asked.rewrite, asked_ms=asked_ms)

    async def _begin(self, resource: str, at: BackfillProgress) -> BackfillProgress:
        try:
            total = await count(self._api, resource, self._asked.since_ms)
        except Reject:
            total = -1  # it matters to nobody but who watches
        begins = replace(self._turned(at, "loading", ""), began_ms=_now_ms(), total=total)
        await self._write(begins)
        return begins

    async def _wait(self, at: BackfillProgress, waits_for: str) -> BackfillProgress:
        """The progress with what it waits for, written where that is something else than before."""
        waits = self._turned(at, "waiting", waits_for)
        if waits is not at:
            log.warning("a backfill waits", store=at.store, resource=at.resource, waits_for=waits_for)
            await self._write(waits)
        return waits

    def _turned(self, at: BackfillProgress, state: State, reason: str) -> BackfillProgress:
        return at if (state, reason) == (at.state, at.reason) else replace(at, state=state, reason=reason, since_ms=_now_ms())

    async def _write(self, at: BackfillProgress) -> None:
        message = replace(at, at_ms=_now_ms())
        await self._records.put(BACKFILLS, [(progress_key(at.store, at.resource), message)], self._partition)


class Size:
    """How many times smaller than the largest the pages are that are asked for: a store that cannot answer one in time never will.

    So it shrinks after SHRINK_AFTER failures in a row, one step of SHRINKS at a time, and grows back when many pages came.
    """

    def __init__(self) -> None:
        self._step, self._failed, self._listed, self._grow_after = 0, 0, 0, GROW_AFTER

    @property
    def shrink(self) -> int:
        return SHRINKS[self._step]

    def failed(self, error: Exception) -> None:
        """A page could not be listed; what another size would not mend, as a spent quota, changes nothing."""
        if not isinstance(error, Unavailable):
            return
        self._failed, self._listed = self._failed + 1, 0
        if self._failed >= SHRINK_AFTER and self._step + 1 < len(SHRINKS):
            self._step, self._failed, self._grow_after = self._step + 1, 0, self._grow_after * 2
            log.warning("smaller pages are asked for", times=self.shrink, error=str(error))

    def listed(self) -> None:
        self._failed, self._listed = 0, self._listed + 1
        if self._step and self._listed >= self._grow_after:
            self._step, self._listed = self._step - 1, 0


class Pace:
    """How many entities a second were loaded over the last RATE_OVER_S."""

    def __init__(self, loaded: int) -> None:
        self._points = deque([(time.monotonic(), loaded)])

    def after(self, loaded: int) -> float:
        now = time.monotonic()
        self._points.append((now, loaded))
        while len(self._points) > 2 and self._points[1][0] < now - RATE_OVER_S:
            self._points.popleft()
        began, before = self._points[0]
        return round((loaded - before) / max(now - began, 0.001), 1)


def retry_in_s(error: Exception, tries: int) -> float:
    """The wait before the next try, after `tries` of them failed: as long as was asked for, else twice as long each time."""
    after_s: Any = getattr(error, "after_s", None)
    least = min(RETRY_S_MAX, RETRY_S_MIN * 2.0 ** min(tries - 1, 10)) if after_s is None else after_s
    return float(least) + random.random() * min(1.0, least)  # noqa: S311 - so that stores do not come back in step


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
