"""What resolve tells itself about a person: facts on `people` and on `bigcommerce.accounts`.

A fact on `people` goes to the row of an e-mail, `{project}/{h}`. `customer` and `subscriber` are Engagement's ids, text.
"""

from typing import Any, ClassVar

import msgspec

from schemas.records import Message


class Event(msgspec.Struct, frozen=True):
    """One Engagement event before it is known whose it is. Built once, from the store's data alone."""

    type: str  # purchase, purchase_item, order_update, cart_update
    timestamp_ms: int
    properties: dict[str, Any]


class PersonFact(Message, frozen=True, kw_only=True):
    """Base of the facts on `people`."""

    store: str
    handed_on: str = ""  # the customer whose home it was handed on to: it is never handed on again; "back" where it came back from there
    via: str = ""  # key of the row that handed it on
    place: int = -1  # offset of the record that it follows from, on its entity's topic; -1 where it needs none


class Activity(PersonFact, frozen=True, kw_only=True):
    """What a cart or an order brought: events, and that its cart id is this person's.

    customer: the account that did it, "" for a guest, who is known by `email`; on `bigcommerce.accounts` `email` is "", and
    on `people` it is the account's own, not the one typed at the till.
    """

    name: ClassVar[str] = "activity"
    customer: str
    email: str
    cart_id: str  # "" where an order had no cart
    born_ms: int  # the store's own time by which it belongs before or after a deletion
    at_ms: int  # when the cart or order was modified
    starts_profile: bool  # an order starts a new profile after a deletion, a cart does not
    events: list[Event]
    passed_on: bool = False  # the cart was somebody else's before
    live: bool = False  # a webhook brought it: it goes by engagement.commands also where it waited for an account that a page brought


class AccountSeen(PersonFact, frozen=True, kw_only=True):
    """An account's present state, for its home's row."""

    name: ClassVar[str] = "account-seen"
    customer: str
    email: str  # present, cleaned
    created_ms: int
    modified_ms: int
    properties: dict[str, Any]  # of its Engagement profile, all but `email`
    read_at_ms: int = 0  # when it was read so


class AccountGone(PersonFact, frozen=True, kw_only=True):
    """An account was deleted; for its home's row, for that of its present e-mail, and for those that still hand on to its home."""

    name: ClassVar[str] = "account-gone"
    customer: str
    at_ms: int


class Erased(PersonFact, frozen=True, kw_only=True):
    """A person asked to be erased; for their e-mail's row, which hands it on to the homes of accounts that have the e-mail.

    Handed on, it names the account in `customer`, its sender in `via`, and no e-mail.
    """

    name: ClassVar[str] = "erased"
    email: str
    at_ms: int  # when it was asked for
    customer: str = ""
    holds: bool = False  # handed on: what comes by the e-mail is for the account, even if it left the e-mail


class Lapsed(PersonFact, frozen=True, kw_only=True):
    """A subscriber without an account has consented to nothing for long, as `profiles` said; the row looks again."""

    name: ClassVar[str] = "lapsed"
    at_ms: int  # the time that it was judged for
    days: int  # the consent is older than so many


class EmailTaken(PersonFact, frozen=True, kw_only=True):
    """An account moved to this row's e-mail: what comes by it from then on is for that account's home."""

    name: ClassVar[str] = "email-taken"
    customer: str
    home: str  # key of the home's row
    at_ms: int


class SubscriptionSeen(PersonFact, frozen=True, kw_only=True):
    """A subscriber's present state, for its e-mail's row."""

    name: ClassVar[str] = "subscription-seen"
    subscriber: str
    email: str
    consents: list[str]  # what it consents to
    can_hold: list[str]  # what its `consents` list can hold
    created_ms: int
    modified_ms: int
    since_ms: int = 0  # when it came to this e-mail; 0: when it was created


class SubscriptionGone(PersonFact, frozen=True, kw_only=True):
    """A subscriber was deleted, or moved to another e-mail."""

    name: ClassVar[str] = "subscription-gone"
    subscriber: str
    at_ms: int
