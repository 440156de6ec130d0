import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from schemas import connection
from schemas.connection import reaching_kafka, read_to_end
from schemas.failures import Unavailable
from schemas.settings import Settings


@pytest.mark.parametrize(
    ("given", "mend"), [({}, "start `cartstream up`"), ({"kafka": "kafka.example.com:9092"}, "check CARTSTREAM_KAFKA and that it runs")]
)
def test_kafka_that_cannot_be_used_is_told_with_what_to_do(given: dict[str, str], mend: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CARTSTREAM_KAFKA", raising=False)
    settings = Settings(_env_file=None, **given)
    with pytest.raises(Unavailable, match=rf"^Kafka at {settings.kafka} cannot be used \(.*no connection\); {mend}"):
        with reaching_kafka(settings):
            raise KafkaConnectionError("no\n  connection")


class Silent:
    """A consumer whose broker says that there is a record, and never gives it."""

    def assign(self, partitions: list[TopicPartition]) -> None:
        pass

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        pass

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 1)

    async def position(self, partition: TopicPartition) -> int:
        return 0

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[object]]:
        return {}


async def test_a_topic_of_which_nothing_more_comes_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "STALLED_S", 0.0)
    with pytest.raises(Unavailable, match=r"nothing more of t\.stores came within 0 s"):
        _ = [record async for record in read_to_end(Silent(), [TopicPartition("t.stores", 0)])]
