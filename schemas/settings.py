"""The environment: every setting of a deployment, from `CARTSTREAM_*` variables or `.env`."""

import base64
import binascii
import difflib
import ipaddress
import os
import re
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from schemas.failures import WrongSetting

PREFIX = "CARTSTREAM_"
LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


class Settings(BaseSettings):
    """Settings of this process. Field `x` is `CARTSTREAM_X` in the environment; `load` reads them.

    What a value must be is the field's description, which a refusal quotes; what it is for stands in docs/settings.md.
    """

    # Spaces around a value go: a secret that was read from a file often ends with a newline.
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, str_strip_whitespace=True)

    kafka: str = "127.0.0.1:9092"
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    kafka_username: str = ""
    kafka_password: SecretStr = SecretStr("")
    kafka_ca: Path | None = None
    topic_prefix: str = Field(
        "", pattern=r"^[A-Za-z0-9._-]*$", max_length=100, description="at most 100 letters, digits, dots, hyphens and underscores"
    )
    partitions: int = Field(12, ge=1, le=1000, description="a whole number from 1 to 1000")
    replication: int = Field(3, ge=1, le=9, description="a whole number from 1 to 9")
    listen: str = "127.0.0.1:8080"
    public_url: str = ""
    bigcommerce_api: str = "https://api.bigcommerce.com"
    bigcommerce_client_secret: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")
    data: Path = Path(".cartstream")
    tables: Literal["rocksdb://", "memory://"] = Field("rocksdb://", description="rocksdb:// or memory://")
    settle_s: float = Field(5, ge=0, le=600, allow_inf_nan=False, description="seconds, from 0 to 600")
    anonymize_lapsed_days: int = Field(0, ge=0, le=36_500, description="a whole number of days, 0 for never")
    history_rps: float = Field(10, gt=0, le=100, allow_inf_nan=False, description="requests a second, more than 0, at most 100")
    slot: int | None = Field(None, ge=0, description="a whole number from 0 up, or not set at all")

    @field_validator("kafka")
    @classmethod
    def _is_addresses(cls, addresses: str) -> str:
        parts = [part.strip() for part in addresses.split(",")]
        if not all(map(_is_address, parts)):
            raise ValueError("must be host:port, of several brokers with commas between, as 127.0.0.1:9092")
        return ",".join(parts)

    @field_validator("kafka_ca")
    @classmethod
    def _is_certificates(cls, file: Path | None) -> Path | None:
        try:
            if file:
                ssl.create_default_context(cafile=file)
        except OSError as error:
            raise ValueError(f"{file} cannot be read as certificates ({error.strerror or error}); it must be a PEM file") from None
        return file

    @field_validator("listen")
    @classmethod
    def _is_ip_address(cls, address: str) -> str:
        try:
            ipaddress.ip_address(address.rpartition(":")[0].strip("[]"))
        except ValueError:
            known = False
        else:
            known = _is_address(address)
        if not known:
            raise ValueError("must be an IP address and a port, as 127.0.0.1:8080, or 0.0.0.0:8080 for all of this machine's addresses")
        return address

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

    @field_validator("public_url", "bigcommerce_api")
    @classmethod
    def _is_safe_url(cls, url: str, field: ValidationInfo) -> str:
        return safe_url(url) if url or field.field_name != "public_url" else url  # a deployment may not know its own yet

    @field_validator("data")
    @classmethod
    def _can_be_written(cls, folder: Path) -> Path:
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
        if not os.path.isdir(there) or not os.access(there, os.W_OK | os.X_OK):
            raise ValueError(f"must be a folder to write to, and {there} is none; name another, or change who may write there")
        return folder


def _is_address(text: str) -> bool:
    """Whether it is host:port."""
    match = ADDRESS.fullmatch(text)
    return match is not None and 0 < int(match[2]) < 65536


def safe_url(url: str) -> str:
    """The address without a slash at its end. Raises ValueError, which says what an address must be."""
    try:
        parts = AnyHttpUrl(url)
    except ValidationError:
        raise ValueError("must be an address that begins with https://") from None
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("must be an address without a name, a password, ? or #")
    if parts.scheme == "http" and parts.host not in LOOPBACK:
        raise ValueError("http: is taken on loopback only; use https://")
    return str(parts).rstrip("/")


def load() -> Settings:
    """The settings of the environment. Raises WrongSetting naming the variable and how to mend it."""
    try:
        given = {*EnvSettingsSource(Settings).env_vars, *DotEnvSettingsSource(Settings).env_vars}
        _refuse_unknown(name.upper() for name in given)
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = str(first["loc"][0])
        said = first["msg"].removeprefix("Value error, ") if first["type"] == "value_error" else None
        raise WrongSetting(f"{PREFIX}{field.upper()}: {said or f'must be {Settings.model_fields[field].description}'}") from None
    except UnicodeDecodeError:
        raise WrongSetting(".env: is not UTF-8 text; write it again as UTF-8") from None
    except OSError as error:
        raise WrongSetting(f".env: cannot be read ({error.strerror}); change who may read it") from None


def _refuse_unknown(given: Iterable[str]) -> None:
    """Raises WrongSetting for a variable of ours that does not exist: most likely one that does was meant."""
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    for name in sorted(given):
        if name.startswith(PREFIX) and name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise WrongSetting(
                f"{name}: there is no such setting; did you mean {nearest}? Else take it away; docs/settings.md has them all"
            )
