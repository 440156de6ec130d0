"""The webhook door: what is answered 200 is on Kafka."""

import asyncio
import time

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from bigcommerce.verify import Unverified, verify_delivery
from bigcommerce.webhooks import parse_webhook
from ingest.metrics import Metrics
from ingest.writer import Writer
from schemas.directory import Directory
from schemas.failures import Failure, Unavailable, Undecodable
from schemas.keys import webhook_key
from schemas.records import Origin, encode, headers_of
from schemas.stores import Store
from schemas.webhooks import WebhookReceived

BODY_BYTES_MAX = 64 * 1024  # the largest that was ever seen has some 300
BODY_S_MAX = 5.0


class Refused(Failure):
    """A delivery that is not taken; `reason` is one of a few fixed texts, the answer's body and a metric's label."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class WebhookDoor:
    """Takes deliveries for the stores of the directory."""

    def __init__(self, directory: Directory, writer: Writer, metrics: Metrics, client_secret: str) -> None:
        """`client_secret` is the app's, for stores that have none of their own."""
        self.open = False  # until the directory was read nobody can tell whose a delivery is
        self._directory = directory
        self._writer = writer
        self._metrics = metrics
        self._client_secret = client_secret

    async def receive_webhook(self, request: Request) -> Response:
        """POST /webhooks/{store_hash}: 200 and an empty body when all in-sync replicas have the webhook.

        408 body too slow, 413 body over 64 kB, 404 unknown or removed store, 401 not BigCommerce's or another store's,
        400 no JSON object, 503 Kafka is away. Always answers well before BigCommerce hangs up (docs/facts/bigcommerce.md 1.5).
        """
        began, received_at_ms = time.perf_counter(), time.time_ns() // 1_000_000
        store = self._directory.of_hash(request.path_params["store_hash"])
        name = store.store if store else ""
        try:
            if not self.open:
                raise Refused(503, "starting")
            if store is None:
                raise Refused(404, "unknown store")
            await self._take(store, request, await _read_body(request), received_at_ms)
        except Refused as refused:
            self._metrics.refused(name, refused.reason)
            return PlainTextResponse(f"{refused.reason}\n", refused.status)
        self._metrics.accepted(name, time.perf_counter() - began)
        return Response(status_code=200)

    async def _take(self, store: Store, request: Request, body: bytes, received_at_ms: int) -> None:
        try:
            verified = verify_delivery(
                request.headers,
                body,
                client_secret=store.client_secret or self._client_secret,
                webhook_secret=store.webhook_secret,
                now_ms=received_at_ms,
            )
            webhook = parse_webhook(body)
        except Unverified as error:
            raise Refused(401, error.reason) from None
        except Undecodable as error:
            raise Refused(400, error.reason) from None
        # Stores of one app share its client secret: without this, a delivery to one could be played to another.
        if webhook.producer not in (None, store.hash):
            raise Refused(401, "another store's")
        self._metrics.verified(store.store, verified.by, verified.old)
        message = WebhookReceived(
            store=store.store,
            resource=webhook.resource,
            id=webhook.id,
            scope=webhook.scope,
            received_at_ms=received_at_ms,
            body=body.decode(),
        )
        key = webhook_key(store.store, webhook.resource, webhook.id)
        try:
            await self._writer.write(key.encode(), encode(message), headers_of(message, Origin(cause="", observed_at_ms=received_at_ms)))
        except Unavailable as error:
            raise Refused(503, str(error)) from None
        if webhook.resource == "other":
            self._metrics.untracked(webhook.scope)


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S_MAX):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise Refused(413, "body over 64 kB")
    except TimeoutError:
        raise Refused(408, "body too slow") from None
    except ClientDisconnect:
        raise Refused(400, "hung up") from None
    return bytes(body)
