"""History has its own way: what a backfill caused, in one partition of engagement.history.

Its commands are numbered with those of the same lane in the same partition of engagement.commands. Between two
anonymizations the order of a lane's commands does not matter, so they need no order here either; below a known
anonymization they are refused (lanes.py). A number that is not higher than the lane's last one in this topic is a
repetition: the two topics' numbers interleave, so each has a memory of its own.
"""

from collections import OrderedDict

from engagement.limits import Pace
from streams.deliver.rules.lanes import LANES_MAX, Lanes
from streams.deliver.rules.pending import Pending
from streams.deliver.rules.queue import Queue


class History:
    """One partition since it was assigned. `lanes` are those of the same partition of engagement.commands."""

    def __init__(self, lanes: Lanes, lanes_max: int = LANES_MAX) -> None:
        self._lanes, self._lanes_max = lanes, lanes_max
        self._numbers: OrderedDict[str, int] = OrderedDict()  # the last of each lane; the one used longest ago first

    def is_new(self, name: str, number: int) -> bool:
        """Whether it is no repetition; it is remembered."""
        last = self._numbers.get(name, -1)
        self._numbers[name] = max(last, number)
        self._numbers.move_to_end(name)
        if len(self._numbers) > self._lanes_max:
            self._numbers.popitem(last=False)
        return number > last

    def enter(self, pending: Pending) -> bool:
        """Whether it may go; it is under way then, until `leave`. Otherwise never."""
        return self._lanes.enter(pending.lane, pending.command)

    def leave(self, pending: Pending, now_s: float) -> list[Pending]:
        """It is done, or has to go again; what of engagement.commands may go because of it."""
        return self._lanes.leave(pending.lane, now_s)


class Turns:
    """When calls of history may start: while live commands leave room, at most `per_s` a second to each project."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._paces: dict[str, Pace] = {}

    def start(self, history: Queue[Pending], live: Queue[Pending] | None, project: str, host: Pace, now_s: float) -> float:
        """When the next call of a store may start; now: it may, and is counted. `host` is the pace of all calls to its host."""
        due_s = history.next_s(now_s)
        if due_s > now_s:
            return due_s
        if live is not None and not live.has_room(now_s):
            return float("inf")  # a call that ends is the time to look again
        pace = self._paces.setdefault(project, Pace(self._per_s, burst=1))
        wait_s = max(pace.wait_s(now_s), host.wait_s(now_s))
        if wait_s == 0:
            pace.start(now_s)
            host.start(now_s)
        return now_s + wait_s
