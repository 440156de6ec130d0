"""`/_sim/…`: what only a simulator has. The package's docstring lists it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulators.bigcommerce.actions import AnyAction
from simulators.bigcommerce.knobs import Knobs
from simulators.bigcommerce.shop import KINDS, Entity, Refused, Shop, Store, apply

if TYPE_CHECKING:
    from simulators.bigcommerce.app import BigCommerce

Body = dict[str, Any]


class Control:
    def __init__(self, world: BigCommerce) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        return [
            Route("/_sim/actions", self.do, methods=["POST"]),
            Route("/_sim/knobs", self.knobs, methods=["GET", "PUT"]),
            Route("/_sim/stores", self.stores, methods=["GET", "POST"]),
            Route("/_sim/stores/{store_hash}", self.change_store, methods=["PUT"]),
            Route("/_sim/raw/{kind}/{entity_id}", self.raw, methods=["PUT", "DELETE"]),
            Route("/_sim/webhook", self.webhook, methods=["POST"]),
            Route("/_sim/state", self.state, methods=["GET"]),
            Route("/_sim/counters", self.counters, methods=["GET"]),
        ]

    async def do(self, request: Request) -> Response:
        items = orjson.loads(await request.body())
        if not isinstance(items, list):
            return _json({"error": "a list of actions is wanted"}, 400)
        answers: list[Body] = []
        for item in items:
            try:
                action = msgspec.convert(_filled(item, answers), AnyAction)
                with self._world.one_instant():
                    answers.append(apply(action, self._shop(action.store)))
            except (Refused, msgspec.ValidationError) as error:
                answers.append({"error": str(error)})
        return _json(answers)

    async def knobs(self, request: Request) -> Response:
        knobs = self._world.knobs
        if request.method == "PUT":
            try:
                changed = msgspec.convert({**msgspec.to_builtins(knobs), **orjson.loads(await request.body())}, Knobs)
            except msgspec.ValidationError as error:
                return _json({"error": str(error)}, 400)
            for name in Knobs.__struct_fields__:
                setattr(knobs, name, getattr(changed, name))
        return _json(msgspec.to_builtins(knobs))

    async def stores(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                self._world.add_store(msgspec.json.decode(await request.body(), type=Store))
            except msgspec.ValidationError as error:
                return _json({"error": str(error)}, 400)
        return _json([msgspec.to_builtins(shop.store) for shop in self._world.platform.shops.values()])

    async def change_store(self, request: Request) -> Response:
        try:
            store = self._shop(request.path_params["store_hash"]).store
            changed = msgspec.convert({**msgspec.to_builtins(store), **orjson.loads(await request.body())}, Store)
        except (Refused, msgspec.ValidationError) as error:
            return _json({"error": str(error)}, 400)
        if (changed.hash, changed.store_id) != (store.hash, store.store_id):
            return _json({"error": "a store keeps its hash and its id"}, 400)
        for name in Store.__struct_fields__:
            setattr(store, name, getattr(changed, name))
        return _json(msgspec.to_builtins(store))

    async def raw(self, request: Request) -> Response:
        kind, given = request.path_params["kind"], request.path_params["entity_id"]
        if kind not in KINDS or (kind != "cart" and not given.isdigit()):
            return _json({"error": f"no such {kind}"}, 400)
        try:
            shop = self._shop(request.query_params.get("store", ""))
        except Refused as error:
            return _json({"error": str(error)}, 400)
        body = await request.body() if request.method == "PUT" else None
        shop.set_raw(kind, given if kind == "cart" else int(given), body)
        return _json({})

    async def webhook(self, request: Request) -> Response:
        body = await request.body()
        try:
            fields = orjson.loads(body)
        except orjson.JSONDecodeError:
            fields = {}
        fields = fields if isinstance(fields, dict) else {}
        store_hash = request.query_params.get("store") or str(fields.get("producer", "")).removeprefix("stores/")
        scope = request.query_params.get("scope") or str(fields.get("scope", ""))
        webhook_id = ascii(fields.get("hash", "0" * 40)).strip("'")  # a header holds nothing else
        try:
            shop = self._shop(store_hash)
        except Refused as error:
            return _json({"error": str(error)}, 400)
        return _json({"hooks": self._world.sender.send(shop.store, scope, body, webhook_id)})

    async def state(self, request: Request) -> Response:
        only_store, only_kind = request.query_params.get("store"), request.query_params.get("kind")
        stores = {
            store_hash: {
                kind: [_truth(kind, entity) for entity in entities.values() if entity.states]
                for kind, entities in shop.entities.items()
                if only_kind in (None, kind)
            }
            for store_hash, shop in self._world.platform.shops.items()
            if only_store in (None, store_hash)
        }
        return _json({"now_ms": self._world.now_ms(), "stores": stores, "counters": self._counters()})

    async def counters(self, _: Request) -> Response:
        return _json(self._counters())

    def _counters(self) -> Body:
        sender = self._world.sender
        return {
            "webhooks": {
                "pending": sender.pending.total(),
                "pending_by_store": dict(sender.pending),
                **sender.counts,
                "fired": dict(sender.fired),
                "sent": dict(sender.sent),
            },
            "calls": dict(self._world.platform.calls),
            "faults": dict(self._world.platform.faults),
            "stale_reads": sum(shop.stale_reads for shop in self._world.platform.shops.values()),
        }

    def _shop(self, store_hash: str) -> Shop:
        shops = self._world.platform.shops
        if store_hash and store_hash not in shops:
            raise Refused(f"no store {store_hash}")
        return shops[store_hash or next(iter(shops))]


def _filled(item: Any, answers: list[Body]) -> Any:
    """`item` with every "$2.line_ids.0" replaced by what the third answer holds there. Raises Refused."""
    if isinstance(item, dict):
        return {key: _filled(value, answers) for key, value in item.items()}
    if not (isinstance(item, str) and item.startswith("$") and "." in item):
        return item
    at, *path = item[1:].split(".")
    try:
        found: Any = answers[int(at)]
        for step in path:
            found = found[int(step)] if isinstance(found, list) else found[step]
    except (ValueError, LookupError):
        raise Refused(f"{item} names nothing that was answered") from None
    return found


def _truth(kind: str, entity: Entity) -> Body:
    """`body` and the bodies of `states` are as REST gives them; an order's products and coupons stand beside them."""
    last = entity.states[-1]
    latest = next(state.body for state in reversed(entity.states) if state.body is not None)
    return {
        "id": entity.id,
        "created_at_ms": entity.states[0].at_ms,
        "deleted_at_ms": last.at_ms if last.body is None else None,
        "body": latest["order"] if kind == "order" else latest,
        "states": [
            {"at_ms": state.at_ms, "body": state.body["order"] if kind == "order" and state.body else state.body} for state in entity.states
        ],
        **({"products": latest["products"], "coupons": latest["coupons"]} if kind == "order" else {}),
    }


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, {"content-type": "application/json"})
