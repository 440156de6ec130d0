"""Messages to and from records: the value is the message's JSON, the headers say which message it is and what caused it.

Messages outlive releases (30 days on a topic): fields are only ever added, with a default; what changes a field's
meaning raises `version`. A reader ignores fields that it does not know and refuses a version that it does not know.
"""

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from schemas.failures import Undecodable

Headers = tuple[tuple[str, bytes], ...]
GivenHeaders = Iterable[tuple[str, bytes | None]]
"""Of a record that anyone may have written: Kafka lets a header have no value. To us that is the same as an empty one."""

RECORD_BYTES_MAX = 900_000  # of a value: Kafka takes a million and some, with key and headers


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every message. `name` and `version` go to the `schema` header, as `name/version`."""

    name: ClassVar[str]
    version_of_schema: ClassVar[int] = 1


class Origin(msgspec.Struct, frozen=True):
    """What a record hands on from the raw record that caused it, so that any command can be traced to its webhook."""

    cause: str  # `topic/partition/offset` of the raw record; "" on the raw record itself
    observed_at_ms: int  # when we first saw the cause
    replay: str = ""  # the replay's id, when it is part of one


def encode(message: Message) -> bytes:
    """The value of a record."""
    return msgspec.json.encode(message)


def headers_of(message: Message, origin: Origin) -> Headers:
    """The headers of a record: `schema`, `observed_at`, and `cause` and `replay` where there are any."""
    schema = f"{message.name}/{message.version_of_schema}"
    found = [("schema", schema.encode()), ("observed_at", b"%d" % origin.observed_at_ms)]
    if origin.cause:
        found.append(("cause", origin.cause.encode()))
    if origin.replay:
        found.append(("replay", origin.replay.encode()))
    return tuple(found)


def origin_of(topic: str, partition: int, offset: int, timestamp_ms: int, headers: GivenHeaders) -> Origin:
    """Where this record came from; a record without a `cause` is its own."""
    found = {name: value or b"" for name, value in headers}
    try:
        observed_at_ms = int(found.get("observed_at", b""))
    except ValueError:
        observed_at_ms = timestamp_ms
    return Origin(
        cause=found.get("cause", b"").decode(errors="replace") or f"{topic}/{partition}/{offset}",
        observed_at_ms=observed_at_ms,
        replay=found.get("replay", b"").decode(errors="replace"),
    )


class Decoder:
    """Reads the messages of one topic."""

    def __init__(self, messages: Iterable[type[Message]]) -> None:
        self._decoders = {f"{m.name}/{m.version_of_schema}": msgspec.json.Decoder(m) for m in messages}

    def decode(self, value: bytes | None, headers: GivenHeaders) -> Message:
        """The message in a record's value. Raises Undecodable: no or unknown schema, or a field of a wrong type."""
        schema = (dict(headers).get("schema") or b"").decode(errors="replace")
        decoder = self._decoders.get(schema)
        if decoder is None:
            raise Undecodable(f"unknown schema {schema!r}" if schema else "no schema header", "schema")
        try:
            return decoder.decode(value or b"")
        except (msgspec.DecodeError, RecursionError) as error:  # its message names types and a path, never a value
            raise Undecodable(str(error)) from None
