"""How fast history may come, so that what is live does not stand behind it in the topics of resolve.

A bound on what waits there cannot see to that: resolve commits once a second, so a bound below what it does in a second would make it
idle, and one above lets as much wait. So it is looked at how long a record waits, and the rate of loading is turned.
"""

from collections import deque

WAIT_S_MAX = 0.5  # of a record; one that finds nothing before it is done within 0.2 s, and seen late by a look
OVER_S = 1.5  # a stage commits once a second, and what it did since looks undone: the least of so long counts
FIRST = 1000.0  # entities a second: more than the smallest plan's quota lets a store load, and about what one busy processor does
LEAST = 100.0  # also where nothing is done at all: the bounds of `ahead.py` end it then
FASTER, SLOWER = 1.1, 0.7
LOOKS_MAX = 200  # remembered: what waits longer than these need not be known more exactly
REST_S_MAX = 5.0  # at a time: a resolve that is down is back any moment


class Waiting:
    """How long records of a partition wait for a stage, from where it ends and what is committed of it, seen again and again."""

    def __init__(self) -> None:
        self._undone: deque[tuple[float, int]] = deque(maxlen=LOOKS_MAX)
        """When the partition was first seen to end there, of what is not committed."""
        self._waited: deque[tuple[float, float]] = deque()  # by when it was looked at: what was committed last had stood so long

    def see(self, now_s: float, end: int, committed: int) -> None:
        """`now_s` is monotonic."""
        while self._undone and self._undone[0][1] <= committed:
            self._undone.popleft()
        if end > committed and (not self._undone or end > self._undone[-1][1]):
            self._undone.append((now_s, end))
        self._waited.append((now_s, now_s - self._undone[0][0] if self._undone else 0.0))
        while self._waited[0][0] < now_s - OVER_S:
            self._waited.popleft()

    @property
    def s(self) -> float:
        """Seconds."""
        return min((waited for _, waited in self._waited), default=0.0)


class Rate:
    """Entities a second that may be loaded: more while nothing waits; less where something waits for too long, after a rest."""

    def __init__(self) -> None:
        self.per_s = FIRST
        self._waited_s = 0.0

    def begin(self) -> None:
        """Something else is loaded from now on: an order costs several times what an account does."""
        self.per_s = min(self.per_s, FIRST)

    def heed(self, waited_s: float, *, held: bool) -> float:
        """Once in OVER_S, not while it rests; for how long, in seconds, it is to rest.

        `waited_s`: the longest of all partitions; `held`: whether loading waited for this rate, and not for something else.
        """
        grows, self._waited_s = waited_s >= self._waited_s, waited_s
        if waited_s <= WAIT_S_MAX:
            self.per_s *= FASTER if held else 1
        elif grows:
            self.per_s = max(LEAST, self.per_s * SLOWER)
            return min(waited_s, REST_S_MAX)
        return 0.0
