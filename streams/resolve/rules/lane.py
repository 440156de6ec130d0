"""A lane: the commands of one person, or of one cart that nobody is known for, numbered one up each time."""

from typing import Literal

import msgspec

from schemas.commands import Command
from schemas.topics import COMMANDS
from streams.resolve.rules.change import Send


class Lane:
    """Collects the commands of one change; `number` is the last one given, to be kept in the row."""

    def __init__(self, key: str, store: str, number: int) -> None:
        self.key, self.store, self.number = key, store, number
        self.sends: list[Send] = []
        self.has_anonymization = False

    def add(self, kind: Literal["customers", "customers/events", "anonymize"], data: bytes, *, consent: bool = False) -> None:
        """Send one command; `data` is its final body."""
        self.number += 1
        self.has_anonymization |= kind == "anonymize"
        command = Command(store=self.store, number=self.number, kind=kind, data=msgspec.Raw(data), consent=consent)
        self.sends.append(Send(COMMANDS, self.key, command))
