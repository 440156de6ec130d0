"""Order within lanes: plain cases, then any history with any order of outcomes, kills included."""

import random
from collections import Counter
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.commands import Command
from schemas.committed import Committed, committed_of, tenant_of
from streams.deliver.rules import lane_offsets
from streams.deliver.rules.lane_offsets import short
from streams.deliver.rules.lanes import Lanes
from streams.deliver.rules.pending import Pending
from streams.positions import Positions

SOURCE = ("engagement.commands", 0)
SETTLE_S = 5.0


def pending(offset: int, number: int, kind: str = "customers/events", lane: str = "lane") -> Pending:
    data = b'{"customer_ids":{"email_id":"%b"}}' % lane.encode()
    command = Command(store="s.1", number=number, kind=kind, data=msgspec.Raw(data))
    return Pending(None, SOURCE, offset, lane, command)


def lanes(start_s: float = 100.0, committed: int = 0, metadata: str = "", **options: int) -> Lanes:
    return Lanes(start_s, SETTLE_S, Committed(committed, text=metadata), **options)


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
    assert some.committed(Committed(1, text=""), 200.5) == []
    some.done(first, 201.0)
    assert some.committed(Committed(2, text=""), 202.0) == [border]
    assert border.at_s == 201.0 + SETTLE_S


def test_while_another_lane_holds_the_partition_back_an_anonymization_waits_for_the_commit_of_its_own_lane() -> None:
    some = lanes()
    some.add(pending(0, 1, lane="other"))
    before, border, after = pending(1, 1), pending(2, 2, "anonymize"), pending(3, 3)
    some.add(before)
    assert some.add(border) == []
    some.add(after)
    assert some.metadata() == ""
    some.done(before, 200.0)
    assert lane_offsets.read(metadata := some.metadata()) == {short("lane"): 2}
    assert some.committed(Committed(0, text=metadata), 201.0) == [border]
    some.done(border, 202.0)
    assert some.committed(Committed(1, text=metadata), 202.5) == []
    assert lane_offsets.read(metadata := some.metadata()) == {short("lane"): 3}
    assert some.committed(Committed(1, text=metadata), 203.0) == [after]
    assert (border.at_s, after.at_s) == (200.0 + SETTLE_S, 203.0 + SETTLE_S)


def test_what_a_lane_has_committed_for_itself_is_a_repetition_after_a_kill_and_the_lane_pauses_where_it_was_anonymized() -> None:
    some = lanes(100.0, 3, lane_offsets.write({short("lane"): 6, short("before"): 6}))
    some.remember("lane", 1, border=False)
    assert some.add(pending(3, 1, lane="before")) is None
    assert some.add(pending(4, 2)) is None
    assert some.add(pending(5, 3, "anonymize")) is None
    border, after, other = pending(6, 2, "anonymize", "before"), pending(7, 4), pending(8, 1, lane="other")
    assert [some.add(one) for one in (border, after, other)] == [[border], [after], [other]]
    assert (border.at_s, after.at_s, other.at_s) == (100.0 + SETTLE_S, 100.0 + SETTLE_S, 0.0)
    assert some.add(pending(9, 3, "anonymize")) is None


def test_until_the_partition_is_open_what_was_committed_holds() -> None:
    some = lanes(100.0, 3, lane_offsets.write({short("lane"): 5}))
    assert some.committed(Committed(-1, text=""), 101.0) == []
    assert some.add(pending(4, 2)) is None


def test_a_lanes_own_offset_is_kept_until_the_partition_has_passed_it() -> None:
    text = lane_offsets.write({short("lane"): 6})
    some = lanes(committed=3, metadata=text)
    assert some.metadata() == text
    some.committed(Committed(5, text=text), 200.0)
    assert some.metadata() == text
    some.committed(Committed(6, text=text), 200.0)
    assert some.metadata() == ""


def test_where_there_is_no_room_for_its_lanes_offset_an_anonymization_waits_for_the_partition() -> None:
    some = lanes(ahead_max=1)
    some.add(pending(0, 1, lane="other"))
    one, two = pending(1, 1, "anonymize", "one"), pending(2, 1, "anonymize", "two")
    some.add(one)
    some.add(two)
    metadata = some.metadata()
    assert some.committed(Committed(0, text=metadata), 200.0) == [one]
    assert some.metadata() == metadata
    assert some.committed(Committed(2, text=metadata), 201.0) == [two]


def test_a_commit_on_its_way_never_takes_back_what_an_earlier_one_said() -> None:
    some = lanes(ahead_max=1)
    some.add(pending(0, 1, lane="other"))
    early, border, late = pending(1, 1), pending(2, 2, "anonymize"), pending(3, 1, "anonymize", "late")
    for one in (early, border, late):
        some.add(one)
    metadata = some.metadata()
    assert lane_offsets.read(metadata) == {short("late"): 3}
    some.done(early, 200.0)  # the older border would have the room now
    assert some.metadata() == metadata
    assert some.committed(Committed(0, text=metadata), 201.0) == [late]


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
    assert some.committed(Committed(1, text=""), 201.0) == [after]
    assert after.at_s == 201.0 + SETTLE_S


def test_two_anonymizations_in_a_row_go_one_after_the_other() -> None:
    some = lanes()
    one, two = pending(0, 1, "anonymize"), pending(1, 2, "anonymize")
    assert some.add(one) == [one]
    assert some.add(two) == []
    some.done(one, 200.0)
    assert some.committed(Committed(1, text=""), 201.0) == [two]
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


LANES = ("x/a", "x/b", "y/c")  # of two tenants


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, str]]:
    """Lane, number, kind of each record; some runs stand twice, as after a kill of the stage before."""
    kinds = st.sampled_from(["customers/events", "customers/events", "anonymize"])
    fresh = draw(st.lists(st.tuples(st.sampled_from(LANES), kinds), max_size=14))
    numbers: Counter[str] = Counter()
    records: list[tuple[str, int, str]] = []
    for lane, kind in fresh:
        numbers[lane] += 1
        records.append((lane, numbers[lane], kind))
        if draw(st.integers(0, 5)) == 0:
            records += records[draw(st.integers(0, len(records) - 1)) :]
    return records


ACTIONS = ["add", "add again", "set apart", "send", "commit", "land", "hear", "wait", "kill"]


class Record(NamedTuple):
    offset: int
    key: bytes
    command: tuple[str, int, str]


class World:
    """A partition, its commits, Engagement and a clock. Every send, in any life, is checked when it happens.

    A commit is on its way for a while, then stands or is lost, and the loop hears of one that stands later or never.
    """

    def __init__(self, records: list[tuple[str, int, str]], chance: random.Random, ahead_max: int, stuck: str = "") -> None:
        self.records, self.chance, self.ahead_max = records, chance, ahead_max
        self.stuck = stuck  # nothing of this lane is ever sent
        self.now_s, self.faults = 0.0, True
        self.often = [chance.choice([0.1, 1, 5]) for _ in ACTIONS]  # so that histories differ in what is rare
        self.committed = Committed(0)
        self.most = chance.choice([None, 1, 2])  # what a tenant may have under way, or else it is set apart
        self.sent: set[tuple[str, int]] = set()
        self.passed: dict[str, int] = {}  # lane -> number of the last anonymization that was sent
        self.border_s: dict[str, float] = {}  # when that was
        self.quiet_s: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        """A life begins with what is committed."""
        self.lanes = Lanes(self.now_s, SETTLE_S, self.committed, ahead_max=self.ahead_max)
        self.positions = Positions(self.committed)
        for offset, (lane, number, kind) in enumerate(self.records):
            if offset < self.committed.of(lane):
                self.lanes.remember(lane, number, border=kind == "anonymize")
        self.going: list[Pending] = []
        self.on_its_way: Committed | None = None
        self.heard = self.committed

    def step(self) -> None:
        (action,) = self.chance.choices(ACTIONS, self.often)
        if action == "add":
            self.add()
        elif action == "add again":
            self.add_again(self.chance.randint(1, 3))
        elif action == "set apart":
            self.chance.choice([self.positions.set_largest_apart, self.positions.set_oldest_apart])()
        elif action == "send":
            if ready := self.ready():
                self.send(self.chance.choice(ready))
        elif action == "commit" and not self.on_its_way:
            self.commit()
        elif action == "land" and self.on_its_way:
            self.land(stands=self.chance.random() < 0.8, is_heard=self.chance.random() < 0.8)
        elif action == "hear":
            self.hear()
        elif action == "wait":
            self.now_s += self.chance.choice([0.5, SETTLE_S])
        elif action == "kill":
            self.start()

    def log(self, first: int, end: int) -> list[Record]:
        return [Record(offset, record[0].encode(), record) for offset, record in enumerate(self.records)][first:end]

    def add(self) -> None:
        next = self.positions.next
        self.accept(self.positions.take(self.log(next, next + 1), self.most))

    def add_again(self, records: int) -> None:
        most = self.most or len(self.records)
        for offset, _ in self.positions.to_read(most).values():
            self.accept(self.positions.take_apart(offset, self.log(offset, offset + records), most))

    def accept(self, taken: list[Record]) -> None:
        for record in taken:
            lane, number, kind = record.command
            made = pending(record.offset, number, kind, lane)
            made.record = record
            going = self.lanes.add(made)
            if going is None:
                self.positions.finish(record)
            else:
                self.going += going

    def ready(self) -> list[Pending]:
        return [p for p in self.going if p.at_s <= self.now_s and p.lane != self.stuck]

    def send(self, command: Pending) -> None:
        lane, number = command.lane, command.command.number
        assert number >= self.passed.get(lane, 0), "nothing from before an anonymization is sent after it"
        if command.border:
            before = {(name, n) for name, n, _ in self.records if name == lane and n < number}
            assert before <= self.sent
            assert not any(name == lane and n > number for name, n in self.sent), "no anonymization is sent after what follows it"
            assert self.now_s >= self.quiet_s.get(lane, -SETTLE_S) + SETTLE_S
            self.passed[lane] = number
            self.border_s[lane] = self.now_s
        elif lane in self.passed:
            assert self.now_s >= self.border_s[lane] + SETTLE_S
        self.going.remove(command)
        self.sent.add((lane, number))
        self.quiet_s[lane] = self.now_s
        if self.faults and self.chance.random() < 0.15:  # killed before the answer was seen
            self.start()
            return
        self.positions.finish(command.record)
        self.lanes.done(command, self.now_s)

    def commit(self) -> None:
        made = self.positions.to_commit(self.lanes.metadata())
        self.on_its_way = committed_of(made.offset, made.metadata)

    def land(self, *, stands: bool, is_heard: bool) -> None:
        assert self.on_its_way
        if stands:
            self.committed = self.positions.committed = self.on_its_way
            if is_heard:
                self.heard = self.on_its_way
        self.on_its_way = None

    def hear(self) -> None:
        self.going += self.lanes.committed(self.heard, self.now_s)

    def come_to_rest(self) -> None:
        self.faults = False
        for _ in range(20 * len(self.records) + 20):
            while self.positions.next < len(self.records):
                self.add()
            self.add_again(len(self.records))
            for command in self.ready():
                self.send(command)
            self.commit()
            self.land(stands=True, is_heard=True)
            self.hear()
            self.now_s += SETTLE_S


@settings(max_examples=300, deadline=None)
@given(records=histories(), seed=st.integers(0, 2**32), ahead_max=st.integers(0, 3))
def test_in_any_history_with_kills_nothing_passes_an_anonymization_and_everything_is_sent(
    records: list[tuple[str, int, str]], seed: int, ahead_max: int
) -> None:
    world = World(records, random.Random(seed), ahead_max)
    for _ in range(200):
        world.step()
    world.come_to_rest()
    assert world.sent == {(lane, number) for lane, number, _ in records}
    assert world.committed == Committed(len(records))


@settings(max_examples=200, deadline=None)
@given(records=histories(), seed=st.integers(0, 2**32), stuck=st.sampled_from(LANES))
def test_in_any_history_with_kills_a_lane_of_which_nothing_goes_holds_no_other_back(
    records: list[tuple[str, int, str]], seed: int, stuck: str
) -> None:
    world = World(records, random.Random(seed), ahead_max=2, stuck=stuck)
    for _ in range(200):
        world.step()
    world.come_to_rest()
    held_back = stuck if world.most is None else tenant_of(stuck)  # whose room is filled by the lane that is stuck
    others = {(lane, number) for lane, number, _ in records if not lane.startswith(held_back)}
    assert others <= world.sent
    assert stuck not in {lane for lane, _ in world.sent}
