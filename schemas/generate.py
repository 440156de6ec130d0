"""Files for others, made from the message types: a JSON Schema per message, and one AsyncAPI document for all topics.

`cartstream schemas` writes them anew; a test fails where they are stale.
"""

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from schemas.records import Message
from schemas.topics import TOPICS, Topic

FOLDER = Path(__file__).parent
PARTS = ("ingest", "fetch", "resolve", "deliver")
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
HEADERS: dict[str, Any] = {
    "type": "object",
    "required": ["schema", "observed_at"],
    "properties": {
        "schema": {"type": "string", "description": "The message's name and version, `name/version`."},
        "observed_at": {"type": "string", "pattern": "^[0-9]+$", "description": "When the cause was first seen; ms UTC."},
        "cause": {"type": "string", "description": "`topic/partition/offset` of the raw record that this one came from."},
        "replay": {"type": "string", "description": "The replay's id, when the record is part of one."},
    },
}


def messages() -> list[type[Message]]:
    """Every message type, in the order of the topics; each once."""
    return list(dict.fromkeys(message for topic in TOPICS for message in topic.messages))


def generate() -> dict[str, str]:
    """All generated files: path below this folder to text. The same messages give the same bytes."""
    files = {f"json/{message.name}.json": _text(json_schema(message)) for message in messages()}
    return files | {"asyncapi.json": _text(asyncapi())}


def main() -> list[Path]:
    """Writes all files, removes those of messages that are no more; returns what is there now."""
    files = generate()
    for stale in set((FOLDER / "json").glob("*.json")) - {FOLDER / name for name in files}:
        stale.unlink()
    for name, text in files.items():
        (FOLDER / name).parent.mkdir(exist_ok=True)
        (FOLDER / name).write_text(text, encoding="utf-8")
    return [FOLDER / name for name in files]


def json_schema(message: type[Message]) -> dict[str, Any]:
    """The JSON Schema of a record's value. Fields that it does not name may be there: readers ignore them."""
    schema = _clean(msgspec.json.schema(message))
    return {"$schema": SCHEMA_DIALECT, "title": f"{message.name}/{message.version_of_schema}", **schema}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document. A channel's address is the topic's name without CARTSTREAM_TOPIC_PREFIX."""
    types = messages()
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "cartstream",
            "version": "1",
            "description": "Every topic, what stands on it under which key, who writes it and who reads it.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {name: operation for topic in TOPICS for name, operation in _operations(topic).items()},
        "components": {
            "messages": {message.name: _message(message) for message in types},
            "schemas": _draft_07(_clean(dict(sorted(schemas.items())))) | {"Headers": HEADERS},
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    config = topic.config(replication=1)
    kept = {"cleanup.policy": [config["cleanup.policy"]]}
    if "retention.ms" in config:
        kept["retention.ms"] = int(config["retention.ms"])  # type: ignore[assignment]
    return {
        "address": topic.name,
        "description": f"Key: {topic.key}. Written by: {topic.writers}. Read by: {topic.readers}.",
        "messages": {message.name: {"$ref": f"#/components/messages/{message.name}"} for message in topic.messages},
        "bindings": {"kafka": {"topic": topic.name, "topicConfiguration": kept}},
    }


def _operations(topic: Topic) -> dict[str, Any]:
    """What each part does with the topic; people and commands are no parts."""
    found = {}
    for action, words in (("send", topic.writers), ("receive", topic.readers)):
        named = PARTS if words == "all" else words.split(", ")
        for part in PARTS:
            if part in named:
                found[f"{part}.{action}.{topic.name}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{topic.name}"},
                    "tags": [{"name": part}],
                }
    return found


def _message(message: type[Message]) -> dict[str, Any]:
    return {
        "name": message.name,
        "title": f"{message.name}/{message.version_of_schema}",
        "summary": (inspect.getdoc(message) or "").partition("\n")[0],
        "headers": {"$ref": "#/components/schemas/Headers"},
        "payload": {"$ref": f"#/components/schemas/{message.__name__}"},
    }


def _clean(node: Any) -> Any:
    """Descriptions, which are docstrings, as every Python shows them: 3.13 takes their indentation away, 3.11 does not."""
    if isinstance(node, list):
        return [_clean(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: inspect.cleandoc(value) if key == "description" and isinstance(value, str) else _clean(value) for key, value in node.items()
    }


def _draft_07(node: Any) -> Any:
    """Tuples as AsyncAPI's dialect says them: `items` is the list, where JSON Schema 2020-12 has `prefixItems`."""
    if isinstance(node, list):
        return [_draft_07(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _draft_07(value) for key, value in node.items()}
    return made | {"items": made.pop("prefixItems")} if "prefixItems" in made else made


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
