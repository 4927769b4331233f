"""Tables as people have them: delimiters, names of columns, and paths that are less than paths."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equipoise.errors import InputError
from equipoise.images import LeftOut
from equipoise.readers import load


@pytest.fixture(scope="module")
def images(pictures, encode):
    return [encode(picture) for picture in pictures[:6]]


@pytest.fixture
def table(folder_of, images):
    """Write a table of six pictures, 0.png to 5.png, that lie in a folder beside it."""

    def written(text, name="a.csv", below="", ending=".png"):
        root = folder_of({f"{below}{i}{ending}": data for i, data in enumerate(images)}, "table")
        (root / name).write_text(text, encoding="utf-8")
        return root / name

    return written


def lines(head, row):
    return "\n".join([head, *(row.format(i=i, label=("cat", "dog")[i % 2]) for i in range(6))])


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("path,label", "{i}.png,{label}"),
        ("path;label", "{i}.png;{label}"),
        ("path\tlabel", "{i}.png\t{label}"),
        ("File Name\tlabel\tcolour of it", "{i}.png\t{label}\tred, or so"),
        ("path label", "{i}.png  {label}"),
        (" path \t label  ", "{i}.png \t {label} "),
        ("sep=;\npath;label", "{i}.png;{label}"),
        ('"path","label"', '"{i}.png","{label}"'),
        (",path,label", "{i},{i}.png,{label}"),
        ("file_name,text,label", "{i}.png,a {label},{label}"),
        ("id,breed", "{i},{label}"),
        ("image_id,target", "{i}.png,{label}"),
        ("class id,filepaths,labels", "0,{i}.png,{label}"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.TSV"])
def test_delimiters_and_names_of_columns(table, head, row, name):
    data = load(table(lines(head, row), name), cut=False)
    assert data.classes == ("cat", "dog")
    assert data.train.labels.tolist() == [0, 1] * 3
    assert data.train.names.tolist() == [f"{i}.png" for i in range(6)]
    assert data.left_out == ()


def test_columns_that_are_told(table):
    path = table(lines("photo,file,breed,age", "x,{i}.png,{label},{i}"))
    columns = {"path": "file", "label": "breed", "group": "age"}
    data = load(path, cut=False, columns=columns)
    assert data.classes == ("cat", "dog")
    assert data.train.groups.tolist() == [str(i) for i in range(6)]
    with pytest.raises(InputError, match=r"There is no column 'bred'. Did you mean 'breed'"):
        load(path, columns={"label": "bred"})
    with pytest.raises(InputError, match="There is no column to name 'labels'"):
        load(path, columns={"labels": "breed"})


def test_columns_are_for_tables(folder_of, some_files):
    with pytest.raises(InputError, match="--columns is for tables"):
        load(folder_of(some_files), columns={"label": "breed"})


def test_ids_are_looked_up_below_the_table(table, images):
    path = table(lines("id,breed", "{i},{label}"), "train.csv", "train/", ".jpg")
    (path.parent / "test").mkdir()
    (path.parent / "test" / "0.jpg").write_bytes(images[5])
    data = load(path, cut=False)
    assert data.train.names.tolist() == [f"train/{i}.jpg" for i in range(6)]
    np.testing.assert_array_equal(data.train.ids, np.arange(6))
    assert data.notes == ("Paths of the table looked up by name: 6, such as 0 at train/0.jpg",)


def test_an_id_that_fits_several_files_is_left_out(table, images):
    path = table(lines("id,breed", "{i},{label}"), below="one/")
    (path.parent / "two").mkdir()
    (path.parent / "two" / "3.png").write_bytes(images[5])
    data = load(path, cut=False)
    np.testing.assert_array_equal(data.train.ids, [0, 1, 2, 4, 5])
    assert [(one.name, one.reason) for one in data.broken] == [
        ("3", "fits several files: one/3.png, two/3.png")
    ]


def test_paths_of_other_systems(table):
    rooted = table("", below="sub/").parent
    for row in ("sub\\{i}.png,{label}", f"{rooted}/sub/{{i}}.png,{{label}}"):
        data = load(table(lines("path,label", row), below="sub/"), cut=False)
        assert data.train.names.tolist() == [f"sub/{i}.png" for i in range(6)]


@pytest.mark.parametrize(
    ("column", "values", "sizes"),
    [
        ("split", ["training", "Testing", "eval"], [2, 2, 2]),
        ("data set", ["train", "test", "valid"], [2, 2, 2]),
        ("subset", ["A", "B", "C"], [6, 0, 0]),
    ],
)
def test_columns_of_splits(table, images, tmp_path, column, values, sizes):
    rows = [f"{i}.png,{'ab'[i % 2]},{values[i // 2]}" for i in range(6)]
    labels, splits = list("ababab"), [values[i // 2] for i in range(6)]
    parquet = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": images, "label": labels, column: splits}), parquet)
    for path in (table("\n".join([f"path,label,{column}", *rows])), parquet):
        data = load(path, cut=False)
        assert [len(part) for part in data.parts.values()] == sizes


def test_a_column_that_is_said_to_be_of_splits_is_held_to_it(table, images, tmp_path):
    rows = [f"{i}.png,{'ab'[i % 2]},{'AB'[i // 3]}" for i in range(6)]
    path = table("\n".join(["path,label,fold", *rows]))
    pq.write_table(
        pa.table({"image": images, "label": list("ababab"), "fold": list("AAABBB")}),
        tmp_path / "a.parquet",
    )
    for source in (path, tmp_path / "a.parquet"):
        with pytest.raises(InputError, match="split must be train, validation or test, but got"):
            load(source, columns={"split": "fold"})


def test_empty_fields_of_what_may_be_a_split(table):
    rows = [f"{i}.png,{'ab'[i % 2]},{'test' if i > 3 else ''}" for i in range(6)]
    data = load(table("\n".join(["path,label,subset", *rows])), cut=False)
    assert (len(data.train), len(data.test)) == (6, 0)
    with pytest.raises(InputError, match="line 2: split is empty"):
        load(table("\n".join(["path,label,split", *rows])))


def test_rows_without_a_label_are_left_out(table):
    text = "path,label\n0.png,cat\n1.png,\n2.png,dog\n3.png,cat"
    data = load(table(text), cut=False)
    assert data.left_out == (LeftOut("rows without a label", 1, ("1.png",)),)
    np.testing.assert_array_equal(data.train.ids, [0, 2, 3])


def test_missing_files_are_told(table):
    data = load(table(lines("path,label", "{i}.png,{label}") + "\nno.png,dog"), cut=False)
    assert data.left_out == (
        LeftOut("unreadable files", 1, ("no.png: No such file or directory",)),
    )


@pytest.mark.parametrize("field", ["{long}.png,cat", "0.png,{long}"])
def test_one_long_field_does_not_widen_all_rows(table, field):
    long = field.format(long="a" * 100_000)
    text = lines("path,label", "{i}.png,{label}") + f"\n{long}\n"
    data = load(table(text), cut=False)
    assert data.train.names.dtype.itemsize < 100
    (broken,) = data.broken
    assert broken.reason == "a field of more than 1,024 characters"
    assert len(broken.name) < 100


def test_a_table_beside_class_folders_is_told(folder_of, some_files):
    root = folder_of(some_files | {"labels.csv": b"path,label,group\n"})
    assert load(root, cut=False).notes == (
        "labels.csv is not read; give it in the place of the folder if it has labels, groups or "
        "splits",
    )


@pytest.fixture
def parquet(images, tmp_path):
    def written(**columns):
        pq.write_table(pa.table(columns), tmp_path / "a.parquet")
        return tmp_path / "a.parquet"

    return written


def test_columns_of_parquet(parquet, images):
    path = parquet(photo=images, small=images[::-1], breed=["cat", "dog"] * 3)
    with pytest.raises(InputError, match=r"several image columns .* say --columns image=photo"):
        load(path, columns={"label": "breed"})
    for role in ("image", "path"):
        data = load(path, cut=False, columns={role: "small", "label": "breed"})
        assert data.classes == ("cat", "dog")
        assert data.train.images.encoded(0) == images[5]
    only = parquet(photo=images, breed=["cat", "dog"] * 3)
    assert load(only, cut=False).classes == ("cat", "dog")


def test_whole_numbers_that_pandas_made_floating(parquet, images):
    data = load(parquet(image=images, label=[0.0, 1.0, None, 0.0, 1.0, float("nan")]), cut=False)
    assert data.classes == ("0", "1")
    assert data.train.labels.tolist() == [0, 1, 0, 1]
    assert [one.count for one in data.left_out] == [2]


@pytest.mark.parametrize(
    ("keys", "sizes"),
    [
        (("x_train", "y_train", "x_test", "y_test"), [4, 0, 4]),
        (("X_train", "Y_train", "X_dev", "Y_dev"), [4, 0, 4]),
        (("training_images", "training_labels", "images_val", "labels_val"), [4, 4, 0]),
    ],
)
def test_keys_of_npz(tmp_path, pictures, keys, sizes):
    arrays = {key: np.arange(4) % 2 for key in keys}
    arrays |= {key: pictures[:4] for key in keys[::2]}
    np.savez(tmp_path / "a.npz", **arrays)
    data = load(tmp_path / "a.npz", cut=False)
    assert [len(part) for part in data.parts.values()] == sizes
