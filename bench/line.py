"""The whole line at a given rate, as real processes on this machine: medians of several runs.

    .venv/bin/python -m bench.line [--rate 200] [--seconds 20] [--runs 3] [--json]

Webhooks of customers (changed accounts) come at `rate` a second. Shown: time from a webhook's receipt to Engagement's acceptance,
processor time per webhook and part, peak memory of each process, BigCommerce API calls per 1,000 webhooks.
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
from ops.demo.measure import latencies_ms, percentile
from ops.demo.run import come_to_rest, counted
from ops.lag import behind

CUSTOMERS = 400
TICK_S = 0.1
SAMPLE_S = 0.25
ROOT = Path(__file__).resolve().parent.parent


class Meter:
    """Processor seconds and peak resident memory (MB) of each part's process, sampled."""

    def __init__(self, deployment: Deployment) -> None:
        self._processes = {name: psutil.Process(child.pid) for name, child in deployment.children.items()}
        self._before = {name: self._cpu_s(process) for name, process in self._processes.items()}
        self.peak_mb = dict.fromkeys(self._processes, 0.0)

    @staticmethod
    def _cpu_s(process: psutil.Process) -> float:
        used = process.cpu_times()
        return float(used.user + used.system)

    async def sample(self) -> None:
        while True:
            for name, process in self._processes.items():
                with contextlib.suppress(psutil.Error):
                    self.peak_mb[name] = max(self.peak_mb[name], process.memory_info().rss / 1e6)
            await asyncio.sleep(SAMPLE_S)

    def cpu_s(self) -> dict[str, float]:
        return {name: self._cpu_s(process) - self._before[name] for name, process in self._processes.items()}


async def measured(deployment: Deployment, rate: int, seconds: int) -> dict[str, Any]:
    """One run's figures."""
    async with deployment.parts():
        people = [{"action": "create_customer", "email": f"person{n}@example.com", "first_name": "P"} for n in range(CUSTOMERS)]
        deployment.shop.post("/_sim/actions", json=people).raise_for_status()
        async with behind(deployment.settings) as gauge:
            await come_to_rest(deployment, gauge, nobody)
            webhooks_before, calls_before = counted(deployment)
            logged = deployment.engagement.get("/_sim/log", params={"project": PROJECT}).json()["next"]
            meter = Meter(deployment)
            sampling = asyncio.create_task(meter.sample())
            began = time.monotonic()
            sent = 0
            while (elapsed := time.monotonic() - began) < seconds:
                due = int(elapsed * rate) - sent
                changes = [
                    {"action": "update_customer", "id": (sent + n) * 7 % CUSTOMERS + 1, "fields": {"phone": str(sent + n)}}
                    for n in range(due)
                ]
                sent += due
                if changes:
                    (await asyncio.to_thread(deployment.shop.post, "/_sim/actions", json=changes)).raise_for_status()
                await asyncio.sleep(TICK_S)
            took_s = time.monotonic() - began
            await come_to_rest(deployment, gauge, nobody)
            sampling.cancel()
        cpu_s = meter.cpu_s()
        webhooks, calls = (now - before for now, before in zip(counted(deployment), (webhooks_before, calls_before), strict=True))
        log = deployment.engagement.get("/_sim/log", params={"project": PROJECT, "since": logged}).json()
        waited = await latencies_ms(deployment.settings, [dict(zip(log["columns"], row, strict=True)) for row in log["entries"]])
    return {
        "webhooks a second": round(webhooks / took_s, 1),
        "receipt to acceptance p50 ms": percentile(waited, 50),
        "receipt to acceptance p99 ms": percentile(waited, 99),
        "API calls per 1,000 webhooks": round(1000 * calls / webhooks, 1),
        **{f"{name}: processor ms per webhook": round(1000 * s / webhooks, 2) for name, s in cpu_s.items()},
        **{f"{name}: peak MB": round(mb) for name, mb in meter.peak_mb.items()},
    }


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
        runs.append(one_run(arguments.rate, arguments.seconds))
    figures = {name: [run[name] for run in runs] for name in runs[0]}
    if arguments.json:
        print(json.dumps({"median": {name: statistics.median(values) for name, values in figures.items()}, "runs": runs}, indent=2))
    else:
        rows = [(name, statistics.median(values), min(values), max(values)) for name, values in figures.items()]
        output.show(output.table(("figure", "median", "least", "most"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
