"""The Catalogs API. Item writes are queued, and the queue does not keep the order of requests. Source: docs/facts/engagement.md 5."""

import re
from typing import Any

import orjson

from simulators.engagement.call import Call, Endpoint, Failure
from simulators.engagement.commands import Refused
from simulators.engagement.profiles import Json
from simulators.engagement.project import Catalog, WriteItem

ITEMS_MAX = 5000  # of one call
SEARCHABLE_MAX = 20
BAD_KEY = re.compile(r"[.$\0]")
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "long text": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "date": (int, float),
}
STRING_MAX = 255  # characters; what is longer needs `long text`: inferred from the vendor's connector


def list_catalogs(call: Call) -> Json:
    _permit(call, "catalogs.get")
    return {"success": True, "data": [catalog.shown() for catalog in call.project.catalogs.values()]}


def create_catalog(call: Call) -> Json:
    """Names need not be unique: two that are created at once are two catalogs."""
    _permit(call, "catalogs.create")
    name, fields = call.body.get("name"), call.body.get("fields", [])
    well_formed = isinstance(fields, list) and all(
        isinstance(f, dict) and f.get("type", "string") in TYPES and f.get("name") for f in fields
    )
    if not isinstance(name, str) or not name or not well_formed:
        raise Failure(400, {"success": False, "errors": {"fields": ["Catalog is not valid"]}})  # words unknown; ours
    searchable = [f["name"] for f in fields if f.get("searchable")]
    if len(searchable) > SEARCHABLE_MAX:
        raise Failure(400, {"success": False, "errors": {"fields": ["Too many searchable fields"]}})  # words unknown; ours
    types = {f["name"]: f.get("type", "string") for f in fields}
    catalog = Catalog(call.project.new_id()[:24], name, call.body.get("is_product_catalog") is True, types, searchable)
    call.project.catalogs[catalog.id] = catalog
    return {"id": catalog.id, "success": True}


def get_catalog(call: Call) -> Json:
    _permit(call, "catalogs.get")
    return {"data": _catalog(call).shown(), "success": True}


def delete_catalog(call: Call) -> Json:
    _permit(call, "catalogs.delete")
    del call.project.catalogs[_catalog(call).id]
    return {"success": True}


def get_item(call: Call) -> Json:
    _permit(call, "catalogs.get")
    catalog, item_id = _catalog(call), call.ids["item_id"]
    if item_id not in catalog.items:
        raise Failure(404, {"success": False, "errors": ["Item does not exist"]})
    return {"data": {"catalog_id": catalog.id, "item_id": item_id, "properties": catalog.items[item_id]}, "success": True}


def put_items(call: Call) -> list[Json]:
    """Each item has its result, at its place; good ones are stored although others fail."""
    _permit(call, "catalogs.write")
    return _write(call, partial=False)


def update_items(call: Call) -> list[Json]:
    _permit(call, "catalogs.partial")
    return _write(call, partial=True)


def delete_items(call: Call) -> list[Json]:
    """One that is not there counts as deleted."""
    _permit(call, "catalogs.delete")
    return _results(call, _remove)


def _write(call: Call, *, partial: bool) -> list[Json]:
    def read(catalog: Catalog, item: Any) -> WriteItem:
        if not isinstance(item, dict) or not isinstance(item.get("properties"), dict):
            raise Refused("Item is not valid")  # words unknown; ours
        properties = item["properties"]
        _check(catalog, _item_id(item.get("item_id")), properties)
        return WriteItem(catalog.id, item["item_id"], properties, partial=partial, upsert=item.get("upsert") is True)

    return _results(call, read)


def _remove(catalog: Catalog, item: Any) -> WriteItem:
    return WriteItem(catalog.id, _item_id(item), None)


def _results(call: Call, read: Any) -> list[Json]:
    catalog = _catalog(call)
    if len(call.body) > ITEMS_MAX:
        raise Failure(400, {"success": False, "errors": ["Too many items"]})  # words unknown; ours
    accepted: list[WriteItem] = []
    results: list[Json] = []
    for item in call.body:
        try:
            accepted.append(read(catalog, item))
            results.append({"success": True, "queued": True})
        except Refused as refused:
            results.append({"success": False, "queued": False, "errors": {"properties": [str(refused)]}})
    call.project.counters["items"] += len(accepted)
    # In their order: of two writes of one item in one call the last one wins.
    call.simulator.catalog.put(call.project, accepted, call.simulator.knobs.catalog_delay_ms, shuffled=False)
    return results


def _item_id(given: Any) -> str:
    if not isinstance(given, str) or not given or "/" in given:
        raise Refused("Item id is not valid")  # words unknown; ours
    return given


def _check(catalog: Catalog, item_id: str, properties: Json) -> None:
    """Raises Refused naming the field at fault."""
    if unknown := [name for name in properties if name not in catalog.fields]:
        raise Refused(f"Fields [{', '.join(unknown)}] are not properly defined.")
    for name, value in properties.items():
        kind = catalog.fields[name]
        fits = isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
        if BAD_KEY.search(name) or not fits or (kind == "string" and len(value) > STRING_MAX):
            raise Refused(f"Fields [{name}] are not properly defined.")
    if len(orjson.dumps(properties)) >= 800_000:
        raise Refused(f"Item {item_id} is too large")  # undocumented; ours


def _catalog(call: Call) -> Catalog:
    catalog = call.project.catalogs.get(call.ids["catalog_id"])
    if catalog is None:
        raise Failure(404, {"success": False, "errors": ["Catalog does not exist"]})
    return catalog


def _permit(call: Call, permission: str) -> None:
    if not call.key.may(permission):
        raise Failure(403, {"success": False, "errors": ["No permission to access catalogs"]})


ENDPOINTS = (
    Endpoint("GET", "/data/v2", "catalogs", list_catalogs),
    Endpoint("POST", "/data/v2", "catalogs", create_catalog),
    Endpoint("GET", "/data/v2", "catalogs/{catalog_id}", get_catalog),
    Endpoint("DELETE", "/data/v2", "catalogs/{catalog_id}", delete_catalog, takes=None),
    Endpoint("GET", "/data/v2", "catalogs/{catalog_id}/items/{item_id}", get_item),
    Endpoint("PUT", "/data/v2", "catalogs/{catalog_id}/items", put_items, takes=list),
    Endpoint("POST", "/data/v2", "catalogs/{catalog_id}/items/partial-update", update_items, takes=list),
    Endpoint("DELETE", "/data/v2", "catalogs/{catalog_id}/items/bulk-delete", delete_items, takes=list),
)
