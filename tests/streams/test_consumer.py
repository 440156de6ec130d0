"""The batch consumer against a real Kafka, with session time-outs of 6 s (the broker's least)."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from ops.embedded_kafka import EmbeddedKafka
from schemas.committed import Committed
from streams.consumer import BatchConsumer, Bounds

ROOT = Path(__file__).resolve().parent.parent.parent
SESSION_S = 6
PARTITIONS = 4


async def make_topic(kafka: str, topic: str, partitions: int = PARTITIONS) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()


async def send(kafka: str, topic: str, values: range, partitions: int = PARTITIONS) -> None:
    """Value n goes to partition n mod `partitions`."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(topic, b"%d" % n, partition=n % partitions) for n in values])
    finally:
        await producer.stop()


async def remove(kafka: str, before: dict[TopicPartition, int]) -> None:
    """As retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_records({tp: RecordsToDelete(before_offset=offset) for tp, offset in before.items()})
    finally:
        await admin.close()


async def committed(kafka: str, group: str, topic: str, partitions: int = PARTITIONS) -> list[int | None]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        return [await consumer.committed(TopicPartition(topic, p)) for p in range(partitions)]
    finally:
        await consumer.stop()


async def nothing_is_lost(tp: TopicPartition, first: int, count: int) -> None:
    raise AssertionError(f"{count} records from {first} on of {tp}")


def consumer_of(kafka: str, topic: str, slot: int = 0, **options: object) -> BatchConsumer:
    options.setdefault("on_lost", nothing_is_lost)
    return BatchConsumer(
        options={"bootstrap_servers": kafka},
        group=f"{topic}-group",
        topics=[topic, *options.get("background", {})],  # type: ignore[attr-defined]
        member=str(slot),
        session_timeout_s=SESSION_S,
        **options,
    )


@contextlib.asynccontextmanager
async def running(consumer: BatchConsumer) -> AsyncIterator[BatchConsumer]:
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def until(condition: Callable[[], Awaitable[bool] | bool], within_s: float = 40) -> None:
    deadline = time.monotonic() + within_s
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < deadline, "not within its time"
        await asyncio.sleep(0.05)


async def take(consumer: BatchConsumer, count: int, within_s: float = 40) -> list[ConsumerRecord]:
    taken: list[ConsumerRecord] = []
    deadline = time.monotonic() + within_s
    while len(taken) < count:
        taken += await consumer.take(0.2)
        assert time.monotonic() < deadline, f"{len(taken)} of {count} records"
    return taken


def values(records: list[ConsumerRecord]) -> list[int]:
    return sorted(int(record.value) for record in records)


async def test_a_new_group_begins_at_the_beginning_and_each_partition_keeps_its_order(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic)
    await send(kafka, topic, range(400))
    async with running(consumer_of(kafka, topic)) as consumer:
        taken = await take(consumer, 400)
    assert values(taken) == list(range(400))
    for partition in range(PARTITIONS):
        offsets = [record.offset for record in taken if record.partition == partition]
        assert offsets == sorted(offsets)


async def test_nothing_beyond_the_first_record_that_is_not_done_is_committed(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic, 1)
    await send(kafka, topic, range(10), 1)
    tp = TopicPartition(topic, 0)
    async with running(consumer_of(kafka, topic)) as consumer:
        taken = await take(consumer, 10)
        for record in reversed(taken):
            if record.offset != 3:
                consumer.done(record)
        await consumer.commit()
        assert (consumer.committed(tp).offset, consumer.held(tp)) == (3, 7)
        assert await committed(kafka, f"{topic}-group", topic, 1) == [3]
        consumer.done(taken[3])
        assert consumer.held(tp) == 0
        await until(lambda: consumer.committed(tp).offset == 10)  # by itself, within about a second
    assert await committed(kafka, f"{topic}-group", topic, 1) == [10]


async def test_what_is_done_is_committed_at_the_end_and_the_rest_comes_again(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic)
    await send(kafka, topic, range(100))
    async with running(consumer_of(kafka, topic)) as consumer:
        for record in await take(consumer, 100):
            if record.offset < 10:
                consumer.done(record)
    async with running(consumer_of(kafka, topic)) as again:
        assert values(await take(again, 60)) == list(range(40, 100))


async def test_no_more_than_in_flight_max_is_held_and_a_full_partition_does_not_stop_another(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic, 2)
    await send(kafka, topic, range(200), 2)
    async with running(consumer_of(kafka, topic, in_flight_max=20)) as consumer:
        other: list[ConsumerRecord] = []
        stuck: list[ConsumerRecord] = []
        deadline = time.monotonic() + 40
        while len(other) < 100 or len(stuck) < 10:  # partition 0 gets nothing done
            assert time.monotonic() < deadline
            for record in await consumer.take(0.1):
                (stuck if record.partition == 0 else other).append(record)
                if record.partition == 1:
                    consumer.done(record)
            assert sum(consumer.held(TopicPartition(topic, p)) for p in range(2)) <= 20
        assert len(stuck) == consumer.held(TopicPartition(topic, 0)) == 10
        assert await consumer.take(0.1) == []
        for record in stuck:
            consumer.done(record)
        rest: list[ConsumerRecord] = []
        while len(rest) + len(stuck) < 100:
            assert time.monotonic() < deadline
            for record in await consumer.take(0.1):
                rest.append(record)
                consumer.done(record)
    assert values(stuck + rest) == list(range(0, 200, 2))


async def test_one_record_that_is_not_done_does_not_stop_those_behind_it(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic, 1)
    await send(kafka, topic, range(300), 1)
    async with running(consumer_of(kafka, topic, in_flight_max=20)) as consumer:
        [stuck, *rest] = await take(consumer, 2)
        while len(rest) < 299:
            for record in rest[-20:]:
                consumer.done(record)
            rest += await take(consumer, 1)
        for record in rest:
            consumer.done(record)
        assert consumer.held(TopicPartition(topic, 0)) == 300
        consumer.done(stuck)
        assert consumer.held(TopicPartition(topic, 0)) == 0
    assert await committed(kafka, f"{topic}-group", topic, 1) == [300]


async def test_a_backlog_of_a_background_topic_comes_last_has_a_room_of_its_own_and_fills_no_others(kafka: str, prefix: str) -> None:
    topic, background = f"{prefix}in", f"{prefix}background"
    await make_topic(kafka, topic, 2)
    await make_topic(kafka, background, 2)
    await send(kafka, background, range(2000), 2)
    consumer = consumer_of(kafka, topic, in_flight_max=200, background={background: 100}, commit_s=60)
    async with running(consumer):
        slow = await take(consumer, 200)
        assert {record.topic for record in slow} == {background}
        assert await consumer.take(0.1) == []
        await send(kafka, topic, range(400), 2)
        live = await take(consumer, 200)  # a share of 100 of each partition, as if there were no backlog
        assert {record.topic for record in live} == {topic}
        for record in slow:
            consumer.done(record)
        assert await consumer.take(0.1) == [], "done is not committed: a kill would bring all of it again"
        await consumer.commit()
        for record in live:
            consumer.done(record)
        await until(lambda: {tp.topic for tp in consumer._consumer._fetcher._records} == {topic, background})
        turns = [await consumer.take(0.5) for _ in range(8)]
    topics = [{record.topic for record in turn} for turn in turns if turn]
    assert topics[0] == {topic}
    assert {background} in topics, "done and committed: there is room again"


async def send_keyed(kafka: str, topic: str, tenants: str, first: int = 0) -> None:
    """Record n of partition 0 is of the tenant that the n-th letter names."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        sent = [
            await producer.send(topic, b"%d" % n, f"{tenant}/{n}".encode(), partition=0) for n, tenant in enumerate(tenants, start=first)
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def take_but(consumer: BatchConsumer, stuck: bytes, count: int) -> tuple[list[int], list[ConsumerRecord]]:
    """So many of other tenants are taken and done, in order; besides, what came of the stuck one."""
    done: list[int] = []
    held: list[ConsumerRecord] = []
    deadline = time.monotonic() + 40
    while len(done) < count:
        assert time.monotonic() < deadline, f"{len(done)} of {count} records"
        for record in await consumer.take(0.1):
            if record.key.startswith(stuck):
                held.append(record)
            else:
                done.append(int(record.value))
                consumer.done(record)
    return done, held


async def test_a_tenant_that_waits_stops_no_other_and_is_read_from_its_own_position_also_by_a_successor(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic, 1)
    tp = TopicPartition(topic, 0)
    tenants = "aaab" * 200 + "bc" * 100
    await send_keyed(kafka, topic, tenants)
    of_a = [n for n, tenant in enumerate(tenants) if tenant == "a"]
    others = [n for n, tenant in enumerate(tenants) if tenant != "a"]
    told: list[Bounds] = []

    async def on_assigned(bounds: Mapping[TopicPartition, Bounds]) -> None:
        told.append(bounds[tp])

    options = {"in_flight_max": 40, "on_assigned": on_assigned}
    async with running(consumer_of(kafka, topic, **options, several=lambda: True)) as consumer:
        done, held = await take_but(consumer, b"a", len(others))
        assert sorted(done) == others
        for tenant in "bc":
            assert (of_it := [n for n in done if tenants[n] == tenant]) == sorted(of_it)
        assert [int(record.value) for record in held] == of_a[:20], "half of the room"
        await until(lambda: consumer.committed(tp).offset == len(tenants))
        for record in held[1:3]:
            consumer.done(record)
        assert int((await take(consumer, 1))[0].value) == of_a[20]
    async with running(consumer_of(kafka, topic, **options, several=lambda: True)) as consumer:
        await send_keyed(kafka, topic, "ab", first=len(tenants))
        done, held = await take_but(consumer, b"a", 1)
        assert told[-1].committed == Committed(len(tenants), {"a": (0, len(of_a))})
        assert done == [len(tenants) + 1]
        while len(held) < len(of_a) + 1:
            for record in held[-20:]:
                consumer.done(record)
            held += await take(consumer, 1)
        assert [int(record.value) for record in held] == [*of_a, len(tenants)]
        for record in held:
            consumer.done(record)
        await until(lambda: consumer.committed(tp) == Committed(len(tenants) + 2))


async def test_a_tenants_order_stays_where_it_catches_up_while_the_worker_waits_for_more(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic, 1)
    await send_keyed(kafka, topic, "a" * 95)
    async with running(consumer_of(kafka, topic, in_flight_max=40, several=lambda: True)) as consumer:
        came = batch = await take(consumer, 20)
        while len(came) < 80:
            for record in batch:
                consumer.done(record)
            batch = await take(consumer, 1)
            came += batch
        for record in batch:
            consumer.done(record)
        later = asyncio.create_task(send_keyed(kafka, topic, "a" * 5, first=95))
        while len(came) < 100:
            came += await consumer.take(3)
        await later
    assert [record.offset for record in came] == list(range(100))


async def test_nothing_is_handed_out_from_a_revocation_on_until_partitions_are_assigned(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic, 2)
    await send_keyed(kafka, topic, "a" * 400)
    held: list[ConsumerRecord] = []
    revoking = asyncio.Event()

    async def on_revoked(partitions: frozenset[TopicPartition]) -> None:
        if partitions:
            revoking.set()
            for record in held:  # calls that were under way end: there is room for what was passed over
                first.done(record)
            await asyncio.sleep(1)

    async def on_assigned(_: object) -> None:
        revoking.clear()

    options = {"in_flight_max": 80, "several": lambda: True}
    first = consumer_of(kafka, topic, on_revoked=on_revoked, on_assigned=on_assigned, **options)
    async with running(first):
        held += await take(first, 20)
        second = consumer_of(kafka, topic, 1, **options)
        joins = asyncio.create_task(second.start())
        seen = False
        while not seen or revoking.is_set():
            taken = await first.take(0.1)
            seen = seen or revoking.is_set()
            assert not (taken and revoking.is_set())
        await joins
        await second.stop()


async def test_many_tenants_that_wait_each_with_little_stop_no_other(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic, 1)
    await send_keyed(kafka, topic, "abcdefgh" * 4 + "z" * 50)
    async with running(consumer_of(kafka, topic, in_flight_max=20, several=lambda: True)) as consumer:
        came: list[bytes] = []
        while came.count(b"z") < 50:
            for record in await take(consumer, 1):
                came.append(record.key[:1])
                if came[-1] == b"z":
                    consumer.done(record)


async def test_a_tenant_of_a_background_topic_has_a_position_of_its_own_as_well(kafka: str, prefix: str) -> None:
    topic, background = f"{prefix}in", f"{prefix}background"
    await make_topic(kafka, topic, 1)
    await make_topic(kafka, background, 1)
    await send_keyed(kafka, background, "a" * 200 + "b" * 200)
    options = {"background": {background: 40}, "several": lambda: True}
    async with running(consumer_of(kafka, topic, **options)) as consumer:
        _, held = await take_but(consumer, b"a", 200)
        assert len(held) == 20
        stuck, *rest = held
        for record in rest:
            consumer.done(record)
        assert await consumer.take(0.5) == [], "what is done behind one that is not would come again"
        consumer.done(stuck)
        assert [record.offset for record in await take(consumer, 20)] == list(range(20, 40))


async def test_what_retention_removed_of_a_tenant_that_waits_is_told(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic, 1)
    tp = TopicPartition(topic, 0)
    told: list[tuple[TopicPartition, int, int]] = []

    async def on_lost(lost: TopicPartition, first: int, count: int) -> None:
        told.append((lost, first, count))

    await send_keyed(kafka, topic, "a" * 80 + "b" * 10)
    options = {"in_flight_max": 40, "on_lost": on_lost, "several": lambda: True}
    async with running(consumer_of(kafka, topic, **options)) as consumer:
        _, held = await take_but(consumer, b"a", 10)
        await remove(kafka, {tp: 40})
        for record in held:
            consumer.done(record)
        assert [record.offset for record in await take(consumer, 20)] == list(range(40, 60))
        assert told == [(tp, 20, 20)]
        await consumer.commit()
    await remove(kafka, {tp: 75})
    async with running(consumer_of(kafka, topic, **options)) as consumer:
        assert [record.offset for record in await take(consumer, 5)] == list(range(75, 80))
    assert told[1:] == [(tp, 40, 35)]


async def test_a_tenant_that_is_alone_is_never_apart(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic, 1)
    await send_keyed(kafka, topic, "a" * 40)
    async with running(consumer_of(kafka, topic, in_flight_max=20)) as consumer:
        await take(consumer, 20)
        assert await consumer.take(0.3) == []
        await consumer.commit()
        assert consumer.committed(TopicPartition(topic, 0)) == Committed(0)


async def test_what_retention_removed_unread_is_told_before_anything_behind_it_is_committed(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    told: list[tuple[TopicPartition, int, int]] = []

    async def on_lost(tp: TopicPartition, offset: int, count: int) -> None:
        assert (await committed(kafka, f"{topic}-group", topic, 2))[tp.partition] == offset
        told.append((tp, offset, count))

    await make_topic(kafka, topic, 2)
    await send(kafka, topic, range(40), 2)
    async with running(consumer_of(kafka, topic)) as consumer:
        for record in await take(consumer, 40):
            if record.offset < 5:
                consumer.done(record)
    await remove(kafka, {first: 8, second: 20})  # nothing is left in the second one that shows the gap
    async with running(consumer_of(kafka, topic, on_lost=on_lost)) as consumer:
        for record in await take(consumer, 12):
            consumer.done(record)
        assert sorted(told) == [(first, 5, 3), (second, 5, 15)]
        told.clear()
        await until(lambda: consumer.committed(first).offset == consumer.committed(second).offset == 20)
        consumer._consumer.pause(first)
        await asyncio.sleep(1)  # the fetch under way ends
        await send(kafka, topic, range(0, 8, 2), 2)
        await remove(kafka, {first: 22})  # in the middle of a life
        consumer._consumer.resume(first)
        assert [record.offset for record in await take(consumer, 2)] == [22, 23]
    assert told == [(first, 20, 2)]


async def test_an_assignment_is_told_with_its_bounds_before_any_record_of_it_is_taken(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic, 1)
    await send(kafka, topic, range(10), 1)
    told: list[Mapping[TopicPartition, Bounds]] = []
    go_on = asyncio.Event()

    async def on_assigned(bounds: Mapping[TopicPartition, Bounds]) -> None:
        told.append(bounds)
        await go_on.wait()

    tp = TopicPartition(topic, 0)
    async with running(consumer_of(kafka, topic, on_assigned=on_assigned)) as consumer:
        await until(lambda: bool(told))
        for _ in range(10):
            assert await consumer.take(0.1) == []
        go_on.set()
        for record in (await take(consumer, 10))[:4]:
            consumer.done(record)
    async with running(consumer_of(kafka, topic, on_assigned=on_assigned)) as consumer:
        assert len(await take(consumer, 6)) == 6
    assert told == [{tp: Bounds(Committed(0), 10)}, {tp: Bounds(Committed(4), 10)}]


async def test_metadata_is_committed_with_the_offset_and_told_to_the_successor(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic, 1)
    await send(kafka, topic, range(3), 1)
    told: list[Bounds] = []
    tp = TopicPartition(topic, 0)

    async def on_assigned(bounds: Mapping[TopicPartition, Bounds]) -> None:
        told.append(bounds[tp])

    async with running(consumer_of(kafka, topic, on_assigned=on_assigned, metadata=lambda _: "lane:7")) as consumer:
        consumer.done((await take(consumer, 3))[0])
        await consumer.commit()
    async with running(consumer_of(kafka, topic, on_assigned=on_assigned)) as consumer:
        assert len(await take(consumer, 2)) == 2
    assert told == [Bounds(Committed(0), 3), Bounds(Committed(1, text="lane:7"), 3)]


async def test_what_fails_in_a_callback_is_raised_by_take(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic)

    async def on_assigned(bounds: object) -> None:
        raise LookupError("memory")

    async with running(consumer_of(kafka, topic, on_assigned=on_assigned)) as consumer:
        with pytest.raises(LookupError, match="memory"):
            await take(consumer, 1)


async def test_a_second_worker_gets_its_share_and_what_the_first_did_before_is_committed(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic)
    await send(kafka, topic, range(100))
    under_way: list[ConsumerRecord] = []
    revoked: list[frozenset[TopicPartition]] = []

    async def finish(partitions: frozenset[TopicPartition]) -> None:
        revoked.append(partitions)
        for record in under_way:  # a call under way that ends while the partitions go
            first.done(record)

    first, second = consumer_of(kafka, topic, slot=0, on_revoked=finish), consumer_of(kafka, topic, slot=1)
    async with running(first):
        taken = await take(first, 100)
        under_way += [record for record in taken if record.offset < 10]  # some of each partition
        early = {(record.partition, record.offset) for record in taken if record.offset >= 10}
        async with running(second):
            again: dict[int, set[int]] = {0: set(), 1: set()}

            async def both_have_the_rest() -> bool:
                for slot, consumer in enumerate((first, second)):
                    for record in await consumer.take(0.1):
                        again[slot].add(int(record.value))
                        assert (record.partition, record.offset) in early
                return sum(map(len, again.values())) >= 60

            await until(both_have_the_rest)
            for record in taken:
                first.done(record)  # of an assignment that is over: ignored
            await first.commit()
            assert all(again.values())
            assert not again[0] & again[1]
            assert len(again[0] | again[1]) == 60
    assert revoked[0] == {TopicPartition(topic, p) for p in range(PARTITIONS)}
    assert sum(offset or 0 for offset in await committed(kafka, f"{topic}-group", topic)) == 40


async def test_a_worker_that_is_back_in_time_gets_its_partitions_without_a_rebalance(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic)
    other_revoked: list[frozenset[TopicPartition]] = []
    assigned: list[set[TopicPartition]] = []

    async def on_revoked(partitions: frozenset[TopicPartition]) -> None:
        other_revoked.append(partitions)

    async def on_assigned(bounds: dict[TopicPartition, tuple[int, int]]) -> None:
        assigned.append(set(bounds))

    async def have_two(*consumers: BatchConsumer) -> bool:
        for consumer in consumers:
            await consumer.take(0.05)
        return len(assigned) > 0 and len(assigned[-1]) == 2

    async with running(consumer_of(kafka, topic, slot=1, on_revoked=on_revoked)) as other:
        async with running(consumer_of(kafka, topic, on_assigned=on_assigned)) as first:
            await until(lambda: have_two(first, other))
        before = len(other_revoked)
        async with running(consumer_of(kafka, topic, on_assigned=on_assigned)) as back:
            seen = len(assigned)
            await until(lambda: len(assigned) > seen)
            await until(lambda: have_two(back, other))
            assert assigned[-1] == assigned[seen - 1]
            assert len(other_revoked) == before


async def test_a_worker_that_is_back_with_another_topic_gets_its_partitions_too(kafka: str, prefix: str) -> None:
    topic, added = f"{prefix}in", f"{prefix}added"
    await make_topic(kafka, topic, 2)
    await make_topic(kafka, added, 2)
    await send(kafka, topic, range(10), 2)
    await send(kafka, added, range(10), 2)
    async with running(consumer_of(kafka, topic)) as consumer:
        assert {record.topic for record in await take(consumer, 10)} == {topic}
    async with running(consumer_of(kafka, topic, background={added: 100})) as consumer:
        assert {record.topic for record in await take(consumer, 20)} == {topic, added}


WORKER = """
import asyncio, sys, time
from streams.consumer import BatchConsumer, Bounds

async def main():
    consumer = BatchConsumer(options={"bootstrap_servers": sys.argv[1]}, group=sys.argv[2] + "-group", topics=[sys.argv[2]],
                             member="0", session_timeout_s=6, on_lost=None)
    await consumer.start()
    taken = []
    while not taken:
        taken = await consumer.take(0.2)
    print("took", consumer.fenced(), flush=True)
    while not consumer.fenced():
        await asyncio.sleep(0.02)
    print("fenced", flush=True)

asyncio.run(main())
"""


async def test_a_process_that_was_stopped_and_wakes_is_fenced(kafka: str, prefix: str) -> None:
    topic = f"{prefix}in"
    await make_topic(kafka, topic)
    await send(kafka, topic, range(4))
    with subprocess.Popen([sys.executable, "-c", WORKER, kafka, topic], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 40)
            assert line == "took False\n"
            os.kill(process.pid, signal.SIGSTOP)
            async with running(consumer_of(kafka, topic, slot=1)) as other:  # gets all once the first one's session is over
                assert values(await take(other, 4)) == [0, 1, 2, 3]
                os.kill(process.pid, signal.SIGCONT)
                assert await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 40) == "fenced\n"
        finally:
            process.kill()


async def test_a_broker_that_was_away_and_is_back_costs_nothing(kafka_folder: Path, tmp_path: Path, prefix: str) -> None:
    topic = f"{prefix}in"
    with EmbeddedKafka(kafka_folder, tmp_path) as broker:
        await make_topic(broker.address, topic)
        await send(broker.address, topic, range(40))
        options = {"bootstrap_servers": broker.address}
        consumer = BatchConsumer(
            options=options, group=f"{topic}-group", topics=[topic], member="0", session_timeout_s=12, on_lost=nothing_is_lost
        )
        async with running(consumer):
            done = await take(consumer, 40)
            os.kill(broker.pid, signal.SIGKILL)
            for record in done:
                consumer.done(record)
            broker.stop()
            await asyncio.to_thread(broker.start)
            await send(broker.address, topic, range(40, 80))
            assert set(range(40, 80)) <= set(values(await take(consumer, 40)))
        found = await committed(broker.address, f"{topic}-group", topic)
        assert found == [10] * PARTITIONS
