"""streams/partitioner.py: a key's partition is the one that every other client of Kafka chooses."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from streams.partitioner import choose


@given(key=st.binary(max_size=120), count=st.integers(1, 50))
def test_a_key_goes_where_the_clients_of_kafka_put_it(key: bytes, count: int) -> None:
    partitions = list(range(count))
    assert choose(key, partitions, partitions) == DefaultPartitioner()(key, partitions, partitions)


def test_a_record_without_a_key_goes_to_a_partition_that_is_available() -> None:
    assert choose(None, [0, 1, 2], [1]) == 1
    assert choose(None, [0, 1, 2], []) in (0, 1, 2)
