"""A command on its way to Engagement."""

from dataclasses import dataclass
from typing import Any

import orjson

from engagement.ids import HARD_IDS
from schemas.commands import Command


def hard_ids(command: Command) -> list[str]:
    """Which profile it is for: a lane may hold commands for several, none of which shares a hard id with another."""
    ids = orjson.loads(bytes(command.data)).get("customer_ids", {})
    return [f"{kind}:{ids[kind]}" for kind in HARD_IDS if kind in ids]


@dataclass(eq=False, slots=True)
class Pending:
    """One command that is not done. `at_s`: it may not go before."""

    record: Any  # what it came in; handed back when it is done
    source: tuple[str, int]  # topic and partition
    offset: int
    lane: str
    command: Command
    at_s: float = 0.0
    tries: int = 0  # that ended without an answer of its own
    in_doubt: bool = False  # a consent that Engagement may have: looked up before it is sent

    @property
    def border(self) -> bool:
        return self.command.kind == "anonymize"

    @property
    def data(self) -> bytes:
        return bytes(self.command.data)
