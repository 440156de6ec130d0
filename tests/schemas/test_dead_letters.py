from typing import NamedTuple

from schemas.dead_letters import DeadLetter, letter_of
from schemas.failures import Undecodable
from schemas.records import Decoder, Origin, encode, headers_of


class Failed(NamedTuple):
    topic: str = "bigcommerce.webhooks"
    partition: int = 0
    offset: int = 7
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def test_a_header_without_a_value_goes_into_the_letter_with_an_empty_one():
    letter = letter_of(Failed(headers=(("schema", None), ("x", b"\xff"))), Undecodable("no schema header"), stage="fetch", store="")
    assert letter.headers == [("schema", b""), ("x", b"\xff")]
    assert Decoder([DeadLetter]).decode(encode(letter), headers_of(letter, Origin("", 1))) == letter
