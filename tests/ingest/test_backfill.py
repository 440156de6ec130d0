"""How large the pages are that a load asks for."""

import pytest

from ingest.backfill import GROW_AFTER, SHRINK_AFTER, Size
from schemas.failures import AccessLost, QuotaSpent, Reject, Unavailable


def fail(size: Size, times: int = SHRINK_AFTER) -> None:
    for _ in range(times):
        size.failed(Unavailable("no answer"))


def test_pages_shrink_when_no_answer_came_twice_in_a_row_and_no_further_than_the_smallest():
    size = Size()
    fail(size, 1)
    size.listed()
    fail(size, 1)
    assert size.shrink == 1
    found = []
    for _ in range(6):
        fail(size)
        found.append(size.shrink)
    assert found == [2, 10, 50, 50, 50, 50]


@pytest.mark.parametrize("error", [QuotaSpent("429"), Reject("400"), AccessLost("403")])
def test_what_a_smaller_page_would_not_mend_shrinks_none(error: Exception):
    size = Size()
    for _ in range(9):
        size.failed(error)
    assert size.shrink == 1


def test_pages_grow_back_later_each_time_that_they_had_to_shrink():
    size, waited = Size(), []
    for _ in range(3):
        fail(size)
        pages = 0
        while size.shrink > 1:
            size.listed()
            pages += 1
        waited.append(pages)
    assert waited == [2 * GROW_AFTER, 4 * GROW_AFTER, 8 * GROW_AFTER]
