"""`/_sim/...`: what a test or the demo sets and sees. Not the platform's; no sign-in, no faults, no limits.

POST /_sim/projects   project.Settings: made, or its settings replaced (its profiles stay)
POST /_sim/knobs      some of faults.Knobs; answers all of them
POST /_sim/faults     a list of faults.Fault, in place of those set; answers the list
GET  /_sim/faults     the faults set, with the times left, and how often each kind fired
POST /_sim/idle       `{"timeout_s": 30}`: waits until all queues are empty; answers `{"idle", "pending"}`
GET  /_sim/state      ?project= all profiles, conflicts, anonymizations, catalogs with their items, counters, pending
GET  /_sim/counters   ?project= the counters alone, cheap; without a project those of all, by token
GET  /_sim/log        ?since=0&project= what was received, command by command; go on with `since` = `next`
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulators.engagement.faults import Fault
from simulators.engagement.project import Project, Settings
from simulators.engagement.simulator import Simulator


def json_response(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content, default=_plain), status, media_type="application/json")


def routes(simulator: Simulator) -> list[Route]:
    async def put_project(request: Request) -> Any:
        settings = msgspec.json.decode(await request.body(), type=Settings)
        return msgspec.to_builtins(simulator.put_project(settings).settings)

    async def set_knobs(request: Request) -> Any:
        simulator.knobs = simulator.knobs.changed(msgspec.json.decode(await request.body(), type=dict[str, Any]))
        return msgspec.to_builtins(simulator.knobs)

    async def set_faults(request: Request) -> Any:
        simulator.faults.faults = msgspec.json.decode(await request.body(), type=list[Fault])
        return msgspec.to_builtins(simulator.faults.faults)

    async def show_faults(_: Request) -> Any:
        return {"faults": msgspec.to_builtins(simulator.faults.faults), "fired": simulator.faults.fired}

    async def idle(request: Request) -> Any:
        given = msgspec.json.decode(await request.body() or b"{}", type=dict[str, float])
        try:
            async with asyncio.timeout(given.get("timeout_s", 30)):
                while any(_pending(simulator).values()):
                    await simulator.tracking.drained()
                    await simulator.gdpr.drained()
                    await simulator.catalog.drained()
        except TimeoutError:
            pass
        pending = _pending(simulator)
        return {"idle": not any(pending.values()), "pending": pending}

    async def state(request: Request) -> Any:
        project = _project(simulator, request)
        return {**project.state(), "counters": project.counts(), "pending": _pending(simulator)}

    async def counters(request: Request) -> Any:
        if "project" in request.query_params:
            return _project(simulator, request).counts()
        return {token: project.counts() for token, project in simulator.projects.items()}

    async def log(request: Request) -> Any:
        return simulator.log.since(int(request.query_params.get("since", 0)), request.query_params.get("project", ""))

    return [
        Route("/_sim/projects", _checked(put_project), methods=["POST"]),
        Route("/_sim/knobs", _checked(set_knobs), methods=["POST"]),
        Route("/_sim/faults", _checked(set_faults), methods=["POST"]),
        Route("/_sim/faults", _checked(show_faults), methods=["GET"]),
        Route("/_sim/idle", _checked(idle), methods=["POST"]),
        Route("/_sim/state", _checked(state), methods=["GET"]),
        Route("/_sim/counters", _checked(counters), methods=["GET"]),
        Route("/_sim/log", _checked(log), methods=["GET"]),
    ]


def _checked(handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return json_response(await handler(request))
        except (msgspec.MsgspecError, ValueError, LookupError) as error:
            return json_response({"error": str(error)}, 400)

    return answer


def _project(simulator: Simulator, request: Request) -> Project:
    token = request.query_params.get("project", "")
    if token not in simulator.projects:
        raise LookupError(f"no project {token!r}")
    return simulator.projects[token]


def _pending(simulator: Simulator) -> dict[str, int]:
    return {"tracking": simulator.tracking.pending, "gdpr": simulator.gdpr.pending, "catalog": simulator.catalog.pending}


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)
