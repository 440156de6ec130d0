"""Order: what of each lane of one partition may go now.

Between two anonymizations the commands of a lane may go in any order, side by side with those of all others. An
anonymization is a border of its lane alone:

  closed  it waits until all before it in its lane is done and committed, so that no kill makes what stood before it come
          after it; then a pause after the lane's last send
  sent    it is on its way, alone
  passed  it is done and waits to be committed, so that no kill sends it again once the lane goes on; then a pause

Committed is what the position of the lane's tenant has passed, the partition's or one of its own (schemas/committed.py), or, where
other lanes hold that back, the lane's own, which is committed beside it (lane_offsets.py). There is room for so many of these;
borders beyond wait for either.

Commands of the lane that come by engagement.history (history.py) are numbered with these. One never goes once an anonymization
of its profile is known that is numbered above it, done or not; that is sent when no other of its lane is under way.

The pauses are `settle_s`, because Engagement's answer means queued and its queues are two. What a predecessor sent last
is not known: at most `settle_s` before the start it may have sent anything.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from schemas.commands import Command
from schemas.committed import Committed, tenant_of
from streams.deliver.rules import lane_offsets
from streams.deliver.rules.pending import Pending, hard_ids

LANES_MAX = 10_000  # of a partition; a lane that was silent while so many others were not is forgotten, as a whole: 500 bytes each
ANONYMIZED_MAX = 100_000  # lanes of a partition, those that were anonymized last: 500 bytes each


@dataclass(slots=True)
class Lane:
    number: int = -1  # the highest that was accepted; lower or equal ones are repetitions
    quiet_s: float = 0.0  # since when nothing of it was sent
    open_s: float = 0.0  # nothing of it goes before: the pause after an anonymization
    under_way: int = 0  # may go or went, and not done; without the border
    waiting: list[Pending] = field(default_factory=list)  # a border, and all behind it
    border: Literal["none", "closed", "sent", "passed"] = "none"

    @property
    def offset(self) -> int:
        """Up to it all of the lane is done; 0 while that is of no use to its border."""
        match self.border:
            case "closed" if not self.under_way:
                return self.waiting[0].offset
            case "passed":
                return self.waiting[0].offset + 1
            case _:
                return 0


class Lanes:
    """The lanes of one partition since it was assigned, at `start_s`, with what was `committed` then."""

    def __init__(
        self,
        start_s: float,
        settle_s: float,
        committed: Committed,
        lanes_max: int = LANES_MAX,
        ahead_max: int = lane_offsets.LANES_MAX,
    ) -> None:
        self._start_s, self._settle_s, self._lanes_max, self._ahead_max = start_s, settle_s, lanes_max, ahead_max
        self._committed = committed
        self._ahead = lane_offsets.read(committed.text)  # by short name; committed
        self._told = dict(self._ahead)  # to commit, and not passed by the tenant's position yet
        self._tenants: dict[str, str] = {}  # of these, by short name; unknown for those of an earlier life
        self._lanes: OrderedDict[str, Lane] = OrderedDict()  # the one used longest ago first
        self._borders: dict[str, Lane] = {}  # lanes that have one
        self._anonymized: dict[str, dict[str, int]] = {}  # by lane: hard ids with the number of their last known anonymization
        self._history: Counter[str] = Counter()  # commands of history under way, by lane
        self._history_quiet_s = start_s  # since when none of these was sent, in any lane

    def remember(self, name: str, number: int, *, border: bool) -> None:
        """A record was done in an earlier life. The lane pauses where it was an anonymization."""
        lane = self._lane(name)
        if number > lane.number:
            lane.number = number
            lane.open_s = self._start_s + self._settle_s if border else 0.0

    def add(self, pending: Pending) -> list[Pending] | None:
        """What may go because of it; None where it is a repetition, which is done already."""
        if pending.border:
            self.refuse_below(pending.lane, pending.command)
        if self._is_committed(pending.lane, pending.offset + 1):
            self.remember(pending.lane, pending.command.number, border=pending.border)
            return None
        lane = self._lane(pending.lane)
        if pending.command.number <= lane.number:
            return None
        lane.number = pending.command.number
        if lane.border == "none" and not pending.border:
            return self._go(lane, pending)
        lane.waiting.append(pending)
        return self._advance(pending.lane, lane)

    def done(self, pending: Pending, now_s: float) -> None:
        """Engagement has it, or nobody ever will. What stands behind it waits for its commit, if for anything."""
        lane = self._lanes[pending.lane]
        lane.quiet_s = now_s
        if pending.border:
            lane.border = "passed"
        else:
            lane.under_way -= 1

    # History beside it

    def refuse_below(self, name: str, anonymization: Command) -> None:
        """This one is known: of what comes by history, nothing of its profile that is numbered below may go any more."""
        numbers = self._anonymized.pop(name, {})
        for id in hard_ids(anonymization):
            numbers[id] = max(numbers.get(id, -1), anonymization.number)
        self._anonymized[name] = numbers
        if len(self._anonymized) > ANONYMIZED_MAX:
            del self._anonymized[next(iter(self._anonymized))]

    def enter(self, name: str, command: Command) -> bool:
        """Whether a command of history may go. It is under way then, until `leave`."""
        numbers = self._anonymized.get(name)
        if numbers and any(command.number < numbers.get(id, -1) for id in hard_ids(command)):
            return False
        self._history[name] += 1
        return True

    def leave(self, name: str, now_s: float) -> list[Pending]:
        """A command of history is no more under way; what may go because of it."""
        self._history_quiet_s = now_s
        self._history[name] -= 1
        if not self._history[name]:
            del self._history[name]
        return self._advance(name, self._borders[name]) if name in self._borders else []

    def metadata(self) -> str:
        """To commit with the next offset: the lanes' own, as far as there is room.

        What was in it once stays in until its tenant has passed it: a commit that is on its way while an earlier one
        makes a border go must not take that back.
        """
        self._told = {short: offset for short, offset in self._told.items() if offset > self._passed(short)}
        for name, lane in self._borders.items():
            short = lane_offsets.short(name)
            if lane.offset and (short in self._told or len(self._told) < self._ahead_max):
                self._told[short] = lane.offset
                self._tenants[short] = tenant_of(name)
        self._tenants = {short: tenant for short, tenant in self._tenants.items() if short in self._told}
        return lane_offsets.write(self._told)

    def _passed(self, short: str) -> int:
        tenant = self._tenants.get(short)
        return self._committed.first if tenant is None else self._committed.of(tenant)

    def committed(self, committed: Committed, now_s: float) -> list[Pending]:
        """What may go now that this is committed. A lower offset says only that the partition is not open yet, or no more."""
        if committed.offset < self._committed.offset or committed == self._committed:
            return []
        self._committed = committed
        self._ahead = lane_offsets.read(committed.text)
        going: list[Pending] = []
        for name, lane in list(self._borders.items()):
            if lane.border == "passed" and self._is_committed(name, lane.offset):
                del self._borders[name]
                lane.waiting.pop(0)
                lane.border = "none"
                lane.open_s = now_s + self._settle_s
                while lane.waiting and not lane.waiting[0].border:
                    going += self._go(lane, lane.waiting.pop(0))
            going += self._advance(name, lane)
        return going

    def _is_committed(self, name: str, offset: int) -> bool:
        """That all of this lane before `offset` is done."""
        return self._committed.of(name) >= offset or (bool(self._ahead) and self._ahead.get(lane_offsets.short(name), 0) >= offset)

    def _advance(self, name: str, lane: Lane) -> list[Pending]:
        """The lane's border where it may go."""
        if lane.border == "none" and lane.waiting:
            lane.border = "closed"
            self._borders[name] = lane
        if lane.border != "closed" or self._history[name] or not self._is_committed(name, lane.waiting[0].offset):
            return []
        lane.border = "sent"
        border = lane.waiting[0]
        border.at_s = max(lane.open_s, max(lane.quiet_s, self._history_quiet_s) + self._settle_s)
        return [border]

    def _go(self, lane: Lane, pending: Pending) -> list[Pending]:
        lane.under_way += 1
        pending.at_s = max(pending.at_s, lane.open_s)
        return [pending]

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(quiet_s=self._start_s)
            if len(self._lanes) > self._lanes_max:
                oldest = next(iter(self._lanes))
                if not self._lanes[oldest].under_way and not self._lanes[oldest].waiting:
                    del self._lanes[oldest]
                else:
                    self._lanes.move_to_end(oldest)
        else:
            self._lanes.move_to_end(name)
        return lane
