"""Parquet: the columns are found, images fetched row by row, and what we write is read back."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import equipoise as eq
from equipoise.errors import InputError, WorkError
from equipoise.images import LeftOut
from equipoise.readers import load, rows
from equipoise.readers.parquet import read_parquet

CLASSES = ["dog", "cat"]


@pytest.fixture(scope="module")
def files(pictures, encode):
    """24 PNG files of 24×32 pixels."""
    return [encode(picture) for picture in pictures[:24]]


@pytest.fixture
def write(files):
    """Write a file of 24 rows, as Hugging Face does unless a column says otherwise."""

    def written(path, about=None, row_group_size=10, **columns):
        path.parent.mkdir(parents=True, exist_ok=True)
        table = {
            "image": [{"bytes": data, "path": f"{i:02d}.png"} for i, data in enumerate(files)],
            "label": [i % 2 for i in range(24)],
        } | columns
        table = {name: column for name, column in table.items() if column is not None}
        if about is None:
            about = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel"}}
            about["label"]["names"] = CLASSES
        text = json.dumps({"info": {"features": about}})
        made = pa.table(table).replace_schema_metadata({"huggingface": text})
        pq.write_table(made, path, row_group_size=row_group_size)
        return path

    return written


def test_one_file(write, pictures, tmp_path):
    data = load(write(tmp_path / "a.parquet"), cut=False)
    assert data.classes == ("dog", "cat")  # as the schema has them
    np.testing.assert_array_equal(data.train.images, pictures[:24])
    np.testing.assert_array_equal(data.train.labels, np.arange(24) % 2)
    np.testing.assert_array_equal(data.train.ids, np.arange(24))
    assert data.train.names[3] == "a.parquet/03.png"
    assert data.notes == ()


def test_classes_keep_ids(write, tmp_path):
    path = write(tmp_path / "a.parquet")
    data = load(path, classes=["cat", "dog"], take={"dog": 5}, cut=False)
    assert data.classes == ("cat", "dog")
    assert data.train.counts.tolist() == [12, 5]
    np.testing.assert_array_equal(data.train.labels, 1 - data.train.ids % 2)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_binary_and_text(write, files, tmp_path, kind):
    image = pa.array(files, kind)
    label = pa.array(["b", "a"] * 12).dictionary_encode()
    data = load(write(tmp_path / "a.parquet", {}, image=None, img=image, label=label), cut=False)
    assert data.classes == ("a", "b")
    assert data.train.counts.tolist() == [12, 12]
    assert data.train.names[3] == "a.parquet/00003.png"  # named by what its bytes are


def test_numbers_without_names_are_names(write, tmp_path):
    data = load(write(tmp_path / "a.parquet", {}, label=[10, 9] * 12), cut=False)
    assert data.classes == ("9", "10")


def test_columns_split_and_group(write, tmp_path):
    split = ["train"] * 16 + ["valid"] * 4 + ["TEST"] * 4
    path = write(tmp_path / "a.parquet", split=split, group=[f"g{i // 3}" for i in range(24)])
    data = load(path, cut=False)
    assert [len(part) for part in data.parts.values()] == [16, 4, 4]
    assert data.test.groups.tolist() == ["g6", "g7", "g7", "g7"]
    assert eq.audit(data).straddling_groups == ("g5", "g6")


@pytest.mark.parametrize("room", ["", "data/", "default/train/"])
def test_folders_as_hugging_face_lays_them_out(write, files, tmp_path, room):
    names = ["train-00000-of-00002", "train-00001-of-00002", "validation-0", "test"]
    for number, name in enumerate(names):
        place = room.replace("train/", f"{name.partition('-')[0]}/") + f"{name}.parquet"
        write(tmp_path / place, image=files[number:] + files[:number])
    (tmp_path / "README.md").write_text("A data set")
    data = load(tmp_path, cut=False)
    assert [len(part) for part in data.parts.values()] == [48, 24, 24]
    ids = np.concatenate([part.ids for part in data.parts.values()])
    assert sorted(ids.tolist()) == list(range(96))


def test_a_table_beside_class_folders_is_no_data_set(folder_of, some_files, write):
    folder = folder_of(some_files)
    write(folder / "remarks.parquet")
    assert len(load(folder, cut=False).train) == 40


@pytest.mark.parametrize("size", [1, 700, 5000, 1 << 20])
@pytest.mark.parametrize("row_group_size", [3, 10, 24])
def test_rows_in_any_order_from_any_thread(
    write, files, tmp_path, monkeypatch, size, row_group_size
):
    monkeypatch.setattr(rows, "_BLOCK", size)
    monkeypatch.setattr(rows, "_KEPT", 3 * size)
    found = read_parquet(write(tmp_path / "a.parquet", row_group_size=row_group_size)).pixels
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(24), 3)).tolist()
    fetch = pickle.loads(pickle.dumps(found.fetch))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(fetch, order)) == [files[row] for row in order]
    kept = [block.nbytes for block in rows._kept.values()]
    assert len(kept) == 1 or sum(kept) <= 3 * size


def test_only_as_much_is_held_as_the_cache_allows(write, encode, tmp_path, monkeypatch):
    """One row group of 32 MB, gone through with a cache of 2 MB."""
    monkeypatch.setattr(rows, "_BLOCK", 1 << 20)
    monkeypatch.setattr(rows, "_KEPT", 2 << 20)
    noise = np.random.default_rng(0).bytes(32 << 20)
    parts = [noise[i << 16 : i + 1 << 16] for i in range(32 << 4)]
    labels = [i % 2 for i in range(len(parts))]
    path = write(tmp_path / "a.parquet", {}, 1 << 20, image=parts, label=labels)
    fetch = read_parquet(path).pixels.fetch
    before = pa.total_allocated_bytes()
    most = 0
    for row, part in enumerate(parts):
        assert fetch(row) == part
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 8 << 20


def test_files_that_change_are_noticed(write, files, tmp_path, monkeypatch):
    path = write(tmp_path / "a.parquet", image=files)
    old = read_parquet(path).pixels.fetch
    write(path, image=files[::-1], row_group_size=5)
    with pytest.raises(OSError, match="changed since it was loaded"):
        old(20)
    assert read_parquet(path).pixels.fetch(0) == files[-1]
    monkeypatch.setattr("equipoise.readers.decoded._HELD", 0)
    lazy = load(path, cut=False).train.images
    path.unlink()
    rows._forget()
    with pytest.raises(WorkError, match=r"a.parquet/00000.png: No such file"):
        lazy[0]


def test_broken_rows(write, files, tmp_path):
    image = [{"bytes": data, "path": None} for data in files]
    image[2], image[3] = None, {"bytes": None, "path": "elsewhere.png"}
    image[4], image[5] = {"bytes": b"", "path": None}, {"bytes": files[5][:100], "path": None}
    label = [None, -1, *(i % 2 for i in range(2, 24))]
    data = load(write(tmp_path / "a.parquet", image=image, label=label), cut=False)
    assert LeftOut("rows without a label", 2, ("a.parquet/00000", "a.parquet/00001")) in (
        data.left_out
    )
    assert {one.name[-9:]: one.reason for one in data.broken[:3]} == {
        "00002.png": "no image bytes in the table",
        "00003.png": "no image bytes in the table",
        "00004.png": "empty file",
    }
    assert data.broken[3].reason
    np.testing.assert_array_equal(data.train.ids, np.arange(6, 24))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": None}, r"a column image .* is needed, but there is: label"),
        ({"label": None}, r"a column label is needed, but there is: image"),
        ({"label": [[1, 2]] * 24}, "Multi-label data is not supported"),
        ({"label": [0.5] * 24}, "label must be text or whole numbers, but some are fractions"),
        ({"label": [7] * 24}, "label 7 is none of its 2 classes"),
        ({"label": [None] * 24}, "holds no labels"),
        ({"label": ["dog", "cat"] * 12}, "class numbers were expected, but label is string"),
        ({"split": ["train", "other"] * 12}, "split must be train, validation or test"),
        ({"group": ["a", None] * 12}, "row 1 has no group"),
        ({"group": ["a" * 2000] * 24}, "group of more than 1,024 characters"),
    ],
)
def test_mistakes(write, tmp_path, columns, message):
    with pytest.raises(InputError, match=message):
        load(write(tmp_path / "a.parquet", **columns), cut=False)


def test_mistakes_of_files(write, files, tmp_path):
    two = {"a": files, "b": files, "image": None}
    with pytest.raises(InputError, match=r"several image columns \(a, b\); call the one to use"):
        load(write(tmp_path / "two.parquet", {}, **two))
    (tmp_path / "text.parquet").write_text("path,label")
    with pytest.raises(InputError, match=r"text.parquet: damaged, or no Parquet file"):
        load(tmp_path / "text.parquet")
    write(tmp_path / "set/train.parquet")
    write(tmp_path / "set/test.parquet", {})
    with pytest.raises(InputError, match=r"train.parquet: other columns or classes than"):
        load(tmp_path / "set")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/train.parquet").symlink_to(tmp_path / "set/train.parquet")
    with pytest.raises(InputError, match=r"train.parquet is a link that leaves the folder"):
        load(tmp_path / "links")


@pytest.mark.parametrize("names", [["a", "a"], "ab", [1, 2]])
def test_class_names_that_are_none(write, tmp_path, names):
    about = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
    with pytest.raises(InputError, match="of its classes"):
        load(write(tmp_path / "a.parquet", about))
    for about in ([], {"image": None, "label": 3}, {"label": {"_type": ["ClassLabel"]}}):
        assert load(write(tmp_path / "a.parquet", about), cut=False).classes == ("0", "1")
