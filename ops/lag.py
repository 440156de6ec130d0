"""`lag`: how far each stage is behind, and how far history is loaded, by asking Kafka alone."""

import asyncio
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Group
from rich.live import Live
from rich.text import Text

from ops import output
from ops.backfill import Status, following
from ops.backfill import table as table_of_backfills
from ops.exits import DONE
from schemas.committed import Committed
from schemas.connection import admin_client, consumer, offsets_of, partitions_of
from schemas.settings import Settings
from schemas.topics import HISTORY, STAGES, group

SAMPLE_S = 2.0  # stages commit about once a second: a shorter sample would see none or two
OLDEST_S_MAX = 5.0
BACKFILL = "backfill"
WAITS_FOR = {"fetch": "BigCommerce", "resolve": "processor", "deliver": "Engagement"}
HISTORY_WAITS_FOR = "its turn: CARTSTREAM_HISTORY_RPS"


@dataclass(frozen=True)
class Lag:
    """One partition as its stage sees it. A None is not known; rates are records a second.

    Or a backfill that is not done: `topic` is `{s}/{resource}`, without a partition; `records` are the entities that are left to load.
    """

    stage: str
    topic: str
    partition: int | None
    records: int  # written and not yet committed
    seconds: float | None  # age of the first of them; None where it could not be read in time
    rate_in: float
    rate_out: float
    clear_in_s: float | None  # None while more comes in than goes out
    waits_for: str | None  # None when there is nothing left to do
    apart: Mapping[str, int] = field(default_factory=dict)  # of `records` those of stores, or projects, that have a position of their own


@dataclass(frozen=True)
class Sample:
    """Offsets of all partitions of all stages at one moment."""

    at_s: float
    ends: dict[TopicPartition, int]
    committed: dict[TopicPartition, Committed]

    def left(self, topics: Container[str] | None = None) -> int:
        """Records that are left to do; None: of all topics."""
        return sum(self.left_of(tp) for tp in self.ends if topics is None or tp.topic in topics)

    def left_of(self, tp: TopicPartition) -> int:
        return max(0, self.ends[tp] - self.committed[tp].done)


class Gauge:
    """Measures lag. One for as long as somebody watches."""

    def __init__(self, settings: Settings, admin: AIOKafkaAdminClient, reader: AIOKafkaConsumer) -> None:
        self._settings, self._admin, self._consumer = settings, admin, reader
        self._before: Sample | None = None
        self._partitions: dict[str, list[TopicPartition]] = {}  # by stage; a topic's number of partitions never changes

    async def measure(self) -> list[Lag]:
        """The lag now, with the rates since the measurement before; the first takes SAMPLE_S seconds."""
        if self._before is None:
            self._before = await self.sample()
            await asyncio.sleep(SAMPLE_S)
        before, now = self._before, await self.sample()
        self._before = now
        behind = {tp: stands.first for tp, stands in now.committed.items() if now.left_of(tp)}
        oldest_ms = await self._oldest(behind)
        wall_ms = time.time_ns() / 1e6
        return [
            lag_of(stage, tp, before, now, max(0.0, (wall_ms - oldest_ms[tp]) / 1000) if tp in oldest_ms else None)
            for stage, partitions in self._partitions.items()
            for tp in partitions
        ]

    async def sample(self) -> Sample:
        """Raises Unavailable where a topic does not exist."""
        prefix, committed = self._settings.topic_prefix, dict[TopicPartition, Committed]()
        if not self._partitions:
            self._partitions = {s: await partitions_of(self._admin, [prefix + topic.name for topic in STAGES[s]]) for s in STAGES}
        for stage, partitions in self._partitions.items():
            committed |= await offsets_of(self._admin, self._consumer, group(prefix, stage), partitions)
        return Sample(time.monotonic(), await self._consumer.end_offsets(list(committed)), committed)

    async def _oldest(self, behind: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The timestamp (ms) of the first uncommitted record of each partition; one that cannot be read in time is left out."""
        if not behind:
            return {}
        self._consumer.assign(list(behind))
        for tp, offset in behind.items():
            self._consumer.seek(tp, offset)
        found: dict[TopicPartition, int] = {}
        deadline = time.monotonic() + OLDEST_S_MAX
        while len(found) < len(behind) and time.monotonic() < deadline:
            for tp, records in (await self._consumer.getmany(timeout_ms=200, max_records=len(behind))).items():
                if tp not in found:
                    found[tp] = records[0].timestamp
                    self._consumer.pause(tp)
        return found


def lag_of(stage: str, tp: TopicPartition, before: Sample, now: Sample, age_s: float | None) -> Lag:
    """One partition's lag from two samples."""
    took_s = max(now.at_s - before.at_s, 0.001)
    records = now.left_of(tp)
    rate_in = (now.ends[tp] - before.ends[tp]) / took_s
    rate_out = max(0, now.committed[tp].done - before.committed[tp].done) / took_s
    return Lag(
        stage=stage,
        topic=tp.topic,
        partition=tp.partition,
        records=records,
        seconds=0.0 if not records else None if age_s is None else round(age_s, 1),
        rate_in=round(rate_in, 1),
        rate_out=round(rate_out, 1),
        clear_in_s=clear_in_s(records, rate_in, rate_out),
        waits_for=(HISTORY_WAITS_FOR if is_history(tp.topic) else WAITS_FOR[stage]) if records else None,
        apart={tenant: apart.records for tenant, apart in now.committed[tp].apart.items() if apart.records},
    )


def lag_of_backfill(status: Status) -> Lag:
    """What is left of it; at least one while nobody knows how much."""
    return Lag(
        stage=BACKFILL,
        topic=f"{status.store}/{status.resource}",
        partition=None,
        records=max(1, (status.total or 0) - status.loaded),
        seconds=None,
        rate_in=0.0,
        rate_out=status.rate,
        clear_in_s=status.clear_in_s,
        waits_for=status.waits_for or "BigCommerce",
    )


def is_history(topic: str) -> bool:
    """Whether it is what deliver sends slowly, which its own row of the table shows: it says nothing of live commands."""
    return topic.endswith(HISTORY.name)


def clear_in_s(records: int, rate_in: float, rate_out: float) -> float | None:
    """How long until nothing is left at these rates; None while it grows or stands still."""
    if not records:
        return 0.0
    return round(records / (rate_out - rate_in), 1) if rate_out > rate_in else None


def main(settings: Settings, as_json: bool, watch: bool) -> int:
    """The command; with `watch` it goes on until Ctrl-C, as JSON a line each time. Raises Unavailable."""
    try:
        asyncio.run(_run(settings, as_json, watch))
    except KeyboardInterrupt:
        if not watch:
            raise
    return DONE


@contextlib.asynccontextmanager
async def behind(settings: Settings) -> AsyncIterator[Gauge]:
    """A gauge of what the stages have left to do. Raises Unavailable."""
    async with admin_client(settings) as admin:
        reader = consumer(settings)
        try:
            await reader.start()
            yield Gauge(settings, admin, reader)
        finally:
            await reader.stop()


async def _run(settings: Settings, as_json: bool, watch: bool) -> None:
    async with behind(settings) as gauge, following(settings) as follower:

        async def measure() -> tuple[list[Lag], list[Status]]:
            found = await gauge.measure()
            await follower.look()
            loads = follower.under_way()
            return found + [lag_of_backfill(status) for status in loads], loads

        found, loads = await measure()
        if not watch:
            output.show_json([asdict(lag) for lag in found]) if as_json else output.show(tables(found, loads))
            return
        screen = output.console()
        with Live(console=screen, auto_refresh=False) if screen.is_terminal and not as_json else contextlib.nullcontext() as live:
            while True:
                if live:
                    live.update(tables(found, loads), refresh=True)
                elif as_json:
                    output.show_json_line([asdict(lag) for lag in found])
                else:
                    output.show(tables(found, loads))
                await asyncio.sleep(SAMPLE_S)
                found, loads = await measure()


def tables(found: Sequence[Lag], loads: Sequence[Status] = ()) -> Group:
    """The stages; below them the partitions that are behind, and the backfills that are not done."""
    stages: dict[str, list[Lag]] = defaultdict(list)
    found = [lag for lag in found if lag.stage != BACKFILL]
    for lag in found:
        stages[f"{lag.stage}, history" if is_history(lag.topic) else lag.stage].append(lag)
    totals = [(stage, *_cells(lags), _first(lag.waits_for for lag in lags)) for stage, lags in stages.items()]
    columns = ("records", "seconds", "in/s", "out/s", "clear in")
    parts: list[object] = [output.table(("stage", *columns, "waits for"), totals)]
    if behind := [lag for lag in found if lag.records]:
        rows = [(lag.stage, lag.topic, lag.partition, *_cells([lag])) for lag in behind]
        parts += [Text(), output.table(("stage", "topic", "partition", *columns), rows)]
    else:
        parts += [Text(), Text("Nothing is behind.")]
    apart: Counter[tuple[str, str]] = Counter()
    for lag in found:
        apart.update({(tenant, lag.stage): records for tenant, records in lag.apart.items()})
    if apart:
        parts += [
            Text(),
            output.table(("has to wait, and no other for it", "stage", "records"), [(*who, f"{n:,}") for who, n in apart.items()]),
        ]
    if loads:
        parts += [Text(), table_of_backfills(loads)]
    return Group(*parts)  # type: ignore[arg-type]


def _cells(lags: Sequence[Lag]) -> tuple[str, ...]:
    records = sum(lag.records for lag in lags)
    rate_in, rate_out = sum(lag.rate_in for lag in lags), sum(lag.rate_out for lag in lags)
    clear = clear_in_s(records, rate_in, rate_out)
    return (
        f"{records:,}",
        _age(lag.seconds for lag in lags) if records else "",
        f"{rate_in:,.1f}",
        f"{rate_out:,.1f}",
        "" if not records else "grows" if clear is None and rate_in > rate_out else "stands" if clear is None else f"{clear:,.0f} s",
    )


def _age(seconds: Iterable[float | None]) -> str:
    """The greatest; one that is not known may be greater than all that are."""
    known = list(seconds)
    return "?" if None in known else f"{max(s for s in known if s is not None):,.1f}"


def _first(values: object) -> str:
    return next((value for value in values if value), "")  # type: ignore[attr-defined]
