"""The audit finds what was planted, and nothing else."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from equipoise.auditing import audit
from equipoise.errors import InputError
from equipoise.images import ImageSet, Splits
from equipoise.readers import load

KEYS = {
    "near_duplicates",
    "near_leaks",
    "blank",
    "tiny",
    "images",
    "classes",
    "imbalance_ratio",
    "sizes",
    "modes",
    "broken",
    "left_out",
    "duplicates",
    "leaks",
    "label_conflicts",
    "straddling_groups",
    "shapes",
}


@pytest.fixture
def planted(tmp_path):
    """12 cats, 4 dogs and a test split, with one of everything that can be wrong."""
    rng = np.random.default_rng(0)

    def write(name, picture=None, size=(10, 8)):
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if picture is None:
            picture = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(picture).save(place)
        return picture

    first = write("train/cat/00.png")
    for i in range(1, 12):
        write(f"train/cat/{i:02d}.png")
    dogs = [write(f"train/dog/{i:02d}.png") for i in range(4)]
    write("test/cat/0.png")
    write("test/dog/0.png", size=(20, 30))
    write("train/cat/again.png", first)  # a duplicate
    write("test/dog/leak.png", dogs[2])  # a leak
    write("train/cat/dog.png", dogs[3])  # a conflict
    Image.fromarray(dogs[2]).save(tmp_path / "test/dog/leak.tiff")  # the same pixels, other bytes
    (tmp_path / "train/dog/broken.jpg").write_bytes(b"broken")
    return tmp_path


def test_what_was_planted_is_found(planted):
    found = audit(load(planted, cut=False)).to_dict()
    assert set(found) == KEYS
    assert found["images"] == 22
    assert found["classes"] == [
        {"name": "cat", "label": 0, "training": 14, "validation": 0, "test": 1},
        {"name": "dog", "label": 1, "training": 4, "validation": 0, "test": 3},
    ]
    assert found["imbalance_ratio"] == 3.5
    assert found["sizes"] == {"8×10": 21, "30×20": 1}
    assert found["modes"] == {"RGB": 22}
    assert found["broken"] == [
        {"name": "train/dog/broken.jpg", "reason": "not an image of a known format"}
    ]
    leak = {
        "images": ["train/dog/02.png", "test/dog/leak.png", "test/dog/leak.tiff"],
        "splits": ["train", "test", "test"],
        "classes": ["dog", "dog", "dog"],
    }
    conflict = {
        "images": ["train/cat/dog.png", "train/dog/03.png"],
        "splits": ["train", "train"],
        "classes": ["cat", "dog"],
    }
    assert found["leaks"] == [leak]
    assert found["label_conflicts"] == [conflict]
    assert [one["images"] for one in found["duplicates"]] == [
        ["train/cat/00.png", "train/cat/again.png"],
        conflict["images"],
        leak["images"],
    ]
    assert found["straddling_groups"] == []
    assert json.loads(json.dumps(found)) == found


def test_what_load_cuts_has_no_leaks(planted):
    for place in (planted / "test").rglob("*.*"):
        place.unlink()
    for seed in range(10):
        assert audit(load(planted, seed=seed, validation_fraction=0.3)).leaks == ()


def test_groups_that_straddle_splits(pictures_of):
    train = pictures_of(0, groups=["a", "b", "c", "c"])
    test = pictures_of(1, groups=["d", "c", "a", "d"])
    found = audit(Splits(train, train.select([]), test))
    assert found.straddling_groups == ("a", "c")


@pytest.fixture
def pictures_of():
    def made(seed, labels=(0, 1, 0, 1), groups=None):
        count = len(labels)
        rng = np.random.default_rng(seed)
        return ImageSet(
            images=rng.integers(0, 256, (count, 4, 4, 1), dtype=np.uint8),
            labels=np.array(labels, np.int64),
            classes=("a", "b"),
            ids=np.arange(count),
            names=np.array([f"{seed}/{i}" for i in range(count)]),
            digests=np.array([rng.bytes(16) for _ in range(count)], "S16"),
            groups=None if groups is None else np.array(groups),
        )

    return made


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=40
    )
)
@settings(max_examples=60, deadline=None)
def test_against_counting_by_hand(rows):
    rows = [(90, 0, 0), (91, 1, 0), *rows]  # each class is in training
    parts = []
    for split in range(3):
        mine = [row for row in rows if row[2] == split]
        count = len(mine)
        parts.append(
            ImageSet(
                images=np.zeros((count, 2, 2, 1), np.uint8),
                labels=np.array([label for _, label, _ in mine], np.int64),
                classes=("a", "b"),
                ids=np.arange(count),
                names=np.array([f"{split}/{i}" for i in range(count)], "U9"),
                digests=np.array([b"%016d" % picture for picture, _, _ in mine], "S16"),
            )
        )
    found = audit(Splits(*parts))
    by_picture = {picture: [row for row in rows if row[0] == picture] for picture, _, _ in rows}
    assert len(found.duplicates) == sum(len(same) > 1 for same in by_picture.values())
    assert len(found.leaks) == sum(len({s for _, _, s in same}) > 1 for same in by_picture.values())
    assert len(found.label_conflicts) == sum(
        len({label for _, label, _ in same}) > 1 for same in by_picture.values()
    )
    assert sum(len(same.images) for same in found.duplicates) == sum(
        len(same) for same in by_picture.values() if len(same) > 1
    )


def test_mistakes(pictures_of):
    with pytest.raises(InputError, match=r"audit takes what load returns, but got str"):
        audit("photos/")


def test_a_class_without_an_image_does_not_count_in_the_ratio(pictures_of):
    lonely = pictures_of(0, labels=(0, 0, 0))
    found = audit(Splits(lonely, lonely.select([]), lonely.select([])))
    assert [one.training for one in found.classes] == [3, 0]
    assert found.imbalance_ratio == 1
