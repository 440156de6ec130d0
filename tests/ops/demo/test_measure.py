"""What the demo and the bench measure."""

import pytest

from ops.demo.deployment import Tenant
from ops.demo.measure import percentile


@pytest.mark.parametrize(("values", "wanted"), [([], None), ([7], 7), ([1, 2, 3], 2)])
def test_a_percentile_of_nothing_is_nothing(values: list[int], wanted: int | None):
    assert percentile(values, 50) == wanted


def test_a_record_is_its_stores_by_its_key():
    tenant = Tenant("abc12", "11111111-2222-3333-4444-555555555555")
    assert tenant.bears(b"abc12.1/7")
    assert tenant.bears(b"11111111-2222-3333-4444-555555555555/h")
    assert not tenant.bears(b"abc123.1/7")
    assert not tenant.bears(b"other/h")
