import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.failures import WrongSetting
from schemas.settings import Settings, load

ANY_TEXT = {"CARTSTREAM_KAFKA_USERNAME", "CARTSTREAM_KAFKA_PASSWORD", "CARTSTREAM_BIGCOMMERCE_CLIENT_SECRET"}
WRONG = {
    "CARTSTREAM_KAFKA": ["", "127.0.0.1", "127.0.0.1:abc", "127.0.0.1:99999", "127.0.0.1:0", "a:1,", "kafka://a:9092"],
    "CARTSTREAM_KAFKA_SECURITY": ["TLS", ""],
    "CARTSTREAM_KAFKA_CA": ["nowhere.pem", "not.pem", "."],
    "CARTSTREAM_TOPIC_PREFIX": ["a b", "ä", "a" * 101],
    "CARTSTREAM_PARTITIONS": ["0", "many", "-1", "1001", "", "1.5"],
    "CARTSTREAM_REPLICATION": ["0", "x", "10"],
    "CARTSTREAM_LISTEN": ["8080", "127.0.0.1", "localhost:8080", "127.0.0.1:99999", "127.0.0.1:abc", ":8080", ""],
    "CARTSTREAM_PUBLIC_URL": ["http://example.com", "example.com", "ftp://example.com", "https://[x", "https://a:abc", "https://a?b"],
    "CARTSTREAM_BIGCOMMERCE_API": ["http://api.example.com", "https://api.example.com:abc", "https://a b", ""],
    "CARTSTREAM_SECRET_KEY": ["short", "A" * 44, "not base64url!"],
    "CARTSTREAM_DATA": ["not.pem", "not.pem/below", "/dev/null/below"],
    "CARTSTREAM_TABLES": ["sqlite://", ""],
    "CARTSTREAM_SETTLE_S": ["-1", "soon", "601", "nan"],
    "CARTSTREAM_ANONYMIZE_LAPSED_DAYS": ["-1", "never", "1.5", "36501", ""],
    "CARTSTREAM_HISTORY_RPS": ["0", "-1", "many", "101", "nan"],
    "CARTSTREAM_SLOT": ["-1", "first", ""],
}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CARTSTREAM_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "not.pem").write_text("no certificate")


def test_every_variable_has_its_wrong_values():
    assert {*WRONG, *ANY_TEXT} == {f"CARTSTREAM_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_setting_is_one_line_that_names_its_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongSetting) as caught:
        load()
    assert str(caught.value).startswith(f"{name}: ")
    assert len(str(caught.value).splitlines()) == 1
    assert "must be " in str(caught.value) or "; " in str(caught.value), "does not say how to mend it"
    for pydantics in ("Input should", "String should", "None"):
        assert pydantics not in str(caught.value)
    if name == "CARTSTREAM_SECRET_KEY":
        assert value not in str(caught.value)


def test_settings_come_from_the_environment_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / ".env").write_text("CARTSTREAM_PARTITIONS=7\nCARTSTREAM_REPLICATION=2\nOTHER=1\n")
    monkeypatch.setenv("CARTSTREAM_PARTITIONS", "9")
    settings = load()
    assert (settings.partitions, settings.replication, settings.kafka) == (9, 2, "127.0.0.1:9092")


def test_plain_http_is_taken_on_loopback_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CARTSTREAM_PUBLIC_URL", "http://127.0.0.1:8080/")
    assert load().public_url == "http://127.0.0.1:8080"


def test_values_that_are_right_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CARTSTREAM_KAFKA", "kafka-1.example.com:9092, [::1]:9092")
    monkeypatch.setenv("CARTSTREAM_LISTEN", "[::]:80")
    monkeypatch.setenv("CARTSTREAM_PUBLIC_URL", "")
    monkeypatch.setenv("CARTSTREAM_DATA", str(tmp_path / "not" / "made" / "yet"))
    settings = load()
    assert (settings.kafka, settings.listen, settings.public_url) == ("kafka-1.example.com:9092,[::1]:9092", "[::]:80", "")
    assert not settings.data.exists()


def test_a_secret_loses_the_newline_of_the_file_that_it_came_from(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CARTSTREAM_KAFKA_PASSWORD", "hush\n")
    monkeypatch.setenv("CARTSTREAM_SECRET_KEY", "A" * 43 + "=\n")
    assert load().kafka_password.get_secret_value() == "hush"
    assert load().secret_key.get_secret_value() == "A" * 43 + "="


@pytest.mark.parametrize("name", ["CARTSTREAM_PARTITION", "cartstream_partition"])
def test_a_variable_that_does_not_exist_is_refused_and_the_nearest_named(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, "5")
    with pytest.raises(WrongSetting, match="CARTSTREAM_PARTITION: there is no such setting; did you mean CARTSTREAM_PARTITIONS"):
        load()


def test_a_variable_of_the_file_that_does_not_exist_is_refused_too(tmp_path: Path):
    (tmp_path / ".env").write_text("CARTSTREAM_PUBLIC=https://example.com\n")
    with pytest.raises(WrongSetting, match="CARTSTREAM_PUBLIC: there is no such setting; did you mean CARTSTREAM_PUBLIC_URL"):
        load()


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path):
    (tmp_path / ".env").write_bytes(b"CARTSTREAM_TOPIC_PREFIX=\xff\n")
    with pytest.raises(WrongSetting, match=r"^\.env: is not UTF-8 text"):
        load()


def test_the_page_of_settings_has_each_variable_with_its_default():
    page = (Path(__file__).resolve().parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    shown = {name: default.strip(" `") for name, default in re.findall(r"^\| `(CARTSTREAM_\w+)` \|(.*?)\|", page, re.MULTILINE)}
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    secrets_aside = {name: "" if value is None or isinstance(value, SecretStr) else str(value) for name, value in defaults.items()}
    assert shown == {f"CARTSTREAM_{name.upper()}": value for name, value in secrets_aside.items()}


def test_settings_do_not_show_their_secrets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CARTSTREAM_KAFKA_PASSWORD", "open sesame")
    assert "open sesame" not in repr(load())
