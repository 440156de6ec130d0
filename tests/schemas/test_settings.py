from pathlib import Path

import pytest

from schemas.failures import WrongSetting
from schemas.settings import Settings, load

WRONG = {
    "CARTSTREAM_PARTITIONS": ["0", "many", "-1"],
    "CARTSTREAM_REPLICATION": ["0", "x"],
    "CARTSTREAM_KAFKA_SECURITY": ["TLS"],
    "CARTSTREAM_TOPIC_PREFIX": ["a b", "ä"],
    "CARTSTREAM_LISTEN": ["8080", "127.0.0.1"],
    "CARTSTREAM_PUBLIC_URL": ["http://example.com", "example.com", "ftp://example.com"],
    "CARTSTREAM_BIGCOMMERCE_API": ["http://api.example.com"],
    "CARTSTREAM_SECRET_KEY": ["short", "A" * 44, "not base64url!"],
    "CARTSTREAM_TABLES": ["sqlite://"],
    "CARTSTREAM_SETTLE_S": ["-1", "soon"],
    "CARTSTREAM_HISTORY_RPS": ["0"],
    "CARTSTREAM_SLOT": ["-1", "first"],
}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CARTSTREAM_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_setting_is_one_line_that_names_its_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongSetting) as caught:
        load()
    assert str(caught.value).startswith(f"{name}: ")
    assert len(str(caught.value).splitlines()) == 1
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


def test_settings_do_not_show_their_secrets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CARTSTREAM_ADMIN_TOKEN", "open sesame")
    assert "open sesame" not in repr(load())
