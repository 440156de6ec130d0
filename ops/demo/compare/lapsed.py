"""Subscribers without an account who consented to nothing for long: a daily run ends them, and nobody else."""

from dataclasses import dataclass
from itertools import pairwise

from ops.demo.compare.held import Held
from ops.demo.compare.rows import Row
from ops.demo.compare.shop import Entity, Shop, clean, seconds

DAY_S = 24 * 60 * 60
NEWSLETTER = "marketing_newsletter"


@dataclass(frozen=True)
class Lapse:
    """A daily run, at rest: when, UNIX seconds, and after how many days without a consent subscribers lapse, 0: never."""

    at_s: float
    days: int


def lapsed(shop: Shop, run: Lapse | None) -> dict[str, float]:
    """The e-mails of those whom the run ends, and when."""
    if run is None or not run.days:
        return {}
    had_accounts = {clean(state.body["email"]) for account in shop.customers.values() for state in account.states}
    by_email: dict[str, list[Entity]] = {}
    for subscriber in shop.subscribers.values():
        by_email.setdefault(clean(subscriber.last.body["email"]), []).append(subscriber)
    return {
        email: run.at_s
        for email, subscribers in by_email.items()
        if email not in had_accounts and all(_consented_long_ago(subscriber, run) for subscriber in subscribers)
    }


def _consented_long_ago(subscriber: Entity, run: Lapse) -> bool:
    """Whether it says no to the newsletter, and said nothing new for so long."""
    said = [(seconds(state.body["date_modified"]), set(state.body["consents"])) for state in subscriber.states if state.at_s <= run.at_s]
    if subscriber.deleted_s is not None and subscriber.deleted_s <= run.at_s:
        said.append((subscriber.deleted_s, set()))
    changed = [said[0][0], *(at_s for (_, before), (at_s, now) in pairwise(said) if now != before)] if said else [run.at_s]
    return not (said and NEWSLETTER in said[-1][1]) and max(changed) < run.at_s - run.days * DAY_S


def anonymized(lapsed: dict[str, float], held: Held) -> Row:
    """Each has an anonymized profile, and no other."""
    row, former = Row("lapsed subscribers, anonymized"), {key for profile in held.profiles for key in profile.former}
    for email in lapsed:
        key = ("email_id", email)
        row.check(email, "is not anonymized" if key in held.of else "" if key in former else "has no profile")
    return row
