"""What stands on the `backfills` topic: what was asked for, and how far it is.

Each record has one writer: commands write what is asked for, under `{s}`; the process that loads writes how far each resource is, under
`{s}/{resource}`. So compaction keeps both, and neither writer can undo what the other wrote.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from schemas.records import Message

State = Literal["asked", "loading", "waiting", "done"]


class Backfill(Message, frozen=True, kw_only=True):
    """The load of a store's history that was asked for last. Key `{s}`."""

    name: ClassVar[str] = "backfill"
    store: str
    run: str  # its id; progress of another run is of no use to it
    resources: list[str]  # in the order in which they are loaded
    since_ms: int = 0  # only what was modified from then on
    events_from_ms: int = 0  # orders created before make no purchase; the store's when it was asked for
    rewrite: bool = False  # of products: items of the catalogs are written that have not changed, too
    asked_ms: int


class BackfillProgress(Message, frozen=True, kw_only=True):
    """How far one resource of a store is loaded. Key `{s}/{resource}`, on the partition of `{s}`."""

    name: ClassVar[str] = "backfill-progress"
    store: str
    resource: str
    run: str
    state: State
    reason: str = ""  # what it waits for
    since_ms: int  # when the state began
    began_ms: int  # when its first page was asked for
    at_ms: int  # when this was written
    page: int = 0  # pages that are on `bigcommerce.pages`
    after: str = ""  # cursor of the next one
    loaded: int = 0  # entities on these pages
    total: int = -1  # about how many there are, -1 where it is not known
    rate: float = 0.0  # entities a second, over the last minute

    @property
    def clear_in_s(self) -> float | None:
        """Seconds until it is done at this rate, None where nobody can tell."""
        if self.state == "done":
            return 0.0
        if self.state != "loading" or self.rate <= 0 or self.total < 0:
            return None
        return round(max(0, self.total - self.loaded) / self.rate, 1)


class Backfills:
    """What the topic says, record by record: the last one of each key."""

    def __init__(self) -> None:
        self.asked: dict[str, Backfill] = {}
        self._progress: dict[str, dict[str, BackfillProgress]] = {}

    def take(self, message: Message) -> None:
        if isinstance(message, Backfill):
            self.asked[message.store] = message
        elif isinstance(message, BackfillProgress):
            self._progress.setdefault(message.store, {})[message.resource] = message

    def progress(self, store: str) -> Iterator[BackfillProgress]:
        """Of each resource that was asked for last, in their order; then of those that were loaded by an earlier run."""
        asked, found = self.asked.get(store), self._progress.get(store, {})
        for resource in asked.resources if asked else []:
            assert asked
            at = found.get(resource)
            yield at if at and at.run == asked.run else begun(asked, resource)
        yield from (at for resource, at in found.items() if not asked or resource not in asked.resources)

    def done(self, store: str) -> bool:
        """Whether all is loaded that was asked for last."""
        asked = self.asked[store]
        return all(at.state == "done" for at in self.progress(store) if at.run == asked.run)


def begun(asked: Backfill, resource: str) -> BackfillProgress:
    """The progress of a resource of which nobody has loaded anything."""
    return BackfillProgress(
        store=asked.store,
        resource=resource,
        run=asked.run,
        state="asked",
        since_ms=asked.asked_ms,
        began_ms=0,
        at_ms=asked.asked_ms,
    )


def progress_key(store: str, resource: str) -> str:
    return f"{store}/{resource}"
