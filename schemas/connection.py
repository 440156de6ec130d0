"""From settings to Kafka clients: the one place that knows how we log in to Kafka and what we ask of a producer."""

import ssl
from typing import Any

from aiokafka import AIOKafkaProducer

from schemas.settings import Settings

REQUEST_TIMEOUT_MS = 20_000


def kafka_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments that every aiokafka client takes: address and security."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka.split(","),
        "security_protocol": settings.kafka_security,
    }
    if settings.kafka_security.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=str(settings.kafka_ca) if settings.kafka_ca else None)
    if settings.kafka_security.startswith("SASL"):
        options |= {
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options


def producer(options: dict[str, Any], *, linger_ms: int = 5, request_timeout_ms: int = REQUEST_TIMEOUT_MS) -> AIOKafkaProducer:
    """A producer whose awaited send means: all in-sync replicas have the record, once and in order."""
    return AIOKafkaProducer(**options, acks="all", enable_idempotence=True, linger_ms=linger_ms, request_timeout_ms=request_timeout_ms)
