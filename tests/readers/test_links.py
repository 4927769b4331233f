"""Symbolic links: those that stay inside are followed, others where it is asked for."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equipoise.errors import InputError
from equipoise.images import LeftOut
from equipoise.readers import load

REASON = "links that leave the folder (--follow-links follows them)"


@pytest.fixture
def outside(folder_of, some_files):
    return folder_of(some_files, "elsewhere")


def test_class_folders_that_lie_elsewhere(folder_of, some_files, outside):
    root = folder_of({name: data for name, data in some_files.items() if "cat" in name})
    (root / "dog").symlink_to(outside / "dog", target_is_directory=True)
    (root / "cat" / "more.png").symlink_to(outside / "cat" / "00.png")
    data = load(root, cut=False)
    assert data.left_out == (LeftOut(REASON, 2, ("cat/more.png", "dog")),)
    with pytest.raises(InputError, match=r"only 'cat'. Links that leave .* \(cat/more.png, dog\)"):
        load(root)
    data = load(root, cut=False, follow_links=True)
    assert data.train.counts.tolist() == [31, 10]
    assert "dog/30.png" in data.train.names
    assert data.left_out == ()
    row = data.train.names.tolist().index("dog/30.png")
    assert data.train.images.encoded(row) == some_files["dog/30.png"]
    assert Path(data.train.images.path(row)).samefile(outside / "dog" / "30.png")


def test_folders_within_are_followed_each_time(folder_of, some_files):
    root = folder_of({f"pool/{name}": data for name, data in some_files.items()})
    for split in ("train", "test"):
        (root / split).mkdir()
        for name in ("cat", "dog"):
            (root / split / name).symlink_to(f"../pool/{name}")
    data = load(root, cut=False)
    assert data.train.counts.tolist() == data.test.counts.tolist() == [30, 10]


def test_links_in_a_circle_end(folder_of, some_files):
    root = folder_of(some_files)
    for i in range(3):
        (root / "cat" / f"loop{i}").symlink_to("../dog")
        (root / "dog" / f"loop{i}").symlink_to("../cat")
    (root / "dog" / "self").symlink_to(".")
    data = load(root, cut=False, follow_links=True)
    assert data.train.counts.tolist() == [30 + 3 * 10, 10 + 3 * 30]
    assert {one.reason for one in data.broken} == {"symbolic link to a folder around it"}


def test_more_links_than_can_be_followed(folder_of, some_files, monkeypatch):
    monkeypatch.setattr("equipoise.readers.folder._MOST_LINKS", 2)
    root = folder_of(some_files)
    for i in range(3):
        (root / "cat" / f"again{i}").symlink_to("../dog")
    with pytest.raises(InputError, match="more than 2 links to folders"):
        load(root)


def test_a_table_of_links(folder_of, some_files, outside):
    root = folder_of(some_files)
    (root / "out.png").symlink_to(outside / "cat" / "00.png")
    rows = [f"{name},{name[:3]}" for name in some_files]
    (root / "a.csv").write_text("\n".join(["path,label", *rows, "out.png,cat"]))
    assert load(root / "a.csv", cut=False).left_out == (LeftOut(REASON, 1, ("out.png",)),)
    data = load(root / "a.csv", cut=False, follow_links=True)
    assert (len(data.train), data.left_out) == (41, ())


def test_shards_that_lie_elsewhere(tmp_path, some_files):
    table = pa.table({"image": list(some_files.values()), "label": [i % 2 for i in range(40)]})
    pq.write_table(table, tmp_path / "blob")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.parquet").symlink_to(tmp_path / "blob")
    with pytest.raises(InputError, match=r"train.parquet is a link that leaves .*; --follow-links"):
        load(tmp_path / "set")
    assert len(load(tmp_path / "set", cut=False, follow_links=True).train) == 40
