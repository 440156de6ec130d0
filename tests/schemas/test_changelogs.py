"""What is read of the tables' rows is what resolve wrote."""

import msgspec
import pytest
from aiokafka.admin import NewTopic
from hypothesis import given
from hypothesis import strategies as st

from schemas.changelogs import AccountRow, CheckoutRow, ProductRow, SubscriberRow, read_rows
from schemas.connection import admin_client, kafka_options, producer
from schemas.failures import Unavailable
from schemas.keys import changelog
from schemas.settings import Settings
from schemas.topics import ACCOUNTS, group
from streams.resolve.tables import Account, Checkout, Product, Subscription, write_row
from tests.schemas.strategies import structs

ROWS = {Account: AccountRow, Subscription: SubscriberRow, Checkout: CheckoutRow, Product: ProductRow}


@given(st.sampled_from(list(ROWS)).flatmap(structs))
def test_each_field_that_is_read_is_resolves_own(row):
    read = msgspec.to_builtins(msgspec.json.decode(write_row(row), type=ROWS[type(row)]))
    whole = msgspec.to_builtins(row)

    def part(of, like):
        """What `like` speaks of; a map of rows has what each of its values speaks of."""
        if not isinstance(like, dict):
            return of
        return {name: part(of.get(name, value), value) for name, value in like.items()}

    assert read == part(whole, read)
    assert set(read["refused"]) == set(row.refused)
    if isinstance(row, Checkout):
        assert set(read["orders"]) == set(row.orders)
    if isinstance(row, Product):
        assert set(read["variants"]) == set(row.variants)


async def test_the_last_row_of_each_key_counts_and_one_that_was_taken_away_does_not(kafka: str, prefix: str):
    settings = Settings(_env_file=None, kafka=kafka, topic_prefix=prefix, partitions=2, replication=1)
    name = changelog(group(prefix, "resolve"), ACCOUNTS.table)
    with pytest.raises(Unavailable):
        await read_rows(settings, ACCOUNTS, lambda _, row: row)
    async with admin_client(settings) as admin:
        await admin.create_topics([NewTopic(name, 2, 1)])
    sender = producer(kafka_options(settings))
    await sender.start()
    for key, value in ((b"s/1", b"a"), (b"s/2", b"b"), (b"s/1", b"c"), (b"t/3", b"d"), (b"s/2", None), (b"s/4", b"e")):
        await sender.send_and_wait(name, value, key)
    await sender.stop()
    assert await read_rows(settings, ACCOUNTS, lambda key, row: row if key.startswith("s/") else None) == {"s/1": b"c", "s/4": b"e"}
