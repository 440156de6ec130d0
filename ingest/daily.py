"""What is done for each store once a day by itself: it is compared with what we hold, and what else upkeep was given to do."""

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence

import structlog

from bigcommerce.client import BigCommerce
from ingest.backfill import Records
from ingest.reconcile import RESOURCES, CountedApi, Reconcile
from schemas.backfills import Backfills
from schemas.directory import Directory
from schemas.failures import Failure
from schemas.keys import store_hash
from schemas.settings import Settings

log = structlog.get_logger()

DAY_S = 24 * 60 * 60.0
ORDERS_S = 7 * DAY_S  # BigCommerce gives up after 48 hours; the rest is for a hook that was off, and for upkeep's own pauses
AGAIN_S = 15 * 60.0  # after a run that could not be done

Job = Callable[[Settings, Directory, str, Records], Awaitable[None]]
"""One more thing to do for a store `{s}`. What it raises of our Failures is logged, and the day's work is tried again."""


def next_run_s(store: str, now_s: float, day_s: float = DAY_S) -> float:
    """When the store's next daily run is due, UNIX seconds: each store has its own time of day, so that a restart makes no run."""
    return now_s + ((zlib.crc32(store.encode()) - now_s) % day_s or day_s)


class Daily:
    """The daily runs of one upkeep process, one store after the other, so that one comparison takes memory at a time."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        bigcommerce: BigCommerce,
        records: Records,
        jobs: Sequence[Job] = (),
        day_s: float = DAY_S,
    ) -> None:
        self._settings, self._directory, self._bigcommerce, self._records = settings, directory, bigcommerce, records
        self._jobs, self._day_s = jobs, day_s
        self._alone = asyncio.Semaphore(1)

    async def run(self, store: str, backfills: Backfills) -> None:
        """Returns when the store was removed. `backfills` is followed meanwhile. Raises only what ends the process."""
        while not self._directory.by_store[store].removed:
            await asyncio.sleep(next_run_s(store, time.time(), self._day_s) - time.time())
            async with self._alone:
                while not await self._done(store, backfills):
                    await asyncio.sleep(min(AGAIN_S, self._day_s))

    async def _done(self, store: str, backfills: Backfills) -> bool:
        """Whether nothing of the day's work is left."""
        known = self._directory.by_store[store]
        if known.removed or known.paused:
            return True
        try:
            await self._compare(store, backfills)
            for job in self._jobs:
                await job(self._settings, self._directory, store, self._records)
        except Failure as error:
            log.warning("a store's daily run is tried again", store=store, why=str(error))
            return False
        return True

    async def _compare(self, store: str, backfills: Backfills) -> None:
        """Customers, subscribers and products whole, for only so a deletion shows; of orders those of the last week."""
        api = CountedApi(self._bigcommerce, store_hash(store), lambda: self._directory.by_store[store].access_token)
        reconcile = Reconcile(self._settings, store, api, self._records, backfills)
        orders_since_ms = int((time.time() - ORDERS_S) * 1000)
        for resource in RESOURCES:
            found = await reconcile.run(resource, orders_since_ms if resource == "order" else 0)
            counts = {"listed": found.listed, "calls": found.calls, "under_way": found.under_way, "not_loaded": found.not_loaded}
            counts |= {kind: len(ids) for kind, ids in found.differences.items()}
            log.info("reconciled", store=store, resource=resource, **counts)
