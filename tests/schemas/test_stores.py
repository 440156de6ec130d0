import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.failures import WrongSetting
from schemas.records import encode
from schemas.settings import Settings
from schemas.stores import SEALED, Seal, Store

KEY = base64.urlsafe_b64encode(bytes(32)).decode()
STORE = Store(
    store="abc123.2",
    domain="shop.example.com",
    currency="USD",
    engagement_url="https://api.example.com",
    project="p",
    access_token="tok-1",
    api_key_id="kid-1",
    api_secret="sec-1",
    client_secret="cli-1",
    webhook_secret="web-1",
)


def seal(key: str = KEY) -> Seal:
    return Seal(Settings(_env_file=None, secret_key=key))


def test_a_sealed_store_shows_no_secret_and_opens_as_it_was():
    sealed = seal().sealed(STORE)
    for secret in ("tok-1", "kid-1", "sec-1", "cli-1", "web-1"):
        assert secret.encode() not in encode(sealed)
    assert seal().opened(sealed) == STORE
    assert (sealed.hash, sealed.generation, sealed.domain) == ("abc123", 2, "shop.example.com")


def test_every_field_that_is_a_secret_is_sealed():
    plain = {"store", "domain", "currency", "engagement_url", "project", "shared", "hooks", "events_from_ms", "paused", "removed"}
    assert {field.name for field in msgspec.structs.fields(Store)} == plain | set(SEALED)


@given(st.text())
def test_any_secret_opens_as_it_was(secret: str):
    assert seal().open(seal().close(secret)) == secret


def test_another_key_does_not_open_it():
    with pytest.raises(WrongSetting, match="CARTSTREAM_SECRET_KEY: is not the key"):
        seal(base64.urlsafe_b64encode(b"1" * 32).decode()).opened(seal().sealed(STORE))


def test_without_a_key_nothing_is_sealed():
    with pytest.raises(WrongSetting, match="CARTSTREAM_SECRET_KEY: is not set"):
        seal("")
