"""The ingest process: its addresses, what they need, and an orderly end."""

import asyncio
import contextlib
import os
import signal
import sys
from typing import NoReturn

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ingest.metrics import Metrics
from ingest.webhooks import WebhookDoor
from ingest.writer import Writer
from schemas.directory import Directory
from schemas.failures import Failure, Unavailable, WrongSetting
from schemas.settings import Settings

log = structlog.get_logger()
CONNECTIONS_MAX = 1024
HEADER_MS_MAX = 5_000  # also how long half a request can hold up the end of the process
DRAIN_S_MAX = 10.0  # longer than any answer takes
RETRY_S = 1.0


def main(settings: Settings) -> NoReturn:
    """Serve until SIGTERM or SIGINT; the process ends here, with 0, or with 70 after an unexpected error. Raises WrongSetting."""
    try:
        code = asyncio.run(Ingest(settings).serve())
    except Failure:
        raise
    except Exception:
        log.exception("ingest ended unexpectedly")
        code = 70
    sys.stderr.flush()
    os._exit(code)  # all is answered and written; a thread of Granian that meets the interpreter's end aborts the process


class Ingest:
    """One ingest process. It listens from its first moment on; deliveries are answered 503 until the stores were read."""

    def __init__(self, settings: Settings) -> None:
        """Raises WrongSetting."""
        self._settings = settings
        self._directory = Directory(settings)
        self._writer = Writer(settings)
        self._metrics = Metrics()
        self._door = WebhookDoor(self._directory, self._writer, self._metrics, settings.bigcommerce_client_secret.get_secret_value())

    async def serve(self) -> int:
        """Until a signal: then what is in flight is answered and what waits for Kafka is flushed. Raises WrongSetting."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        server = self._server()
        try:
            async with asyncio.TaskGroup() as group:
                background = [group.create_task(self._writer.run()), group.create_task(self._open_door())]
                serving = group.create_task(self._listen(server))
                serving.add_done_callback(lambda _: stop.set())
                await stop.wait()
                by_signal = not serving.done()
                server.stop()  # type: ignore[no-untyped-call]
                await asyncio.wait({serving}, timeout=DRAIN_S_MAX)
                for task in (*background, serving):
                    task.cancel()
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            with contextlib.suppress(asyncio.CancelledError):  # what an aiokafka consumer raises when it ends while Kafka is away
                await self._directory.stop()
        log.info("ingest ended", by_signal=by_signal)
        return 0 if by_signal else 70

    def _server(self) -> Server:
        host, _, port = self._settings.listen.rpartition(":")
        routes = [
            Route("/webhooks/{store_hash}", self._door.receive_webhook, methods=["POST"]),
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/metrics", self._render_metrics),
        ]
        return Server(
            Starlette(routes=routes),
            host.strip("[]"),
            int(port),
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_MS_MAX),
            websockets=False,
            backlog=CONNECTIONS_MAX,
            log_enabled=False,
        )

    async def _listen(self, server: Server) -> None:
        log.info("ingest listens", address=self._settings.listen)
        try:
            await server.serve()
        except RuntimeError as error:  # what Granian raises for an address that it cannot have
            reason = str(error).partition("\n")[0]
            raise WrongSetting(f"CARTSTREAM_LISTEN: {self._settings.listen} cannot be listened on: {reason}") from None

    async def _open_door(self) -> None:
        while True:
            try:
                await self._directory.start()
            except Unavailable as error:
                log.warning("the stores cannot be read for now", error=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                self._door.open = True
                return

    async def _healthz(self, _: Request) -> Response:
        """200 while this process answers at all."""
        return PlainTextResponse("alive\n")

    async def _readyz(self, _: Request) -> Response:
        """200 when a webhook would be taken now, else 503 with the reason."""
        if not self._door.open:
            return PlainTextResponse("the stores were not read yet\n", 503)
        if not await self._writer.reachable():
            return PlainTextResponse("Kafka is away\n", 503)
        return PlainTextResponse("ready\n")

    async def _render_metrics(self, _: Request) -> Response:
        """What Prometheus scrapes."""
        return Response(self._metrics.render(), media_type=CONTENT_TYPE_LATEST)
