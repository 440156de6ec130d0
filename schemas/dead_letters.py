"""What could not be processed."""

import time
from collections.abc import Sequence
from typing import ClassVar, Protocol

from schemas.failures import Reject
from schemas.records import Message

VALUE_BYTES_MAX = 600_000  # that a dead letter holds: as base64, and with all else, within a record
VALUE_LEFT_OUT = "(its value is too large to be kept here)"


class DeadLetter(Message, frozen=True, kw_only=True):
    """One record, or one part of it, that failed for good; value and headers byte for byte, so that it can be redriven.

    `id` is `topic/partition/offset`, with `/part` behind it where one record holds several.
    """

    name: ClassVar[str] = "dead-letter"
    id: str
    store: str  # "" where it cannot be told
    stage: str  # ingest, fetch, resolve, deliver
    topic: str
    partition: int
    offset: int
    key: str
    reason: str  # never holds personal data
    field: str  # the field at fault, "" for the whole
    times: int  # how often it was tried
    at_ms: int
    value: bytes  # base64 in JSON
    headers: list[tuple[str, bytes]]  # base64 too; one without a value has an empty one


class FailedRecord(Protocol):
    """A record as Kafka's clients and the engine hand it out."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


def letter_of(record: FailedRecord, error: Reject, *, stage: str, store: str, times: int = 1, part: str = "") -> DeadLetter:
    """The dead letter of a record that failed for good; `part` names what of it failed, where it holds several things.

    A value that would not fit is left out, and the reason says so: the id tells where it stands as long as its topic keeps it.
    """
    place, value = f"{record.topic}/{record.partition}/{record.offset}", record.value or b""
    fits = len(value) <= VALUE_BYTES_MAX
    return DeadLetter(
        id=f"{place}/{part}" if part else place,
        store=store,
        stage=stage,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=(record.key or b"").decode(errors="replace"),
        reason=error.reason if fits else f"{error.reason} {VALUE_LEFT_OUT}",
        field=error.field,
        times=times,
        at_ms=time.time_ns() // 1_000_000,
        value=value if fits else b"",
        headers=[(name, value or b"") for name, value in record.headers],
    )


def lost_letter(stage: str, topic: str, partition: int, first: int, count: int) -> DeadLetter:
    """The dead letter of `count` records from offset `first` on, which retention removed before they were read."""
    return DeadLetter(
        id=f"{topic}/{partition}/{first}",
        store="",
        stage=stage,
        topic=topic,
        partition=partition,
        offset=first,
        key="",
        reason=f"{count} records were removed by retention before they were read; reconcile the stores",
        field="",
        times=1,
        at_ms=time.time_ns() // 1_000_000,
        value=b"",
        headers=[],
    )
