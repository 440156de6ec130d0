"""`reconcile STORE`: what the store has against what our rows hold; fetch reads again what differs."""

import asyncio
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from bigcommerce.client import BigCommerce
from ingest.reconcile import GONE_CUSTOMERS_MAX, Compared, CountedApi, Reconcile
from ops import output
from ops.backfill import PLURALS, following
from ops.exits import DONE, FAILED
from schemas.connection import kafka_options, producer, reaching_kafka, send_all
from schemas.directory import opened_directory
from schemas.failures import WrongSetting
from schemas.records import Message
from schemas.settings import Settings
from schemas.topics import Topic


class Sender:
    """Where a run writes: to be used seldom, for it connects each time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def check(self) -> None:
        """A command may always write."""

    async def put(self, topic: Topic, records: list[tuple[str, Message]], partition: int | None = None) -> None:
        """All in-sync replicas have them. Raises Unavailable."""
        with reaching_kafka(self._settings):
            sender = producer(kafka_options(self._settings))
            try:
                await sender.start()
                await send_all(sender, self._settings.topic_prefix + topic.name, records, partition)
            finally:
                await sender.stop()


def main(settings: Settings, store_hash: str, only: list[str], since_ms: int, margin_s: float, all_gone: bool, as_json: bool) -> int:
    """The command: FAILED where it left customers alone that are gone. Raises WrongSetting, AccessLost, Reject, Unavailable."""
    found = asyncio.run(reconcile(settings, store_hash, only, since_ms, margin_s, all_gone))
    if as_json:
        output.show_json([row(one) for one in found])
    else:
        show(found)
    left_alone = sum(len(one.left_alone) for one in found)
    if left_alone:
        output.say(
            f"{left_alone} customers are in the store no more. More than {GONE_CUSTOMERS_MAX} at once may be a fault: none was looked at. "
            "If it is true, run it again with --all-gone; nobody is anonymized before a run 20 hours later finds the same."
        )
    return FAILED if left_alone else DONE


async def reconcile(settings: Settings, store_hash: str, only: list[str], since_ms: int, margin_s: float, all_gone: bool) -> list[Compared]:
    """All resources, or `only` these, one after the other. Raises as `main`."""
    for name in only:
        if name not in PLURALS:
            raise WrongSetting(f"--only: {name!r} is none of {', '.join(PLURALS)}")
    async with opened_directory(settings) as directory, following(settings) as follower:
        store = directory.of_hash(store_hash)
        if store is None:
            raise WrongSetting(f"STORE: there is no store {store_hash}; `cartstream store list` has them")
        async with BigCommerce(settings.bigcommerce_api) as bigcommerce:
            api = CountedApi(bigcommerce, store.hash, lambda: store.access_token)
            gone_max = sys.maxsize if all_gone else GONE_CUSTOMERS_MAX
            run = Reconcile(
                settings, store.store, api, Sender(settings), follower.backfills, margin_s=margin_s, gone_customers_max=gone_max
            )
            with Console(stderr=True).status("") as status:
                return [
                    await run.run(
                        resource, since_ms, lambda one: status.update(f"{one.resource}s: {one.listed:,} listed in {one.calls:,} calls")
                    )
                    for name, resource in PLURALS.items()
                    if not only or name in only
                ]


def row(one: Compared) -> dict[str, Any]:
    """One resource as `--json` prints it."""
    return {
        "resource": one.resource,
        "listed": one.listed,
        "held": one.held,
        "calls": one.calls,
        "under_way": one.under_way,
        "not_loaded": one.not_loaded,
        "refused": one.refused,
        "unreadable": one.unreadable,
        **{kind: len(ids) for kind, ids in one.differences.items()},
        "left_alone": len(one.left_alone),
        "hours": [{"kind": kind, "hour": hour, "count": count} for kind, hour, count in one.by_hour()],
    }


def show(found: list[Compared]) -> None:
    """Two tables: what was counted of each resource, and below it the hours in which what differs was changed."""
    counts = ("listed", "held", "calls", "missing", "older", "gone", "under way", "not loaded", "refused", "unreadable")
    cells = [row(one) for one in found]
    columns = ("", *(one.resource for one in found))
    rows = [(name, *(_cell(of[name.replace(" ", "_")]) for of in cells)) for name in counts]
    hours = [(one.resource, kind, hour or "not known", _cell(count)) for one in found for kind, hour, count in one.by_hour()]
    output.show(output.table(columns, rows), Text())
    if hours:
        output.show(output.table(("resource", "kind", "hour of the change", "how many"), hours))
        output.show(Text("fetch was asked to read them again."))
    else:
        output.show(Text("Nothing differs."))
    if any(one.refused for one in found):
        output.show(Text("What was refused is not read again: `cartstream dead-letters list` has it."))


def _cell(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value
