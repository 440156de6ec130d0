"""Which calls read a heap of orders: ranges of ids where they lie close, single ones where they are scattered."""

from collections.abc import Collection

RANGE_MAX = 250  # ids from the first to the last: never more than one page
ORDERS_PER_CALL = 100
"""A range also brings the orders between those asked for. This many of them weigh as much as one call more: the quota counts calls, but a
page of 250 orders with all their lines takes seconds, for which everything behind it waits."""


def plan_calls(ids: Collection[int]) -> list[list[int]]:
    """The ids in groups, each for one call: a group of one is read by its address, a larger one by the range that spans it.

    The plan with the least cost; in rising order, and never more groups than ids.
    """
    rising = sorted(set(ids))
    best: list[tuple[float, int]] = [(0.0, 0)]  # for the first n ids: what they cost, and where their last group begins
    for end in range(1, len(rising) + 1):
        begins = (b for b in range(end - 1, -1, -1) if rising[end - 1] - rising[b] < RANGE_MAX)
        best.append(min((best[b][0] + cost(rising[b], rising[end - 1], end - b), b) for b in begins))
    groups: list[list[int]] = []
    end = len(rising)
    while end:
        begin = best[end][1]
        groups.insert(0, rising[begin:end])
        end = begin
    return groups


def cost(first: int, last: int, count: int) -> float:
    """What one call for `count` ids from `first` to `last` costs, in calls."""
    return 1.0 + (last - first + 1 - count) / ORDERS_PER_CALL
