"""An output folder is claimed by one run, and gone on with only by the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from equipoise.errors import DamagedError, InputError, WorkError
from equipoise.files import MARK, claim, read_json


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


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({"seed": 1}, {"seed": 2}, "another seed (1, now 2)"),
        (
            {"trainer": {"net": "a", "epochs": 2}},
            {"trainer": {"net": "a", "epochs": 3}},
            "another trainer (epochs: 2, now 3)",
        ),
        (
            {"trainer": {"net": "a"}},
            {"trainer": {"net": "a", "ema": 0.9}},
            "another trainer (ema: the default, now 0.9)",
        ),
        ({"copies": "jpeg"}, {}, "another copies ('jpeg', now unset)"),
        ({}, {"file_of_weights": "x"}, "another file of weights (unset, now 'x')"),
        (
            {"recipe": {k: 0 for k in "abcdefgh"}},
            {"recipe": {k: 1 for k in "abcdefgh"}},
            "(a: 0, now 1; b: 0, now 1; c: 0, now 1; d: 0, now 1; and 4 more)",
        ),
    ],
)
def test_the_refusal_says_what_has_changed(tmp_path, before, now, words):
    with claim(tmp_path / "out", "study", before):
        pass
    with pytest.raises(InputError) as refused, claim(tmp_path / "out", "study", now):
        pass
    assert words in str(refused.value)


def test_what_json_lacks_is_gone_on_with(tmp_path):
    for resumed in (False, True):
        with claim(tmp_path / "out", "study", {"clip": float("inf"), "of": (1, 2)}) as told:
            assert told == resumed


@pytest.mark.parametrize("text", ["", "[]", "null", '"x"', "5", "{", "[" * 100_000, "\udcff"])
def test_a_damaged_mark_is_refused_in_a_line(tmp_path, text):
    (tmp_path / MARK).write_text(text, "utf-8", "surrogateescape")
    with (
        pytest.raises(DamagedError, match=rf"{MARK} is damaged") as refused,
        claim(tmp_path, "study", {}),
    ):
        pass
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("text", ['{"kind": 5}', '{"kind": "study", "seed": []}', "{}"])
def test_a_mark_with_odd_values_is_another_folders(tmp_path, text):
    (tmp_path / MARK).write_text(text)
    with (
        pytest.raises(InputError, match="made with another"),
        claim(tmp_path, "study", {"seed": 1}),
    ):
        pass


def test_a_lock_that_is_a_link_is_not_written_through(tmp_path):
    victim, out = tmp_path / "precious.txt", tmp_path / "out"
    victim.write_text("precious")
    out.mkdir()
    (out / ".lock").symlink_to(victim)
    with pytest.raises(InputError, match=r"\.lock is a link"), claim(out, "study", {}):
        pass
    assert victim.read_text() == "precious"
    (out / ".lock").unlink()
    os.link(victim, out / ".lock")
    with claim(out, "study", {}):
        pass
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("kind", ["pipe", "folder", "dangling"])
def test_whatever_stands_for_a_lock_is_refused_and_not_waited_for(tmp_path, kind):
    lock = tmp_path / ".lock"
    if kind == "pipe":
        os.mkfifo(lock)
    elif kind == "folder":
        lock.mkdir()
    else:
        lock.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"\.lock"), claim(tmp_path, "study", {}):
        pass
    assert not (tmp_path / "nowhere").exists()


def test_what_a_killed_run_had_begun_is_swept(tmp_path):
    """However deep it lies; what a living process writes, and what is named alike, is not."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    out = tmp_path / "out"
    with claim(out, "study", {}):
        pass
    (out / "trials" / "a").mkdir(parents=True)
    swept = [out / f".equipoise.json.{dead.pid}.part", out / f"trials/a/.model.pt.{dead.pid}.part"]
    kept = [out / f".report.html.{os.getppid()}.part", out / "trials/a/.mine.part"]
    kept += [out / "1.part", out / "trials" / f"page.{dead.pid}.part"]
    for path in (*swept, *kept):
        path.write_text("half")
    with pytest.raises(InputError), claim(out, "another kind", {}):
        pass
    assert all(path.exists() for path in swept)
    with claim(out, "study", {}):
        assert not any(path.exists() for path in swept)
    assert all(path.exists() for path in kept)


def test_a_part_with_this_process_id_is_an_earlier_ones(tmp_path):
    """In a container each run has the same."""
    part = tmp_path / f".equipoise.json.{os.getpid()}.part"
    part.write_text("half")
    with claim(tmp_path, "study", {}):
        assert not part.exists()


def test_a_full_disk_is_a_failure_in_a_line(tmp_path):
    with (
        pytest.raises(WorkError, match="give the same command again to go on") as failed,
        claim(tmp_path / "out", "study", {}),
    ):
        raise OSError(28, "No space left on device", "model.pt")
    assert str(failed.value).startswith("model.pt: No space left on device.")
