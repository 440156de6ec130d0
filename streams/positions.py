"""What was taken of one partition, and where a successor would begin: for all tenants together, or for one by itself.

Together, the position is that of the first record that is not done. A tenant with too much under way is set apart, so that the
others of its partition go on: its further records are passed over, and read again from its own position on as it has room.
The order of a tenant's records stays as it was. It joins the others when nothing of it is left, and they have passed it too:
earlier, a kill would bring back what it had done.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from typing import Any

from schemas.committed import Apart, Committed, has_room, tenant_of

Record = Any  # of Kafka: `offset` and `key`

AHEAD_MAX = 100_000  # done records behind one that is not, of a partition: a kill makes them come again; 100 bytes each


class _Run:
    """Records that were handed out, from the first that is not done on."""

    def __init__(self) -> None:
        self.held: OrderedDict[int, Any] = OrderedDict()  # by offset; done ones as the name of their tenant
        self.under_way: Counter[str] = Counter()  # of these, not done, by tenant

    def hold(self, tenant: str, record: Record) -> None:
        self.held[record.offset] = record
        self.under_way[tenant] += 1

    def finish(self, tenant: str, record: Record) -> bool:
        """False where it is not one of these."""
        offset = record.offset
        if self.held.get(offset) is not record:
            return False
        self.held[offset] = tenant
        self.under_way[tenant] -= 1
        if not self.under_way[tenant]:
            del self.under_way[tenant]
        self.trim()
        return True

    def give(self, tenant: str, run: "_Run") -> None:
        """All that is held of one tenant goes over to that run, which is empty."""
        for offset, record in list(self.held.items()):
            if (record if isinstance(record, str) else tenant_of(record.key)) == tenant:
                run.held[offset] = self.held.pop(offset)
        if count := self.under_way.pop(tenant, 0):
            run.under_way[tenant] = count
        self.trim()
        run.trim()

    @property
    def first(self) -> Record:
        """The first that is not done; None where all are."""
        return next(iter(self.held.values())) if self.held else None

    def trim(self) -> None:
        """It begins with one that is not done."""
        while self.held and isinstance(next(iter(self.held.values())), str):
            self.held.popitem(last=False)


class _Apart(_Run):
    """One tenant by itself. Its records from `next` on have not been handed out."""

    def __init__(self, next: int) -> None:
        super().__init__()
        self.next = next
        self.handed_out: deque[int] = deque()  # what was since the committed position, by offset
        self.behind = False  # the partition has passed over records from `next` on
        self.passed: deque[int] = deque()  # these by their offsets,
        self._passed_before = 0  # but for the first ones

    def hold(self, tenant: str, record: Record) -> None:
        super().hold(tenant, record)
        self.handed_out.append(record.offset)

    def in_doubt(self, committed: int) -> int:
        """How many a kill would bring back, done or not."""
        while self.handed_out and self.handed_out[0] < committed:
            self.handed_out.popleft()
        return len(self.handed_out)

    def pass_over(self, offset: int) -> None:
        if not self.behind:
            self.behind, self.next = True, offset
        self.passed.append(offset)

    def passed_before(self, records: int) -> None:
        """So many were passed over in an earlier life."""
        self.behind, self._passed_before = True, records

    def take_up(self, record: Record) -> None:
        """One that was passed over is handed out."""
        self.hold(tenant_of(record.key), record)
        if self._passed_before:
            self._passed_before -= 1
        elif self.passed:
            self.passed.popleft()

    def catch_up(self, next: int) -> None:
        self.next, self.behind, self._passed_before = next, False, 0
        self.passed.clear()

    def position(self, committed: int) -> Apart:
        """Beside that offset of the partition."""
        while self.passed and self.passed[0] < committed:
            self.passed.popleft()
            self._passed_before += 1
        return Apart(next(iter(self.held), self.next), sum(offset < committed for offset in self.held) + self._passed_before)


class Positions:
    """One partition since it was assigned."""

    def __init__(self, committed: Committed, *, until_committed: bool = False) -> None:
        """`until_committed`: of a tenant that is apart all counts as under way that a kill would bring back."""
        self._until_committed = until_committed
        self.committed = committed  # the last that stands on Kafka
        self.next = committed.offset  # the offset after the last record that was handed out or passed over
        self._together = _Run()
        self._apart = {tenant: _Apart(apart.offset) for tenant, apart in committed.apart.items()}
        for tenant, apart in self._apart.items():
            if apart.next < self.next:
                apart.passed_before(committed.apart[tenant].records)

    @property
    def under_way(self) -> int:
        """Records handed out and not done, without those of tenants that are apart."""
        return self._together.under_way.total()

    @property
    def behind_first(self) -> int:
        """Records from the first that is not done on, done or not, of tenants that are apart those alone that were passed over."""
        return len(self._together.held) + sum(len(apart.passed) for apart in self._apart.values())

    @property
    def apart(self) -> int:
        """How many tenants are apart."""
        return len(self._apart)

    @property
    def is_behind(self) -> bool:
        """Whether something that was passed over has not been handed out."""
        return any(apart.behind for apart in self._apart.values())

    @property
    def held(self) -> int:
        """Records handed out and not ready to commit: not done, or behind one that is not."""
        return len(self._together.held) + sum(len(apart.held) for apart in self._apart.values())

    @property
    def position(self) -> int:
        """Up to it all is done, but for tenants that are apart."""
        return next(iter(self._together.held), self.next)

    def take(self, records: Sequence[Record], most: int | None) -> list[Record]:
        """The next records of the partition: those that are handed out. A tenant with `most` under way is set apart; None: never."""
        taken: list[Record] = []
        for record in records:
            tenant = tenant_of(record.key)
            if most is not None and tenant not in self._apart and self._together.under_way[tenant] >= most:
                self.set_apart(tenant)
            apart = self._apart.get(tenant)
            if apart is None:
                self._together.hold(tenant, record)
                taken.append(record)
            elif apart.behind or (most is not None and self._room(tenant, apart, most) <= 0):
                apart.pass_over(record.offset)
            elif record.offset >= apart.next:  # else it was done in an earlier life
                apart.hold(tenant, record)
                apart.next = record.offset + 1
                taken.append(record)
            self.next = record.offset + 1
        return taken

    def finish(self, record: Record) -> bool:
        """It is done. False where it was not handed out since the partition was assigned."""
        tenant = tenant_of(record.key)
        return self._apart.get(tenant, self._together).finish(tenant, record)

    # Tenants apart

    def set_apart(self, tenant: str) -> bool:
        """From now on it has its own position. False where a commit has no room for one more."""
        if not has_room(self._apart, tenant):
            return False
        self._apart[tenant] = apart = _Apart(self.next)
        self._together.give(tenant, apart)
        apart.handed_out.extend(apart.held)
        return True

    def set_largest_apart(self) -> bool:
        """Of the tenants together the one with the most under way of those that can be."""
        return any(self.set_apart(tenant) for tenant, _ in self._together.under_way.most_common())

    def set_oldest_apart(self) -> bool:
        """The tenant of the first record that is not done."""
        record = self._together.first
        return record is not None and self.set_apart(tenant_of(record.key))

    def to_read(self, most: int) -> dict[str, tuple[int, int]]:
        """Tenants with records to be read again: from which offset on, and how many may be handed out, at least a tenth of `most`."""
        room = {tenant: self._room(tenant, apart, most) for tenant, apart in self._apart.items() if apart.behind}
        return {tenant: (self._apart[tenant].next, free) for tenant, free in room.items() if free * 10 >= most}

    def _room(self, tenant: str, apart: _Apart, most: int) -> int:
        in_doubt = apart.in_doubt(self.committed.of(tenant))
        return min(most - (in_doubt if self._until_committed else apart.under_way.total()), AHEAD_MAX - len(apart.held))

    def take_apart(self, since: int, records: Sequence[Record], most: int) -> list[Record]:
        """Of the partition's records since that offset, one after another, those that are handed out now.

        Each tenant that has its next one there gets what is its own from there on, as far as it has room.
        """
        end, taken = records[-1].offset + 1, list[Record]()
        room = {
            tenant: self._room(tenant, apart, most) for tenant, apart in self._apart.items() if apart.behind and since <= apart.next < end
        }
        for record in records:
            tenant = tenant_of(record.key)
            apart = self._apart.get(tenant)
            if tenant not in room or apart is None or record.offset < apart.next or record.offset >= self.next:
                continue
            if room[tenant] <= 0:
                apart.next = record.offset
                del room[tenant]
                continue
            room[tenant] -= 1
            apart.take_up(record)
            taken.append(record)
        for tenant in room:
            self._apart[tenant].next = min(end, self.next)
            if end >= self.next:
                self._apart[tenant].catch_up(self.next)
        return taken

    def to_commit(self, text: str | None) -> Committed:
        """What may be committed; `text` None: what was. Who has nothing left and was passed is together with the others again."""
        position = self.position
        for tenant, apart in list(self._apart.items()):
            if not apart.held and not apart.behind and position >= apart.next:
                del self._apart[tenant]
        apart_now = {tenant: apart.position(position) for tenant, apart in self._apart.items()}
        return Committed(position, apart_now, self.committed.text if text is None else text)
