"""The customers and GDPR API. Reads are answered at once from what is applied; an anonymization is queued.

Source: docs/facts/engagement.md 6.
"""

import time
from typing import Any

from simulators.engagement.call import Call, Endpoint, Failure
from simulators.engagement.commands import Refused, read_ids
from simulators.engagement.identity import Ids
from simulators.engagement.profiles import NEVER_DUPLICATES, Event, Json, Profile
from simulators.engagement.project import Anonymize

CUSTOMERS_MAX = 1000
UNKNOWN_CUSTOMER: Json = {"errors": {"_global": ["Customer does not exist"]}, "success": False}


def export_one(call: Call) -> Json:
    _permit(call, "gdpr.export_one", "No permission to export customer")
    profile = _profile(call)
    events = [event.shown() for event in _by_time(profile.events)]
    return {"success": True, "ids": profile.ids, "properties": profile.properties, "events": events}


def export(call: Call) -> Json:
    """`native_json` only: a row per profile, a column per id type and property name; soft ids as a list."""
    _permit(call, "gdpr.export", "No permission to export customers")
    if call.body.get("format") != "native_json":
        raise Failure(400, {"success": False, "errors": ["Format is not supported by the simulator"]})
    profiles = list(call.project.identities.profiles.values())
    types = [*call.project.settings.hard_ids, *call.project.settings.soft_ids]
    names = sorted({name for profile in profiles for name in profile.properties})
    fields = [{"type": "id", "id": kind} for kind in types] + [{"type": "property", "property": name} for name in names]
    data = [[*map(profile.ids.get, types), *map(profile.properties.get, names)] for profile in profiles]
    return {"success": True, "fields": fields, "data": data}


def events(call: Call) -> Json:
    _permit(call, "events.get", "No permission to export events")
    wanted = call.body.get("event_types")
    if not isinstance(wanted, list | None):
        raise Failure(400, {"success": False, "errors": ["Event types must be a list"]})
    found = _by_time(event for event in _profile(call).events if not wanted or event.type in wanted)
    if call.body.get("order") == "desc":
        found.reverse()
    skip, limit = call.body.get("skip") or 0, call.body.get("limit")
    if not isinstance(skip, int) or not isinstance(limit, int | None):
        raise Failure(400, {"success": False, "errors": ["Limit and skip must be numbers"]})
    chosen = found[skip:] if limit is None else found[skip : skip + limit]
    return {"success": True, "data": [event.shown() for event in chosen]}


def attributes(call: Call) -> Json:
    wanted = call.body.get("attributes")
    if not isinstance(wanted, list) or not all(isinstance(attribute, dict) for attribute in wanted):
        raise Failure(400, {"success": False, "errors": ["Attributes must be a list of objects"]})
    profile = _profile(call)
    return {"success": True, "results": [_attribute(profile, attribute) for attribute in wanted]}


def anonymize(call: Call) -> Json:
    _permit(call, "gdpr.anonymize", "No permission to anonymize customer")
    result = _anonymize(call, call.body)
    if not result["success"]:
        raise Failure(404 if result is UNKNOWN_CUSTOMER else 400, result)
    return result


def anonymize_bulk(call: Call) -> Json:
    """At most 1,000; each has its result, at its place. The shape of the answer is not documented."""
    _permit(call, "gdpr.anonymize", "No permission to anonymize customer")
    wanted = call.body.get("customers")
    if not isinstance(wanted, list) or not all(isinstance(customer, dict) for customer in wanted):
        raise Failure(400, {"success": False, "errors": ["Customers must be a list of objects"]})
    if len(wanted) > CUSTOMERS_MAX:
        raise Failure(400, {"success": False, "errors": ["Too many customers"]})
    return {"success": True, "results": [_anonymize(call, customer) for customer in wanted]}


def _anonymize(call: Call, customer: Json) -> Json:
    """Queued where the customer is known now; one who is still in the tracking queue is not."""
    project, simulator = call.project, call.simulator
    project.counters["received"] += 1
    project.commands["anonymize"] += 1
    try:
        ids, internal_id = _meant(call, customer)
    except Refused as refused:
        call.log("anonymize", customer, str(refused))
        return {"success": False, "errors": [str(refused)]}
    if project.identities.find(ids) is None and project.identities.find_internal(internal_id) is None:
        call.log("anonymize", customer, "Customer does not exist")
        return UNKNOWN_CUSTOMER
    call.log("anonymize", customer, "queued")
    command = Anonymize(ids, internal_id, call.received_at_ms)
    simulator.gdpr.put(project, [command], simulator.knobs.gdpr_delay_ms, shuffled=False)
    return {"success": True}


def _meant(call: Call, customer: Json) -> tuple[Ids, str]:
    """The valid ids, or the internal id. Raises Refused where neither is given."""
    if internal_id := customer.get("internal_id"):
        return (), str(internal_id)
    return read_ids(call.project, customer.get("customer_ids")), ""


def _profile(call: Call) -> Profile:
    """The one whom the body means: by the first id that is known. Raises Failure."""
    try:
        ids, internal_id = _meant(call, call.body)
    except Refused as refused:
        raise Failure(400, {"success": False, "errors": [str(refused)]}) from None
    profile = call.project.identities.find(ids) or call.project.identities.find_internal(internal_id)
    if profile is None:
        raise Failure(404, UNKNOWN_CUSTOMER)
    return profile


def _attribute(profile: Profile, attribute: Json) -> Json:
    match attribute.get("type"):
        case "property":
            return {"success": True, "value": profile.properties.get(attribute.get("property", ""))}
        case "id":
            return {"success": True, "value": profile.ids.get(attribute.get("id", ""))}
        case "consent":
            return {"success": True, "value": _consents(profile, attribute.get("category"))}
        case _:
            return {"success": False, "error": "Not supported by the simulator"}


def _consents(profile: Profile, category: Any) -> bool:
    """The latest consent event of the category is an `accept` that is still valid."""
    found = [e for e in _by_time(profile.events) if e.type == NEVER_DUPLICATES and e.properties.get("category") == category]
    if not found or found[-1].properties.get("action") != "accept":
        return False
    until = found[-1].properties.get("valid_until")
    return until == "unlimited" or (isinstance(until, int | float) and until > time.time())


def _by_time(events: Any) -> list[Event]:
    return sorted(events, key=lambda event: event.timestamp)


def _permit(call: Call, permission: str, refusal: str) -> None:
    if not call.key.may(permission):
        raise Failure(403, {"success": False, "errors": [refusal]})


ENDPOINTS = (
    Endpoint("POST", "/data/v2", "customers/export-one", export_one),
    Endpoint("POST", "/data/v2", "customers/export", export),
    Endpoint("POST", "/data/v2", "customers/events", events),
    Endpoint("POST", "/data/v2", "customers/attributes", attributes),
    Endpoint("POST", "/data/v2", "customers/anonymize", anonymize),
    Endpoint("POST", "/data/v2", "customers/anonymize_bulk", anonymize_bulk),
)
