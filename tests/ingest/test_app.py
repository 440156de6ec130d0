"""What keeps ingest from starting is said in one line that names the setting."""

import socket

import pytest
from pydantic import SecretStr

from ingest.app import main
from schemas.failures import WrongSetting
from tests.ingest.process import settings_of


def test_without_a_secret_key_it_does_not_start(kafka: str, prefix: str):
    settings = settings_of(kafka, prefix).model_copy(update={"secret_key": SecretStr("")})
    with pytest.raises(WrongSetting, match=r"^CARTSTREAM_SECRET_KEY: "):
        main(settings)


def test_an_address_that_is_taken_is_named(kafka: str, prefix: str):
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = settings_of(kafka, prefix).model_copy(update={"listen": f"127.0.0.1:{other.getsockname()[1]}"})
        with pytest.raises(WrongSetting, match=rf"^CARTSTREAM_LISTEN: {settings.listen} cannot be listened on"):
            main(settings)
