"""The environment: every setting of a deployment, from `CARTSTREAM_*` variables or `.env`."""

import base64
import binascii
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.failures import WrongSetting

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Settings(BaseSettings):
    """Settings of this process. Field `x` is `CARTSTREAM_X` in the environment; `load` reads them."""

    model_config = SettingsConfigDict(env_prefix="CARTSTREAM_", env_file=".env", extra="ignore", frozen=True)

    kafka: str = "127.0.0.1:9092"
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_username: str = ""
    kafka_password: SecretStr = SecretStr("")
    kafka_ca: Path | None = None
    topic_prefix: str = Field("", pattern=r"^[A-Za-z0-9._-]*$")
    partitions: int = Field(12, ge=1, le=1000)
    replication: int = Field(3, ge=1, le=9)
    listen: str = Field("127.0.0.1:8080", pattern=r"^.+:\d+$")
    public_url: str = ""
    bigcommerce_api: str = "https://api.bigcommerce.com"
    bigcommerce_login: str = "https://login.bigcommerce.com"
    bigcommerce_client_id: str = ""
    bigcommerce_client_secret: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")
    admin_token: SecretStr = SecretStr("")
    data: Path = Path(".cartstream")
    tables: Literal["rocksdb://", "memory://"] = "rocksdb://"
    settle_s: float = Field(5, ge=0, le=600)
    history_rps: float = Field(10, gt=0, le=100)
    slot: int | None = Field(None, ge=0)

    @field_validator("secret_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr) -> SecretStr:
        if key.get_secret_value():
            try:
                size = len(base64.urlsafe_b64decode(key.get_secret_value()))
            except (binascii.Error, ValueError):
                size = 0
            if size != 32:
                raise ValueError("must be 32 bytes in base64url; `cartstream doctor --new-key` prints a new one")
        return key

    @field_validator("public_url", "bigcommerce_api", "bigcommerce_login")
    @classmethod
    def _is_safe_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("must be an address that begins with https://")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("http: is taken on loopback only; use https://")
        return url.rstrip("/")


def load() -> Settings:
    """The settings of the environment. Raises WrongSetting naming the variable and how to mend it."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "CARTSTREAM_" + "_".join(str(part) for part in first["loc"]).upper()
        raise WrongSetting(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None
