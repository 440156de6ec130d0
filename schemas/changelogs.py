"""What the tables hold, read from their changelogs by a plain consumer: for who compares, and writes to no table."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from schemas.connection import admin_client, consumer, partitions_of, reaching_kafka, read_to_end
from schemas.entities import Seen
from schemas.failures import Unavailable
from schemas.keys import changelog
from schemas.settings import Settings
from schemas.topics import Topic, group

Kept = TypeVar("Kept")


class Refused(msgspec.Struct, frozen=True):
    """Of a state that a rule refused, its version."""

    seen: Seen


class AccountRow(msgspec.Struct, frozen=True):
    """Of a row of `accounts`, what a comparison with the store needs; streams/resolve/tables.py has all of it."""

    seen: Seen | None = None
    home: str = ""
    told_ms: int = 0
    found_read_ms: int = 0
    refused: dict[str, Refused] = {}


class SubscriberRow(msgspec.Struct, frozen=True):
    """The same of a row of `subscribers`."""

    seen: Seen | None = None
    email: str = ""
    told_ms: int = 0
    found_read_ms: int = 0
    refused: dict[str, Refused] = {}


class OrderSeen(msgspec.Struct, frozen=True):
    """The same of one order in a row of `checkouts`."""

    seen: Seen


class CheckoutRow(msgspec.Struct, frozen=True):
    """The same of a row of `checkouts`."""

    orders: dict[str, OrderSeen] = {}
    refused: dict[str, Refused] = {}  # of its cart, too


class ProductRow(msgspec.Struct, frozen=True):
    """The same of a row of `products`."""

    seen: Seen | None = None
    told_ms: int = 0
    found_read_ms: int = 0
    refused: dict[str, Refused] = {}
    variants: dict[str, str] = {}


async def read_rows(settings: Settings, topic: Topic, keep: Callable[[str, bytes], Kept | None]) -> dict[str, Kept]:
    """The rows of the table that follows `topic`, by key, as they are now; of each what `keep(key, row)` makes of it, None for nothing.

    What is kept of all rows is all that takes memory. A row is as its last record says: what resolve is about to write is not in it.
    Raises Unavailable, also where there is no such table yet.
    """
    name = changelog(group(settings.topic_prefix, "resolve"), topic.table)
    kept: dict[str, Kept] = {}
    async with admin_client(settings) as admin:
        try:
            partitions = await partitions_of(admin, [name])
        except Unavailable:
            raise Unavailable(f"{name} does not exist: resolve makes it when it first starts; run `cartstream worker resolve`") from None
        reader = consumer(settings)
        with reaching_kafka(settings):
            try:
                await reader.start()
                async for record in read_to_end(reader, partitions):
                    key = (record.key or b"").decode(errors="replace")
                    found = keep(key, record.value) if record.value is not None else None
                    if found is None:
                        kept.pop(key, None)
                    else:
                        kept[key] = found
            finally:
                await reader.stop()
    return kept
