"""One partition of deliver by a clock of its own: hundreds of deletions at once, and what they do to everyone else."""

import heapq
from dataclasses import dataclass, field
from itertools import count

import msgspec

from engagement.limits import Pace
from schemas.commands import Command
from schemas.committed import Committed
from streams.deliver.rules.lanes import Lanes
from streams.deliver.rules.pending import Pending
from streams.deliver.rules.queue import Queue

SETTLE_S, COMMIT_S, CALL_S, TICK_S = 5.0, 0.25, 0.05, 0.02
SHARE = 1_600  # records not done that a partition may hold: 20,000 over 12 partitions


@dataclass
class Partition:
    """What streams/consumer.py and streams/deliver/loop.py do for a partition, without Kafka and without Engagement."""

    arrivals: list[tuple[float, str, int, str]]  # second, lane, number, kind; in order
    sent_at: dict[int, float] = field(default_factory=dict)  # by offset

    def run(self, until_s: float) -> None:
        lanes, queue, pace = Lanes(-100.0, SETTLE_S, Committed(0)), Queue(), Pace()
        calls: list[tuple[float, int, list[Pending]]] = []
        order, now, committed_at, taken, under_way = count(), 0.0, 0.0, 0, 0
        committed = Committed(0)
        while len(self.sent_at) < len(self.arrivals):
            assert now < until_s, f"{len(self.sent_at)} of {len(self.arrivals)} after {now:.0f} s"
            while taken < len(self.arrivals) and self.arrivals[taken][0] <= now and under_way < SHARE:
                _, lane, number, kind = self.arrivals[taken]
                command = Command(store="s.1", number=number, kind=kind, data=msgspec.Raw(b"{}"))
                for going in lanes.add(Pending(None, ("t", 0), taken, lane, command)) or []:
                    queue.put(going)
                taken, under_way = taken + 1, under_way + 1
            for going in lanes.committed(committed, now):
                queue.put(going)
            while calls and calls[0][0] <= now:
                for done in heapq.heappop(calls)[2]:
                    lanes.done(done, now)
                    self.sent_at[done.offset] = now
                    under_way -= 1
                queue.answered()
            while queue.next_s(now) <= now and pace.start(now) == 0:
                heapq.heappush(calls, (now + CALL_S, next(order), queue.cut(now)))
            if now - committed_at >= COMMIT_S:
                first = next((offset for offset in range(committed.offset, taken) if offset not in self.sent_at), taken)
                committed, committed_at = Committed(first, text=lanes.metadata()), now
            now += TICK_S


def test_seven_hundred_deletions_at_once_are_done_in_half_a_minute_and_nobody_else_waits() -> None:
    deletions = [(0.0, f"gone{n}", number, kind) for n in range(700) for number, kind in ((1, "customers"), (2, "anonymize"))]
    others = [(n / 20, f"other{n}", 1, "customers/events") for n in range(1_000)]
    burst = Partition(sorted(deletions + others, key=lambda arrival: arrival[0]))
    burst.run(until_s=60)
    anonymized = [burst.sent_at[offset] for offset, arrival in enumerate(burst.arrivals) if arrival[3] == "anonymize"]
    waited = [burst.sent_at[offset] - arrival[0] for offset, arrival in enumerate(burst.arrivals) if arrival[1].startswith("other")]
    assert max(anonymized) < 30
    assert max(waited) < 1
