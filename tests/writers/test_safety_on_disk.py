"""What a rebalanced set must never be: leaking, half-done, or somewhere else than asked."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import equipoise as eq
from equipoise.errors import WorkError


def test_a_rebalanced_set_audits_clean(photos, tmp_path):
    eq.upsample(photos, tmp_path / "out")
    found = eq.audit(eq.load(tmp_path / "out", cut=False)).to_dict()
    assert found["leaks"] == found["label_conflicts"] == found["broken"] == []
    assert found["imbalance_ratio"] == 1
    manifest = pd.read_parquet(tmp_path / "out" / "manifest.parquet")
    data = eq.load(photos, cut=False)
    copies = manifest[manifest["copy"] >= 0]
    assert set(copies["split"]) == {"train"}
    assert set(copies["source_id"]) <= set(data.train.ids.tolist())
    assert not set(copies["source_id"]) & set(data.test.ids.tolist())


@pytest.mark.parametrize("format", ["folder", "parquet"])
def test_a_place_that_stops_taking_files_ends_in_one_line(photos, tmp_path, format):
    out = tmp_path / "out"
    eq.upsample(photos, out, format=format)
    whole = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    # Where folders were there are now files, so nothing can be written below them.
    top = out / ("train" if format == "folder" else "data")
    shutil.rmtree(top)
    top.write_text("in the way")
    (out / "summary.json").unlink()
    with pytest.raises(WorkError, match=r"What is finished is whole; give the same") as error:
        eq.upsample(photos, out, format=format)
    assert "\n" not in str(error.value)
    assert not (out / "summary.json").exists()
    top.unlink()
    eq.upsample(photos, out, format=format)
    again = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert again == whole


def test_names_from_strangers_stay_below_the_folder(arrays, tmp_path):
    names = [
        "../../../etc/cron.d/job", "/absolute", "C:\\windows", "a\x00b", "new\nline",
        "\u202egnp.exe",
        "🦊", "x" * 300, "CON", ".hidden", "<script>alert(1)</script>", "~", "-rf", "trailing. ",
        "\ud800", "aux.png", "%2e%2e",
    ]  # fmt: skip
    part = arrays.train
    given = np.array([names[i % len(names)] for i in range(len(part))], object).astype(str)
    classes = ("\u202esky/../x", "NUL")
    parts = {
        name: replace(one, classes=classes, names=given[: len(one)])
        for name, one in arrays.parts.items()
    }
    eq.upsample(replace(arrays, **parts), tmp_path / "deep" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    images = [p for p in (tmp_path / "deep" / "out").rglob("*.*") if p.parent.parent.name == "out"]
    assert len(images) == 24
    for path in images:
        assert path.name.isprintable()
        assert len(path.name.encode()) <= 255
        assert not path.name.startswith(".")
        assert not path.is_symlink()
