"""One run of the demo: the shop lives, comes to rest, and is compared with what Engagement holds."""

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ops import output
from ops.backfill import following
from ops.demo.compare import Row, Unheard, compare
from ops.demo.deployment import HASH, PROJECT, Deployment
from ops.demo.erased import as_deleted, erase_people
from ops.demo.lost import lose_webhooks
from ops.demo.measure import accepted, dead_letters, percentile, read
from ops.demo.shop_life import ShopLife
from ops.demo.trouble import HEAVY, USUAL, Troublemaker
from ops.exits import DONE, FAILED
from ops.lag import Gauge, behind
from schemas.settings import load as load_settings

PAST = (320, 310, 300, 200, 100)  # days ago: brands and categories, products, accounts came, subscribers, orders
PAST_PEOPLE = 400
DAY_MS = 24 * 60 * 60 * 1000
ACTIONS_A_TICK, TICK_S = 6, 0.25
REST_S_MAX = 180.0  # for everything to reach Engagement once nothing happens any more
QUIET_LOOKS = 3  # looks in a row that find nothing left to do
SHOWN_MAX = 5  # differences shown of each row


@dataclass(frozen=True)
class Summary:
    """What a run ends with. Latency is from a webhook's receipt to Engagement's acceptance, None where nothing was accepted.

    `loaded` of the shop's past, in `loaded_in_s` from its first page to the last decision about it, while the shop lived on.
    `faults`: what went wrong meanwhile, in words, and how often. At the end so many people are `erased`, then `unheard_actions` happen of
    which no webhook comes, and a `reconcile` finds so many things missing, older here, or gone.
    """

    seconds: int
    seed: int
    actions: int
    webhooks: int
    api_calls: int
    api_calls_per_1000_webhooks: float
    commands: int
    loaded: int
    loaded_in_s: float
    erased: int
    unheard_actions: int
    reconciled: int
    latency_p50_ms: int | None
    latency_p99_ms: int | None
    came_to_rest: bool
    rest_s: float
    rows: list[Row]
    faults: dict[str, int]

    @property
    def differences(self) -> int:
        return sum(len(row.wrong) for row in self.rows)

    @property
    def right(self) -> bool:
        return self.came_to_rest and not self.differences


def main(seconds: int, seed: int | None, faults: bool, as_json: bool) -> int:
    """The command: 0 when all came to rest and the shop and Engagement are the same, 1 where not. Raises KafkaUnavailable, WrongSetting."""
    drawn = random.randrange(1_000_000) if seed is None else seed  # noqa: S311 - to be told, and given again
    jars = load_settings().data / "kafka"
    with tempfile.TemporaryDirectory(prefix="cartstream-demo-", ignore_cleanup_errors=True) as folder:
        deployment = Deployment(Path(folder), jars)
        talk = Console(stderr=True, highlight=False, soft_wrap=True)
        talk.print(f"Starting Kafka, a BigCommerce and an Engagement on this machine (seed {drawn}) ...")
        with deployment.servers():
            summary = asyncio.run(_live(deployment, seconds, drawn, faults, talk))
    if as_json:
        output.show_json(asdict(summary) | {"differences": summary.differences})
    else:
        show(summary, faults)
    return DONE if summary.right else FAILED


async def _live(deployment: Deployment, seconds: int, seed: int, faults: bool, talk: Console) -> Summary:
    life = ShopLife(seed)
    await asyncio.to_thread(live_before, deployment, life)
    async with deployment.parts():
        trouble = Troublemaker(deployment, HEAVY if faults else USUAL, seed)
        progress = Progress(deployment, trouble if faults else None, talk, seconds)
        summary = await live(deployment, life, seconds, trouble, progress.show)
        progress.end()
        return summary


def live_before(deployment: Deployment, life: ShopLife) -> None:
    """The shop has a past, of which nobody was told."""
    for days, actions in zip(PAST, life.past(PAST_PEOPLE), strict=True):
        deployment.shop.put("/_sim/knobs", json={"clock_offset_ms": -days * DAY_MS}).raise_for_status()
        life.learn(deployment.shop.post("/_sim/actions", json=actions).raise_for_status().json())
    deployment.shop.put("/_sim/knobs", json={"clock_offset_ms": 0}).raise_for_status()


async def live(
    deployment: Deployment,
    life: ShopLife,
    seconds: int,
    trouble: Troublemaker,
    watch: Callable[[int, int | None], Awaitable[None]],
) -> Summary:
    """The shop lives for `seconds`, or until `trouble` is done, while its past is loaded, comes to rest and is compared.

    `watch` is awaited at every tick, with how many things happened and, once the shop is quiet, how many records are left.
    """
    began_s, began = time.time(), time.monotonic()
    async with following(deployment.settings) as follower:
        loaded_at: float | None = None
        while time.monotonic() - began < seconds or not trouble.is_done:
            await asyncio.to_thread(trouble.act)
            await tick(deployment, life)
            await watch(sum(life.happened.values()), None)
            await follower.look()
            if loaded_at is None and not follower.under_way():
                loaded_at = time.monotonic()
            if loaded_at and time.monotonic() - loaded_at > trouble.settle_s:
                life.settle()
    rested, actions = time.monotonic(), sum(life.happened.values())
    async with behind(deployment.settings) as gauge:
        came_to_rest = await come_to_rest(deployment, gauge, lambda left: watch(actions, left))
        rest_s = round(time.monotonic() - rested, 1)
        found_read = await read(deployment.settings)
        past = Unheard(0.0, began_s, found_read.history_known_s)
        waited = (await accepted(deployment.settings, engagements_log(deployment))).waited_ms
        unheard, lost, found = [past], 0, 0
        erased = await erase_people(deployment, life) if came_to_rest else {}
        if trouble.loses_webhooks and came_to_rest:
            quiet = await lose_webhooks(deployment, life)
            came_to_rest = await come_to_rest(deployment, gauge, lambda left: watch(actions, left))
            unheard.append(Unheard(quiet.from_s, quiet.until_s, time.time()))
            lost, found = quiet.actions, quiet.found
    shop = as_deleted(deployment.shop.get("/_sim/state").json()["stores"][HASH], erased)
    engagement = deployment.engagement.get("/_sim/state", params={"project": PROJECT}).json()
    webhooks, calls = counted(deployment)
    async with following(deployment.settings) as follower:
        loaded = sum(status.loaded for status in follower.statuses([f"{HASH}.1"]))
    return Summary(
        seconds=seconds,
        seed=life.seed,
        actions=actions,
        webhooks=webhooks,
        api_calls=calls,
        api_calls_per_1000_webhooks=round(1000 * calls / max(1, webhooks), 1),
        commands=len(engagements_log(deployment)),
        loaded=loaded,
        loaded_in_s=round(max(0.0, past.read_s - past.until_s), 1),
        erased=len(erased),
        unheard_actions=lost,
        reconciled=found,
        latency_p50_ms=percentile(waited, 50),
        latency_p99_ms=percentile(waited, 99),
        came_to_rest=came_to_rest,
        rest_s=rest_s,
        rows=compare(shop, engagement, await dead_letters(deployment.settings), found_read.unread_s, unheard),
        faults=trouble.done(),
    )


def engagements_log(deployment: Deployment) -> list[dict[str, Any]]:
    """The commands that reached Engagement."""
    log = deployment.engagement.get("/_sim/log", params={"project": PROJECT}).json()
    return [dict(zip(log["columns"], row, strict=True)) for row in log["entries"]]


async def tick(deployment: Deployment, life: ShopLife) -> None:
    """What happens in the shop in TICK_S."""
    answered = await asyncio.to_thread(deployment.shop.post, "/_sim/actions", json=life.next_actions(ACTIONS_A_TICK))
    life.learn(answered.raise_for_status().json())
    await asyncio.sleep(TICK_S)


def counted(deployment: Deployment) -> tuple[int, int]:
    """Webhooks that were answered 200, and API calls that fetch made."""
    found = deployment.shop.get("/_sim/counters").json()
    calls = sum(count for call, count in found["calls"].items() if "/hooks" not in call and "/store " not in call)
    return int(found["webhooks"].get("delivered", 0)), calls


async def come_to_rest(deployment: Deployment, gauge: Gauge, watch: Callable[[int], Awaitable[None]]) -> bool:
    """Whether, within REST_S_MAX, no webhook was under way any more, all history was loaded, no stage had anything left, and Engagement's
    queues were empty."""
    deadline, quiet = time.monotonic() + REST_S_MAX, 0
    async with following(deployment.settings) as follower:
        while quiet < QUIET_LOOKS and time.monotonic() < deadline:
            sample = await gauge.sample()
            await follower.look()
            left = len(follower.under_way()) + sample.records
            pending = deployment.shop.get("/_sim/counters").json()["webhooks"]["pending"]
            quiet = quiet + 1 if left == 0 and pending == 0 else 0
            await watch(left)
            await asyncio.sleep(1)
    queues = await asyncio.to_thread(deployment.engagement.post, "/_sim/idle", json={"timeout_s": 30})
    return quiet >= QUIET_LOOKS and bool(queues.json()["idle"])


class Progress:
    """One line on stderr that says where the run is."""

    def __init__(self, deployment: Deployment, trouble: Troublemaker | None, talk: Console, seconds: int) -> None:
        """`trouble`: to be shown."""
        self._deployment, self._trouble, self._talk, self._seconds = deployment, trouble, talk, seconds
        self._began = time.monotonic()
        self._shown = 0.0

    async def show(self, actions: int, left: int | None = None) -> None:
        if time.monotonic() - self._shown < 1:
            return
        self._shown = time.monotonic()
        webhooks, _ = counted(self._deployment)
        commands = sum(self._deployment.engagement.get("/_sim/counters", params={"project": PROJECT}).json()["commands"].values())
        elapsed = time.monotonic() - self._began
        state = f"{elapsed:3.0f}/{self._seconds} s" if left is None else f"comes to rest, {left} left"
        line = f"{state} · {actions:,} things happened · {webhooks:,} webhooks taken · {commands:,} commands at Engagement"
        if self._trouble:
            line += f" · {sum(self._trouble.done().values()):,} faults"
        if self._talk.is_terminal:
            self._talk.print(line.ljust(120), end="\r")
        else:
            self._talk.print(line)

    def end(self) -> None:
        if self._talk.is_terminal:
            self._talk.print(" " * 130, end="\r")


def show(summary: Summary, faults: bool) -> None:
    """The table, and below it what differs; `faults`: above it what went wrong."""
    if faults:
        output.show(output.table(("what went wrong", "times"), [(what, f"{times:,}") for what, times in summary.faults.items() if times]))
        print()
    cells = [(row.what, f"{row.in_shop:,}", f"{row.right:,}", str(len(row.wrong) or "")) for row in summary.rows]
    table = output.table(("what is tracked", "in the shop", "right in Engagement", "differs"), cells)
    for column in table.columns[1:]:
        column.justify = "right"
    output.show(table)
    wrong = [(row.what, problem) for row in summary.rows for problem in row.wrong[:SHOWN_MAX]]
    for what, problem in wrong:
        output.show(Text(f"  {what}: {problem}"))
    p50, p99 = ("none" if ms is None else f"{ms:,} ms" for ms in (summary.latency_p50_ms, summary.latency_p99_ms))
    at_rest = f"At rest {summary.rest_s:.0f} s after the shop." if summary.came_to_rest else "It did not come to rest."
    print(
        f"\n{summary.actions:,} things happened in {summary.seconds} s and caused {summary.webhooks:,} webhooks; "
        f"{summary.commands:,} commands reached Engagement.\n"
        f"{summary.loaded:,} things of its past were loaded meanwhile, in {summary.loaded_in_s:.0f} s.\n"
        f"{summary.erased} people then asked to be erased, and were anonymized though their accounts still stand.\n"
        f"{lost_and_found(summary)}"
        f"From a webhook's receipt to Engagement's acceptance: p50 {p50}, p99 {p99}. {at_rest}\n"
        f"{summary.api_calls:,} BigCommerce API calls: {summary.api_calls_per_1000_webhooks:.0f} per 1,000 webhooks.\n"
    )
    again = f"The same life again: cartstream demo{' --faults' * faults} --seconds {summary.seconds} --seed {summary.seed}"
    if not summary.came_to_rest:
        print(f"Something was still under way {summary.rest_s:.0f} s after the shop, so this says little: it did not come to rest. {again}")
    elif summary.differences:
        print(f"{summary.differences} differences. {again}")
    else:
        print("The shop and Engagement are the same.")


def lost_and_found(summary: Summary) -> str:
    """The line about webhooks that never came, where there were any."""
    if not summary.unheard_actions:
        return ""
    return (
        f"Then all webhooks about {summary.unheard_actions:,} more things were lost; a reconcile found {summary.reconciled:,} entities "
        "to read again.\n"
    )
