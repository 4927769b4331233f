from pathlib import PurePosixPath
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.images import ImageSet
from equipoise.writers.naming import class_folders, copy_name, looks_like_split, safe, stems, suffix

NAMES = st.text(max_size=60)


@given(NAMES, st.sampled_from([40, 100]))
def test_a_safe_name_is_one_visible_file_everywhere(name, longest):
    made = safe(name, longest)
    assert 0 < len(made.encode()) <= longest
    assert made.isprintable()
    assert not set(made) & set('<>:"/\\|?*')
    assert made[0] not in ". "
    assert made[-1] not in ". "
    assert PurePosixPath(made).name == made


@given(NAMES)
def test_a_safe_name_gives_the_name_back_unless_cut(name):
    made = safe(name, longest=1000)
    assert unquote(made, errors="surrogatepass") == name or name == ""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat", "cat"),
        ("red fox", "red fox"),
        ("Ähre 猫 🐈", "Ähre 猫 🐈"),
        ("a/b", "a%2Fb"),
        ("../../etc", "%2E.%2F..%2Fetc"),
        ("100%", "100%25"),
        ("CON", "%43ON"),
        ("nul.txt", "%6Eul.txt"),
        (".hidden", "%2Ehidden"),
        ("dots...", "dots..%2E"),
        ("tab\there", "tab%09here"),
        ("\u202eright to left", "%E2%80%AEright to left"),
        ("", "%"),
    ],
)
def test_names_that_file_systems_do_not_take(name, expected):
    assert safe(name) == expected


def test_long_names_are_cut_and_stay_apart():
    made = [safe("x" * 300 + end) for end in "ab"]
    assert len(set(made)) == 2
    assert all(len(name) == 100 for name in made)


def test_class_folders_differ_where_case_and_letters_are_folded():
    classes = ["Cat", "cat", "dog", "caf\u00e9", "cafe\u0301"]
    made = class_folders(classes)
    assert made[2] == "dog"
    assert len({name.casefold() for name in made}) == 5
    assert made[3][:4] == "caf\u00e9"
    assert made[3] != made[4]


def test_folders_that_would_be_splits():
    assert [looks_like_split(name) for name in ("train", "Test", "VAL", "bus")] == [True] * 3 + [
        False
    ]


def image_set(names, labels, classes=("cat", "dog")):
    count = len(names)
    return ImageSet(
        images=np.zeros((count, 2, 2, 1), np.uint8),
        labels=np.array(labels),
        classes=classes,
        ids=np.arange(count) + 16,
        names=np.array(names),
        digests=np.full(count, b"x", "S16"),
    )


def test_stems_leave_splits_and_classes_out_and_keep_other_folders():
    names = ["train/cat/1.jpg", "cat/2.jpg", "cat/indoors/3.jpg", "../x/4.png", "5"]
    assert stems(image_set(names, [0] * 5)) == ["1", "2", "indoors-3", "%2E.-x-4", "5"]


def test_equal_stems_bear_their_ids():
    names = ["cat/a.jpg", "cat/a.png", "cat/A.bmp", "dog/a.jpg", "cat/b.jpg"]
    assert stems(image_set(names, [0, 0, 0, 1, 0])) == ["a~10", "a~11", "A~12", "a", "b"]


def test_an_original_never_takes_the_name_of_a_copy():
    names = ["cat/a.jpg", "cat/a__crop__0.png", "cat/a__crop__0_.png"]
    made = stems(image_set(names, [0, 0, 0]))
    assert copy_name(made[0], "crop", 0) == "a__crop__0"
    assert len({*made, copy_name(made[0], "crop", 0)}) == 4


@given(
    st.lists(
        st.sampled_from(["a", "A", "a__x__0", "a__x__0_", "b~10", "b", "c/b", "c-b"]), max_size=8
    )
)
def test_stems_are_unique_and_depend_on_no_order(names):
    made = stems(image_set([f"cat/{name}.png" for name in names], [0] * len(names)))
    assert len({stem.casefold() for stem in made}) == len(names)
    assert [copy_name(stem, "x", 0) in made for stem in made] == [False] * len(names)


def test_suffixes():
    cases = {
        "a.JPG": ".JPG",
        "b.tar.gz": ".gz",
        "c": ".png",
        "d.": ".png",
        "e.p/g": ".png",
        "f.j pg": ".png",
    }
    assert {name: suffix(name) for name in cases} == cases


def test_names_of_ones_own_techniques_are_made_safe():
    assert copy_name("a", "<lambda>", 3) == "a__%3Clambda%3E__3"
