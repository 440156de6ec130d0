"""The Tracking API. Source: docs/facts/engagement.md 2."""

import time
from collections.abc import Callable
from typing import Any

from simulators.engagement.call import Call, Endpoint, Failure
from simulators.engagement.commands import VALUE_BYTES_MAX, Refused, check_size, read_customer, read_event
from simulators.engagement.profiles import Json
from simulators.engagement.project import Command, Key, Project

COMMANDS_MAX = 50
READERS: dict[str, Callable[[Project, Key, Json, int], Command]] = {"customers": read_customer, "customers/events": read_event}


def system_time(_: Call) -> Json:
    return {"errors": [], "success": True, "time": time.time()}


def customers(call: Call) -> Json:
    return _single(call, "customers")


def events(call: Call) -> Json:
    return _single(call, "customers/events")


def batch(call: Call) -> Json:
    """At most 50 commands; each has its result, at its place. The whole is refused only for its shape."""
    started = time.time()
    commands = call.body.get("commands")
    if not isinstance(commands, list) or not commands:
        raise Failure(400, {"success": False, "message": "No commands"})
    if not all(isinstance(command, dict) for command in commands):
        raise Failure(400, {"success": False, "message": "Invalid JSON"})
    if len(commands) > COMMANDS_MAX:
        raise Failure(400, {"success": False, "message": "Too many commands"})  # words unknown; ours
    accepted: list[Command] = []
    results = [_result(call, command, accepted) for command in commands]
    _queue(call, accepted)
    return {"results": results, "start_time": started, "end_time": time.time(), "success": True}


def _result(call: Call, command: Json, accepted: list[Command]) -> Json:
    result: Json = {"success": True}
    name = command.get("name")
    if name == "system/time":
        result["time"] = time.time()
    else:
        try:
            accepted.append(_accept(call, name, command.get("data")))
        except Refused as refused:
            result = {"success": False, "errors": [str(refused)]}
    if "command_id" in command:
        result["command_id"] = command["command_id"]
    return result


def _single(call: Call, name: str) -> Json:
    try:
        command = _accept(call, name, call.body)
    except Refused as refused:
        raise Failure(call.simulator.knobs.single_failure_status, {"success": False, "errors": [str(refused)]}) from None
    _queue(call, [command])
    return {"errors": [], "success": True}


def _accept(call: Call, name: Any, data: Any) -> Command:
    """The command as it will be applied, logged and counted. Raises Refused."""
    project, label = call.project, name if name in READERS else "unknown"
    project.counters["received"] += 1
    project.commands[label] += 1
    outcome = "queued"
    try:
        if label == "unknown":
            raise Refused("Unknown command")  # words unknown; ours
        if not isinstance(data, dict):
            raise Refused("Data must be an object")  # words unknown; ours
        if call.body_bytes >= VALUE_BYTES_MAX:  # in a smaller body nothing can be too large
            check_size(data)
        return READERS[name](project, call.key, data, call.received_at_ms)
    except Refused as refused:
        outcome = str(refused)
        raise
    finally:
        call.log(label, data, outcome)


def _queue(call: Call, commands: list[Command]) -> None:
    knobs = call.simulator.knobs
    call.simulator.tracking.put(call.project, commands, knobs.tracking_delay_ms, shuffled=knobs.shuffle)


ENDPOINTS = (
    Endpoint("GET", "/track/v2", "system/time", system_time, public=True),
    Endpoint("POST", "/track/v2", "customers", customers, public=True),
    Endpoint("POST", "/track/v2", "customers/events", events, public=True),
    Endpoint("POST", "/track/v2", "batch", batch, public=True),
)
