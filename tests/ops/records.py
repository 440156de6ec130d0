"""What stands on a topic, for tests of commands."""

from schemas.connection import read_topic
from schemas.records import Decoder, Message
from schemas.settings import Settings
from schemas.topics import Topic


async def written(settings: Settings, topic: Topic) -> list[tuple[str, Message]]:
    """All messages with their keys."""
    decoder = Decoder(topic.messages)
    return [((r.key or b"").decode(), decoder.decode(r.value, r.headers)) for r in await read_topic(settings, topic.name)]
