"""Positions of a partition and of tenants that are apart, against random lives."""

from collections import defaultdict
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.committed import Apart, Committed, committed_of
from streams.positions import Positions

MOST = 3


class Record(NamedTuple):
    offset: int
    key: bytes


def log_of(tenants: str, first: int = 0) -> list[Record]:
    """Record n is of the tenant that the n-th letter names."""
    return [Record(first + n, f"{tenant}/{n}".encode()) for n, tenant in enumerate(tenants)]


def offsets(records: list[Record]) -> list[int]:
    return [record.offset for record in records]


def test_a_tenant_with_too_much_under_way_is_passed_over_and_the_others_go_on() -> None:
    records = log_of("aaaabaab")
    partition = Positions(Committed(0))
    taken = partition.take(records, MOST)
    assert offsets(taken) == [0, 1, 2, 4, 7]
    for record in taken:
        if record.key.startswith(b"b"):
            partition.finish(record)
    assert partition.to_commit(None) == Committed(8, {"a": Apart(0, 6)})


def test_it_gets_what_was_passed_over_in_order_as_it_has_room_and_then_what_comes() -> None:
    records = log_of("aaaabaab")
    partition = Positions(Committed(0))
    partition.take(records, MOST)
    assert partition.to_read(MOST) == {}
    for record in records[:3]:
        partition.finish(record)
    assert partition.to_read(MOST) == {"a": (3, 3)}
    assert offsets(partition.take_apart(3, records[3:6], MOST)) == [3, 5]
    assert partition.to_read(MOST) == {"a": (6, 1)}
    assert offsets(partition.take_apart(6, records[6:7], MOST)) == [6]
    assert partition.to_commit(None) == Committed(4, {"a": Apart(3, 1)}), "b at 4 is not done: what is behind it comes again by itself"
    for record in (records[4], records[7]):
        partition.finish(record)
    assert partition.to_commit(None) == Committed(8, {"a": Apart(3, 3)})
    for record in (records[3], records[5], records[6]):
        partition.finish(record)
    assert offsets(partition.take_apart(7, records[7:], MOST)) == []
    assert partition.to_commit(None) == Committed(8)
    assert offsets(partition.take(log_of("ab", first=8), MOST)) == [8, 9]


def test_what_the_partition_has_not_come_to_yet_is_left_to_it() -> None:
    records = log_of("aaaaaa")
    partition = Positions(Committed(0))
    partition.take(records[:4], MOST)
    for record in records[:3]:
        partition.finish(record)
    assert offsets(partition.take_apart(3, records[3:], MOST)) == [3]
    assert offsets(partition.take(records[4:], MOST)) == [4, 5]


def test_who_is_ahead_of_the_others_stays_apart_until_they_have_passed_it() -> None:
    records = log_of("baaaa")
    partition = Positions(Committed(0))
    partition.take(records, MOST)
    for record in records[1:4]:
        partition.finish(record)
    partition.take_apart(4, records[4:], MOST)
    partition.finish(records[4])
    stands = partition.to_commit(None)
    assert stands == Committed(0, {"a": Apart(5, 0)})
    successor = Positions(stands)
    assert offsets(successor.take(records, MOST)) == [0], "a kill brings nothing back that was done"
    successor.finish(records[0])
    assert successor.to_commit(None) == Committed(5)


def test_a_name_that_does_not_fit_into_a_commit_is_not_set_apart() -> None:
    partition = Positions(Committed(0))
    assert not partition.set_apart("a:1")
    assert not partition.set_apart("")
    assert all(partition.set_apart(f"{number:036}") for number in range(24))
    assert not partition.set_apart(f"{24:036}")
    assert len(partition.to_commit("x" * 2500).metadata) <= 4096


def test_the_text_of_a_stage_stands_beside_the_tenants() -> None:
    stands = Committed(9, {"abc123.1": Apart(4, 2), "0e8a-11": Apart(7, 0)}, "lane:7,other:8")
    assert committed_of(9, stands.metadata) == stands
    assert committed_of(9, "lane:7") == Committed(9, text="lane:7")
    assert committed_of(9, "set by hand | so") == Committed(9, text=" so")
    assert (stands.first, stands.done, stands.of(b"abc123.1/customer/7"), stands.of(b"other")) == (4, 7, 4, 9)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(1, 6)),
        st.tuples(st.just("read apart"), st.integers(0, 2)),
        st.tuples(st.just("done"), st.integers(0, 30)),
        st.tuples(st.just("commit"), st.just(0)),
        st.tuples(st.just("kill"), st.just(0)),
        st.tuples(st.just("largest"), st.just(0)),
        st.tuples(st.just("oldest"), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=400)
@given(tenants=st.text("abc", min_size=5, max_size=40), steps=STEPS, stuck=st.sampled_from("abcd"))
def test_whatever_happens_nothing_is_lost_order_stays_and_what_a_tenant_has_committed_does_not_come_again(
    tenants: str, steps: list[tuple[str, int]], stuck: str
) -> None:
    """`stuck`: nothing of that tenant is done until the end."""
    records = log_of(tenants)
    stands = Committed(0)
    partition = Positions(stands)
    done: set[int] = set()
    passed: dict[bytes, int] = defaultdict(int)  # by tenant, the highest offset that a commit said all is done before
    under_way: list[Record] = []
    last: dict[bytes, int] = defaultdict(lambda: -1)  # handed out in this life, by tenant

    def handed_out(taken: list[Record]) -> None:
        for record in taken:
            tenant = record.key[:1]
            assert record.offset > last[tenant]
            assert record.offset >= passed[tenant]
            last[tenant] = record.offset
        under_way.extend(taken)

    def step(what: str, n: int) -> None:
        nonlocal partition, stands
        match what:
            case "read":
                handed_out(partition.take(records[partition.next : partition.next + n], MOST))
            case "read apart":
                for offset, _ in list(partition.to_read(MOST).values())[n:]:
                    handed_out(partition.take_apart(offset, records[offset : offset + 4], MOST))
            case "done":
                if going := [record for record in under_way if not record.key.startswith(stuck.encode())]:
                    record = going[n % len(going)]
                    under_way.remove(record)
                    assert partition.finish(record)
                    assert not partition.finish(record)
                    done.add(record.offset)
            case "commit":
                stands = partition.committed = committed_of(partition.position, partition.to_commit("text").metadata)
                for record in records:
                    assert record.offset in done or record.offset >= stands.of(record.key), "it would be lost"
                    passed[record.key[:1]] = max(passed[record.key[:1]], stands.of(record.key))
                for tenant, apart in stands.apart.items():
                    left = [r for r in records[apart.offset : stands.offset] if r.key.startswith(tenant.encode())]
                    assert apart.records == len(left)
            case "kill":
                partition = Positions(stands)
                under_way.clear()
                last.clear()
            case "largest":
                partition.set_largest_apart()
            case "oldest":
                partition.set_oldest_apart()

    for what, n in steps:
        step(what, n)
    stuck = "d"
    for _ in range(3 * len(records)):
        for what, n in (("read", 6), ("read apart", 0), *[("done", 0)] * 10):
            step(what, n)
    step("commit", 0)
    assert done == set(range(len(records)))
    assert stands == Committed(len(records), text="text")
