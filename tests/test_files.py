from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.files import read_regular


def test_a_file_is_read_whole(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")

    assert read_regular(tmp_path / "a", 5) == b"12345"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (Path.mkdir, "folder"),
        (os.mkfifo, "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (lambda path: path.symlink_to(path.with_name("gone")), "No such file"),
        (lambda path: path.symlink_to(path), "symbolic links"),
        (lambda path: path.write_bytes(bytes(6)), "larger than 5 bytes"),
        (lambda path: None, "No such file"),
    ],
)
def test_what_is_no_regular_file_is_told_and_not_waited_for(tmp_path, make, told):
    make(tmp_path / "a")

    with pytest.raises(OSError, match=told):
        read_regular(tmp_path / "a", 5)


@pytest.mark.parametrize("name", ["a\x00b", "x" * 5000, "\ud800"])
def test_a_name_that_no_file_can_have_is_told_as_every_other_error(tmp_path, name):
    with pytest.raises(OSError, match="name|No such file"):
        read_regular(tmp_path / name, 5)


def test_no_file_is_left_open(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else None

    for _ in range(20):
        with pytest.raises(OSError, match="not a regular file"):
            read_regular(tmp_path / "fifo", 5)
        with pytest.raises(OSError, match="folder"):
            read_regular(tmp_path, 5)

    assert before is None or len(os.listdir("/proc/self/fd")) == before
