"""What a rule decides."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from schemas.records import Message
from schemas.topics import Topic

Row = TypeVar("Row")


@dataclass(frozen=True)
class Store:
    """What rules know of the store that a record belongs to."""

    store: str
    domain: str
    currency: str
    lane_of: Callable[[str], str]  # from a cleaned e-mail to the key of its row on `people`


@dataclass(frozen=True)
class Send:
    """One message to send."""

    topic: Topic
    key: str
    message: Message


@dataclass(frozen=True)
class Change(Generic[Row]):
    """The new row (None: untouched), what to send before it is written, and why nothing or less was done ("" as usual)."""

    row: Row | None
    sends: list[Send] = field(default_factory=list)
    note: str = ""
