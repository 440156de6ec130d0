"""One store's reads: a loop for each resource. None makes another store wait, nor another resource, but for carts and orders: they are
written when their account is, where it was not read lately."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

import structlog

from bigcommerce.attributes import AttributeNames
from bigcommerce.catalog_names import CatalogNames
from bigcommerce.client import BigCommerce, StoreApi
from bigcommerce.reads import (
    IDS_PER_CALL_MAX,
    PRODUCTS_PER_CALL_MAX,
    Read,
    read_cart,
    read_customers,
    read_order,
    read_orders,
    read_products,
    read_subscribers,
)
from schemas.directory import Directory
from schemas.failures import AccessLost, Reject, Undecodable
from schemas.keys import store_hash, webhook_key
from schemas.records import Origin
from schemas.stores import Store
from schemas.topics import WEBHOOKS
from schemas.waiting import until_set
from streams.fetch.metrics import RECORDS, WRITTEN
from streams.fetch.rules.plan import plan_calls
from streams.fetch.rules.queue import Claim, Entry, Queue
from streams.fetch.rules.route import RESOURCES, Look, Told
from streams.fetch.rules.state import Made, make_gone, make_state, with_events_from, with_names
from streams.fetch.writer import Writer

log = structlog.get_logger()

GATHER_S = 0.1  # from the first id to its call: others come with it
CALL_EVERY_S = 0.4  # while ids keep coming: 200 a second make 80 a call
PRODUCTS_EVERY_S = 1.0  # each order fires for its products, some of them in every one: they are read together, and not ten times a second
SIDE_BY_SIDE = 10
"""Carts, and calls for orders, that are under way: more than the client lets through at once, for some wait until their next try, or for
an account. Not all that are due: customers would stand in line behind them."""
ACCESS_TRIED_EVERY_S = 30.0
ACCESS_LOOK_S = 0.5  # at the directory, where access may be mended
ACCOUNT_READ_S = 600.0  # an account read within the last ten minutes is known well enough to its carts and orders
UNREADABLE_TRIES = 3

ReadCall = Callable[[StoreApi, list[str]], Awaitable[Read]]
T = TypeVar("T")


class StoreFetch:
    """What one store has to be read."""

    def __init__(self, store: str, directory: Directory, bigcommerce: BigCommerce, writer: Writer, done: Callable[[Any], None]) -> None:
        """`done` acknowledges a record."""
        self.store = store
        self.queues = {resource: Queue() for resource in RESOURCES}
        self._directory = directory
        self._writer = writer
        self._acknowledge = done
        self._shut: dict[str, tuple[Store, float]] = {}  # by resource: the settings with which access was lost, and until when that holds
        self._wake = {resource: asyncio.Event() for resource in RESOURCES}
        self._api = StoreApi(bigcommerce, store_hash(store), lambda: directory.by_store[store].access_token)
        self._names = AttributeNames()
        self._catalog_names = CatalogNames()

    # what the records say

    def look(self, look: Look, record: Any, origin: Origin) -> None:
        """The record is done when a read shows what it speaks of."""
        if self._add(look.resource, look.id, Claim(record, origin, look.until_ms, look.changed_ms, anew=look.anew)):
            return
        self._done(record, look.resource, "known")

    async def end(self, told: Told, record: Any, origin: Origin) -> None:
        """The deletion is on Kafka, behind any state of that entity, and everything that waited for it is done."""
        ended = self.queues[told.resource].tell_gone(told.id, time.monotonic())
        sent = [await self._put(told.topic, told.key, told.gone, origin)]
        if told.then and not self.queues["order"].was_read(told.then.id, float("-inf"), told.then.at_ms):
            sent.append(await self._put(WEBHOOKS, webhook_key(self.store, "order", told.then.id), told.then, origin))
        await asyncio.gather(*sent)
        self._end(told.resource, ended, "told")
        self._done(record, told.resource, "told")

    def _add(self, resource: str, id: str, claim: Claim) -> bool:
        added = self.queues[resource].add(id, claim, time.monotonic())
        if added:
            self._wake[resource].set()
        return added

    # the loop of a resource

    async def run(self, resource: str) -> None:
        """Reads what is due, for ever: in turns of many ids, or, carts, which have no call for many, side by side."""
        queue = self.queues[resource]
        ids_max, turns_max = (1, SIDE_BY_SIDE) if resource == "cart" else (_ids_max(resource), 1)
        free = asyncio.Semaphore(turns_max)
        await asyncio.sleep(GATHER_S)
        async with asyncio.TaskGroup() as turns:
            while True:
                await free.acquire()
                await self._wait_for_work(resource)
                if await self._wait_for_access(resource):
                    turn = turns.create_task(self._turn(resource, queue.take(time.monotonic(), ids_max), ids_max))
                    turn.add_done_callback(lambda _: free.release())
                else:
                    free.release()

    async def _turn(self, resource: str, entries: list[Entry], ids_max: int) -> None:
        began = time.monotonic()
        try:
            await self._read(resource, entries)
        except AccessLost as error:
            self._lose_access(resource, entries, error)
        self._wake[resource].set()  # what was read may be due again before all that the loop knows of
        if ids_max > 1 and len(entries) < ids_max:
            await asyncio.sleep(began + (PRODUCTS_EVERY_S if resource == "product" else CALL_EVERY_S) - time.monotonic())

    async def _wait_for_work(self, resource: str) -> None:
        queue, wake = self.queues[resource], self._wake[resource]
        while (wait_s := queue.due_in(time.monotonic())) is None or wait_s > 0:
            wake.clear()
            await until_set(wake, wait_s)
            await asyncio.sleep(GATHER_S)

    async def _wait_for_access(self, resource: str) -> bool:
        """True when the store may be read. False when it was removed: what waits for it is done with."""
        store = await self._directory.known(self.store)
        while not store.removed and (store.paused or self._is_shut(resource)):
            await asyncio.sleep(ACCESS_LOOK_S)
            store = self._directory.by_store[self.store]
        if store.removed:
            log.warning("ids of a store that was removed are not read", store=self.store, resource=resource)
            for entry in list(self.queues[resource].entries.values()):
                self._end(resource, self.queues[resource].tell_gone(entry.id, time.monotonic()), "removed")
        return not store.removed

    def _lose_access(self, resource: str, entries: list[Entry], error: AccessLost) -> None:
        """The ids wait for half a minute, or until the store's settings change; what they were to be read along with does not."""
        if not self._is_shut(resource):
            log.warning("a store's ids wait: access is lost", store=self.store, resource=resource, error=str(error))
        self._shut[resource] = self._directory.by_store[self.store], time.monotonic() + ACCESS_TRIED_EVERY_S
        queue = self.queues[resource]
        for entry in entries:
            queue.release(entry)
        for entry in list(queue.entries.values()):
            self._end(resource, queue.end_alongs(entry), "")

    def _is_shut(self, resource: str) -> bool:
        tried, until = self._shut.get(resource, (None, 0.0))
        return tried is self._directory.by_store[self.store] and time.monotonic() < until

    # reads

    async def _read(self, resource: str, entries: list[Entry]) -> None:
        match resource:
            case "customer":
                await self._read_list(resource, entries, read_customers)
            case "subscriber":
                await self._read_list(resource, entries, read_subscribers)
            case "product":
                await self._read_list(resource, entries, read_products)
            case "cart":
                await self._read_list(resource, entries, _one(read_cart))
            case "order":
                ranges = plan_calls([int(entry.id) for entry in entries])
                entries += self._between(ranges)  # in place: where access is lost they are released, too
                by_id = {int(entry.id): entry for entry in entries}
                groups = ([by_id[n] for n in range(ids[0], ids[-1] + 1) if n in by_id] for ids in ranges)
                left = await _side_by_side(self._read_range(group) for group in groups)
                await _side_by_side(self._read_list(resource, [entry], _one(read_order)) for group in left for entry in group)

    def _between(self, ranges: list[list[int]]) -> list[Entry]:
        """Of the orders that a range brings along anyway, those that are due."""
        every = (str(number) for ids in ranges for number in range(ids[0], ids[-1] + 1))
        return self.queues["order"].take_along(every, time.monotonic())

    async def _read_range(self, group: list[Entry]) -> list[Entry]:
        """What lists leave out: the Incomplete ones are in another one, the rest has to be read by its own address."""
        if len(group) > 1:
            group = await self._read_list("order", group, read_orders, last=False)
        if len(group) > 1:
            group = await self._read_list("order", group, _incomplete, last=False)
        return group

    async def _read_list(self, resource: str, entries: list[Entry], call: ReadCall, *, last: bool = True) -> list[Entry]:
        """Everything that the call finds is written and settled; what it does not find is missing if it is the last word, else returned.

        What makes an answer unreadable is looked for by halves, so that its neighbours go on.
        """
        entries = [entry for entry in entries if not entry.ended]
        if not entries:
            return []
        try:
            read = await self._call(call, entries)
        except Reject as error:
            if len(entries) == 1:
                await self._write(resource, [(entries[0], error)], 0)
                return []
            return [entry for half in _halves(entries) for entry in await self._read_list(resource, half, call, last=last)]
        made = [(entry, self._make(resource, entry.id, read)) for entry in entries if entry.id in read.found]
        await self._write(resource, made, read.read_at_ms)
        left = [entry for entry in entries if entry.id not in read.found]
        if left and read.unnamed and last:
            if len(entries) == 1:
                await self._write(resource, [(entries[0], Undecodable("missing, or of another entity", "id"))], read.read_at_ms)
                return []
            parts = _halves(left) if len(left) > 1 else [left]
            return [entry for part in parts for entry in await self._read_list(resource, part, call)]
        if not last:
            return left
        await self._miss(resource, left, read.read_at_ms)
        return []

    def _make(self, resource: str, id: str, read: Read) -> Made | Reject:
        try:
            made = make_state(self.store, resource, id, read.found[id], read.read_at_ms)
        except Undecodable as error:
            return error
        return with_events_from(made, self._directory.by_store[self.store].events_from_ms)

    async def _call(self, call: ReadCall, entries: list[Entry]) -> Read:
        ids = [entry.id for entry in entries]
        return await _when_readable(lambda: call(self._api, ids), tries=UNREADABLE_TRIES if len(ids) == 1 else 1)

    # writes: effects first, acknowledgement last

    async def _write(self, resource: str, made: list[tuple[Entry, Made | Reject]], read_at_ms: int) -> None:
        await self._read_accounts(made)
        made = await self._with_names(made)
        sent = []
        for entry, what in made:
            if not entry.ended:  # else its deletion was told meanwhile
                sent.append((entry, *await self._send(resource, entry, what)))
        await asyncio.gather(*(future for *_, future in sent))
        queue = self.queues[resource]
        for entry, what, _ in sent:
            if entry.ended:
                continue
            if isinstance(what, Made):
                self._end(resource, queue.settle(entry, time.monotonic(), read_at_ms, what.modified_ms), "read")
            else:
                self._end(resource, queue.give_up(entry), "dead_letter")

    async def _send(self, resource: str, entry: Entry, what: Made | Reject) -> tuple[Made | Reject, asyncio.Future[Any]]:
        """What became of it: a state that is too large for a record is rejected here."""
        cause = entry.cause
        if isinstance(what, Made):
            try:
                return what, await self._put(what.topic, what.key, what.state, cause.origin)
            except Reject as error:
                what = error
        return what, await self._put_dead_letter(resource, entry, cause, what)

    async def _put_dead_letter(self, resource: str, entry: Entry, cause: Claim, error: Reject) -> asyncio.Future[Any]:
        log.warning("an entity cannot be read", store=self.store, resource=resource, id=entry.id, field=error.field, reason=error.reason)
        WRITTEN.labels("dead-letter").inc()
        part = f"{resource}-{entry.id}" if cause.on_done else ""
        return await self._writer.put_dead_letter(cause.record, cause.origin, self.store, error, part)

    async def _miss(self, resource: str, entries: list[Entry], read_at_ms: int) -> None:
        queue = self.queues[resource]
        sent: list[tuple[Entry, asyncio.Future[Any] | None]] = []
        for entry in entries:
            if entry.ended:
                continue
            if not queue.missing(entry, time.monotonic(), read_at_ms):
                queue.release(entry)
                self._end(resource, queue.end_alongs(entry), "gone")
                continue
            gone = make_gone(self.store, resource, entry.id, entry.claims[0].origin.observed_at_ms, read_at_ms)
            sent.append((entry, await self._put(*gone, entry.cause.origin) if gone else None))
        await asyncio.gather(*(future for _, future in sent if future))
        for entry, _ in sent:
            if not entry.ended:
                self._end(resource, queue.give_up(entry), "gone")

    async def _read_accounts(self, made: Iterable[tuple[Entry, Made | Reject]]) -> None:
        """The accounts of these carts and orders that were not read lately are read, and written if they are there.

        Not where accounts may not be read: resolve asks for one that it lacks, and that waits by itself.
        """
        if self._is_shut("customer"):
            return
        now, queue = time.monotonic(), self.queues["customer"]
        ready: dict[str, asyncio.Future[None]] = {}
        for entry, what in made:
            if entry.ended or isinstance(what, Reject) or not what.account or what.account in ready:  # ended: nothing of it is written
                continue
            if queue.was_read(what.account, now - ACCOUNT_READ_S, what.account_since_ms, or_missing=True):
                continue
            future = asyncio.get_running_loop().create_future()
            claim = Claim(entry.cause.record, entry.cause.origin, 0, anew=True, on_done=partial(_ready, future))
            if self._add("customer", what.account, claim):
                ready[what.account] = future
        await asyncio.gather(*ready.values())

    async def _with_names(self, made: list[tuple[Entry, Made | Reject]]) -> list[tuple[Entry, Made | Reject]]:
        """Customers have the names of their attributes, products those of brand and categories.

        Where these cannot be read, one that has something whose name is not known is rejected.
        """
        unreadable: Reject | None = None
        states = [what for _, what in made if isinstance(what, Made)]
        attributes, brands, categories = (
            frozenset[str]().union(*(getattr(what, ids) for what in states)) for ids in ("attributes", "brands", "categories")
        )
        try:
            await _when_readable(lambda: self._names.learn(self._api, attributes))
            await _when_readable(lambda: self._catalog_names.learn(self._api, brands, categories))
        except Reject as error:
            unreadable = error
        return [(entry, self._named(what, unreadable)) for entry, what in made]

    def _named(self, made: Made | Reject, unreadable: Reject | None) -> Made | Reject:
        if isinstance(made, Reject):
            return made
        attributes, brands, paths = self._names.known, *self._catalog_names.of(made.brands, made.categories)
        if unreadable and not (made.attributes <= attributes.keys() and made.brands <= brands.keys() and made.categories <= paths.keys()):
            return unreadable
        return with_names(made, attributes, brands, paths)

    async def _put(self, topic: Any, key: str, message: Any, origin: Origin) -> asyncio.Future[Any]:
        sent = await self._writer.put(topic, key, message, origin)
        WRITTEN.labels(message.name).inc()
        return sent

    def _end(self, resource: str, claims: list[Claim], outcome: str) -> None:
        for claim in claims:
            if claim.on_done:
                claim.on_done()
            else:
                self._done(claim.record, resource, outcome)

    def _done(self, record: Any, resource: str, outcome: str) -> None:
        RECORDS.labels(resource, outcome).inc()
        self._acknowledge(record)


async def _when_readable(call: Callable[[], Awaitable[T]], tries: int = UNREADABLE_TRIES) -> T:
    """Raises Undecodable for an answer that stays so: what stands between us and BigCommerce may break one too."""
    for attempt in range(1, tries):
        with contextlib.suppress(Undecodable):
            return await call()
        await asyncio.sleep(attempt)
    return await call()


def _ids_max(resource: str) -> int:
    return PRODUCTS_PER_CALL_MAX if resource == "product" else IDS_PER_CALL_MAX


def _halves(entries: list[Entry]) -> tuple[list[Entry], list[Entry]]:
    middle = len(entries) // 2
    return entries[:middle], entries[middle:]


def _one(call: Callable[[StoreApi, str], Awaitable[Read]]) -> ReadCall:
    return lambda api, ids: call(api, ids[0])


def _incomplete(api: StoreApi, ids: list[str]) -> Awaitable[Read]:
    return read_orders(api, ids, incomplete=True)


def _ready(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _side_by_side(work: Iterator[Awaitable[T]]) -> list[T]:
    """All of it is done, SIDE_BY_SIDE at a time. After lost access nothing more is begun: it is raised when what was begun has ended."""
    results: list[T] = []
    lost: list[AccessLost] = []

    async def one_after_another() -> None:
        while not lost and (each := next(work, None)):
            try:
                results.append(await each)
            except AccessLost as error:
                lost.append(error)

    async with asyncio.TaskGroup() as side:
        for _ in range(SIDE_BY_SIDE):
            side.create_task(one_after_another())
    if lost:
        raise lost[0]
    return results
