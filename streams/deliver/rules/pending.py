"""A command on its way to Engagement."""

from dataclasses import dataclass
from typing import Any

from schemas.commands import Command


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
