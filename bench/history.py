"""A load of history as real processes on this machine: how much of its share of the quota it uses, and what memory it takes.

    .venv/bin/python -m bench.history [--sizes 10000 100000] [--quota 150] [--live 0] [--json]

For each size a shop of so many accounts and as many orders (half of them of guests, half of accounts) is loaded by the backfill that
begins when a store is added. Shown: calls, and which share they are of those that a backfill may make in that time (the quota of a
window of 30 s without what it leaves to live reads); peak memory of each process until fetch and resolve have nothing left. Exit 1
where the share is below 90 %, or where a process takes above 1.2 times the memory for the largest size that it takes for the smallest.

With `--live` so many live changes happen a second, first without a load, then during it. Shown: how long they took from the shop to
Engagement, and how many times as long during the load. Their calls are among those counted, so the share is not judged.
"""

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.line import Meter
from bench.trickle import Trickle
from bigcommerce.quota import RESERVE_SHARE
from ops import logs, output
from ops.backfill import Wanted, ask, backfill_of, following
from ops.demo.deployment import HASH, Deployment
from ops.exits import DONE, FAILED
from ops.lag import Gauge, behind
from schemas.topics import STAGES

WINDOW_MS = 30_000
SHARE_MIN, MEMORY_MAX = 0.9, 1.2
PAST_MS = -100 * 24 * 60 * 60 * 1000
ACTIONS_PER_POST = 500
LOOK_S = 0.5
WARM_UP_S = 5.0
QUIET_S = 30.0  # of live changes without a load
STALLED_S = 120.0  # without a page, or without a record done
ROOT = Path(__file__).resolve().parent.parent


class Failed(Exception):
    """Why the figures would say nothing, in plain words."""


@dataclass(frozen=True)
class Loaded:
    """`entities` were loaded in `seconds` by `calls`; `share` of those allowed. `settled_s`: until fetch and resolve were done, too.

    `waited`: what loading waited for, and in how many looks at it. `live`: what live changes took without a load ("before") and "during"
    it, where there are any.
    """

    entities: int
    seconds: float
    calls: int
    share: float
    settled_s: float
    waited: dict[str, int]
    peak_mb: dict[str, int]
    live: dict[str, dict[str, int | None]]


async def measured(deployment: Deployment, size: int, quota: int, live: float) -> Loaded:
    """The figures for one size, with so many `live` changes a second. Raises Failed."""
    await asyncio.to_thread(_live_before, deployment, size)
    async with deployment.parts(events=None), behind(deployment.settings) as gauge:
        meter = Meter(deployment.children)
        sampling = asyncio.create_task(meter.sample())
        deployment.shop.put("/_sim/knobs", json={"quota_window_ms": WINDOW_MS}).raise_for_status()
        deployment.shop.put(f"/_sim/stores/{HASH}", json={"quota": quota}).raise_for_status()
        await asyncio.sleep(2)  # the window in which the store was added is over
        trickle = Trickle(deployment, live)
        trickling = asyncio.create_task(trickle.run()) if live else None
        if live:
            await asyncio.sleep(WARM_UP_S)
            trickle.phase = "before"
            await asyncio.sleep(QUIET_S)
        await ask(deployment.settings, backfill_of(f"{HASH}.1", Wanted()))
        trickle.phase = "during"
        began, calls_before, waited = time.monotonic(), _calls(deployment), dict[str, int]()
        loaded = await _until_loaded(deployment, waited)
        seconds, calls = time.monotonic() - began, _calls(deployment) - calls_before
        if trickling:
            trickling.cancel()
        await _until_done(gauge)
        settled_s = time.monotonic() - began
        try:
            figures = await trickle.figures() if live else {}
        except LookupError as failed:
            raise Failed(str(failed)) from None
        sampling.cancel()
        meter.look()
    if not 2 * size <= loaded <= 2 * size + len(trickle.made):
        raise Failed(f"{loaded:,} entities were loaded of {2 * size:,}")
    allowed = (quota - math.ceil(quota * RESERVE_SHARE)) * seconds * 1000 / WINDOW_MS
    peak_mb = {name: round(mb) for name, mb in meter.peak_mb.items()}
    told = {phase: each for phase, each in figures.items() if phase in ("before", "during")}
    return Loaded(loaded, round(seconds, 1), calls, round(calls / allowed, 3), round(settled_s, 1), waited, peak_mb, told)


def _live_before(deployment: Deployment, size: int) -> None:
    deployment.shop.put("/_sim/knobs", json={"clock_offset_ms": PAST_MS}).raise_for_status()
    accounts = [_customer(number) for number in range(size)]
    orders = [_order(number, number + 1 if number % 2 else 0) for number in range(size)]
    for actions in (accounts, orders):
        for first in range(0, size, ACTIONS_PER_POST):
            answers = deployment.shop.post("/_sim/actions", json=actions[first : first + ACTIONS_PER_POST]).raise_for_status().json()
            if refused := [answer for answer in answers if "error" in answer]:
                raise Failed(f"the simulator refused: {refused[0]['error']}")
    deployment.shop.put("/_sim/knobs", json={"clock_offset_ms": 0}).raise_for_status()


def _customer(number: int) -> dict[str, Any]:
    return {"action": "create_customer", "email": f"person{number}@example.com", "first_name": "P", "phone": str(number)}


def _order(number: int, customer: int) -> dict[str, Any]:
    line = {"product_id": 77, "variant_id": 5, "name": "Towel", "price": "10.00"}
    billing = {"email": f"guest{number}@example.com"}
    return {"action": "create_order", "lines": [line], "billing": billing} | ({"customer_id": customer} if customer else {})


def _calls(deployment: Deployment) -> int:
    calls: dict[str, int] = deployment.shop.get("/_sim/counters").json()["calls"]
    return sum(times for call, times in calls.items() if "/hooks" not in call and "/store " not in call)


async def _until_loaded(deployment: Deployment, waited: dict[str, int]) -> int:
    """How many entities the backfill loaded to its end. Raises Failed."""
    async with following(deployment.settings) as follower:
        seen, stalled_at = -1, time.monotonic() + STALLED_S
        while True:
            await follower.look(LOOK_S)
            statuses = follower.statuses([f"{HASH}.1"])
            loaded = sum(status.loaded for status in statuses)
            for status in statuses:
                if status.waits_for and status.state != "asked":
                    waited[status.waits_for] = waited.get(status.waits_for, 0) + 1
            if statuses and all(status.state == "done" for status in statuses):
                return loaded
            if loaded > seen:
                seen, stalled_at = loaded, time.monotonic() + STALLED_S
            if time.monotonic() > stalled_at:
                raise Failed(f"nothing was loaded for {STALLED_S:.0f} s after {loaded:,} entities")
            await asyncio.sleep(LOOK_S)


async def _until_done(gauge: Gauge) -> None:
    """fetch and resolve have nothing left. Raises Failed."""
    topics = {topic.name for stage in ("fetch", "resolve") for topic in STAGES[stage]}
    seen, stalled_at = -1, time.monotonic() + STALLED_S
    while True:
        left = (await gauge.sample()).left(topics)
        if not left:
            return
        if left != seen:
            seen, stalled_at = left, time.monotonic() + STALLED_S
        if time.monotonic() > stalled_at:
            raise Failed(f"nothing was done for {STALLED_S:.0f} s, {left:,} records are left")
        await asyncio.sleep(LOOK_S)


def one_run(size: int, quota: int, live: float) -> Loaded:
    with tempfile.TemporaryDirectory(prefix="cartstream-bench-", ignore_cleanup_errors=True) as folder:
        deployment = Deployment(Path(folder), ROOT / ".cartstream" / "kafka")
        with deployment.servers():
            return asyncio.run(measured(deployment, size, quota, live))


def judged(runs: list[Loaded]) -> list[str]:
    """What is not as it should be, in words."""
    wrong = [
        f"{run.entities:,} entities: {run.share:.0%} of the allowed calls, less than {SHARE_MIN:.0%}"
        for run in runs
        if run.share < SHARE_MIN and not run.live
    ]
    small, large = min(runs, key=lambda run: run.entities), max(runs, key=lambda run: run.entities)
    for part, mb in large.peak_mb.items():
        if mb > MEMORY_MAX * small.peak_mb[part]:
            wrong.append(f"{part}: {mb} MB for {large.entities:,} entities, {small.peak_mb[part]} MB for {small.entities:,}")
    return wrong


def _live_table(run: Loaded) -> Table:
    before, during = run.live["before"], run.live["during"]
    rows = [(name, before[name], during[name], f"{(during[name] or 0) / (before[name] or 1):.2f}") for name in before]
    return output.table((f"live changes, {run.entities:,} entities", "without a load", "during it", "times"), rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="A load of history: its share of the quota, and the memory it takes.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], help="accounts, and as many orders")
    parser.add_argument("--quota", type=int, default=150, help="calls in 30 s; BigCommerce's smallest plan has 150")
    parser.add_argument("--live", type=float, default=0, help="live changes a second")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    logs.configure_quiet()
    runs = []
    for size in arguments.sizes:
        print(f"{size:,} accounts and {size:,} orders ...", file=sys.stderr, flush=True)
        try:
            runs.append(one_run(size, arguments.quota, arguments.live))
        except Failed as failure:
            print(f"failed: {failure}", file=sys.stderr)
            return FAILED
        print(runs[-1], file=sys.stderr, flush=True)
    wrong = judged(runs)
    if arguments.json:
        print(json.dumps({"runs": [asdict(run) for run in runs], "wrong": wrong}, indent=2))
    else:
        rows = [(r.entities, r.seconds, r.calls, f"{r.share:.0%}", r.settled_s, *r.peak_mb.values()) for r in runs]
        columns = (
            "entities",
            "loaded in s",
            "calls",
            "of those allowed",
            "all decided in s",
            *(f"{part}: peak MB" for part in runs[0].peak_mb),
        )
        output.show(output.table(columns, rows))
        for run in runs:
            if run.live:
                output.show(_live_table(run))
        for problem in wrong:
            print(problem)
    return FAILED if wrong else DONE


if __name__ == "__main__":
    sys.exit(main())
