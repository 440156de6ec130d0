"""The door: faults, limits, sign-in and counting, the same for every address of the platform."""

import asyncio
import base64
import binascii
import contextlib
import os
import re
import socket
import stat
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulators.engagement import catalogs, control, customers, tracking
from simulators.engagement.call import Call, Endpoint, Failure
from simulators.engagement.faults import Fault, Reply, too_many_requests
from simulators.engagement.project import Key, Project
from simulators.engagement.queues import now_ms
from simulators.engagement.simulator import Simulator

ENDPOINTS = (*tracking.ENDPOINTS, *customers.ENDPOINTS, *catalogs.ENDPOINTS)
PROJECT_TOKEN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def app(simulator: Simulator) -> Starlette:
    routes = [
        Route(f"{endpoint.base}/projects/{{token}}/{endpoint.path}", _door(simulator, endpoint), methods=[endpoint.method])
        for endpoint in ENDPOINTS
    ]
    return Starlette(routes=[*routes, *control.routes(simulator)], exception_handlers={404: _not_found, 405: _not_found, 500: _failed})


def _door(simulator: Simulator, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        received_at_ms = now_ms()
        body = await request.body()
        token = request.path_params["token"]
        carry_out = partial(_carry_out, simulator, endpoint, request, body, received_at_ms)
        fault = simulator.faults.pick(endpoint.name, token)
        reply = await _misbehave(fault, carry_out) if fault else carry_out()
        dropped = fault is not None and fault.kind == "drop"
        if token in simulator.projects:
            counter = simulator.projects[token].requests.setdefault(endpoint.name, Counter())
            counter["dropped" if dropped else str(reply[0])] += 1
        if dropped:
            _cut(request)
        return _response(reply)

    return answer


async def _misbehave(fault: Fault, carry_out: Callable[[], Reply]) -> Reply:
    if fault.kind == "slow" and fault.applied:
        reply = carry_out()
        await asyncio.sleep(fault.wait_s)
        return reply
    if fault.kind == "slow":
        await asyncio.sleep(fault.wait_s)
        return carry_out()
    if fault.applied:
        carry_out()
    return fault.answer()


def _carry_out(simulator: Simulator, endpoint: Endpoint, request: Request, body: bytes, received_at_ms: int) -> Reply:
    simulator.requests += 1
    knobs = simulator.knobs
    if not simulator.rate_limit.allows(request.client.host if request.client else "", knobs.requests_per_minute, time.monotonic()):
        return too_many_requests(knobs.retry_after_s)
    try:
        project, key = _sign_in(simulator, endpoint, request)
        if len(body) > knobs.body_bytes_max:
            raise Failure(413, {"success": False, "message": "Request entity too large"})  # words unknown; ours
        if request.headers.get("content-encoding", "identity") != "identity":
            return 400, {}, "BadRequest: The browser (or proxy) sent a request that this server could not understand"
        content = {} if endpoint.method == "GET" or endpoint.takes is None else _read_body(body, endpoint.takes)
        ids = request.path_params
        return 200, {}, endpoint.answer(Call(simulator, project, key, simulator.requests, content, len(body), received_at_ms, ids))
    except Failure as failure:
        return failure.status, {}, failure.body


def _sign_in(simulator: Simulator, endpoint: Endpoint, request: Request) -> tuple[Project, Key]:
    """Raises Failure. Source: docs/facts/engagement.md 1, 2.5."""
    token = request.path_params["token"]
    project = simulator.projects.get(token)
    if project is None:
        known_shape = PROJECT_TOKEN.fullmatch(token)
        raise Failure(400, {"success": False, "error": "Invalid project id" if known_shape else "Could not authenticate"})
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme == "Token" and endpoint.public and credentials in project.settings.public_tokens:
        return project, Key(id="", secret="")
    key_id, _, secret = _decoded(credentials).partition(":") if scheme == "Basic" else ("", "", "")
    key = next((key for key in project.settings.keys if key.id == key_id), None)
    if key is None:
        raise Failure(401, {"success": False, "error": "access key not found"})
    if key.secret != secret:
        raise Failure(403, {"success": False, "error": "invalid secret"})
    return project, key


def _decoded(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _read_body(body: bytes, kind: type) -> Any:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, kind):
        raise Failure(400, {"success": False, "message": "Invalid JSON"})
    return content


def _response(reply: Reply) -> Response:
    status, headers, body = reply
    headers = {**headers, "x-request-id": str(uuid.uuid4())}
    if isinstance(body, str):
        return Response(body, status, headers, media_type="text/plain")
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


async def _not_found(_: Request, __: Exception) -> Response:
    return _response((404, {}, {"errors": {"code": 404, "description": "The requested URL was not found on the server"}}))


async def _failed(_: Request, error: Exception) -> Response:
    """A mistake of the simulator's own, not a fault that was asked for: told apart by what stands on stderr."""
    traceback.print_exception(error)
    return Response("The simulator failed; see its stderr", 500)


def _cut(request: Request) -> None:
    """End the caller's connection without an answer, where the caller has not left already.

    Granian has no word for that, so the connection's socket is looked for by its peer.
    """
    peer = request.client and (request.client.host, int(request.client.port))  # Granian gives the port as text
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue  # what is no socket would be left open by the attempt to make one of it
            with socket.socket(fileno=os.dup(int(name))) as connection:
                if connection.getpeername()[:2] == peer:
                    connection.shutdown(socket.SHUT_RDWR)
                    return
