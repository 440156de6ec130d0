"""All that one running simulator holds."""

from collections import deque
from itertools import islice
from random import Random
from typing import Any

from simulators.engagement.faults import Faults, Knobs, RateLimit
from simulators.engagement.project import Project, Settings
from simulators.engagement.queues import Queue

LOG_ENTRIES_MAX = 500_000


class Simulator:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.projects: dict[str, Project] = {}
        self.knobs = Knobs()
        self.faults = Faults(Random(f"{seed} faults"))
        self.rate_limit = RateLimit()
        self.tracking = Queue(Random(f"{seed} tracking"))
        self.gdpr = Queue(Random(f"{seed} gdpr"))
        self.catalog = Queue(Random(f"{seed} catalog"))
        self.log = Log()
        self.requests = 0  # that were carried out or refused; their numbers stand in the log

    def put_project(self, settings: Settings) -> Project:
        """The project exists with these settings; its profiles stay where it existed before."""
        project = self.projects.get(settings.token)
        if project is None:
            project = self.projects[settings.token] = Project(settings, Random(f"{self.seed} {settings.token}"))
        project.settings = settings
        return project


class Log:
    """What was received, command by command, the newest half million."""

    COLUMNS = ("entry", "received_at_ms", "request", "project", "name", "ids", "event_type", "timestamp", "outcome")

    def __init__(self) -> None:
        self._rows: deque[tuple[Any, ...]] = deque(maxlen=LOG_ENTRIES_MAX)
        self._next = 0

    def add(self, *, received_at_ms: int, request: int, project: str, name: str, data: Any, outcome: str) -> None:
        """`data` is the body of the command as received; `outcome` is `queued` or the words of the refusal."""
        found = data if isinstance(data, dict) else {}
        timestamp = found.get("timestamp", found.get("update_timestamp"))
        row = (received_at_ms, request, project, name, found.get("customer_ids"), found.get("event_type"), timestamp, outcome)
        self._rows.append((self._next, *row))
        self._next += 1

    def since(self, entry: int, project: str) -> dict[str, Any]:
        """The entries from this one on that are still held, of one project or (empty) of all."""
        first = self._next - len(self._rows)
        start = max(0, entry - first)
        rows = [row for row in islice(self._rows, start, None) if project in ("", row[3])]
        return {"columns": self.COLUMNS, "first": first, "next": self._next, "entries": rows}
