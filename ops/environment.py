"""The settings as every command sees them."""

import os
from pathlib import Path

from schemas.settings import Settings
from schemas.settings import load as load_settings

ROOT = Path(__file__).resolve().parent.parent
EMBEDDED = {"partitions": 4, "replication": 1}


def load() -> Settings:
    """The settings; where CARTSTREAM_KAFKA is not set, Kafka is the embedded one of `up`, which has its own defaults.

    Raises WrongSetting.
    """
    settings = load_settings()
    if embedded(settings):
        settings = settings.model_copy(update={name: n for name, n in EMBEDDED.items() if name not in settings.model_fields_set})
    return settings


def embedded(settings: Settings) -> bool:
    """Whether this deployment's Kafka is the embedded one."""
    return "kafka" not in settings.model_fields_set


def for_children(settings: Settings) -> dict[str, str]:
    """The environment of a child process that must see the very same Kafka, and the same code wherever it is started."""
    ours = {name: str(getattr(settings, name)) for name in ("kafka", "partitions", "replication")}
    return os.environ | {f"CARTSTREAM_{name.upper()}": value for name, value in ours.items()} | {"PYTHONPATH": str(ROOT)}
