"""Whatever a few people with few e-mails do, a project ends with what is true of them: see lives.py."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.streams.resolve.engagement import Engagement
from tests.streams.resolve.line import Line
from tests.streams.resolve.lives import KINDS, Life, Step, faults

STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=14)


def in_true_order(life: Life, line: Line, *, killed: bool = False) -> Line:
    for message in life.messages:
        line.tell(message)
        while killed and (waiting := [topic for (topic, _), queue in line.queues.items() if queue]):
            line.run_killed(line.random.choice(waiting), go_on=False)
        line.run()
        life.answer(line)
    return line


def told(line: Line) -> Any:
    """All that a project is told, each event once, in a line's order; without the joins, which say what it holds already."""
    consents = [(str(e["customer_ids"]), e["properties"], e["timestamp"]) for e in line.events("consent")]
    others = {str(e) for e in line.events() if e["event_type"] != "consent"}
    return sorted(map(str, consents)), others, line.properties(), line.bodies("anonymize")


@settings(max_examples=4000, deadline=None)
@given(STEPS)
def test_in_true_order_each_fact_is_with_its_person(steps: list[Step]):
    life = Life(steps)
    line = in_true_order(life, Line())
    assert line.letters == []
    assert faults(life, Engagement().deliver(line.commands), raced=False) == []


@settings(max_examples=4000, deadline=None)
@given(STEPS, st.integers(0, 2**32))
def test_in_true_order_a_kill_after_any_batch_tells_nothing_else(steps: list[Step], seed: int):
    assert told(in_true_order(Life(steps), Line(seed), killed=True)) == told(in_true_order(Life(steps), Line(seed)))


@settings(max_examples=4000, deadline=None)
@given(STEPS, st.integers(0, 2**32), st.booleans())
def test_raced_each_fact_is_with_its_person_as_far_as_is_promised(steps: list[Step], seed: int, killed: bool):
    life, line, random_ = Life(steps), Line(seed, one_line=False), random.Random(seed)
    line.tell(*life.messages)
    while waiting := [topic for (topic, _), queue in line.queues.items() if queue]:
        if killed and random_.random() < 0.3:
            line.run_killed(random_.choice(waiting), go_on=False)
        else:
            line.step()
    life.answer(line)
    assert line.letters == []
    assert faults(life, Engagement().deliver(line.commands, seed, shuffle=True), raced=True) == []
