"""What a store has against what our rows hold. For each difference fetch is asked to look: nothing is changed by a comparison alone.

Carts are left out, for BigCommerce cannot list them. A customer's `date_modified` does not move with an address or an attribute, nor need
a product's with a variant: one of which only these changed shows no difference, but a product whose variants came or vanished does.
Source: docs/facts/bigcommerce.md 1.7
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import structlog
from msgspec.structs import replace

from bigcommerce.client import Answer, HistoryApi
from bigcommerce.customers import parse_customer
from bigcommerce.listings import ListedPage, list_page
from bigcommerce.orders import parse_order
from bigcommerce.products import parse_product
from bigcommerce.reads import id_of
from bigcommerce.subscribers import parse_subscriber
from ingest.ahead import pages_passed
from ingest.backfill import Records, retry_in_s
from schemas.backfills import Backfills
from schemas.changelogs import AccountRow, CheckoutRow, ProductRow, SubscriberRow, read_rows
from schemas.entities import Seen
from schemas.failures import Retry, Undecodable
from schemas.keys import webhook_key
from schemas.records import Message
from schemas.settings import Settings
from schemas.topics import ACCOUNTS, CHECKOUTS, PRODUCTS, SUBSCRIBERS, WEBHOOKS
from schemas.webhooks import LookAt

log = structlog.get_logger()

MARGIN_S = 600.0
"""What changed within it is under way: a webhook is stamped within seconds, its first retries and fetch's repeated reads take minutes."""
GONE_CUSTOMERS_MAX = 100  # found gone for the first time; more are more likely a fault than a shop's day: the run leaves them, and asks
TRIES_MAX = 8  # of a page; some three minutes
BODY_BYTES_MAX = 1_000_000  # of a listed one: fetch writes no larger record, and would make a dead letter of it each day
AT_ONCE = 1000  # records that wait for Kafka's acknowledgement


class Shown(msgspec.Struct, frozen=True):
    """What a listing says of one entity."""

    modified_ms: int
    variants: int | None = None  # the mark of a product's, None where the body does not say


class Held(msgspec.Struct, frozen=True):
    """What a row says of one entity."""

    seen: Seen | None
    variants: int | None = None  # the mark of a product's
    told: bool = False  # a delete webhook told of its end, which is final
    gone: bool = False  # it was found gone, and nothing is left to do about it
    refused: Seen | None = None  # the last state, where a rule refused it: it is a dead letter
    missed_ms: int = 0  # time of the last read that missed it, 0 for none, where that is not believed before a later read misses it too


def mark(variants: Iterable[str]) -> int:
    """Equal for equal sets of ids, within one process: of some hundred thousand variants the ids themselves would fill the memory."""
    return hash(frozenset(variants))


@dataclass
class Compared:
    """One resource of a store."""

    resource: str
    listed: int = 0
    held: int = 0  # where only a part was listed, of that part
    calls: int = 0  # to BigCommerce
    under_way: int = 0  # differences that the margin excuses
    not_loaded: int = 0  # not here, for nobody asked for history that old, or it is still being loaded
    refused: int = 0  # dead letters of resolve as they are listed: to read them again would say the same
    unreadable: int = 0  # listed bodies of which a field cannot be read, or that are too large for a record: fetch could do no better
    missing: dict[str, int] = field(default_factory=dict)  # id to when it was modified, ms; not here
    older: dict[str, int] = field(default_factory=dict)  # here as it was before; 0 where no time tells: a product's variants, a read's miss
    gone: dict[str, int] = field(default_factory=dict)  # not in the store any more; when is not known: 0
    left_alone: set[str] = field(default_factory=set)  # of `gone`, too many to be taken for true

    @property
    def differences(self) -> dict[str, dict[str, int]]:
        return {"missing": self.missing, "older": self.older, "gone": self.gone}

    def by_hour(self) -> list[tuple[str, str, int]]:
        """Kind, hour of the change (ISO 8601, UTC; "" where it is not known) and how many, in this order."""
        hours = [(kind, _hour(at_ms)) for kind, found in self.differences.items() for at_ms in found.values()]
        return [(kind, hour, count) for (kind, hour), count in sorted(Counter(hours).items())]


def _hour(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:00Z") if at_ms else ""


def follows_from_ms(backfills: Backfills, store: str, resource: str, *, passed: bool) -> int | None:
    """From when on (ms) all that is modified is to be here; None: from the first read of any on, for no history was asked for.

    `passed`: the pages that were loaded are in the rows.
    """
    asked = backfills.asked.get(store)
    for at in backfills.progress(store):
        if at.resource == resource:
            if asked is None or at.run != asked.run:
                return at.began_ms  # what an earlier run left out is not known any more
            return asked.since_ms if at.state == "done" and passed else asked.asked_ms
    return None


def compare(
    found: Compared, listed: Mapping[str, Shown], held: Mapping[str, Held], *, began_ms: int, margin_ms: int, from_ms: int, whole: bool
) -> None:
    """Fills in the differences. `listed`, by id, was read from `began_ms` on, by BigCommerce's clock; the rows after it.

    What was modified before `from_ms`, and never was here, need not be. `whole`: all of the resource was listed, so that what is not in it
    is gone, unless it was read since (`margin_ms` before `began_ms`). So too a product is older where only its variants differ, for nobody
    says when one came or vanished, and what a read missed is where it is listed: unread, the miss would stay, and count whenever there is
    another.
    """
    settled_ms = began_ms - margin_ms
    for id, shown in listed.items():
        row = held.get(id, Held(None))
        if row.told:
            continue
        if row.refused and row.refused.version >= shown.modified_ms:
            found.refused += 1
            continue
        known = None if row.gone else row.seen
        if known and known.version >= shown.modified_ms:
            if not row.missed_ms and shown.variants in (None, row.variants):
                continue
            if max(known.read_at_ms, row.missed_ms) > settled_ms:
                found.under_way += 1
            else:
                found.older[id] = 0
        elif row.seen is None and shown.modified_ms < from_ms:
            found.not_loaded += 1
        elif shown.modified_ms > settled_ms:
            found.under_way += 1
        else:
            (found.older if known else found.missing)[id] = shown.modified_ms
    for id, row in held.items() if whole else ():
        if id in listed or row.told or row.gone or row.seen is None:
            continue
        if row.seen.read_at_ms > settled_ms:
            found.under_way += 1
        else:
            found.gone[id] = 0


class CountedApi(HistoryApi):
    """At history's pace, which leaves live reads their share of the quota; counts its calls."""

    calls = 0

    async def try_get(self, endpoint: str, path: str, params: Mapping[str, str] | None = None, *, may_be_missing: bool = False) -> Answer:
        self.calls += 1
        return await super().try_get(endpoint, path, params, may_be_missing=may_be_missing)


class Reconcile:
    """One run for one store."""

    def __init__(
        self,
        settings: Settings,
        store: str,
        api: CountedApi,
        records: Records,
        backfills: Backfills,
        *,
        margin_s: float = MARGIN_S,
        gone_customers_max: int = GONE_CUSTOMERS_MAX,
    ) -> None:
        """`store` is `{s}`; `records` is where fetch is asked; `backfills` what was asked for of its history."""
        self._settings, self._store, self._api, self._records, self._backfills = settings, store, api, records, backfills
        self._margin_ms, self._gone_max = int(margin_s * 1000), gone_customers_max

    async def run(self, resource: str, since_ms: int = 0, watch: Callable[[Compared], object] = lambda _: None) -> Compared:
        """Lists, compares, asks fetch to look at each difference. `watch` is told after each page.

        With `since_ms` only what was modified from then on is listed, and nothing can be found gone. Orders are never found gone:
        BigCommerce deletes none for good. Raises AccessLost, Reject, QuotaSpent, Unavailable.
        """
        found, listed = Compared(resource), dict[str, Shown | None]()
        calls, began_ms, after = self._api.calls, 0, ""
        while True:
            page = await self._page(resource, after, since_ms)
            began_ms, after = began_ms or page.read_at_ms, page.after
            for item in page.items:
                try:
                    if len(item) > BODY_BYTES_MAX:
                        raise Undecodable("too large for a record")
                    listed[id_of(item)] = _SHOWN[resource](item)
                except Undecodable:
                    found.unreadable += 1
                    listed[id_of(item)] = None  # it is there, whatever it says
            listed.pop("", None)
            found.listed, found.calls = len(listed), self._api.calls - calls
            watch(found)
            if not after:
                break
        from_ms = await self._follows_from_ms(resource)
        whole = not since_ms and resource != "order"
        held, first_read_ms = await read_held(self._settings, self._store, resource, None if whole else listed)
        found.held = sum(not (row.seen is None or row.told or row.gone) for row in held.values())
        readable = {id: shown for id, shown in listed.items() if shown}
        there = {id: row for id, row in held.items() if id in readable or id not in listed}
        if from_ms is None:
            from_ms = began_ms if first_read_ms is None else first_read_ms
        compare(found, readable, there, began_ms=began_ms, margin_ms=self._margin_ms, from_ms=from_ms, whole=whole)
        first_missed = {id for id in found.gone if not held[id].missed_ms}
        if resource == "customer" and len(first_missed) > self._gone_max:
            found.left_alone = first_missed
            log.error("more customers are gone than a day takes: nothing is done about them", store=self._store, count=len(first_missed))
        await self._ask(found, began_ms)
        return found

    async def _follows_from_ms(self, resource: str) -> int | None:
        """To be asked before the rows are read. A load is done when its last page stands on Kafka: the stages have it before them then."""
        from_ms = follows_from_ms(self._backfills, self._store, resource, passed=True)
        before_ms = follows_from_ms(self._backfills, self._store, resource, passed=False)
        if from_ms == before_ms or await pages_passed(self._settings, _TOPICS[resource]):
            return from_ms
        return before_ms

    async def _page(self, resource: str, after: str, since_ms: int) -> ListedPage:
        """What may work later is tried TRIES_MAX times, with waits that grow."""
        tries = 1
        while True:
            try:
                return await list_page(self._api, resource, after, since_ms)
            except Retry as error:
                if tries == TRIES_MAX:
                    raise
                await asyncio.sleep(retry_in_s(error, tries))
                tries += 1

    async def _ask(self, found: Compared, at_ms: int) -> None:
        """All in-sync replicas have what fetch is asked."""
        why = {"missing": "reconcile: not here", "older": "reconcile: older here", "gone": "reconcile: not listed any more"}
        looks: list[tuple[str, Message]] = [
            (
                webhook_key(self._store, found.resource, id),
                LookAt(store=self._store, resource=found.resource, id=id, why=why[kind], at_ms=at_ms),
            )
            for kind, ids in found.differences.items()
            for id in ids
            if not (kind == "gone" and id in found.left_alone)
        ]
        for first in range(0, len(looks), AT_ONCE):
            await self._records.put(WEBHOOKS, looks[first : first + AT_ONCE])


def _product(body: bytes) -> Shown:
    product = parse_product(body)
    return Shown(product.modified_ms, None if product.variants is None else mark(variant.id for variant in product.variants))


_SHOWN: dict[str, Callable[[bytes], Shown]] = {
    "customer": lambda body: Shown(parse_customer(body).modified_ms),
    "subscriber": lambda body: Shown(parse_subscriber(body).modified_ms),
    "order": lambda body: Shown(parse_order(body).modified_ms),
    "product": _product,
}


def _account(id: str, row: bytes) -> Held:
    read = msgspec.json.decode(row, type=AccountRow)
    gone, refused = bool(read.found_read_ms) and not read.home, _refused(read, id)
    missed_ms = read.found_read_ms if read.home and not refused else 0  # a state that was refused shows that it is there
    return Held(read.seen, told=bool(read.told_ms), gone=gone, missed_ms=missed_ms, refused=refused)


def _subscriber(id: str, row: bytes) -> Held:
    read = msgspec.json.decode(row, type=SubscriberRow)
    return Held(read.seen, told=bool(read.told_ms), gone=bool(read.found_read_ms) and not read.email, refused=_refused(read, id))


def _product_row(id: str, row: bytes) -> Held:
    read = msgspec.json.decode(row, type=ProductRow)
    return Held(read.seen, mark(read.variants), bool(read.told_ms), bool(read.found_read_ms), refused=_refused(read, id))


def _refused(row: AccountRow | SubscriberRow | ProductRow, id: str) -> Seen | None:
    """Not what was refused before a read missed the entity: what is listed since is to be read."""
    last = row.refused.get(id)
    return last.seen if last and last.seen.read_at_ms > row.found_read_ms else None


def _orders(row: bytes) -> dict[str, Held]:
    read = msgspec.json.decode(row, type=CheckoutRow)
    held = {id: Held(order.seen) for id, order in read.orders.items()}
    for id, last in read.refused.items():
        held[id] = replace(held.get(id, Held(None)), refused=last.seen)
    return held


_TOPICS = {"customer": ACCOUNTS, "subscriber": SUBSCRIBERS, "order": CHECKOUTS, "product": PRODUCTS}
_ROWS: dict[str, Callable[[str, bytes], Held]] = {"customer": _account, "subscriber": _subscriber, "product": _product_row}


async def read_held(
    settings: Settings, store: str, resource: str, only: Container[str] | None = None
) -> tuple[dict[str, Held], int | None]:
    """What the rows hold of a store's entities, by id, of `only` these ids if given; and the time (ms) of the first read of any.

    Nothing else takes memory. Raises Unavailable.
    """
    first_read_ms: int | None = None

    def wanted(id: str, row: Held) -> bool:
        nonlocal first_read_ms
        if row.seen:
            first_read_ms = row.seen.read_at_ms if first_read_ms is None else min(first_read_ms, row.seen.read_at_ms)
        return only is None or id in only

    def keep(key: str, row: bytes) -> Held | None:
        if not key.startswith(f"{store}/"):
            return None
        held = _ROWS[resource](_id(key), row)
        return held if wanted(_id(key), held) else None

    def keep_orders(key: str, row: bytes) -> dict[str, Held] | None:
        if not key.startswith(f"{store}/"):
            return None
        return {id: held for id, held in _orders(row).items() if wanted(id, held)} or None

    if resource == "order":
        found = await read_rows(settings, CHECKOUTS, keep_orders)
        return {id: held for orders in found.values() for id, held in orders.items()}, first_read_ms
    rows = await read_rows(settings, _TOPICS[resource], keep)
    return {_id(key): held for key, held in rows.items()}, first_read_ms


def _id(key: str) -> str:
    return key.rpartition("/")[2]
