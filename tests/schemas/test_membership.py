from pathlib import Path

from schemas.membership import member_name
from schemas.settings import Settings


def test_a_worker_keeps_its_name_and_two_data_folders_never_share_one(tmp_path: Path):
    here, there = Settings(_env_file=None, data=tmp_path / "a"), Settings(_env_file=None, data=tmp_path / "b")
    assert member_name(here, 0) == member_name(here, 0)
    assert len({member_name(here, 0), member_name(here, 1), member_name(there, 0)}) == 3
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["name"]


def test_a_slot_that_an_operator_numbered_is_the_name(tmp_path: Path):
    assert member_name(Settings(_env_file=None, data=tmp_path, slot=7), 7) == "7"
