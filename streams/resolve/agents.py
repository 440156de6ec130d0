"""The agents: for each table the topic that it follows, and which rule each message meets."""

from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace
from prometheus_client import Counter

from schemas.dead_letters import letter_of, lost_letter
from schemas.entities import (
    CartGone,
    CartState,
    CustomerGone,
    CustomerState,
    EntityGone,
    EntityState,
    OrderState,
    ProductGone,
    ProductState,
    SubscriberGone,
    SubscriberState,
)
from schemas.failures import Reject, Undecodable
from schemas.people import Activity, PersonFact
from schemas.records import RECORD_BYTES_MAX, Decoder, Message, Origin, encode, headers_of, origin_of
from schemas.topics import ACCOUNTS, CHECKOUTS, DEAD_LETTERS, PEOPLE, PRODUCTS, SUBSCRIBERS, Topic
from streams.engine import Decision, Incoming, Outgoing
from streams.resolve.rules import accounts, checkouts, products, profiles, subscribers, way
from streams.resolve.rules.change import Change, Send, Store
from streams.resolve.rules.refused import refuse, still_refused
from streams.resolve.tables import Account, Checkout, EntityRow, Product, Profile, Row, Subscription, read_row, write_row

log = structlog.get_logger()
NOTES = Counter("cartstream_resolve_notes", "Records that said nothing or less, by reason", ["topic", "note"])

Rule = Callable[[Any, str, Message, Store], Change[Any]]


def checkout_rule(row: Checkout, _key: str, message: Message, store: Store) -> Change[Checkout]:
    match message:
        case CartState():
            return checkouts.apply_cart(row, message, store)
        case CartGone():
            return checkouts.apply_cart_gone(row, message, store)
        case OrderState():
            return checkouts.apply_order(row, message, store)
    raise TypeError(f"no rule for {message.name}")


def account_rule(row: Account, _key: str, message: Message, store: Store) -> Change[Account]:
    match message:
        case CustomerState():
            return accounts.apply_customer(row, message, store)
        case CustomerGone():
            return accounts.apply_customer_gone(row, message, store)
        case Activity():
            return accounts.apply_activity(row, message, store)
    raise TypeError(f"no rule for {message.name}")


def subscriber_rule(row: Subscription, _key: str, message: Message, store: Store) -> Change[Subscription]:
    match message:
        case SubscriberState():
            return subscribers.apply_subscriber(row, message, store)
        case SubscriberGone():
            return subscribers.apply_subscriber_gone(row, message, store)
    raise TypeError(f"no rule for {message.name}")


def product_rule(row: Product, _key: str, message: Message, store: Store) -> Change[Product]:
    match message:
        case ProductState():
            return products.apply_product(row, message, store)
        case ProductGone():
            return products.apply_product_gone(row, message, store)
    raise TypeError(f"no rule for {message.name}")


def people_rule(row: Profile, key: str, message: Message, store: Store) -> Change[Profile]:
    if not isinstance(message, PersonFact):
        raise TypeError(f"no rule for {message.name}")
    return profiles.apply_fact(row, key, message, store)


class Agent:
    """One agent: a record and its row in, the decision out. Called by the engine, once a record."""

    def __init__(self, topic: Topic, row: type[Row], rule: Rule, store_of: Callable[[str], Store], prefix: str) -> None:
        """`store_of` gives what rules know of a store, which the engine made sure of; `prefix` is that of all topics."""
        self.topic, self._row, self._rule = topic, row, rule
        self._store_of, self._prefix = store_of, prefix
        self._decoder = Decoder(topic.messages)

    def can_read(self, record: Incoming) -> bool:
        """Whether it is a message of the topic; one that is none needs no store, it becomes a dead letter."""
        try:
            self._decoder.decode(record.value, record.headers)
        except Undecodable:
            return False
        return True

    def decide(self, record: Incoming, row: bytes | None) -> Decision:
        """What `record` does. One that cannot be read becomes a dead letter; any other exception is a bug."""
        found = read_row(row, self._row)
        if record.offset <= found.offset:  # a kill came between its row and its acknowledgement
            return Decision()
        key, message = record.key.decode(errors="replace"), None
        try:
            message = self._decoder.decode(record.value, record.headers)
            assert isinstance(message, EntityState | EntityGone | PersonFact)  # each topic's, and all name their store
            change = self._rule(found, key, message, self._store_of(message.store))
            decision = self._decision(record, found, message, change)
        except Reject as failure:
            return self._refused(record, found, message, failure)
        if change.note:
            NOTES.labels(self.topic.name, change.note).inc()
            log.debug("resolve.note", topic=self.topic.name, key=key, note=change.note)
        return decision

    def _decision(self, record: Incoming, found: Row, message: Message, change: Change[Any]) -> Decision:
        """Raises Reject where Kafka would not take a part of it."""
        origin = _origin(record)
        of_backfill = way.is_of_backfill(origin.cause, self._prefix) and not (isinstance(message, Activity) and message.live)
        sends = []
        for send in change.sends:
            topic = self._prefix + way.topic_of(send, change.row, of_backfill=of_backfill).name
            sent = self._stamped(send, record.offset, of_backfill=of_backfill)
            sends.append(Outgoing(topic, send.key.encode(), encode(sent), headers_of(sent, origin)))
        after = change.row
        if after is not None and isinstance(found, EntityRow) and found.refused:
            after = replace(after, refused=still_refused(found, message))
        row = None if after is None else write_row(replace(after, offset=record.offset))
        if len(row or b"") > RECORD_BYTES_MAX:
            raise Reject(f"its row in {self.topic.table} would become too large")
        for outgoing in sends:
            if len(outgoing.value or b"") > RECORD_BYTES_MAX:
                raise Reject(f"what follows from it for {outgoing.topic} is too large for a record")
        return Decision(row, sends)

    def _stamped(self, send: Send, offset: int, *, of_backfill: bool) -> Message:
        """Facts about a person bear the place of the record that they follow from, so that a repetition is known by it.

        An activity needs none; it bears whether it is live.
        """
        message = send.message
        if isinstance(message, Activity):
            return replace(message, live=not of_backfill) if self.topic is CHECKOUTS else message
        if self.topic is PEOPLE or send.topic is not PEOPLE or not isinstance(message, PersonFact):
            return message
        return replace(message, place=offset)

    def _refused(self, record: Incoming, found: Row, message: Message | None, failure: Reject) -> Decision:
        """A dead letter, and a row that remembers the state; nothing to tell of one that was refused before."""
        letter = [self._dead_letter(record, failure)]
        if not (isinstance(found, EntityRow) and isinstance(message, EntityState)):
            return Decision(send=letter)
        after, is_news = refuse(found, message, failure)
        row = write_row(replace(after, offset=record.offset))
        if len(row) > RECORD_BYTES_MAX:
            return Decision(send=letter)
        if not is_news:
            NOTES.labels(self.topic.name, "refused before").inc()
        return Decision(row, letter if is_news else [])

    def _dead_letter(self, record: Incoming, failure: Reject) -> Outgoing:
        store = record.key.decode(errors="replace").partition("/")[0] if self.topic is not PEOPLE else ""
        letter = letter_of(record, failure, stage="resolve", store=store)
        log.warning("resolve.dead_letter", id=letter.id, reason=letter.reason, field=letter.field)
        return Outgoing(self._prefix + DEAD_LETTERS.name, record.key, encode(letter), headers_of(letter, _origin(record)))


def _origin(record: Incoming) -> Origin:
    return origin_of(record.topic, record.partition, record.offset, record.timestamp_ms, record.headers)


class _OfStore(msgspec.Struct):
    store: str


_of_store = msgspec.json.Decoder(_OfStore)


def store_in(value: bytes | None) -> str | None:
    """The store that a record's value names, as every message that resolve reads does; None where it cannot be read."""
    try:
        return _of_store.decode(value or b"").store
    except (msgspec.DecodeError, RecursionError):
        return None


def make_agents(store_of: Callable[[str], Store], prefix: str) -> list[Agent]:
    """The five agents of resolve, each with its topic and its table."""
    return [
        Agent(CHECKOUTS, Checkout, checkout_rule, store_of, prefix),
        Agent(ACCOUNTS, Account, account_rule, store_of, prefix),
        Agent(SUBSCRIBERS, Subscription, subscriber_rule, store_of, prefix),
        Agent(PRODUCTS, Product, product_rule, store_of, prefix),
        Agent(PEOPLE, Profile, people_rule, store_of, prefix),
    ]


def lost(prefix: str) -> Callable[[str, int, int, int], Outgoing]:
    """What the engine sends where retention removed records before they were read."""

    def outgoing(topic: str, partition: int, first: int, count: int) -> Outgoing:
        letter = lost_letter("resolve", topic, partition, first, count)
        headers = headers_of(letter, Origin(cause=letter.id, observed_at_ms=letter.at_ms))
        return Outgoing(prefix + DEAD_LETTERS.name, letter.id.encode(), encode(letter), headers)

    return outgoing
