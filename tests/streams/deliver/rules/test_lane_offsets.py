"""The offsets of single lanes as text."""

from hypothesis import given
from hypothesis import strategies as st

from streams.deliver.rules.lane_offsets import LANES_MAX, read, short, write

BROKER_BYTES_MAX = 4096  # Kafka's default of offset.metadata.max.bytes


@given(st.dictionaries(st.text().map(short), st.integers(0, 10**11 - 1), max_size=20))
def test_what_is_written_is_read(offsets: dict[str, int]) -> None:
    assert read(write(offsets)) == offsets


def test_a_full_text_fits_the_brokers_limit() -> None:
    assert len(write({short(f"lane {n}"): 10**11 - 1 for n in range(LANES_MAX)}).encode()) <= BROKER_BYTES_MAX


def test_a_text_of_someone_else_says_nothing() -> None:
    assert read("") == read("committed by hand: 12") == {}
