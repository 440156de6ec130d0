import json
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings

from schemas.generate import FOLDER, asyncapi, generate, json_schema, messages
from schemas.records import Message, Origin, encode, headers_of
from schemas.topics import STAGES, TOPICS
from tests.schemas.strategies import any_message


def test_the_files_are_what_the_messages_say():
    there = {str(path.relative_to(FOLDER)): path.read_text() for path in [*FOLDER.glob("json/*.json"), FOLDER / "asyncapi.json"]}
    assert there == generate(), "stale: run `./cartstream schemas`"


@pytest.mark.parametrize("kind", messages(), ids=lambda kind: kind.name)
def test_every_message_is_valid_by_its_schema(kind: type[Message]):
    schema, document = json_schema(kind), asyncapi()
    jsonschema.Draft202012Validator.check_schema(schema)
    in_asyncapi = {**document, "$ref": document["components"]["messages"][kind.name]["payload"]["$ref"]}

    @given(any_message(kind))
    @settings(max_examples=10)
    def holds(message: Message) -> None:
        value = msgspec.json.decode(encode(message))
        jsonschema.Draft202012Validator(schema).validate(value)
        jsonschema.Draft7Validator(in_asyncapi).validate(value)
        headers = {name: text.decode() for name, text in headers_of(message, Origin(cause="t/0/1", observed_at_ms=1, replay="r"))}
        jsonschema.Draft7Validator(document["components"]["schemas"]["Headers"]).validate(headers)

    holds()


def test_a_wrong_value_is_not_valid_by_its_schema():
    schema = json.loads((FOLDER / "json" / "look-at.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({"store": 1, "resource": "order", "id": "7", "why": "", "at_ms": 1})


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [node["$ref"]] if "$ref" in node else [ref for value in node.values() for ref in references(value)]
    return [ref for item in node for ref in references(item)] if isinstance(node, list) else []


def test_every_reference_in_the_asyncapi_document_leads_somewhere():
    document = asyncapi()
    found = references(document)
    assert len(found) > 50
    for reference in found:
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_the_asyncapi_document_holds_what_the_specification_asks_for():
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    assert document["info"].keys() >= {"title", "version"}
    assert {channel["address"] for channel in document["channels"].values()} == {topic.name for topic in TOPICS}
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"].keys() == {"$ref"}
    for stage, topics in STAGES.items():
        for topic in topics:
            assert f"{stage}.receive.{topic.name}" in document["operations"]
