"""Carts: a `cart_update` of each state that was read and had other lines than the one before; `empty` of those that shoppers emptied."""

from collections import Counter, defaultdict

from ops.demo.compare.held import Event, Held, Json, differing, said
from ops.demo.compare.orders import first_placed, owner
from ops.demo.compare.owners import Owners, Whose
from ops.demo.compare.rows import Row
from ops.demo.compare.shop import Entity, Shop, State, clean, money, products, seconds

TICK_S = 0.05  # at the most between a deletion and the stamp of its webhook
NOBODY = Whose()


def carts(shop: Shop, held: Held, owners: Owners) -> Row:
    """A state that came and went between two reads may be missed; of a deleted person's cart all of them."""
    row, ordered = Row("carts: cart_update"), defaultdict(list)
    for order in shop.orders.values():
        ordered[order.last.body["cart_id"]].append(order)
    for cart in shop.carts.values():
        events = held.take("cart_update", cart.id)
        joins = [
            (whose, first_placed(order)[1] and state is order.states[0] and _is_joined(whose, order.last, held))
            for order in ordered[cart.id]
            for whose in [owner(order, owners)]
            for state in order.states
        ]
        whose = [_whose(state, owners) for state in cart.states]
        told = _events_problem(cart, events, bool(joins), missable=any(one.missable for one in whose + [who for who, _ in joins]))
        row.check(f"cart {cart.id}", told or _place_problem(cart, events, whose, joins, held))
    return row


def _lines(state: State) -> list[Json]:
    return [line for kind in state.body["line_items"].values() for line in kind]


def _contents(state: State) -> dict[str, int]:
    return {line["id"]: line["quantity"] for line in _lines(state)}


def _at_s(state: State) -> float:
    thousandths: int = state.body["version"] % 1000
    return round(seconds(state.body["updated_time"]) + thousandths / 1000, 3)


def _gone_at_s(cart: Entity) -> set[float]:
    return {float((cart.deleted_ms + late_ms) // 1000) for late_ms in (0, int(1000 * TICK_S))}


def expected_update(state: State, before: dict[str, int]) -> Json:
    """The whole cart, and what was done to it since it held `before`: line to quantity."""
    body, now = state.body, _contents(state)
    came, went = now.keys() - before.keys(), before.keys() - now.keys()
    action = "empty" if not now else "add" if came and not went else "remove" if went and not came else "update"
    return {
        "action": action,
        "cart_id": body["id"],
        **products(_lines(state)),
        "total_price": money(body["cart_amount"]),
        "total_price_local_currency": money(body["cart_amount"]),
        "local_currency": "USD",
        "voucher_code": ", ".join(sorted(coupon["code"] for coupon in body["coupons"])),
    }


def expected_empty(cart: Entity) -> Json:
    nothing = {"product_list": [], "product_ids": [], "variant_ids": [], "total_quantity": 0, "local_currency": "USD"}
    return {"action": "empty", "cart_id": cart.id, "total_price": 0.0, "total_price_local_currency": 0.0, **nothing}


def _events_problem(cart: Entity, events: list[Event], ordered: bool, *, missable: bool) -> str:
    """The events are what somebody tells who read some of the states: all that stood long, and at the end the last."""
    at, left = {event.at_s: event for event in events}, Counter(event.at_s for event in events)
    if twice := [at[moment] for moment, count in left.items() if count > 1]:
        return f"{twice[0]} stands twice"
    known: list[dict[str, int]] = [{}]  # what it may have been known to hold: a state of which the event was dropped counts
    for state in cart.states:
        event, holds = at.pop(_at_s(state), None), _contents(state)
        if event is not None:
            problems = [said(differing(expected_update(state, before), event.properties)) for before in known if before != holds]
            if all(problems):
                return f"version {state.body['version']} {problems[0]}" if problems else f"{event} changed nothing"
            known = [holds]
        elif holds not in known and missable:
            known.append(holds)
        elif holds not in known and not state.brief:
            return f"holds {holds}, held as {known[0]}"
    if cart.deleted_s is not None and not ordered:
        gone = [at.pop(moment) for moment in _gone_at_s(cart) if moment in at]
        if any(known) and not gone and not missable:
            return "was emptied, and no event says so"
        if gone and (problem := said(differing(expected_empty(cart), gone[0].properties))):
            return f"the empty cart {problem}"
        if gone and not any(known):
            return "was emptied before it was known, but has an event"
    return f"{next(iter(at.values()))} never was" if at else ""


def _whose(state: State, owners: Owners) -> Whose:
    """Whose a cart is in a state: the account's, the e-mail's, or nobody's yet. After a deletion a cart alone makes nobody known."""
    if state.body["customer_id"]:
        return owners.account(str(state.body["customer_id"]))
    email = clean(state.body["email"])
    if not email:
        return NOBODY
    whose = owners.email(email, state.at_s, seconds(state.body["updated_time"]))
    return whose | Whose(missable=owners.deleted_before(email, state.at_s))


def _is_joined(whose: Whose, state: State, held: Held) -> bool:
    """Whether the cart's id stands with its person: by an e-mail not with one who is known by a customer id alone (docs/guarantees.md)."""
    by_email = not state.body["customer_id"]
    return not by_email or any(key not in held.of or "email_id" in held.of[key].hard for key in whose.live)


def _place_problem(cart: Entity, events: list[Event], whose: list[Whose], joins: list[tuple[Whose, bool]], held: Held) -> str:
    """Each event stands with the cart's owner of that time; what nobody was known for then, with the next one."""
    states = {_at_s(state): number for number, state in enumerate(cart.states)}
    certain = [not state.brief and _is_joined(who, state, held) for state, who in zip(cart.states, whose, strict=True)]
    owned = [(who, sure) for who, sure in [*zip(whose, certain, strict=True), *joins] if who != NOBODY]
    for event in events:
        number = states.get(event.at_s, len(whose) - 1)
        at_once, profile = whose[number], event.profile
        later = [(who, sure) for who, sure in [*zip(whose[number:], certain[number:], strict=True), *joins] if who != NOBODY]
        if event.at_s not in states:  # emptied: of whoever was known last
            at_once, later = NOBODY, owned
        surely = at_once != NOBODY or any(sure and who.lives for who, sure in later)
        allowed = [at_once] if at_once != NOBODY else [who for who, _ in later]
        anonymous = not profile.hard and not profile.anonymized
        if anonymous and not surely and ("cart_id", cart.id) in profile.ids:
            held.explained.add(profile)
        elif not any(who.allows(profile) for who in allowed):
            return f"{event} " + ("is not joined to its person" if anonymous else "stands on another person's profile")
    if any(sure and who.lives for who, sure in owned):
        joined = held.of.get(("cart_id", cart.id))
        if joined is None or not any(who.allows(joined) for who, _ in owned):
            return "is not joined to its person"
    return ""
