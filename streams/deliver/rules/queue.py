"""Room: what of one store goes together in a call, how many calls at once, and when after a failure.

A command that comes alone goes at once. While it comes thick, a call is made each `LINGER_S`, or as soon as it is full.
After a failure one call at a time asks whether the store's project is back. A command that got no answer goes again with
half as many others each time, in the end alone: one that Engagement stumbles over does not hold the rest back. After
TRIES_MAX tries, with others answered in between, it is given up.
"""

import heapq
from collections import deque
from itertools import count
from typing import Generic, Protocol, TypeVar

from engagement.limits import BATCH_BYTES_MAX, COMMANDS_PER_BATCH_MAX

CALLS_MAX = 8  # under way for one store
LINGER_S = 0.025
BACKOFF_S = 0.25
BACKOFF_S_MAX = 60.0
AFTER_S_MAX = 300.0  # that Engagement may ask for; who asks for more is asked again to see whether that was meant
ALONE_AFTER = 6  # tries: 50 >> 6 is 0
TRIES_MAX = 20  # a quarter of an hour


def backoff_s(failures: int, after_s: float | None, chance: float) -> float:
    """The wait after so many failures (1 at least) in a row; `chance` is in [0, 1). No less than the other side asked for, to a bound."""
    wait_s = float(min(BACKOFF_S_MAX, BACKOFF_S * 2 ** min(failures - 1, 20)))
    return min(after_s or 0.0, AFTER_S_MAX) + wait_s * (0.5 + chance / 2)


class Waiting(Protocol):
    """What a queue holds: commands, or catalog items."""

    tries: int  # that ended without an answer of its own

    @property
    def at_s(self) -> float: ...  # it may not go before
    @property
    def border(self) -> bool: ...
    @property
    def in_doubt(self) -> bool: ...
    @property
    def data(self) -> bytes: ...


W = TypeVar("W", bound=Waiting)


class Queue(Generic[W]):
    """The commands of one store that may go as far as their lanes are concerned; or items of one of its catalogs."""

    def __init__(self, together_max: int = COMMANDS_PER_BATCH_MAX, calls_max: int = CALLS_MAX) -> None:
        self._together_max, self._calls_max = together_max, calls_max
        self.calls = 0  # under way
        self.failures = 0  # in a row; calls side by side that fail together are one
        self._failed_s = float("-inf")
        self._resume_s = 0.0  # nothing goes before
        self._last_s = float("-inf")  # when the last batch was cut
        self._later: list[tuple[float, int, W]] = []  # a heap by `at_s`
        self._together: deque[W] = deque()
        self._alone: deque[W] = deque()
        self._order = count()
        self._turn = False  # whose turn it is: those that go alone, or together

    def __len__(self) -> int:
        return len(self._later) + len(self._together) + len(self._alone)

    def put(self, pending: W) -> None:
        """It goes with a call at `pending.at_s` or soon after."""
        heapq.heappush(self._later, (pending.at_s, next(self._order), pending))

    def next_s(self, now_s: float) -> float:
        """When the next call may be made, as things stand; now or earlier: `cut` has something."""
        while self._later and self._later[0][0] <= now_s:
            pending = heapq.heappop(self._later)[2]
            goes_alone = pending.border or pending.in_doubt or pending.tries >= ALONE_AFTER
            (self._alone if goes_alone else self._together).append(pending)
        if self.calls >= (1 if self.failures else self._calls_max):
            return float("inf")
        if self._alone or len(self._together) >= self._together_max:
            return max(now_s, self._resume_s)
        if self._together:
            return max(now_s, self._resume_s, self._last_s + LINGER_S)
        return max(self._resume_s, self._later[0][0]) if self._later else float("inf")

    def cut(self, now_s: float) -> list[W]:
        """The commands of one call, which is under way from now on: one alone, or a batch."""
        self.calls += 1
        self._turn = not self._turn
        if self._alone and (self._turn or not self._together):
            return [self._alone.popleft()]
        self._last_s = now_s
        batch: list[W] = []
        most, room = self._together_max, BATCH_BYTES_MAX
        while self._together:
            most = min(most, self._together_max >> self._together[0].tries)
            room -= len(self._together[0].data)
            if batch and (len(batch) >= most or room < 0):
                break
            batch.append(self._together.popleft())
        return batch

    def answered(self) -> None:
        """A call ended with an answer."""
        self.calls -= 1
        self.failures = 0

    def failed(self, began_s: float, now_s: float) -> None:
        """A call that `began_s` ended without an answer."""
        self.calls -= 1
        if began_s >= self._failed_s:
            self.failures += 1
        self._failed_s = now_s

    def pause(self, until_s: float) -> None:
        """Nothing goes before."""
        self._resume_s = max(self._resume_s, until_s)

    def gives_up(self, pending: W) -> bool:
        """Whether a command that was not answered once more is at fault itself. An anonymization is never given up."""
        return pending.tries + 1 >= TRIES_MAX and self.failures <= 1 and not pending.border
