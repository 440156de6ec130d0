import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.failures import Undecodable
from schemas.generate import messages
from schemas.records import Decoder, Message, Origin, encode, headers_of, origin_of
from schemas.topics import TOPICS, WEBHOOKS
from schemas.webhooks import LookAt
from tests.schemas.strategies import any_message

LOOK = LookAt(store="abc123.1", resource="order", id="7", why="test", at_ms=1)
ORIGIN = Origin(cause="bigcommerce.webhooks/0/7", observed_at_ms=1_700_000_000_000)


@pytest.mark.parametrize("kind", messages(), ids=lambda kind: kind.name)
def test_every_message_comes_back_from_its_record_as_it_was(kind: type[Message]):
    decoder = Decoder([kind])

    @given(any_message(kind))
    @settings(max_examples=30)
    def holds(message: Message) -> None:
        assert decoder.decode(encode(message), headers_of(message, ORIGIN)) == message

    holds()


@pytest.mark.parametrize("kind", messages(), ids=lambda kind: kind.name)
def test_a_field_that_a_later_release_adds_is_ignored(kind: type[Message]):
    @given(any_message(kind))
    @settings(max_examples=5)
    def holds(message: Message) -> None:
        later = msgspec.json.encode({**msgspec.json.decode(encode(message)), "a_later_field": {"x": [1]}})
        assert Decoder([kind]).decode(later, headers_of(message, ORIGIN)) == message

    holds()


def test_names_of_messages_are_told_apart():
    names = [message.name for message in messages()]
    assert len(set(names)) == len(names)
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)


@pytest.mark.parametrize(
    ("value", "headers", "words"),
    [
        (encode(LOOK), [], "no schema header"),
        (encode(LOOK), [("schema", b"look-at/2")], "unknown schema 'look-at/2'"),
        (encode(LOOK), [("schema", b"page/1")], "unknown schema 'page/1'"),
        (encode(LOOK), [("schema", b"\xff")], "unknown schema"),
        (encode(LOOK), [("schema", None)], "no schema header"),
        (b"{", [("schema", b"look-at/1")], "truncated"),
        (b"[]", [("schema", b"look-at/1")], "Expected `object`"),
        (b"", [("schema", b"look-at/1")], "truncated"),
        (None, [("schema", b"look-at/1")], "truncated"),
        (b"\xff", [("schema", b"look-at/1")], "malformed"),
        (b'{"store":' + b"[" * 100_000, [("schema", b"look-at/1")], "Expected `str`"),
        (b'{"later":' + b"[" * 100_000, [("schema", b"look-at/1")], "recursion|truncated"),
        (b'{"store":1}', [("schema", b"look-at/1")], r"Expected `str`, got `int` - at `\$.store`"),
        (b"[" * 100_000, [("schema", b"look-at/1")], "Expected `object`"),
    ],
)
def test_what_is_not_a_known_message_is_undecodable(value: bytes | None, headers: list[tuple[str, bytes]], words: str):
    with pytest.raises(Undecodable, match=words):
        Decoder(WEBHOOKS.messages).decode(value, headers)


@given(st.binary(), st.binary())
def test_any_bytes_are_a_message_or_undecodable(value: bytes, schema: bytes):
    for header in (schema, b"look-at/1", b"webhook-received/1"):
        with contextlib.suppress(Undecodable):
            assert isinstance(Decoder(WEBHOOKS.messages).decode(value, [("schema", header)]), Message)


def test_a_reason_never_quotes_a_value():
    with pytest.raises(Undecodable) as caught:
        Decoder(WEBHOOKS.messages).decode(b'{"at_ms":"jane@example.com"}', [("schema", b"look-at/1")])
    assert "jane" not in str(caught.value)


@given(st.text(), st.integers(min_value=0, max_value=2**62), st.text(min_size=1))
def test_an_origin_is_handed_on_as_it_was(replay: str, observed_at_ms: int, cause: str):
    origin = Origin(cause=cause, observed_at_ms=observed_at_ms, replay=replay)
    assert origin_of("t", 0, 0, 5, headers_of(LOOK, origin)) == origin


def test_a_raw_record_is_its_own_cause():
    assert origin_of("t", 3, 9, 5, []) == Origin(cause="t/3/9", observed_at_ms=5)
    assert origin_of("t", 3, 9, 5, [("observed_at", b"soon")]) == Origin(cause="t/3/9", observed_at_ms=5)
    assert origin_of("t", 3, 9, 5, [("observed_at", None), ("cause", None), ("replay", None)]) == Origin(cause="t/3/9", observed_at_ms=5)
    assert origin_of("t", 3, 9, 5, headers_of(LOOK, Origin(cause="", observed_at_ms=4))) == Origin(cause="t/3/9", observed_at_ms=4)
