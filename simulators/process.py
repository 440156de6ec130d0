"""A simulator as a process of its own: `start` is the parent's side, `serve` the child's."""

import asyncio
import contextlib
import json
import os
import queue
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from granian.constants import Interfaces
from granian.server.embed import Server

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
START_S_MAX = 30.0
STOP_S_MAX = 10.0

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class SimulatorFailed(Exception):
    """The simulator ended, or said nothing, before it listened."""


@dataclass
class SimulatorProcess:
    """A simulator that listens at `url`; a context manager that stops it at its end."""

    url: str
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """The process has ended: on SIGTERM, or killed after STOP_S_MAX seconds."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_S_MAX)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def start(name: str, *args: str, port: int = 0) -> SimulatorProcess:
    """`simulators.{name}` runs as a child and listens on `port` (0: a free one) of 127.0.0.1; `args` go to its command line.

    It ends with us, for its stdin is our pipe. Raises SimulatorFailed where it does not listen within START_S_MAX seconds.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", f"simulators.{name}", "--port", str(port), *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    handle = SimulatorProcess("", process)
    first: queue.Queue[str] = queue.Queue()
    assert process.stdout
    threading.Thread(target=lambda out=process.stdout: first.put(out.readline()), daemon=True).start()
    try:
        handle.url = json.loads(first.get(timeout=START_S_MAX))["url"]
    except (queue.Empty, ValueError) as error:
        process.kill()
        handle.stop()
        raise SimulatorFailed(f"simulators.{name} did not listen; exit code {process.returncode}") from error
    return handle


def serve(app: AsgiApp, port: int) -> NoReturn:
    """`app` is served on `port` (0: a free one) until SIGTERM or SIGINT, or until stdin, where it is a pipe, is closed.

    Prints one line, `{"url": "http://127.0.0.1:…"}`, once it listens. Ends the process. Raises OSError where the port is taken.
    """
    asyncio.run(_serve(app, port))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a request under way while the interpreter goes makes Granian's threads panic, loudly


async def _serve(app: AsgiApp, port: int) -> None:
    if port:
        with _bound(port, shared=False):  # Granian shares ports: without this a second server would take half of the calls
            pass
    with _bound(port, shared=True) as held:  # holds a free port, without listening, until Granian has it
        port = held.getsockname()[1]
        server = Server(app, address=HOST, port=port, interface=Interfaces.ASGI, websockets=False, log_enabled=False)
        running = asyncio.ensure_future(server.serve())
        _stop_in_time(server.stop)
        while not running.done():
            with contextlib.suppress(OSError):
                _, writer = await asyncio.wait_for(asyncio.open_connection(HOST, port), timeout=5)
                writer.close()
                break
            await asyncio.sleep(0.01)
    sys.stdout.write(json.dumps({"url": f"http://{HOST}:{port}"}) + "\n")
    sys.stdout.flush()
    await running


def _stop_in_time(stop: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    for end in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(end, stop)
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        loop.add_reader(0, lambda: os.read(0, 4096) or (loop.remove_reader(0), stop()))


def _bound(port: int, *, shared: bool) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((HOST, port))
    except OSError:
        sock.close()
        raise
    return sock
