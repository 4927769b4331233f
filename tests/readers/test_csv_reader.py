"""Tables of image files."""

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.readers import load


@pytest.fixture
def table(folder_of, some_files):
    """Write a .csv above the 30 cats and 10 dogs."""

    def written(text, name="a.csv"):
        path = folder_of(some_files).parent / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.fixture
def rows(some_files):
    return [f"photos/{name},{name[:3]}" for name in some_files]


def test_rows_in_their_order(table, rows, pictures):
    data = load(table("\n".join(["path,label", *rows[::-1]])), cut=False)
    assert data.classes == ("cat", "dog")
    np.testing.assert_array_equal(data.train.ids, np.arange(40))
    np.testing.assert_array_equal(np.stack(list(data.train.images)), pictures[:40][::-1])
    assert data.train.names[0] == "photos/dog/39.png"
    assert data.train.groups is None


def test_columns_in_any_order_with_groups_and_splits(table, rows):
    splits = ["train", "val", "test", "Training"] * 10
    lines = [
        f"{split},{i // 4},x,{','.join(row.split(',')[::-1])}"
        for i, (row, split) in enumerate(zip(rows, splits, strict=True))
    ]
    data = load(table("\ufeffSplit, group,other,label,path\n" + "\r\n".join(lines)), cut=False)
    assert [len(part) for part in data.parts.values()] == [20, 10, 10]
    assert data.train.groups.tolist()[:4] == ["0", "0", "1", "1"]


def test_quoted_names(table, some_files, rows, tmp_path):
    odd = tmp_path / "photos" / 'a, "b".png'
    path = table("\n".join(["path,label", *rows, '"photos/a, ""b"".png",dog']))
    odd.write_bytes(some_files["cat/00.png"])
    assert load(path, cut=False).train.names[-1] == 'photos/a, "b".png'


def test_groups_are_never_parted(table, rows):
    lines = [f"{row},{row.split(',')[1]}{i % 7}" for i, row in enumerate(rows)]
    path = table("\n".join(["path,label,group", *lines]))
    for seed in range(5):
        data = load(path, seed=seed)
        groups = [set(part.groups) for part in data.parts.values()]
        assert sum(map(len, groups)) == len(set.union(*groups)) == 14
        assert all(part.counts.all() for part in data.parts.values())


def test_missing_and_broken_files_are_named(table, rows, tmp_path):
    path = table("\n".join(["path,label", *rows, "photos/nowhere.png,cat", "photos/bad.png,dog"]))
    (tmp_path / "photos" / "bad.png").write_bytes(b"bad")
    data = load(path, cut=False)
    assert {one.name: one.reason for one in data.broken} == {
        "photos/nowhere.png": "No such file or directory",
        "photos/bad.png": "not an image of a known format",
    }
    assert len(data.train) == 40


def test_links_that_leave_the_folder(table, rows, tmp_path, some_files):
    path = table("\n".join(["path,label", *rows, "photos/out.png,cat", "photos/in.png,cat"]))
    outside = tmp_path.parent / f"{tmp_path.name}-outside.png"
    outside.write_bytes(some_files["cat/00.png"])
    (tmp_path / "photos" / "out.png").symlink_to(outside)
    (tmp_path / "photos" / "in.png").symlink_to(tmp_path / "photos" / "dog" / "30.png")
    data = load(path, cut=False)
    assert [(one.name, one.reason) for one in data.broken] == [
        ("photos/out.png", "symbolic link that leaves the folder")
    ]
    assert len(data.train) == 41


def test_same_path_in_two_classes_is_left_to_the_audit(table, rows):
    data = load(table("\n".join(["path,label", *rows, "photos/cat/00.png,dog"])), cut=False)
    assert len(data.train) == 41
    np.testing.assert_array_equal(data.train.digests[0], data.train.digests[40])


MISTAKES = [
    ("", "first line must name the columns path,label"),
    ("path;breed\na;b;c", "line 2: 2 fields expected, but got 3"),
    ("path,breed,age\na,b,c", "first line must name .* but it is .* --columns path=file,label="),
    ("path,cat,dog\na,1,0", "first line must name the columns"),
    ("path,label,label\na,b,c", "first line must name the columns"),
    ("path,label", "holds no rows"),
    ("path,label\na.png", "line 2: 2 fields expected, but got 1"),
    ("path,label\na.png,", "holds no row with a label"),
    ("path,label\na.png,cat\n,cat", "line 3: path is empty"),
    ("path,label\na.png,cat\0", "line 2: holds a null byte"),
    (
        "path,label\n../a.png,cat",
        "line 2: paths must be relative .* '../a.png'. Put the .csv above",
    ),
    ("path,label\n/etc/a.png,cat", "line 2: paths must be relative"),
    ("path,label,split\na.png,cat,own", "split must be train, validation or test, but got 'own'"),
    ("path,label\na.png,cat\nb.png,cat;dog", "got 'cat;dog'. Multi-label data is not supported"),
    ("path,label\na.png,cat\nb.png,dog| cat", "Multi-label data is not supported"),
    ('path,label\n"a.png,cat', r"open quote"),
    ("path,label\na.png,cat\x1b[31m\nb.png,\u202etac", "none of the images can be read"),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_mistakes(table, text, words):
    with pytest.raises(InputError, match=words) as caught:
        load(table(text))
    assert str(caught.value).isprintable()


def test_label_with_a_mark_that_is_no_list(table, rows):
    lines = [row.replace(",dog", ",dog | wolf") for row in rows]
    assert load(table("\n".join(["path,label", *lines])), cut=False).classes == (
        "cat",
        "dog | wolf",
    )


def test_not_utf8(table):
    path = table("")
    path.write_bytes(b"path,label\n\xff\xfe,cat")
    with pytest.raises(InputError, match=r"not a UTF-8 \.csv"):
        load(path)
