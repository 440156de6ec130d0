"""What is done for each store once a day by itself: it is compared with what we hold, and what else upkeep was given to do."""

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from bigcommerce.client import BigCommerce
from bigcommerce.listings import LISTED
from ingest.backfill import Records
from ingest.reconcile import CountedApi, Reconcile
from schemas.backfills import Backfills
from schemas.directory import Directory
from schemas.failures import Failure, Retry
from schemas.keys import store_hash
from schemas.settings import Settings

log = structlog.get_logger()

DAY_S = 24 * 60 * 60.0
ORDERS_S = 7 * DAY_S  # BigCommerce gives up after 48 hours; the rest is for a hook that was off, and for upkeep's own pauses
AGAIN_S = 15 * 60.0  # after what could not be done

Job = Callable[[Settings, Directory, str, Records], Awaitable[None]]
"""One more thing to do for a store `{s}`. It is tried again the same day where it raises Retry, the next day after any other Failure."""
Work = dict[str, Callable[[], Awaitable[None]]]
"""What is left of a store's day, by name."""


def next_run_s(store: str, now_s: float, day_s: float = DAY_S) -> float:
    """When the store's next daily run is due, UNIX seconds: each store has its own time of day, so that a restart makes no run."""
    return now_s + ((zlib.crc32(store.encode()) - now_s) % day_s or day_s)


class Daily:
    """The daily runs of one upkeep process, one piece of work after the other, so that one comparison takes memory at a time."""

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
        left: Work = {}
        while not self._directory.by_store[store].removed:
            now_s = time.time()
            due_s = next_run_s(store, now_s, self._day_s)
            if left and now_s + AGAIN_S < due_s:
                await asyncio.sleep(AGAIN_S)
            else:
                await asyncio.sleep(due_s - now_s)
                left = self._work(store, backfills)
            left = await self._do(store, left)

    def _work(self, store: str, backfills: Backfills) -> Work:
        """A day's: each resource is compared, and each job done, whatever becomes of the others."""
        api = CountedApi(self._bigcommerce, store_hash(store), lambda: self._directory.by_store[store].access_token)
        reconcile = Reconcile(self._settings, store, api, self._records, backfills)
        compares: Work = {resource: partial(_compare, reconcile, store, resource) for resource in LISTED}
        return compares | {job.__name__: partial(job, self._settings, self._directory, store, self._records) for job in self._jobs}

    async def _do(self, store: str, work: Work) -> Work:
        """What of it is to be tried again today: only what time mends. Stores take turns at each piece; none waits for another's try."""
        left: Work = {}
        for name, piece in work.items():
            async with self._alone:
                known = self._directory.by_store[store]
                if known.removed or known.paused:
                    return {}
                try:
                    await piece()
                except Retry as error:
                    log.warning("a part of a store's daily run is tried again", store=store, part_of_run=name, why=str(error))
                    left[name] = piece
                except Failure as error:
                    log.error("a part of a store's daily run waits for the next day", store=store, part_of_run=name, why=str(error))
        return left


async def _compare(reconcile: Reconcile, store: str, resource: str) -> None:
    """Customers, subscribers and products whole, for only so a deletion shows; of orders those of the last week."""
    orders_since_ms = int((time.time() - ORDERS_S) * 1000)
    found = await reconcile.run(resource, orders_since_ms if resource == "order" else 0)
    counts = {"listed": found.listed, "calls": found.calls, "under_way": found.under_way, "not_loaded": found.not_loaded}
    counts |= {kind: len(ids) for kind, ids in found.differences.items()}
    log.info("reconciled", store=store, resource=resource, **counts)
