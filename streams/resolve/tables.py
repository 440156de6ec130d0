"""The rows: what resolve remembers between two records. Values of Faust tables, as JSON; fields are only ever added."""

from typing import TypeVar

import msgspec

from bigcommerce.carts import CartLine
from schemas.entities import Seen
from schemas.people import Activity


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of the rows. `offset`: the last record of the table's topic that changed this one; after a kill it may come again."""

    offset: int = -1


AnyRow = TypeVar("AnyRow", bound=Row)


class Refused(msgspec.Struct, frozen=True):
    """The last state of an entity that a rule refused, and why; its dead letter has the state."""

    seen: Seen
    why: str


class EntityRow(Row, frozen=True, omit_defaults=True):
    """Base of the rows that hold entities. `refused`: by the entity's id, until a state that is not older goes through."""

    refused: dict[str, Refused] = {}


class OrderMark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of an order, for ever: an order refunded after a year must not become a second purchase."""

    seen: Seen
    status_id: int
    purchased: bool = False
    silent: bool = False  # history that was loaded without its events: no purchase ever
    account: str | None = None  # the last one that it had, "" for none; None in rows from before this was kept: the owner's


class Checkout(EntityRow, frozen=True, omit_defaults=True):
    """A cart and its orders, under the id that they share. No person's data: `owner` is an account's id or an e-mail's hash.

    `owner` is kept when the cart has ended, for its orders may be another's.
    """

    cart: Seen | None = None
    lines: list[CartLine] = []
    currency: str = ""
    owner: str = ""  # `account/{customer_id}`, `person/{lane}`, "" while nobody is known for the cart
    passed_on: bool = False  # more than one was known to have it
    ended: bool = False  # became an order, or its deletion was told: its states say nothing any more
    found_gone_ms: int = 0  # time of the read that missed it
    orders: dict[str, OrderMark] = {}
    number: int = 0  # last of the lane's commands, while nobody is known for the cart


class Account(EntityRow, frozen=True, omit_defaults=True):
    """A customer account, and what waits for it to become known."""

    seen: Seen | None = None
    home: str = ""  # key of the person's row: the e-mail at first sight
    email: str = ""  # present
    told_ms: int = 0  # when it was deleted, as a delete webhook told
    found_ms: int = 0  # when it was first found missing
    found_first_read_ms: int = 0  # time of the first read that missed it
    found_read_ms: int = 0  # of the last one
    waiting: list[Activity] = []


class Subscription(EntityRow, frozen=True, omit_defaults=True):
    """A newsletter subscriber."""

    seen: Seen | None = None
    email: str = ""
    since_ms: int = 0  # when it came to this e-mail
    told_ms: int = 0
    found_read_ms: int = 0


class Product(EntityRow, frozen=True, omit_defaults=True):
    """A product: what its items in the catalogs hold."""

    seen: Seen | None = None
    told_ms: int = 0  # when it was deleted, as a delete webhook told
    found_read_ms: int = 0  # time of the last read that missed it
    digest: str = ""  # of its item as last sent; "" where none was, or it was removed
    variants: dict[str, str] = {}  # variant id to the digest of its item as last sent


class ConsentSent(msgspec.Struct, frozen=True):
    """The last consent event of one category."""

    action: str
    at_ms: int


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one Engagement profile was last told."""

    email: str = ""  # the property
    digest: str = ""  # of all properties of the account that writes them
    names: list[str] = []  # of every property that was ever set, to be emptied
    updated_ms: int = 0  # last update_timestamp
    consents: dict[str, ConsentSent] = {}


class LiveAccount(msgspec.Struct, frozen=True, omit_defaults=True):
    """An account whose home this row is."""

    created_ms: int
    here: bool  # its present e-mail is this row's
    person: str  # which of the row's profiles it writes to
    read_at_ms: int = 0  # of its last state
    store: str = ""  # whose it is; "" in rows from before this was kept, when a project had one store
    lane: str = ""  # key of the row of its present e-mail; "" in rows from before this was kept


class LiveSubscription(msgspec.Struct, frozen=True, omit_defaults=True):
    """A subscription by this row's e-mail, or one that another row handed on to an account whose home is here."""

    consents: list[str]
    can_hold: list[str]
    email: str = ""
    since_ms: int = 0  # when it came to its e-mail
    modified_ms: int = 0
    person: str = ""  # the row's profile that it counts for; with `home` the account
    home: str = ""  # key of the row that it was handed on to
    by: str = ""  # the account that it was handed on here for
    via: str = ""  # key of the row that handed it on here


class Holder(msgspec.Struct, frozen=True, omit_defaults=True):
    """An account that took the row's e-mail."""

    from_ms: int
    customer: str
    home: str = ""  # key of its home's row, "" where that is this one
    gone_ms: int = 0  # when the account was deleted


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last fact of one account or subscriber: what is not after it is a repetition."""

    place: int
    via: str = ""


class Profile(Row, frozen=True, omit_defaults=True):
    """One e-mail's row: what is known of the people who have had it; see rules/profiles.py.

    `persons` are the Engagement profiles that this row writes: "" is the one with `email_id`, which also bears the
    customer id `bears`; any other key is an account that took the e-mail over while the first one's profile still has
    `email_id`, and is known by its customer id alone.
    """

    email: str = ""
    persons: dict[str, Person] = {}
    bears: str = ""
    accounts: dict[str, LiveAccount] = {}  # whose home this row is
    subscriptions: dict[str, LiveSubscription] = {}
    holders: list[Holder] = []  # by time
    held_ms: int = 0  # the last time at which an account was known to have the e-mail
    marks: dict[str, Mark] = {}  # `account/{id}`, `subscriber/{id}`: kept when they are gone
    gone: dict[str, int] = {}  # accounts whose home this was, and when they were deleted
    anonymized_ms: int = 0  # the profile with `email_id`
    stayed_ms: int = 0  # the last deletion of an account that shared that profile with one that lives
    moved_here: dict[str, str] = {}  # accounts that came to the e-mail of guests with a profile of their own, and their homes' keys
    erased: dict[str, int] = {}  # accounts of one who asked to be erased, and when: no state of theirs says anything any more
    erased_ms: int = 0  # the last time that who has the e-mail asked for it
    number: int = 0  # last of the lane's commands
    live_only: bool = False  # an anonymization is among them: no later one goes by engagement.history
    # Of rows that know no holders yet:
    pointer: str = ""
    pointer_customer: str = ""
    pointer_ms: int = 0


def read_row(row: bytes | None, kind: type[AnyRow]) -> AnyRow:
    """The row, or an empty one."""
    return kind() if row is None else msgspec.json.decode(row, type=kind)


def write_row(row: Row) -> bytes:
    return msgspec.json.encode(row)
