import json
import subprocess
import sys
from pathlib import Path

import pytest

from equipoise.errors import InputError
from equipoise.files import MARK, atomic, claim, read_json, write_json


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


def test_a_claimed_folder_is_gone_on_with(tmp_path):
    folder = tmp_path / "out"
    with claim(folder, "study", {"digest": "x"}) as resumed:
        assert not resumed
        assert read_json(folder / MARK) == {"kind": "study", "digest": "x"}
    with claim(folder, "study", {"digest": "x"}) as resumed:
        assert resumed


@pytest.mark.parametrize(
    ("kind", "fingerprint", "words"),
    [("model", {"digest": "x"}, "another kind"), ("study", {"digest": "y"}, "another digest")],
)
def test_another_ones_folder_is_refused(tmp_path, kind, fingerprint, words):
    with claim(tmp_path / "out", "study", {"digest": "x"}):
        pass
    with pytest.raises(InputError, match=words), claim(tmp_path / "out", kind, fingerprint):
        pass


def test_a_strangers_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty and not ours"), claim(tmp_path, "study", {}):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(InputError, match="is a file"), claim(tmp_path / "thesis.txt", "study", {}):
        pass


def test_two_runs_do_not_share_a_folder(tmp_path):
    code = (
        "import sys; from pathlib import Path; from equipoise.files import claim\n"
        "with claim(Path(sys.argv[1]), 'study', {}): pass"
    )
    with claim(tmp_path / "out", "study", {}):
        second = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "out")],
            capture_output=True,
            text=True,
            check=False,
        )
    assert "in use by another run" in second.stderr


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that nobody can write to")
def test_no_right_to_write_is_said():
    with (
        pytest.raises(InputError, match="cannot be written to"),
        claim(Path("/proc/equipoise"), "study", {}),
    ):
        pass
