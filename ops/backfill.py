"""`backfill`: asks for a store's history to be loaded, and shows how far that is. The loading is done by `worker upkeep`."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import structlog
from msgspec.structs import replace
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from bigcommerce.listings import LISTED
from ops import output
from ops.exits import DONE
from schemas.backfills import Backfill, BackfillProgress, Backfills
from schemas.connection import admin_client, consumer, kafka_options, partitions_of, producer, reaching_kafka, read_to_end
from schemas.directory import opened_directory
from schemas.failures import Undecodable, WrongSetting
from schemas.records import Decoder, Message, Origin, encode, headers_of
from schemas.settings import Settings
from schemas.stores import Seal, Store
from schemas.topics import BACKFILLS, STORES, Topic

log = structlog.get_logger()

LOOK_S = 1.0
TOLD_EVERY_S = 10.0  # while it is followed and nobody looks at a terminal
NOBODY_S = 5.0  # after which what was asked for ought to have begun
PLURALS = {f"{resource}s": resource for resource in LISTED}
CAMPAIGNS = (
    "Purchases {of} go to Engagement with their own dates, and campaigns that start at a purchase may start at these too: "
    "pause them, or begin anew at once with `cartstream backfill {store} --restart --events none` (no purchases of the past) or "
    "`since=DATE`."
)


@dataclass(frozen=True)
class Wanted:
    """The arguments of `backfill`, as they were typed. Without `events` the store's record says which; at first all."""

    only: tuple[str, ...] = ()
    since: str = ""
    events: str = ""
    restart: bool = False
    rewrite: bool = False


@dataclass(frozen=True)
class Status:
    """One resource of a store. A None is not known; `rate` is entities a second, `since` when the state began, ISO 8601."""

    store: str
    resource: str
    state: str
    loaded: int
    total: int | None
    rate: float
    clear_in_s: float | None
    waits_for: str | None
    since: str
    run: str


def status_of(at: BackfillProgress, now_ms: int, before: BackfillProgress | None = None) -> Status:
    """`before`: the resource that the same load loads before it."""
    waits_for = at.reason or None
    if at.state == "asked":
        if before and before.state != "done":
            waits_for = f"its turn, after {before.resource}s"
        elif now_ms - max(at.since_ms, before.at_ms if before else 0) > NOBODY_S * 1000:
            waits_for = "`cartstream worker upkeep`, which loads: does it run?"
    return Status(
        store=at.store,
        resource=at.resource,
        state=at.state,
        loaded=at.loaded,
        total=None if at.total < 0 else max(at.total, at.loaded),  # counted at the beginning, and more may have come since
        rate=at.rate if at.state == "loading" else 0.0,
        clear_in_s=at.clear_in_s,
        waits_for=waits_for,
        since=datetime.fromtimestamp(at.since_ms / 1000, UTC).isoformat(timespec="seconds"),
        run=at.run,
    )


class Follower:
    """What the `backfills` topic says, followed. Open while `following` is."""

    def __init__(self, settings: Settings) -> None:
        self.backfills = Backfills()
        self._reader = consumer(settings)
        self._decoder = Decoder(BACKFILLS.messages)
        self._settings = settings

    async def start(self) -> None:
        """Returns when the topic was read to its end. Raises Unavailable."""
        async with admin_client(self._settings) as admin:
            partitions = await partitions_of(admin, [self._settings.topic_prefix + BACKFILLS.name])
            await self._reader.start()
            async for record in read_to_end(self._reader, partitions):
                self._take(record)

    async def look(self, wait_s: float = 0.0) -> None:
        """What came since, or comes within `wait_s`, is known."""
        with reaching_kafka(self._settings):
            for records in (await self._reader.getmany(timeout_ms=int(wait_s * 1000))).values():
                for record in records:
                    self._take(record)

    async def stop(self) -> None:
        await self._reader.stop()

    def statuses(self, stores: Sequence[str]) -> list[Status]:
        now_ms = time.time_ns() // 1_000_000
        found = []
        for store in stores:
            before: BackfillProgress | None = None
            for at in self.backfills.progress(store):
                found.append(status_of(at, now_ms, before if before and before.run == at.run else None))
                before = at
        return found

    def under_way(self) -> list[Status]:
        """Of all stores, what is not done."""
        return [status for status in self.statuses(sorted(self.backfills.asked)) if status.state != "done"]

    def _take(self, record: object) -> None:
        try:
            self.backfills.take(self._decoder.decode(record.value, record.headers))  # type: ignore[attr-defined]
        except Undecodable as error:
            log.warning("a record of the backfills topic cannot be read", reason=error.reason)


@contextlib.asynccontextmanager
async def following(settings: Settings) -> AsyncIterator[Follower]:
    """Raises Unavailable."""
    follower = Follower(settings)
    try:
        await follower.start()
        yield follower
    finally:
        await follower.stop()


async def ask(settings: Settings, backfill: Backfill, store: Store | None = None) -> None:
    """It stands on the topic, acknowledged by all in-sync replicas; whoever holds its partition begins. Raises Unavailable.

    `store` is the store's record, its secrets readable: it bears the load's `events_from_ms` before the load is there, for live reads may
    bring an order of the past before its page does.
    """
    records: list[tuple[Topic, Message]] = [(BACKFILLS, backfill)]
    if store and store.events_from_ms != backfill.events_from_ms:
        records.insert(0, (STORES, Seal(settings).sealed(replace(store, events_from_ms=backfill.events_from_ms))))
    sender = producer(kafka_options(settings))
    with reaching_kafka(settings):
        await sender.start()
        try:
            for topic, message in records:
                headers = headers_of(message, Origin(cause="", observed_at_ms=backfill.asked_ms))
                await sender.send_and_wait(
                    settings.topic_prefix + topic.name, encode(message), backfill.store.encode(), headers=list(headers)
                )
        finally:
            await sender.stop()


def backfill_of(store: str, wanted: Wanted, events_before_ms: int = 0) -> Backfill:
    """What `wanted` asks for; the store's `events_from_ms` holds unless it says another. Raises WrongSetting."""
    now = datetime.now(UTC)
    now_ms = int(now.timestamp() * 1000)
    if unknown := [name for name in wanted.only if name not in PLURALS]:
        raise WrongSetting(f"--only: {unknown[0]!r} is not loaded; it is one of {', '.join(PLURALS)}")
    if wanted.rewrite and wanted.only != ("products",):
        raise WrongSetting("--rewrite: is for the catalogs; it goes with --only products and nothing else")
    return Backfill(
        store=store,
        run=now.strftime("%Y%m%dT%H%M%S%f")[:-3],
        resources=[resource for name, resource in PLURALS.items() if not wanted.only or name in wanted.only],
        since_ms=_date_ms("--since", wanted.since) if wanted.since else 0,
        events_from_ms=events_from_ms(wanted.events, events_before_ms, now_ms),
        rewrite=wanted.rewrite,
        asked_ms=now_ms,
    )


def events_from_ms(events: str, before_ms: int = 0, now_ms: int | None = None) -> int:
    """From when on orders make their purchases, says `--events`; without it as `before_ms` says. Raises WrongSetting.

    `none` means from now on: what is bought while history is loaded is no history.
    """
    if not events:
        return before_ms
    if events == "all":
        return 0
    if events == "none":
        return time.time_ns() // 1_000_000 if now_ms is None else now_ms
    match = re.fullmatch("since=(.+)", events)
    if not match:
        raise WrongSetting(f"--events: {events!r} is not all, none or since=DATE")
    return _date_ms("--events", match[1])


def _date_ms(option: str, date: str) -> int:
    """ISO 8601; without an offset UTC. Raises WrongSetting."""
    try:
        found = datetime.fromisoformat(date)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise WrongSetting(f"{option}: {date!r} is no date; write it as 2024-12-31") from None


def main(settings: Settings, store_hash: str | None, wanted: Wanted, *, status: bool, as_json: bool) -> int:
    """The command; follows the load to its end, or shows where it is. Raises WrongSetting, Unavailable."""
    if status:
        return asyncio.run(_show_status(settings, store_hash, as_json))
    if store_hash is None:
        raise WrongSetting("STORE: is missing; only --status shows all stores")
    try:
        return asyncio.run(_load(settings, store_hash, wanted, as_json))
    except KeyboardInterrupt:
        output.say(f"It goes on without this command; `cartstream backfill {store_hash} --status` shows how far it is.")
        return DONE


async def begin(settings: Settings, store: Store, events: str, say: Callable[[str], None] = output.say) -> bool:
    """What `store add` does: asks for all history, unless some was asked for before. Whether it did. Raises Unavailable.

    `events` is what the command said; the store's record bears it already, from before its hooks were there. `say` is told what follows.
    """
    async with following(settings) as follower:
        if store.store in follower.backfills.asked:
            return False
    backfill = backfill_of(store.store, Wanted(), store.events_from_ms)
    say("Its history is loaded now.")
    _warn(store, backfill, events, say)
    await ask(settings, backfill)
    return True


def _warn(store: Store, backfill: Backfill, events: str, say: Callable[[str], None] = output.say) -> None:
    """Says that purchases of the past may start campaigns, where the load makes any."""
    if "order" in backfill.resources and events != "none":
        since = datetime.fromtimestamp(backfill.events_from_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
        say(CAMPAIGNS.format(of=f"of orders made since {since}" if backfill.events_from_ms else "of the past", store=store.hash))


async def _load(settings: Settings, store_hash: str, wanted: Wanted, as_json: bool) -> int:
    backfill_of(store_hash, wanted)  # a wrong option is told first
    store = await _store(settings, store_hash)
    async with following(settings) as follower:
        before = follower.backfills.asked.get(store.store)
        backfill = backfill_of(store.store, wanted, store.events_from_ms)
        done = before is not None and follower.backfills.done(store.store)
        other = wanted != Wanted() and (before is None or _differs(before, backfill, wanted, store.events_from_ms))
        if before and other and not done and not wanted.restart:
            raise WrongSetting(f"a load of {store_hash} with other options is under way; --restart begins anew with these")
        if before is None or other or wanted.restart or (wanted.rewrite and done):
            _warn(store, backfill, wanted.events)
            await ask(settings, backfill, store)
        else:
            output.say(_said(before) + (" is loaded already" if done else " goes on where it stopped") + "; --restart begins anew.")
            backfill = before
        await _follow(follower, backfill)
        found = follower.statuses([store.store])
    if as_json:
        output.show_json([asdict(row) for row in found])
    else:
        output.show(table(found))
    return DONE


def _said(asked: Backfill) -> str:
    """What a load was asked for, in words."""
    names = [name for name, resource in PLURALS.items() if resource in asked.resources]
    since = f", modified since {datetime.fromtimestamp(asked.since_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC" if asked.since_ms else ""
    return f"The store's history ({', '.join(names)}{since}{', written anew' if asked.rewrite else ''})"


def _differs(before: Backfill, backfill: Backfill, wanted: Wanted, events_before_ms: int) -> bool:
    """Whether something else is asked for than before; `--events none` of another moment is the same."""
    events = 0 if wanted.events == "none" and events_before_ms else events_before_ms - backfill.events_from_ms
    asked, wants = ((each.resources, each.since_ms, each.rewrite) for each in (before, backfill))
    return bool(events) or asked != wants


async def _follow(follower: Follower, backfill: Backfill) -> None:
    """Returns when that run is done, or another took its place."""
    talk = Console(stderr=True, highlight=False)
    told, last = 0.0, list[Status]()
    with Live(console=talk, auto_refresh=False, transient=True) if talk.is_terminal else contextlib.nullcontext() as live:
        while True:
            await follower.look(LOOK_S)
            asked = follower.backfills.asked.get(backfill.store)
            if asked is None:
                continue  # written, and not yet read
            if asked.run != backfill.run and asked.asked_ms > backfill.asked_ms:
                output.say("Another load of this store was asked for meanwhile.")
                return
            if asked.run == backfill.run and follower.backfills.done(backfill.store):
                return
            found = follower.statuses([backfill.store])
            if live:
                live.update(Group(table(found)), refresh=True)
            elif time.monotonic() - told > TOLD_EVERY_S and found != last:
                told, last = time.monotonic(), found
                for row in found:
                    if row.state in ("loading", "waiting"):
                        output.say(_line(row))


def _line(row: Status) -> str:
    left = f", {row.clear_in_s:,.0f} s left" if row.clear_in_s is not None else ""
    waits = f", waits for {row.waits_for}" if row.waits_for else ""
    return f"{row.resource}: {row.loaded:,} of {_total(row)}, {row.rate:,.0f} a second{left}{waits}"


async def _show_status(settings: Settings, store_hash: str | None, as_json: bool) -> int:
    only = [(await _store(settings, store_hash)).store] if store_hash else None
    async with following(settings) as follower:
        found = follower.statuses(sorted(follower.backfills.asked) if only is None else only)
    if as_json:
        output.show_json([asdict(row) for row in found])
    elif found:
        output.show(table(found))
    else:
        output.say("No history was asked for. `cartstream backfill STORE` loads a store's.")
    return DONE


async def _store(settings: Settings, store_hash: str) -> Store:
    async with opened_directory(settings) as directory:
        store = directory.of_hash(store_hash) or directory.by_store.get(store_hash)
    if store is None or store.removed:
        raise WrongSetting(f"STORE: there is no store {store_hash}; `cartstream store list` shows them")
    return store


def table(found: Sequence[Status]) -> Table:
    columns = ("store", "resource", "state", "loaded", "of", "a second", "clear in", "waits for", "for")
    rows = [
        (
            row.store,
            row.resource,
            row.state,
            f"{row.loaded:,}",
            _total(row),
            f"{row.rate:,.0f}" if row.rate else "",
            "" if row.clear_in_s is None or row.state == "done" else f"{row.clear_in_s:,.0f} s",
            row.waits_for or "",
            _ago(row.since),
        )
        for row in found
    ]
    return output.table(columns, rows, {"done": "green", "waiting": "yellow"})


def _ago(since: str) -> str:
    s = (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()
    return f"{s:.0f} s" if s < 120 else f"{s / 60:.0f} min" if s < 7200 else f"{s / 3600:,.0f} h"


def _total(row: Status) -> str:
    return "?" if row.total is None else f"{row.total:,}"
