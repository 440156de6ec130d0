"""Which records an earlier life may have sent."""

from schemas.committed import Apart, Committed
from streams.deliver.rules.doubtful import Doubtful


def test_all_that_stood_on_the_topic_is_doubtful_where_any_number_may_have_been_taken() -> None:
    some = Doubtful(Committed(10, {"t": Apart(4, 3)}), 20, None)
    assert [some.is_doubtful(offset, lane) for offset, lane in ((4, "t/a"), (10, "s/a"), (19, "t/a"), (20, "s/a"))] == [
        True,
        True,
        True,
        False,
    ]


def test_no_more_than_may_have_been_taken_is_doubtful_beyond_the_partitions_position_and_beyond_a_tenants_own() -> None:
    some = Doubtful(Committed(10, {"t": Apart(4, 6)}), 20, 2)
    assert [some.is_doubtful(offset, "s/a") for offset in (10, 11, 12)] == [True, True, False]
    assert [some.is_doubtful(offset, "t/a") for offset in (4, 5, 6, 9)] == [True, True, False, False]
    assert some.is_doubtful(10, "t/a"), "taken with the partition, before it was apart"
    assert not some.is_doubtful(12, "t/a")
