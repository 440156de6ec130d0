"""What a rule decides."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from engagement.ids import engagement_id
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
    shared: bool = False  # whether its project is that of other stores, too

    def id(self, id: str) -> str:
        """Engagement's id of what the store itself calls `id`."""
        return engagement_id(self.store, id, shared=self.shared)


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
