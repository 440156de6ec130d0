import orjson

from bigcommerce.listings import ListedPage
from ingest.pages import pages_of
from schemas.entities import Page
from schemas.records import RECORD_BYTES_MAX, Decoder, encode


def order(id: int, size: int) -> bytes:
    return orjson.dumps({"id": id, "staff_notes": "x" * size})


def messages(*items: bytes) -> list[Page]:
    return pages_of(ListedPage(list(items), 1_700_000_000_000, "c"), store="abc123.1", resource="order", run="r1", page=3)


def ids(page: Page) -> list[int]:
    return [each["id"] for each in orjson.loads(bytes(page.body))]


def test_a_page_is_one_message_that_holds_what_was_listed():
    [page] = messages(order(1, 10), order(2, 10))
    assert (page.store, page.resource, page.run, page.page, page.part, page.parts) == ("abc123.1", "order", "r1", 3, 0, 1)
    assert page.read_at_ms == 1_700_000_000_000
    assert bytes(page.body) == b"[" + order(1, 10) + b"," + order(2, 10) + b"]"
    assert Decoder([Page]).decode(encode(page), [("schema", b"page/1")]) == page


def test_a_page_too_large_for_a_record_is_cut_between_entities():
    parts = messages(*(order(id, 8_000) for id in range(1, 251)))
    assert [page.part for page in parts] == [0, 1, 2]
    assert {page.parts for page in parts} == {3}
    assert [id for page in parts for id in ids(page)] == list(range(1, 251))
    assert all(len(encode(page)) <= RECORD_BYTES_MAX for page in parts)


def test_parts_are_as_full_as_they_may_be_and_no_fuller():
    half = order(1, 424_900)
    assert [len(ids(page)) for page in messages(*[half] * 6)] == [2, 2, 2]
    assert all(len(encode(page)) <= RECORD_BYTES_MAX for page in messages(*[order(1, 849_900)] * 2))


def test_an_entity_too_large_by_itself_is_named_and_its_neighbours_go_on():
    first, *_ = parts = messages(order(1, 10), order(2, 950_000), order(3, 10), b'{"id": {}, "x": "' + b"x" * 900_000 + b'"}')
    assert [ids(page) for page in parts] == [[1, 3]]
    assert first.left_out == ["2", ""]
    every = messages(*(order(10**9 + id, 900_000) for id in range(250)))
    assert [(ids(page), len(page.left_out)) for page in every] == [([], 250)]
    assert all(len(encode(page)) <= RECORD_BYTES_MAX for page in every)


def test_names_of_attributes_are_with_each_part_and_have_their_room():
    names = {str(id): "n" * 250 for id in range(400)}
    customers = [orjson.dumps({"id": id, "company": "x" * 60_000}) for id in range(30)]
    parts = pages_of(ListedPage(customers, 1, "", names), store="abc123.1", resource="customer", run="r1", page=0)
    assert len(parts) > 1
    assert all(page.attribute_names == names for page in parts)
    assert all(len(encode(page)) <= RECORD_BYTES_MAX for page in parts)


def test_a_page_without_entities_is_no_message():
    assert messages() == []
