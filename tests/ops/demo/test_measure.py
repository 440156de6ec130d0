"""What the demo and the bench measure."""

import pytest

from ops.demo.measure import percentile


@pytest.mark.parametrize(("values", "wanted"), [([], None), ([7], 7), ([1, 2, 3], 2)])
def test_a_percentile_of_nothing_is_nothing(values: list[int], wanted: int | None):
    assert percentile(values, 50) == wanted
