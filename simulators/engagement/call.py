"""One call as an endpoint sees it: signed in, its body read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulators.engagement.profiles import Json
from simulators.engagement.project import Key, Project
from simulators.engagement.simulator import Simulator


class Failure(Exception):
    """The whole call is answered so and nothing of it is carried out."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Call:
    simulator: Simulator
    project: Project
    key: Key
    request: int  # its number
    body: Any  # as the endpoint takes it: an object, a list, or an empty object where it takes none
    body_bytes: int
    received_at_ms: int
    ids: Json  # of the path

    def log(self, name: str, data: Any, outcome: str) -> None:
        """The request log has this command."""
        self.simulator.log.add(
            received_at_ms=self.received_at_ms,
            request=self.request,
            project=self.project.settings.token,
            name=name,
            data=data,
            outcome=outcome,
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address below `{base}/projects/{token}/`; `answer` returns the body of a 200 or raises Failure."""

    method: str
    base: str  # `/track/v2` or `/data/v2`
    path: str
    answer: Callable[[Call], Any]
    public: bool = False  # a public token may call it too
    takes: type | None = dict  # of a body that is not GET's; None: none

    @property
    def name(self) -> str:
        """As in counters and faults: `batch`, `customers/events`, `export-one` ..."""
        return self.path.removeprefix("customers/") if self.base == "/data/v2" else self.path
