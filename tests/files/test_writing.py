"""Files are whole or absent, and what is wrong with them is said."""

import json
import resource
import subprocess
import sys

import pytest

from equipoise.errors import DamagedError
from equipoise.files import atomic, read_json, write_json


def test_a_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "deep" / "a.txt"

    def write_half():
        with atomic(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert list(path.parent.iterdir()) == []
    with atomic(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"


def test_json_has_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"a": [float("nan"), 1.5, float("inf")], 3: "ä"})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [None, 1.5, None], "3": "ä"}


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "nan,"])
def test_what_is_no_json_is_said_in_a_line(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DamagedError, match=r"a\.json is damaged: it holds no JSON") as told:
        read_json(path)
    assert "\n" not in str(told.value)


FULL = """
import resource, sys
from pathlib import Path
from equipoise.files import atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with atomic(Path(sys.argv[1]) / "a.bin") as part:
        part.write_bytes(bytes(5000))
except OSError as error:
    print(error.filename, error.strerror, sep="|")
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on files")
def test_a_file_that_does_not_fit_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"{tmp_path / 'a.bin'}|File too large"
    assert list(tmp_path.iterdir()) == []
