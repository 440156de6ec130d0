"""Profiles: those of accounts, of deleted people, and of people who are known by their e-mail alone."""

import re
from collections.abc import Iterator

from ops.demo.compare.held import Held, Json, Profile, differing, said
from ops.demo.compare.owners import Owners
from ops.demo.compare.rows import Row
from ops.demo.compare.shop import Entity, Shop, clean, seconds

ADDRESS = {"country": "country", "country_code": "country_code", "state": "state_or_province", "city": "city", "zip": "postal_code"}
ATTRIBUTE = "bigcommerce_shoe_size"  # the only one that the shop knows; the bodies of accounts do not name it


def people(shop: Shop, held: Held, owners: Owners) -> Iterator[Row]:
    accounts, deleted, others = Row("customers' profiles"), Row("deleted customers, anonymized"), Row("people known by e-mail alone")
    for account in shop.customers.values():
        profile = held.of.get(("customer_id", account.id))
        if account.deleted_s is None:
            accounts.check(f"customer {account.id}", _account_problem(account, profile, owners) if profile else "has no profile")
        else:
            deleted.check(f"customer {account.id}", "its profile still bears its id" if profile else "")
        if profile:
            held.explained.add(profile)
    for profile in held.profiles:
        email = profile.hard.get("email_id")
        if profile.anonymized:
            _check_anonymized(profile, shop, held, owners, deleted)
        elif email and "customer_id" not in profile.hard:
            _check_known_by_email(profile, email, held, owners, others, deleted)
    yield from (accounts, deleted, others)


def _account_problem(account: Entity, profile: Profile, owners: Owners) -> str:
    email = profile.hard.get("email_id")
    if email is None and not owners.may_lack_email_id(account):
        return "has no email_id"
    if email is not None and email not in owners.homes(account):
        return "has another person's email_id"
    wanted = expected_properties(account.last.body)
    once = {name for state in account.states for name in expected_properties(state.body)}
    emptied = {name: "" for name in once - wanted.keys() if name in profile.properties}
    return said(differing(wanted | emptied, profile.properties))


def expected_properties(body: Json) -> Json:
    """What an account's profile holds: of the address with the lowest id, else of the account."""
    address: Json = min(body["addresses"], key=lambda a: a["id"], default={})
    wanted: Json = {ours: address.get(theirs, "") for ours, theirs in ADDRESS.items()}
    for name in ("first_name", "last_name", "phone", "company"):
        wanted[name] = address.get(name) or body[name]
    wanted["email"] = clean(body["email"])
    wanted["customer_group_id"] = str(body["customer_group_id"])
    wanted["registered_at"] = seconds(body["date_created"])
    if body["attributes"]:
        wanted[ATTRIBUTE] = body["attributes"][0]["attribute_value"]
    for fact in body["form_fields"]:
        wanted["bigcommerce_" + "_".join(re.findall("[a-z0-9]+", fact["name"].lower()))] = fact["value"]
    return wanted


def _check_anonymized(profile: Profile, shop: Shop, held: Held, owners: Owners, row: Row) -> None:
    """Nothing that it was told is left on it; only deleted and lapsed people are anonymized."""
    gone = [a for kind, value in profile.former if kind == "customer_id" and (a := shop.customers.get(value))]
    emails = [value for kind, value in profile.former if kind == "email_id"]
    gone += [tenure.account for email in emails for tenure in owners.tenures.get(email, [])]
    if any(account.deleted_s is not None for account in gone) or any(map(owners.has_lapsed, emails)):
        held.explained.add(profile)
    if named := sorted(name for name, value in profile.properties.items() if value != ""):
        row.wrong.append(f"{profile.name}: still holds {', '.join(named)}")


def _check_known_by_email(profile: Profile, email: str, held: Held, owners: Owners, row: Row, deleted: Row) -> None:
    if owners.may_be_known(email):
        held.explained.add(profile)
        row.check(profile.name, said(differing({"email": email}, profile.properties)))
    elif any(tenure.account.deleted_s is not None for tenure in owners.tenures.get(email, [])):
        held.explained.add(profile)
        deleted.wrong.append(f"{profile.name}: holds the e-mail of a deleted customer")
