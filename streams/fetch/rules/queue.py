"""The ids of one store and resource that are to be read: coalesced, each read by one call at a time, until a read will do.

Each record that names an id is a claim on it. A claim ends when a read shows what it speaks of:

1. A read will do from `until_ms` on (BigCommerce's clock). One that comes earlier may be stale; it is written at once all the
   same, and the id is read again when the time is there. At its first read a claim learns of the entity's own last change
   too, and waits for that to settle.
2. Where the state is older than the change that the claim speaks of, it is read again: soon, where that read came early, and once
   more where it is still older when it should show.
3. An id that is missing is read again soon, and ten seconds later; missing then, it is gone.
4. A deletion that was told ends all claims at once; a read of that id under way is forgotten.

`now` and all `…_at` are monotonic seconds, `…_ms` BigCommerce's clock. Times of the two are never compared, for clocks differ.
"""

import heapq
import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from schemas.records import Origin
from streams.fetch.rules.route import SETTLED_MS

AGAIN_MS = 2000
WAIT_MS_MAX = 5000  # a time in the future, by a clock that is wrong, is not waited for
MISSING_S = 10.0
SOON_S = 0.7  # reads lag behind webhooks by less, mostly
LATELY_MAX = 10_000  # ids of which the last read is remembered


@dataclass(eq=False)
class Claim:
    """A record that wants an id read."""

    record: Any
    origin: Origin
    until_ms: int
    changed_ms: int = 0
    on_done: Callable[[], None] | None = None
    """Given where the id is read along with another entity: called at the first read, whatever it shows. Such a claim is not the
    record's own."""
    added_at: float = 0.0
    due_at: float = 0.0
    anew: bool = False  # only a read that begins after it came will do
    stale: bool = False  # a read showed an older state than the one it speaks of, and is made again soon
    waited: bool = False  # a first read came too early
    again: bool = False  # a state was too old


@dataclass(eq=False)
class Entry:
    """An id with the claims on it, oldest first."""

    id: str
    claims: list[Claim] = field(default_factory=list)
    due_at: float = float("inf")  # the earliest of its claims
    reading: bool = False
    began_at: float = 0.0  # the last read
    missing_at: float | None = None  # when it was first found missing
    ended: bool = False

    @property
    def cause(self) -> Claim:
        """The claim that a state read now is for: the oldest that has none yet."""
        return next((claim for claim in self.claims if not claim.waited), self.claims[0])


@dataclass(frozen=True)
class _Last:
    """What the last read of an id showed. `modified_ms` None: none was needed, a deletion was told."""

    at: float
    read_at_ms: int
    modified_ms: int | None
    missing: bool = False


class Queue:
    """Entries by id; an id without claims has none."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._line: list[tuple[float, int, Entry]] = []
        """A heap by due time. What does not hold any more of an entry stays in it until it comes to the front."""
        self._numbers = itertools.count()
        self._lately: OrderedDict[str, _Last] = OrderedDict()

    def add(self, id: str, claim: Claim, now: float) -> bool:
        """The claim waits for a read. False where none is needed: the last one will do, or the id is gone for good."""
        last = self._lately.get(id)
        if (
            last
            and not claim.origin.replay
            and not claim.anew
            and not last.missing
            and (last.modified_ms is None or _will_do(claim, last.read_at_ms, last.modified_ms))
        ):
            return False
        claim.added_at = claim.due_at = now
        entry = self.entries.setdefault(id, Entry(id))
        entry.claims.append(claim)
        if now < entry.due_at:
            self._line_up(entry, now)
        return True

    def was_read(self, id: str, since_at: float, since_ms: int, *, or_missing: bool = False) -> bool:
        """Whether a read since then showed it, or is not needed: it is gone for good. `or_missing`: or did not find it."""
        last = self._lately.get(id)
        if last is None or (last.missing and not or_missing):
            return False
        return last.modified_ms is None or (last.at >= since_at and last.read_at_ms >= since_ms)

    def due_in(self, now: float) -> float | None:
        """Seconds until an id is due, 0 or less when one is; None when there is none."""
        first = self._first()
        return first.due_at - now if first else None

    def take(self, now: float, ids_max: int) -> list[Entry]:
        """The ids that are due, the longest waiting first; they count as being read until they are settled, missing or released."""
        taken: list[Entry] = []
        while len(taken) < ids_max and (entry := self._first()) and entry.due_at <= now:
            entry.reading, entry.began_at = True, now
            taken.append(entry)
        return taken

    def take_along(self, ids: Iterable[str], now: float) -> list[Entry]:
        """As `take`, but of these ids those that are due."""
        named = (self.entries[id] for id in ids if id in self.entries)
        taken = [entry for entry in named if not entry.reading and entry.due_at <= now]
        for entry in taken:
            entry.reading, entry.began_at = True, now
        return taken

    def release(self, entry: Entry) -> None:
        """It was not read after all, and is due as before."""
        if entry.reading and not entry.ended:
            entry.reading = False
            self._line_up(entry)

    def settle(self, entry: Entry, now: float, read_at_ms: int, modified_ms: int) -> list[Claim]:
        """The entry was read, and what was read is written: the claims for which it will do. The others are due later."""
        entry.missing_at, entry.reading = None, False
        done = [claim for claim in entry.claims if _settled(claim, entry.began_at, now, read_at_ms, modified_ms)]
        self._remember(entry.id, _Last(entry.began_at, read_at_ms, modified_ms))
        return self._end(entry, done)

    def missing(self, entry: Entry, now: float, read_at_ms: int) -> bool:
        """The entry was not there. True when it is gone: it was missing again, ten seconds after the first time.

        A look soon after the first tells one that reads do not show yet from one that is gone.
        """
        self._remember(entry.id, _Last(entry.began_at, read_at_ms, 0, missing=True))
        if entry.missing_at is None:
            entry.missing_at = now
            next_at = now + SOON_S
        elif entry.began_at - entry.missing_at >= MISSING_S:
            return True
        else:
            next_at = entry.missing_at + MISSING_S
        for claim in entry.claims:
            claim.due_at = max(claim.due_at, next_at)
        return False

    def give_up(self, entry: Entry) -> list[Claim]:
        """The read was the last word: its claims. Those that came during the read want one of their own."""
        entry.reading = False
        return self._end(entry, [claim for claim in entry.claims if claim.added_at <= entry.began_at])

    def end_alongs(self, entry: Entry) -> list[Claim]:
        """The entry cannot be had for now: claims that came along with another entity do not wait."""
        return self._end(entry, [claim for claim in entry.claims if claim.on_done])

    def tell_gone(self, id: str, now: float) -> list[Claim]:
        """A deletion was told: all claims end, later ones are not taken, and a read under way is forgotten."""
        self._remember(id, _Last(now, 0, None))
        entry = self.entries.get(id)
        return self._end(entry, entry.claims) if entry else []

    def forget(self, is_lost: Callable[[Claim], bool]) -> None:
        """Claims of records that are not ours any more are dropped."""
        for entry in list(self.entries.values()):
            self._end(entry, [claim for claim in entry.claims if not claim.on_done and is_lost(claim)])

    def _line_up(self, entry: Entry, due_at: float | None = None) -> None:
        entry.due_at = min(claim.due_at for claim in entry.claims) if due_at is None else due_at
        heapq.heappush(self._line, (entry.due_at, next(self._numbers), entry))

    def _first(self) -> Entry | None:
        """The entry that is due first of those that are not being read."""
        while self._line:
            due_at, _, entry = self._line[0]
            if not entry.ended and not entry.reading and entry.due_at == due_at:
                return entry
            heapq.heappop(self._line)
        return None

    def _end(self, entry: Entry, done: list[Claim]) -> list[Claim]:
        ended = set(done)
        entry.claims = [claim for claim in entry.claims if claim not in ended]
        if entry.claims:
            self._line_up(entry)
        else:
            entry.ended = True
            self.entries.pop(entry.id, None)
        return done

    def _remember(self, id: str, last: _Last) -> None:
        self._lately[id] = last
        self._lately.move_to_end(id)
        if len(self._lately) > LATELY_MAX:
            self._lately.popitem(last=False)


def _will_do(claim: Claim, read_at_ms: int, modified_ms: int) -> bool:
    return read_at_ms >= claim.until_ms and modified_ms >= claim.changed_ms


def _settled(claim: Claim, began_at: float, now: float, read_at_ms: int, modified_ms: int) -> bool:
    """Whether this read ends the claim; if not, when the next one is due."""
    if claim.on_done:
        return True
    if claim.anew and claim.added_at > began_at:
        return False
    first = claim.added_at <= began_at and not claim.waited
    if first and modified_ms < claim.changed_ms and read_at_ms < claim.until_ms and not claim.stale:
        claim.stale = True
        claim.due_at = now + SOON_S
        return False
    if first:
        claim.until_ms = max(claim.until_ms, modified_ms + SETTLED_MS)
    if read_at_ms >= claim.until_ms or (claim.waited and began_at >= claim.due_at):
        if modified_ms >= claim.changed_ms or claim.again:
            return True
        claim.again, claim.waited = True, True
        claim.until_ms = read_at_ms + AGAIN_MS
        claim.due_at = now + AGAIN_MS / 1000
    elif first:
        claim.waited = True
        claim.due_at = now + min(claim.until_ms - read_at_ms, WAIT_MS_MAX) / 1000
    return False
