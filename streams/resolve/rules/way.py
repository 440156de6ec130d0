"""Which way a command goes: a backfill's by engagement.history, slowly, all others by engagement.commands."""

from schemas.topics import COMMANDS, HISTORY, PAGES, Topic
from streams.resolve.rules.change import Send
from streams.resolve.tables import Profile, Row


def is_of_backfill(cause: str, prefix: str) -> bool:
    """Whether a record with this `cause` (`topic/partition/offset`) follows from a page of a listing; `prefix` is that of all topics."""
    return cause.partition("/")[0] == prefix + PAGES.name


def topic_of(send: Send, row: Row | None, *, of_backfill: bool) -> Topic:
    """The topic to send to; `row` is the one that the change leaves.

    Once an anonymization is in a lane, all of the lane from that change on is live: it may wait in engagement.commands
    while engagement.history has nothing before it, and nothing numbered above it must be done before it.
    """
    if send.topic is not COMMANDS or not of_backfill or (isinstance(row, Profile) and row.live_only):
        return send.topic
    return HISTORY
