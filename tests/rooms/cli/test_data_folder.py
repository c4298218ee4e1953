"""The data folder holds keys: one that others could change is refused before anything is put into it."""

import os
from pathlib import Path

import pytest

from tipstaff.cli.base import doubt_of_folder, read_settings
from tipstaff.config import BadSetting


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "data"
    made.mkdir(mode=0o700)
    monkeypatch.setenv("TIPSTAFF_DATA", str(made))
    return made


def test_a_private_folder_is_taken_and_one_that_is_not_there_too(folder: Path) -> None:
    assert read_settings().server.data_folder == folder
    assert doubt_of_folder(read_settings()) == ""
    folder.rmdir()
    assert read_settings().server.data_folder == folder
    assert doubt_of_folder(read_settings()) == ""


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_folder_that_everybody_can_write_to_is_refused(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    with pytest.raises(BadSetting) as why:
        read_settings()
    assert str(why.value) == (
        f"environment: TIPSTAFF_DATA is {folder}, but everybody can write there; "
        "name a folder of Tipstaff's own, or run chmod 700 on it."
    )
    assert list(folder.iterdir()) == []


def test_a_folder_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    if folder.stat().st_uid == 0:
        assert read_settings().server.data_folder == folder, "root could do anything anyway"
        os.chown(folder, 12345, 12345)
    with pytest.raises(BadSetting, match="but it belongs to another user; run Tipstaff as that user"):
        read_settings()


def test_a_file_is_no_folder(folder: Path) -> None:
    folder.rmdir()
    folder.touch()
    with pytest.raises(BadSetting, match="but that is no folder"):
        read_settings()


def test_a_folder_that_its_group_can_write_to_is_spoken_of(folder: Path) -> None:
    folder.chmod(0o770)
    assert "the folder's group can write to the data folder" in doubt_of_folder(read_settings())
