"""Plans that are maps of files and are gone through in pieces make the same data set."""

import numpy as np
import pytest

import equipoise as eq
from equipoise import mapped, planning
from equipoise.mapped import is_mapped
from equipoise.planning import plan
from equipoise.writers import folder


def files_of(top):
    """Every file but the lock and the summary, which names its folder."""
    paths = (path for path in top.rglob("*") if path.is_file())
    left_out = (".lock", "summary.json")
    return {
        str(path.relative_to(top)): path.read_bytes() for path in paths if path.name not in left_out
    }


@pytest.mark.parametrize("format", ["folder", "npz", "parquet", "webdataset"])
def test_a_mapped_plan_changes_no_byte(arrays, tmp_path, monkeypatch, format):
    def write(name):
        more = {"sky": 16, "leaf": 31}
        eq.upsample(arrays, tmp_path / name, strategy=more, format=format, scope="all")
        return files_of(tmp_path / name)

    held = write("held")
    monkeypatch.setattr(mapped, "_SMALL", 0)
    monkeypatch.setattr(planning, "_BLOCK", 7)
    monkeypatch.setattr(folder, "_SORTED", 9)
    assert write("mapped") == held


def test_a_large_plan_is_a_map(monkeypatch):
    labels = np.repeat([0, 1], [4000, 50])
    some = plan(labels, {1: 2000}, 3, seed=0, ids=np.arange(4050))
    monkeypatch.setattr(mapped, "_SMALL", 1000)
    other = plan(labels, {1: 2000}, 3, seed=0, ids=np.arange(4050))
    assert not is_mapped(some.source)
    for name in ("source", "technique", "copy", "replaces"):
        assert is_mapped(getattr(other, name))
        np.testing.assert_array_equal(getattr(other, name), getattr(some, name))
