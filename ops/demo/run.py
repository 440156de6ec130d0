"""One run of the demo: two shops live, come to rest, and are compared with what Engagement holds of each."""

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from ops import output
from ops.backfill import following
from ops.demo.compare import Lapse, Unheard, compare
from ops.demo.deployment import FIRST, SECOND, Deployment, Tenant
from ops.demo.erased import as_deleted, erase_people
from ops.demo.lapse import lapse
from ops.demo.lost import Happening, Lost, lose_webhooks
from ops.demo.measure import Accepted, Read, accepted, dead_letters, percentile, read
from ops.demo.shop_life import ShopLife
from ops.demo.summary import OfStore, Summary, show
from ops.demo.trouble import HEAVY, USUAL, Troublemaker
from ops.exits import DONE, FAILED
from ops.lag import Gauge, behind
from schemas.settings import load as load_settings

PAST = (320, 310, 300, 290, 280, 200, 100)  # days ago, for each part of `ShopLife.past`
LAPSED_DAYS = 250
DAY_MS = 24 * 60 * 60 * 1000
TICK_S = 0.25
REST_S_MAX = 180.0  # for everything to reach Engagement once nothing happens any more
QUIET_LOOKS = 3  # looks in a row that find nothing left to do


@dataclass(frozen=True)
class LivingShop:
    """A store and its shop's life: so many people in its past, then so many actions in TICK_S; at the end so many ask to be erased."""

    tenant: Tenant
    life: ShopLife
    people: int = 400
    actions: int = 6
    leaving: int = 3


def two_shops(seed: int) -> list[LivingShop]:
    """Of one merchant; the ids of their customers, orders and products are the same, and some of their e-mails."""
    return [LivingShop(FIRST, ShopLife(seed)), LivingShop(SECOND, ShopLife(seed + 1), people=80, actions=1, leaving=1)]


@dataclass(frozen=True)
class Lived:
    """Of one store, when its shop came to rest: since when it lived, UNIX seconds, how long what happened went unread, and what waited."""

    began_s: float
    read: Read
    accepted: Accepted


@dataclass(frozen=True)
class End:
    """Of one store, what happened at rest: who lapsed, accounts that were erased and when, ms, and what no webhook told of."""

    lapse: Lapse | None = None
    erased: dict[int, int] = field(default_factory=dict)
    lost: Lost | None = None


def main(seconds: int, seed: int | None, faults: bool, as_json: bool) -> int:
    """The command: 0 when all came to rest and the shops are the same as Engagement, 1 where not. Raises KafkaUnavailable, WrongSetting."""
    drawn = random.randrange(1_000_000) if seed is None else seed  # noqa: S311 - to be told, and given again
    jars = load_settings().data / "kafka"
    with tempfile.TemporaryDirectory(prefix="cartstream-demo-", ignore_cleanup_errors=True) as folder:
        deployment = Deployment(Path(folder), jars, lapsed_days=LAPSED_DAYS)
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
    shops = two_shops(seed)
    for shop in shops:
        await asyncio.to_thread(live_before, deployment, shop)
    tenants = [shop.tenant for shop in shops]
    async with deployment.parts(tenants=tenants):
        trouble = Troublemaker(deployment, HEAVY if faults else USUAL, seed, tenants)
        progress = Progress(deployment, trouble if faults else None, talk, seconds)
        summary = await live(deployment, shops, seconds, trouble, progress.show)
        progress.end()
        return summary


def live_before(deployment: Deployment, shop: LivingShop) -> None:
    """The shop has a past, of which nobody was told."""
    for days, actions in zip(PAST, shop.life.past(shop.people), strict=True):
        deployment.shop.put("/_sim/knobs", json={"clock_offset_ms": -days * DAY_MS}).raise_for_status()
        shop.life.learn(deployment.act(shop.tenant, actions))
    deployment.shop.put("/_sim/knobs", json={"clock_offset_ms": 0}).raise_for_status()


async def live(
    deployment: Deployment,
    shops: Sequence[LivingShop],
    seconds: int,
    trouble: Troublemaker,
    watch: Callable[[int, int | None], Awaitable[None]],
) -> Summary:
    """The shops live for `seconds`, or until `trouble` is done, while their past is loaded, come to rest and are compared.

    `watch` is awaited at every tick, with how many things happened and, once the shops are quiet, how many records are left.
    """
    began_s, began = time.time(), time.monotonic()
    while time.monotonic() - began < seconds or not trouble.is_done:
        await asyncio.to_thread(trouble.act)
        for shop in shops:
            await asyncio.to_thread(happen, deployment, shop)
        await watch(happened(shops), None)
        await asyncio.sleep(TICK_S)
    rested, actions = time.monotonic(), happened(shops)
    tenants = [shop.tenant for shop in shops]
    async with behind(deployment.settings) as gauge:

        async def rest() -> bool:
            return await come_to_rest(deployment, gauge, lambda left: watch(actions, left))

        came_to_rest = await rest()
        rest_s = round(time.monotonic() - rested, 1)
        lived = [
            Lived(began_s, found, await accepted(deployment.settings, engagements_log(deployment, tenant), tenant=tenant))
            for tenant, found in zip(tenants, await read(deployment.settings, tenants), strict=True)
        ]
        from_s, until_s = trouble.away_s
        went_on = sum(accepted_between(deployment, tenant, from_s, until_s) for tenant in tenants[:-1])
        ends = [End()] * len(shops)
        if came_to_rest:
            ends = await end(deployment, shops, trouble)
            came_to_rest = await rest()
    now_s = time.time()
    webhooks, calls = counted(deployment)
    return Summary(
        seconds=seconds,
        seed=shops[0].life.seed,
        webhooks=webhooks,
        api_calls=calls,
        api_calls_per_1000_webhooks=round(1000 * calls / max(1, webhooks), 1),
        came_to_rest=came_to_rest,
        rest_s=rest_s,
        away_s=round(until_s - from_s, 1),
        went_on=went_on,
        stores=[await of_store(deployment, shop, known, ended, now_s) for shop, known, ended in zip(shops, lived, ends, strict=True)],
        faults=trouble.done(),
    )


async def end(deployment: Deployment, shops: Sequence[LivingShop], trouble: Troublemaker) -> list[End]:
    """The last things, at rest: the lapsed, people who ask to be erased, and what no webhook tells of."""
    lapses = await asyncio.gather(*(lapse(deployment, shop.tenant) for shop in shops))
    erased = await asyncio.gather(*(erase_people(deployment, shop.tenant, shop.life, shop.leaving) for shop in shops))
    lost = await lose_webhooks(deployment, unheard(shops, trouble), trouble.reads_lag_s)
    return [End(run, gone, lost.get(shop.tenant)) for shop, run, gone in zip(shops, lapses, erased, strict=True)]


async def of_store(deployment: Deployment, shop: LivingShop, lived: Lived, end: End, now_s: float) -> OfStore:
    """The store's shop compared with its project, `now_s` when all was at rest for the last time."""
    tenant, past, waited = shop.tenant, Unheard(0.0, lived.began_s, lived.read.history_known_s), lived.accepted.waited_ms
    async with following(deployment.settings) as follower:
        loaded = sum(status.loaded for status in follower.statuses([tenant.store]))
    return OfStore(
        store=tenant.hash,
        actions=sum(shop.life.happened.values()),
        commands=len(engagements_log(deployment, tenant)),
        loaded=loaded,
        loaded_in_s=round(max(0.0, past.read_s - past.until_s), 1),
        erased=len(end.erased),
        unheard_actions=end.lost.actions if end.lost else 0,
        reconciled=end.lost.found if end.lost else 0,
        latency_p50_ms=percentile(waited, 50),
        latency_p99_ms=percentile(waited, 99),
        rows=compare(
            as_deleted(deployment.in_shop(tenant), end.erased),
            deployment.held(tenant),
            await dead_letters(deployment.settings, tenant),
            lived.read.unread_s,
            [past, *([end.lost.read_by(now_s)] if end.lost else [])],
            end.lapse,
        ),
    )


def happened(shops: Sequence[LivingShop]) -> int:
    return sum(sum(shop.life.happened.values()) for shop in shops)


def happen(deployment: Deployment, shop: LivingShop) -> None:
    """What happens in the shop in TICK_S."""
    shop.life.learn(deployment.act(shop.tenant, shop.life.next_actions(shop.actions)))


def unheard(shops: Sequence[LivingShop], trouble: Troublemaker) -> dict[Tenant, Happening]:
    """What happens at the end without a webhook: in the last of several shops all subscribers are deleted at once, of which BigCommerce
    tells nobody; in the others what the trouble loses."""
    *others, last = shops
    found = {last.tenant: Happening(last.life, last.life.all_unsubscribed(), ["subscribers"])} if others else {}
    if trouble.loses_webhooks:
        found |= {shop.tenant: Happening(shop.life, shop.life.unheard(), []) for shop in others or shops}
    return found


def engagements_log(deployment: Deployment, tenant: Tenant) -> list[dict[str, Any]]:
    """The commands that reached Engagement."""
    log = deployment.engagement.get("/_sim/log", params={"project": tenant.project}).json()
    return [dict(zip(log["columns"], row, strict=True)) for row in log["entries"]]


def accepted_between(deployment: Deployment, tenant: Tenant, from_s: float, until_s: float) -> int:
    """How many of the store's commands Engagement accepted in that time."""
    log = engagements_log(deployment, tenant)
    return sum(from_s < entry["received_at_ms"] / 1000 < until_s and entry["outcome"] == "queued" for entry in log)


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
            left = len(follower.under_way()) + sample.left()
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
        projects = self._deployment.engagement.get("/_sim/counters").json().values()
        commands = sum(sum(project["commands"].values()) for project in projects)
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
