"""What the shop holds against what Engagement holds, row by row of what is tracked. Pure; shares no code with what it judges."""

import calendar
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_tz
from typing import Any

Json = dict[str, Any]
CATEGORIES = {"marketing_newsletter": "bigcommerce", "abandoned_cart": "bigcommerce_abandoned_cart"}
NOT_PLACED = (0, 1, 5, 6)
ADDRESS = {"country": "country", "country_code": "country_code", "state": "state_or_province", "city": "city", "zip": "postal_code"}
STATUS = [
    "Incomplete",
    "Pending",
    "Shipped",
    "Partially Shipped",
    "Refunded",
    "Cancelled",
    "Declined",
    "Awaiting Payment",
    "Awaiting Pickup",
    "Awaiting Shipment",
    "Completed",
    "Awaiting Fulfillment",
    "Manual Verification Required",
    "Disputed",
    "Partially Refunded",
]


@dataclass
class Row:
    """One line of the comparison: how many there should be and are right, and what is wrong, in words."""

    what: str
    in_shop: int = 0
    right: int = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, name: str, problem: str) -> None:
        """Count one thing; `problem` is "" where it is right."""
        self.in_shop += 1
        if problem:
            self.wrong.append(f"{name}: {problem}")
        else:
            self.right += 1


class Held:
    """Engagement's profiles, found by their ids, and their events."""

    def __init__(self, state: Json) -> None:
        self.profiles: list[Json] = state["profiles"]
        self.of: dict[tuple[str, str], Json] = {}
        self.events: dict[str, list[tuple[Json, Json]]] = defaultdict(list)
        for profile in self.profiles:
            self.of |= dict.fromkeys(profile["hard"].items(), profile)
            self.of |= {(kind, value): profile for kind, values in profile["soft"].items() for value in values}
            for event in profile["events"]:
                self.events[event["type"]].append((profile, event))

    def by(self, type: str, *names: str) -> dict[Any, list[tuple[Json, Json]]]:
        """Events of a type by some of their properties."""
        found: dict[Any, list[tuple[Json, Json]]] = defaultdict(list)
        for profile, event in self.events[type]:
            found[tuple(event["properties"].get(name) for name in names)].append((profile, event))
        return found


def compare(shop: Json, engagement: Json, dead_letters: int) -> list[Row]:
    """`shop` is one store of the simulator's state, `engagement` the project's; a row for each thing that is tracked."""
    held = Held(engagement)
    gone = {str(c["id"]): c["deleted_at_ms"] for c in shop["customer"] if c["deleted_at_ms"]}
    left = {s["body"]["email"].strip().lower() for c in shop["customer"] if c["deleted_at_ms"] for s in c["states"] if s["body"]}
    rows = [
        *customers(shop["customer"], held),
        *subscribers(shop["subscriber"], held, left),
        *orders(shop["order"], held, gone, left),
        carts(shop["cart"], shop["order"], held, gone),
    ]
    clashes = Row("hard ids that clash")
    for conflict in engagement["conflicts"]:
        clashes.check(str(conflict), "a clash")
    letters = Row("dead letters")
    if dead_letters:
        letters.check("dead-letters", f"{dead_letters} records could not be processed")
    return [*rows, clashes, letters]


def customers(entities: Iterable[Json], held: Held) -> Iterator[Row]:
    profiles, anonymized = Row("customers' profiles"), Row("deleted customers, anonymized")
    for entity in entities:
        id, body = str(entity["id"]), entity["body"]
        profile = held.of.get(("customer_id", id))
        if entity["deleted_at_ms"]:
            # One that came and went before we read it had no e-mail that we could know.
            known = any((p["former_ids"] or {}).get("customer_id") == id for p in held.profiles)
            emails = {s["body"]["email"].strip().lower() for s in entity["states"] if s["body"] and known}
            kept = [p for p in held.profiles if p["properties"].get("email") in emails]
            anonymized.check(f"customer {id}", "its profile still bears its id" if profile else "its e-mail is still held" if kept else "")
            continue
        if profile is None:
            profiles.check(f"customer {id}", "has no profile")
            continue
        wanted = expected_properties(body)
        differs = sorted(n for n, v in wanted.items() if profile["properties"].get(n) != v)
        profiles.check(f"customer {id}", "differs in " + ", ".join(differs) if differs else "")
    for profile in held.profiles:
        named = [n for n in ("email", "first_name", "last_name", "phone", "city") if profile["properties"].get(n)]
        if profile["anonymized_at_ms"] and named:
            anonymized.wrong.append(f"profile {profile['internal_id']}: still holds {', '.join(named)}")
    yield profiles
    yield anonymized


def expected_properties(body: Json) -> Json:
    address: Json = min(body["addresses"], key=lambda a: a["id"], default={})
    wanted: Json = {ours: address.get(theirs, "") for ours, theirs in ADDRESS.items()}
    for name in ("first_name", "last_name", "phone", "company"):
        wanted[name] = address.get(name) or body[name]
    wanted["email"] = body["email"].strip().lower()
    wanted["customer_group_id"] = str(body["customer_group_id"])
    wanted["registered_at"] = int(datetime.fromisoformat(body["date_created"]).timestamp())
    if body["attributes"]:
        wanted["bigcommerce_shoe_size"] = body["attributes"][0]["attribute_value"]
    for fact in body["form_fields"]:
        wanted["bigcommerce_how_did_you_hear_about_us"] = fact["value"]
    return wanted


def subscribers(entities: Iterable[Json], held: Held, left: set[str]) -> Iterator[Row]:
    """A person consents while any live subscription of the profile does.

    `left`: e-mails of deleted customers; what their subscriptions say is not sent again.
    """
    row, doubled = Row("subscribers' consents"), Row("consent events, each once")
    known = {str(entity["id"]): entity for entity in entities}
    for id, entity in known.items():
        if entity["body"]["email"].strip().lower() in left:
            continue
        profile = held.of.get(("subscriber_id", id), {"soft": {"subscriber_id": [id]}, "events": []})
        last = last_consents(profile)
        live = [s["body"]["consents"] for s in map(known.get, profile["soft"]["subscriber_id"]) if s and not s["deleted_at_ms"]]
        wrong = [c for k, c in CATEGORIES.items() if (last.get(c) == "accept") != any(k in consents for consents in live)]
        silent = live and not last
        row.check(f"subscriber {id}", "has no consent event" if silent else "differs in " + ", ".join(wrong) if wrong else "")
    times = Counter((p["internal_id"], e["properties"]["category"], e["timestamp"]) for p, e in held.events["consent"])
    for place, count in times.items():
        doubled.check(str(place), f"sent {count} times" if count > 1 else "")
    yield row
    yield doubled


def last_consents(profile: Json) -> dict[str, str]:
    events = sorted((e for e in profile["events"] if e["type"] == "consent"), key=lambda e: e["timestamp"])
    return {e["properties"]["category"]: e["properties"]["action"] for e in events}


def orders(entities: Iterable[Json], held: Held, gone: dict[str, int], left: set[str]) -> Iterator[Row]:
    """What a deleted person ordered, by account or by e-mail, may have been dropped, and is nobody's any more."""
    purchases, items, updates = Row("orders: purchase"), Row("orders: purchase_item"), Row("orders: order_update")
    by_id, by_line, by_update = (
        held.by("purchase", "purchase_id"),
        held.by("purchase_item", "purchase_id"),
        held.by("order_update", "purchase_id"),
    )
    for entity in entities:
        body, id = entity["body"], str(entity["id"])
        lines = entity["products"]
        found = by_id.get((id,), [])
        ever_placed = any(s["body"] and s["body"]["status_id"] not in NOT_PLACED for s in entity["states"])
        placed = body["status_id"] not in NOT_PLACED
        of_deleted = str(body["customer_id"]) in gone or (not body["customer_id"] and _email(body) in left)
        if not ever_placed or ((not placed or of_deleted) and not found):
            if found:
                purchases.check(f"order {id}", "was never placed, but has a purchase")
            continue
        purchases.check(f"order {id}", _purchase_problem(body, lines, found, held, of_deleted))
        held_items = [event for _, event in by_line.get((id,), [])]
        same = Counter(e["properties"]["line_item_id"] for e in held_items) == Counter(str(line["id"]) for line in lines)
        items.check(f"order {id}", "" if same else f"{len(held_items)} items for {len(lines)} lines")
        changes = sorted((e for _, e in by_update.get((id,), [])), key=lambda e: e["timestamp"])
        told = changes[-1]["properties"]["order_status"] if changes else found[0][1]["properties"]["order_status"] if found else ""
        if not of_deleted:
            updates.check(f"order {id}", "" if told == STATUS[body["status_id"]] else f"is {STATUS[body['status_id']]}, held as {told}")
    yield purchases
    yield items
    yield updates


def _email(order: Json) -> str:
    return str(order["billing_address"]["email"]).strip().lower()


def _purchase_problem(body: Json, lines: list[Json], found: list[tuple[Json, Json]], held: Held, of_deleted: bool) -> str:
    if len(found) != 1:
        return f"has {len(found)} purchases"
    profile, event = found[0]
    wanted = {
        "total_price": float(body["total_inc_tax"][:-2]),
        "total_quantity": sum(line["quantity"] for line in lines),
        "product_ids": sorted({str(line["product_id"]) for line in lines if line["product_id"]}),
        "customer_type": "registered" if body["customer_id"] else "guest",
    }
    differs = [name for name, value in wanted.items() if event["properties"].get(name) != value]
    if event["timestamp"] != calendar.timegm(parsedate_tz(body["date_created"])[:9]):  # type: ignore[index]
        differs.append("timestamp")
    if differs:
        return "differs in " + ", ".join(differs)
    if of_deleted:
        return ""
    whose = ("customer_id", str(body["customer_id"])) if body["customer_id"] else ("email_id", _email(body))
    return "" if held.of.get(whose) is profile else "stands on another person's profile"


def carts(entities: Iterable[Json], all_orders: Iterable[Json], held: Held, gone: dict[str, int]) -> Row:
    """The last `cart_update` of each cart says what it holds; a state that came and went between two reads may be missed."""
    row = Row("carts: cart_update")
    ordered = {entity["body"]["cart_id"] for entity in all_orders}
    by_cart = held.by("cart_update", "cart_id")
    for entity in entities:
        if str(entity["body"]["customer_id"]) in gone:
            continue
        events = sorted((e for _, e in by_cart.get((entity["id"],), [])), key=lambda e: e["timestamp"])
        times = Counter(e["timestamp"] for e in events)
        body = entity["body"]
        lines = [line for group in body["line_items"].values() for line in group]
        problem = "an event twice" if times and max(times.values()) > 1 else ""
        if entity["deleted_at_ms"] is None:
            held_quantity = events[-1]["properties"]["total_quantity"] if events else 0
            quantity = sum(line["quantity"] for line in lines)
            problem = problem or ("" if held_quantity == quantity else f"holds {quantity}, held as {held_quantity}")
        elif entity["id"] in ordered:
            problem = problem or ("was emptied, but became an order" if any(e["properties"]["action"] == "empty" for e in events) else "")
        elif events:
            told = any(e["properties"]["action"] == "empty" for e in events)
            problem = problem or ("" if told else "was emptied, and no event says so")
        row.check(f"cart {entity['id']}", problem)
    return row
