"""The whole line at a given rate, as real processes on this machine: medians of several runs.

    .venv/bin/python -m bench.line [--rate 200] [--seconds 20] [--runs 3] [--json]

Webhooks of customers (changed accounts) come at `rate` a second. Shown: the rate that was held (webhooks that were answered 200 by
the end of the load), how long it then took to rest, time from a webhook's receipt to Engagement's acceptance, processor time per
webhook and part, peak memory of each process, BigCommerce API calls per 1,000 webhooks. Exit 1 where a run did not come to rest, or
where a command never reached Engagement.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from ops import logs, output
from ops.demo.deployment import PROJECT, Deployment
from ops.demo.measure import accepted, percentile
from ops.demo.run import come_to_rest, counted
from ops.exits import DONE, FAILED
from ops.lag import behind
from ops.supervise import Child

CUSTOMERS = 400
TICK_S = 0.1
SAMPLE_S = 0.25
ROOT = Path(__file__).resolve().parent.parent


class Failed(Exception):
    """Why a run's figures would say nothing, in plain words."""


class Meter:
    """Processor seconds and peak resident memory (MB) of each part from now on, over all its lives, sampled."""

    def __init__(self, children: dict[str, Child]) -> None:
        self._children = children
        self._lives: dict[str, psutil.Process] = {}
        self._last_s = dict.fromkeys(children, 0.0)  # of the present life, when it was looked at last
        self.cpu_s, self.peak_mb = dict.fromkeys(children, 0.0), dict.fromkeys(children, 0.0)
        self.look()
        self.cpu_s = dict.fromkeys(children, 0.0)

    async def sample(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(SAMPLE_S)

    def look(self) -> None:
        """A part between two lives is left out; a new life begins at 0 s."""
        for name, child in self._children.items():
            with contextlib.suppress(psutil.Error):
                self._look_at(name, child.pid)

    def _look_at(self, name: str, pid: int | None) -> None:
        if pid is None:
            return
        if name not in self._lives or self._lives[name].pid != pid:
            self._lives[name], self._last_s[name] = psutil.Process(pid), 0.0
        times = self._lives[name].cpu_times()
        used_s = float(times.user + times.system)
        self.cpu_s[name] += used_s - self._last_s[name]
        self._last_s[name] = used_s
        self.peak_mb[name] = max(self.peak_mb[name], self._lives[name].memory_info().rss / 1e6)


async def measured(deployment: Deployment, rate: int, seconds: int) -> dict[str, Any]:
    """One run's figures. Raises Failed."""
    async with deployment.parts():
        people = [{"action": "create_customer", "email": f"person{n}@example.com", "first_name": "P"} for n in range(CUSTOMERS)]
        deployment.shop.post("/_sim/actions", json=people).raise_for_status()
        async with behind(deployment.settings) as gauge:
            if not await come_to_rest(deployment, gauge, nobody):
                raise Failed("the line did not come to rest before the load")
            webhooks_before, calls_before = counted(deployment)
            meter, since_ms = Meter(deployment.children), time.time_ns() // 1_000_000
            sampling = asyncio.create_task(meter.sample())
            took_s = await load(deployment, rate, seconds)
            held = counted(deployment)[0] - webhooks_before
            began = time.monotonic()
            rested = await come_to_rest(deployment, gauge, nobody)
            rest_s = time.monotonic() - began
            sampling.cancel()
        meter.look()
        if not rested:
            raise Failed(f"the line did not come to rest within {rest_s:.0f} s after the load")
        webhooks, calls = (now - before for now, before in zip(counted(deployment), (webhooks_before, calls_before), strict=True))
        log = deployment.engagement.get("/_sim/log", params={"project": PROJECT}).json()
        entries = [dict(zip(log["columns"], row, strict=True)) for row in log["entries"]]
        found = await accepted(deployment.settings, entries, since_ms)
    if found.never or not found.waited_ms:
        raise Failed(f"{found.never} commands were never accepted, {len(found.waited_ms)} were")
    return {
        "webhooks a second, held": round(held / took_s, 1),
        "seconds to rest": round(rest_s, 1),
        "commands accepted": len(found.waited_ms),
        "commands never accepted": found.never,
        "receipt to acceptance p50 ms": percentile(found.waited_ms, 50),
        "receipt to acceptance p99 ms": percentile(found.waited_ms, 99),
        "API calls per 1,000 webhooks": round(1000 * calls / webhooks, 1),
        **{f"{name}: processor ms per webhook": round(1000 * s / webhooks, 2) for name, s in meter.cpu_s.items()},
        **{f"{name}: peak MB": round(mb) for name, mb in meter.peak_mb.items()},
    }


async def load(deployment: Deployment, rate: int, seconds: int) -> float:
    """Accounts change at `rate` a second; answers how long that took, in seconds."""
    began, sent = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < seconds:
        due = int(elapsed * rate) - sent
        changes = [
            {"action": "update_customer", "id": (sent + n) * 7 % CUSTOMERS + 1, "fields": {"phone": str(sent + n)}} for n in range(due)
        ]
        sent += due
        if changes:
            (await asyncio.to_thread(deployment.shop.post, "/_sim/actions", json=changes)).raise_for_status()
        await asyncio.sleep(TICK_S)
    return time.monotonic() - began


async def nobody(_: int) -> None:
    """Watches nothing."""


def one_run(rate: int, seconds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="cartstream-bench-", ignore_cleanup_errors=True) as folder:
        deployment = Deployment(Path(folder), ROOT / ".cartstream" / "kafka")
        with deployment.servers():
            return asyncio.run(measured(deployment, rate, seconds))


def main() -> int:
    parser = argparse.ArgumentParser(description="The whole line at a given rate.")
    parser.add_argument("--rate", type=int, default=200, help="webhooks a second")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    logs.configure_quiet()
    runs = []
    for number in range(arguments.runs):
        print(f"run {number + 1} of {arguments.runs} ...", file=sys.stderr, flush=True)
        try:
            runs.append(one_run(arguments.rate, arguments.seconds))
        except Failed as failure:
            print(f"run {number + 1} failed: {failure}", file=sys.stderr)
            return FAILED
    figures = {name: [run[name] for run in runs] for name in runs[0]}
    if arguments.json:
        print(json.dumps({"median": {name: statistics.median(values) for name, values in figures.items()}, "runs": runs}, indent=2))
    else:
        rows = [(name, statistics.median(values), min(values), max(values)) for name, values in figures.items()]
        output.show(output.table(("figure", "median", "least", "most"), rows))
    return DONE


if __name__ == "__main__":
    sys.exit(main())
