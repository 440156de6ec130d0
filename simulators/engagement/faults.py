"""How it misbehaves: knobs, faults and the rate limit. Source: docs/facts/engagement.md 2.5, 2.6."""

import math
from random import Random
from typing import Any, Literal

import msgspec

Reply = tuple[int, dict[str, str], Any]  # status, headers, body: JSON, or text


class Knobs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    tracking_delay_ms: tuple[int, int] = (20, 200)  # least and most time from accepted to applied
    gdpr_delay_ms: tuple[int, int] = (20, 200)
    catalog_delay_ms: tuple[int, int] = (20, 200)
    shuffle: bool = True  # the commands of a batch are executed in an order of their own
    single_failure_status: int = 400  # of a refused single call; older pages of the platform say 200
    requests_per_minute: int = 6000  # per address of the caller
    retry_after_s: int | None = None  # sent with an honest 429
    body_bytes_max: int = 10_000_000

    def changed(self, given: Any) -> "Knobs":
        """These knobs, with those given. Raises msgspec.ValidationError."""
        return msgspec.convert({**msgspec.structs.asdict(self), **given}, Knobs)


class Fault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One way to fail. `applied`: the request is carried out first and only its answer is lost."""

    kind: Literal["429", "500", "503", "504", "empty", "slow", "drop"]
    applied: bool = False
    endpoint: str = ""  # `batch`, `anonymize`, ...; empty: any
    project: str = ""  # empty: any
    probability: float = 1.0
    times: int | None = None  # fires this often, then no more
    retry_after_s: int | None = None  # with 429
    wait_s: float = 1.0  # of `slow`

    def answer(self) -> Reply:
        headers = {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}
        match self.kind:
            case "429":
                return too_many_requests(self.retry_after_s)
            case "500":
                return 500, headers, "Internal Server Error"
            case "503":
                return 503, headers, {"success": False, "error": "Service Unavailable"}
            case "504":
                return 504, headers, "upstream request timeout"
            case _:
                return 200, headers, ""


def too_many_requests(retry_after_s: int | None) -> Reply:
    headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
    return 429, headers, {"success": False, "error": "Too many requests"}  # body undocumented; ours


class Faults:
    """The faults that are set; the first that fits and whose chance comes up fires."""

    def __init__(self, rng: Random) -> None:
        self.faults: list[Fault] = []
        self.fired: dict[str, int] = {}
        self._rng = rng

    def pick(self, endpoint: str, project: str) -> Fault | None:
        for fault in self.faults:
            fits = fault.endpoint in ("", endpoint) and fault.project in ("", project) and fault.times != 0
            if fits and self._rng.random() < fault.probability:
                if fault.times is not None:
                    fault.times -= 1
                name = f"{fault.kind} applied" if fault.applied else fault.kind
                self.fired[name] = self.fired.get(name, 0) + 1
                return fault
        return None


class RateLimit:
    """So many requests in each minute of an address."""

    def __init__(self) -> None:
        self._minutes: dict[str, tuple[int, int]] = {}  # address -> minute, requests in it

    def allows(self, address: str, per_minute: int, now_s: float) -> bool:
        minute = math.floor(now_s / 60)
        last, count = self._minutes.get(address, (minute, 0))
        count = count + 1 if last == minute else 1
        self._minutes[address] = minute, count
        return count <= per_minute
