"""What could not be processed."""

from typing import ClassVar

from schemas.records import Message


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
    headers: list[tuple[str, bytes]]
