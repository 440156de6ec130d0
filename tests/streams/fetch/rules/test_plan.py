from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.fetch.rules.plan import RANGE_MAX, cost, plan_calls

IDS = st.sets(st.integers(1, 2000), max_size=40)


def test_a_burst_of_new_orders_is_one_range():
    assert plan_calls(range(1000, 1100)) == [list(range(1000, 1100))]


def test_two_scattered_orders_are_read_by_their_addresses():
    assert plan_calls([17, 900]) == [[17], [900]]


def test_a_range_takes_an_old_order_along_only_where_that_costs_less_than_a_call():
    assert plan_calls([100, 150, 151, 152]) == [[100, 150, 151, 152]]
    assert plan_calls([100, 250, 251, 252]) == [[100], [250, 251, 252]]


def test_a_long_run_is_cut_into_pages():
    groups = plan_calls(range(1, 601))
    assert [len(group) <= RANGE_MAX for group in groups] == [True] * 3


def test_no_ids_no_calls():
    assert plan_calls([]) == []


@given(IDS)
def test_each_id_is_read_once_and_no_range_is_larger_than_a_page(ids: set[int]):
    groups = plan_calls(ids)
    assert [id for group in groups for id in group] == sorted(ids)
    assert all(group[-1] - group[0] < RANGE_MAX for group in groups)


@given(st.sets(st.integers(1, 400), min_size=1, max_size=8))
def test_no_other_plan_costs_less(ids: set[int]):
    rising = sorted(ids)

    def total(groups: list[list[int]]) -> float:
        return sum(cost(group[0], group[-1], len(group)) for group in groups)

    others = []
    for cuts in (cut for n in range(len(rising)) for cut in combinations(range(1, len(rising)), n)):
        edges = [0, *cuts, len(rising)]
        groups = [rising[a:b] for a, b in pairwise(edges)]
        if all(group[-1] - group[0] < RANGE_MAX for group in groups):
            others.append(total(groups))
    assert total(plan_calls(ids)) <= min(others) + 1e-9
