"""The items of one store's catalog: which write of each may go. Of two that wait the newer one is enough.

No two calls carry the same item at a time, and between two there is a pause of `settle_s`: Engagement's answer means queued,
and nobody says that its queue keeps the order of calls. What a predecessor sent last is not known: at most `settle_s`
before the start it may have sent anything.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from schemas.commands import CatalogWrite


@dataclass(eq=False, slots=True)
class Item:
    """One item with the newest write of it that was not sent. `at_s`: it may not go before."""

    id: str
    record: Any  # what the write came in; handed back when it is done
    write: CatalogWrite
    at_s: float = 0.0
    tries: int = 0  # that ended without an answer of its own

    border = in_doubt = False  # as commands may be

    @property
    def data(self) -> bytes:
        return bytes(self.write.properties)

    @property
    def removed(self) -> bool:
        return self.data == b"null"


class Items:
    """The items of one catalog of one store, since the start at `start_s`."""

    def __init__(self, start_s: float, settle_s: float) -> None:
        self._start_s, self._settle_s = start_s, settle_s
        self._waiting: dict[str, Item] = {}
        self._under_way: set[str] = set()
        self._sent: OrderedDict[str, float] = OrderedDict()  # when each was last on its way, within the last `settle_s`

    def __len__(self) -> int:
        return len(self._waiting)

    def all(self) -> list[Item]:
        """What waits."""
        return list(self._waiting.values())

    def add(self, record: Any, write: CatalogWrite) -> tuple[Item | None, Any]:
        """The item where it may go from its `at_s` on, and the record that this one replaces and that is done with it; None each."""
        id = write.item_id
        if item := self._waiting.get(id):
            replaced, item.record, item.write, item.tries = item.record, record, write, 0
            return None, replaced
        item = self._waiting[id] = Item(id, record, write, self._open_s(id))
        return (None if id in self._under_way else item), None

    def begin(self, item: Item) -> None:
        """It is on its way."""
        del self._waiting[item.id]
        self._under_way.add(item.id)

    def end(self, item: Item, now_s: float) -> Item | None:
        """It is done, or never will be. What waited for that may go from its `at_s` on."""
        self._under_way.discard(item.id)
        self._sent[item.id] = now_s
        self._sent.move_to_end(item.id)
        while self._sent and next(iter(self._sent.values())) < now_s - self._settle_s:
            self._sent.popitem(last=False)
        following = self._waiting.get(item.id)
        if following:
            following.at_s = self._open_s(item.id)
        return following

    def again(self, item: Item, now_s: float, at_s: float) -> tuple[Item, Any]:
        """It goes again from `at_s` on, or what waited for it does in its place; then its record is done with."""
        following = self.end(item, now_s)
        if following:
            following.at_s = max(following.at_s, at_s)
            return following, item.record
        item.at_s = at_s
        self._waiting[item.id] = item
        return item, None

    def _open_s(self, id: str) -> float:
        return max(self._sent.get(id, self._start_s), self._start_s) + self._settle_s
