"""Order within lanes: plain cases, then any history with any order of outcomes, kills included."""

import random
from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.commands import Command
from streams.deliver.rules.lanes import Lanes
from streams.deliver.rules.pending import Pending

SOURCE = ("engagement.commands", 0)
SETTLE_S = 5.0


def pending(offset: int, number: int, kind: str = "customers/events", lane: str = "lane") -> Pending:
    command = Command(store="s.1", number=number, kind=kind, data=msgspec.Raw(b"{}"))
    return Pending(None, SOURCE, offset, lane, command)


def lanes(start_s: float = 100.0, committed: int = 0, **options: int) -> Lanes:
    return Lanes(start_s, SETTLE_S, committed, **options)


def test_commands_without_an_anonymization_go_at_once_side_by_side() -> None:
    some = lanes()
    commands = [pending(n, n) for n in range(3)]
    assert [some.add(command) for command in commands] == [[command] for command in commands]


def test_a_number_that_is_not_higher_is_a_repetition() -> None:
    some = lanes()
    some.add(pending(0, 7))
    assert some.add(pending(1, 7)) is None
    assert some.add(pending(2, 6)) is None
    assert some.add(pending(3, 6, lane="other")) is not None
    assert some.add(pending(4, 8)) is not None


def test_what_an_earlier_life_did_is_remembered() -> None:
    some = lanes(committed=10)
    some.remember("lane", 7, border=False)
    some.remember("lane", 5, border=False)
    assert some.add(pending(10, 7)) is None
    assert some.add(pending(11, 8)) is not None


def test_an_anonymization_waits_for_all_before_it_then_for_its_commit_then_for_the_pause() -> None:
    some = lanes()
    first, second, border = pending(0, 1), pending(1, 2), pending(2, 3, "anonymize")
    some.add(first)
    some.add(second)
    assert some.add(border) == []
    some.done(second, 200.0)
    assert some.committed(1, 200.5) == []
    some.done(first, 201.0)
    assert some.committed(2, 202.0) == [border]
    assert border.at_s == 201.0 + SETTLE_S


def test_an_anonymization_waits_for_the_commit_of_what_other_lanes_have_before_it() -> None:
    some = lanes()
    some.add(pending(0, 1, lane="other"))
    border = pending(1, 1, "anonymize")
    assert some.add(border) == []
    assert some.committed(1, 200.0) == [border]


def test_an_anonymization_that_comes_first_waits_for_what_an_earlier_life_may_have_sent() -> None:
    some = lanes(start_s=100.0)
    border = pending(0, 1, "anonymize")
    assert some.add(border) == [border]
    assert border.at_s == 100.0 + SETTLE_S


def test_what_stands_behind_an_anonymization_goes_once_that_is_committed_and_has_settled() -> None:
    some = lanes()
    border, after, other = pending(0, 1, "anonymize"), pending(1, 2), pending(2, 1, lane="other")
    some.add(border)
    assert some.add(after) == []
    assert some.add(other) == [other]
    some.done(border, 200.0)
    assert some.committed(1, 201.0) == [after]
    assert after.at_s == 201.0 + SETTLE_S


def test_two_anonymizations_in_a_row_go_one_after_the_other() -> None:
    some = lanes()
    one, two = pending(0, 1, "anonymize"), pending(1, 2, "anonymize")
    assert some.add(one) == [one]
    assert some.add(two) == []
    some.done(one, 200.0)
    assert some.committed(1, 201.0) == [two]
    assert two.at_s == 201.0 + SETTLE_S


def test_a_lane_that_was_anonymized_right_before_the_start_pauses() -> None:
    some = lanes(start_s=100.0, committed=5)
    some.remember("lane", 3, border=False)
    some.remember("lane", 4, border=True)
    some.remember("other", 4, border=True)
    some.remember("other", 5, border=False)
    after, free = pending(5, 5), pending(6, 6, lane="other")
    some.add(after)
    some.add(free)
    assert (after.at_s, free.at_s) == (100.0 + SETTLE_S, 0.0)


def test_only_silent_lanes_are_forgotten_and_as_a_whole() -> None:
    some = lanes(lanes_max=2)
    busy, silent = pending(0, 5, lane="busy"), pending(1, 5, lane="silent")
    some.add(busy)
    some.add(silent)
    some.done(silent, 200.0)
    for n in range(3):
        some.add(pending(2 + n, 1, lane=f"new {n}"))
    assert some.add(pending(9, 5, lane="silent")) is not None
    assert some.add(pending(10, 5, lane="busy")) is None


# Any history


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, str]]:
    """Lane, number, kind of each record; some runs stand twice, as after a kill of the stage before."""
    kinds = st.sampled_from(["customers/events", "customers/events", "anonymize"])
    fresh = draw(st.lists(st.tuples(st.sampled_from("abc"), kinds), max_size=14))
    numbers: Counter[str] = Counter()
    records: list[tuple[str, int, str]] = []
    for lane, kind in fresh:
        numbers[lane] += 1
        records.append((lane, numbers[lane], kind))
        if draw(st.integers(0, 5)) == 0:
            records += records[draw(st.integers(0, len(records) - 1)) :]
    return records


class World:
    """A partition, Engagement and a clock. Every send, in any life, is checked when it happens."""

    def __init__(self, records: list[tuple[str, int, str]], chance: random.Random) -> None:
        self.records, self.chance = records, chance
        self.now_s, self.offset_committed, self.killing = 0.0, 0, True
        self.sent: set[tuple[str, int]] = set()
        self.passed: dict[str, int] = {}  # lane -> number of the last anonymization that was sent
        self.quiet_s: dict[str, float] = {}
        self.border_committed_s: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        """A life begins at the committed offset."""
        self.lanes = Lanes(self.now_s, SETTLE_S, self.offset_committed)
        for lane, number, kind in self.records[: self.offset_committed]:
            self.lanes.remember(lane, number, border=kind == "anonymize")
        self.next = self.offset_committed
        self.going: list[Pending] = []
        self.done: set[int] = set()

    def step(self) -> None:
        action = self.chance.choice(["add", "add", "send", "send", "commit", "wait", "kill"])
        if action == "add" and self.next < len(self.records):
            self.add()
        elif action == "send":
            ready = [p for p in self.going if p.at_s <= self.now_s]
            if ready:
                self.send(self.chance.choice(ready))
        elif action == "commit":
            self.commit()
        elif action == "wait":
            self.now_s += self.chance.choice([0.5, 3.0])
        elif action == "kill" and self.chance.random() < 0.3:
            self.start()

    def add(self) -> None:
        lane, number, kind = self.records[self.next]
        going = self.lanes.add(pending(self.next, number, kind, lane))
        if going is None:
            self.done.add(self.next)
        else:
            self.going += going
        self.next += 1

    def send(self, command: Pending) -> None:
        lane, number = command.lane, command.command.number
        assert number >= self.passed.get(lane, 0), "nothing from before an anonymization is sent after it"
        if command.border:
            before = {(name, n) for name, n, _ in self.records if name == lane and n < number}
            assert before <= self.sent
            assert not any(name == lane and n > number for name, n in self.sent), "no anonymization is sent after what follows it"
            assert self.offset_committed >= command.offset
            assert self.now_s >= self.quiet_s.get(lane, -SETTLE_S) + SETTLE_S
            self.passed[lane] = number
            self.border_committed_s.pop(lane, None)
        elif lane in self.passed:
            assert self.now_s >= self.border_committed_s[lane] + SETTLE_S
        self.going.remove(command)
        self.sent.add((lane, number))
        self.quiet_s[lane] = self.now_s
        if self.killing and self.chance.random() < 0.15:  # killed before the answer was seen
            self.start()
            return
        self.done.add(command.offset)
        self.lanes.done(command, self.now_s)

    def commit(self) -> None:
        while self.offset_committed in self.done:
            lane, number, kind = self.records[self.offset_committed]
            self.offset_committed += 1
            if kind == "anonymize" and number == self.passed.get(lane):
                self.border_committed_s.setdefault(lane, self.now_s)
        self.going += self.lanes.committed(self.offset_committed, self.now_s)

    def come_to_rest(self) -> None:
        self.killing = False
        for _ in range(20 * len(self.records) + 20):
            while self.next < len(self.records):
                self.add()
            for command in [p for p in self.going if p.at_s <= self.now_s]:
                if command in self.going:
                    self.send(command)
            self.commit()
            self.now_s += SETTLE_S
            if self.offset_committed == len(self.records):
                return
        raise AssertionError("it does not come to rest")


@settings(max_examples=200, deadline=None)
@given(records=histories(), seed=st.integers(0, 2**32))
def test_in_any_history_with_kills_nothing_passes_an_anonymization_and_everything_is_sent(
    records: list[tuple[str, int, str]], seed: int
) -> None:
    world = World(records, random.Random(seed))
    for _ in range(150):
        world.step()
    world.come_to_rest()
    assert world.sent == {(lane, number) for lane, number, _ in records}
