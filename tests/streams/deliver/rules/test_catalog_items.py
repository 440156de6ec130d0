"""Which write of a catalog item may go."""

import msgspec

from schemas.commands import CatalogWrite
from streams.deliver.rules.catalog_items import Items

SETTLE_S = 5.0


def write(id: str, properties: bytes = b"{}") -> CatalogWrite:
    return CatalogWrite(store="s.1", catalog="products", item_id=id, properties=msgspec.Raw(properties))


def test_a_write_waits_for_what_a_predecessor_may_have_sent():
    item, replaced = Items(100.0, SETTLE_S).add("r1", write("a"))
    assert item
    assert (item.at_s, replaced) == (105.0, None)


def test_the_newest_of_those_that_wait_goes_and_the_others_are_done_with():
    items = Items(0.0, SETTLE_S)
    first, _ = items.add("r1", write("a", b'{"n":1}'))
    assert first
    first.tries = 3
    assert items.add("r2", write("a", b'{"n":2}')) == (None, "r1")
    assert (first.record, first.data, first.tries, len(items)) == ("r2", b'{"n":2}', 0, 1)


def test_no_two_calls_have_the_same_item_and_there_is_a_pause_between_them():
    items = Items(0.0, SETTLE_S)
    first, _ = items.add("r1", write("a"))
    assert first
    items.begin(first)
    assert items.add("r2", write("a")) == (None, None)
    assert items.add("r3", write("a")) == (None, "r2")
    other, _ = items.add("r4", write("b"))
    assert other
    following = items.end(first, 20.0)
    assert following
    assert (following.record, following.at_s) == ("r3", 25.0)
    items.begin(following)
    assert items.end(following, 30.0) is None


def test_an_item_goes_again_with_the_same_bytes_unless_a_newer_write_came():
    items = Items(0.0, SETTLE_S)
    first, _ = items.add("r1", write("a"))
    assert first
    items.begin(first)
    assert items.again(first, 10.0, 12.0) == (first, None)
    assert first.at_s == 12.0
    items.begin(first)
    items.add("r2", write("a", b"null"))
    following, replaced = items.again(first, 20.0, 21.0)
    assert (following.record, following.removed, following.at_s, replaced) == ("r2", True, 25.0, "r1")
    assert len(items) == 1


def test_only_items_of_late_are_remembered():
    items = Items(0.0, SETTLE_S)
    for n in range(1000):
        item, _ = items.add(n, write(str(n)))
        assert item
        items.begin(item)
        items.end(item, float(n))
    assert len(items._sent) < 10
