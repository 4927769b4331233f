"""What `upsample` wrote, read again: no copy is validated or tested on, wherever it now lies."""

import csv
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import equipoise as eq
from equipoise.readers import load
from equipoise.studies.drawing import drawn, folded, with_real
from equipoise.writers import upsample

FORMATS = {"folder": "", "npz": "/data.npz", "parquet": "", "webdataset": ""}


def pictures(folder: Path, counts: dict[str, int], seed: int = 0) -> Path:
    """Random 8×8 pictures: `counts` of them in each folder below."""
    rng = np.random.default_rng(seed)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Forty cats and eight dogs, brought up in each format."""
    top = tmp_path_factory.mktemp("lineage")
    photos = pictures(top / "photos", {"cat": 40, "dog": 8})
    for form in FORMATS:
        upsample(photos, top / form, format=form, techniques=("flip", "noise"))
    return top


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return Path(shutil.copytree(made / "folder", tmp_path / "set"))


def sound(data: eq.Splits, *, copies: bool = True) -> eq.Splits:
    """Check that nothing leaks: no copy held out, and no source on both sides of a cut."""
    groups = {name: set(part.groups.tolist()) for name, part in data.parts.items()}
    assert not groups["train"] & (groups["validation"] | groups["test"])
    assert not groups["validation"] & groups["test"]
    assert not data.validation.copies.any()
    assert not data.test.copies.any()
    assert len(data.test)
    assert len(data.validation)
    assert data.train.copies.any() == copies
    assert [one.line for one in data.left_out if "Copies of validation and test" in one.line]
    return data


@pytest.mark.parametrize("form", FORMATS)
def test_no_copy_is_validated_or_tested_on(made, form):
    data = sound(load(f"{made}/{form}{FORMATS[form]}"))
    assert data.test.counts.tolist() == [8, 2]
    assert data.train.counts[1] > 8
    left = sum(one.count for one in data.left_out if one.reason.startswith("copies"))
    assert sum(map(len, data.parts.values())) + left == 80


@pytest.mark.parametrize("size", [None, 6])
@pytest.mark.parametrize("form", FORMATS)
def test_moved_and_renamed(made, tmp_path, form, size):
    """Where the originals were brought to another size, too, as their files were written."""
    written = made / form
    if size is not None:
        written = tmp_path / "small"
        data = load(made / "photos", cut=False, size=size)
        upsample(data, written, format=form, techniques=("flip",))
    new = Path(shutil.copytree(written, tmp_path / "elsewhere" / "mine"))
    for file in (*new.glob("*.npz"), *new.glob("*.tar"), *new.glob("data/*.parquet")):
        file.rename(file.with_name(f"mine-0{file.suffix}"))
    sound(load(next(new.glob("*.npz"), new)))


@pytest.mark.parametrize("form", ["parquet", "webdataset"])
def test_one_file_of_many(made, form):
    file = next((made / form).rglob("train-*"))
    sound(load(file))


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_in_an_archive(made, tmp_path, kind, wrapped):
    path = tmp_path / f"set.{kind}"
    files = [file for file in (made / "folder").rglob("*") if file.is_file()]
    names = [str(file.relative_to(made if wrapped else made / "folder")) for file in files]
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file, name in zip(files, names, strict=True):
                archive.write(file, name)
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as archive:
            for file, name in zip(files, names, strict=True):
                archive.add(file, name)
    data = sound(load(path))
    assert not [one for one in data.left_out if "other kinds" in one.reason]


def test_folders_around_and_below(made, folder, tmp_path):
    """A folder around it, its training folder alone, and a test folder put beside it."""
    assert not [one for one in load(folder.parent).left_out if "other kinds" in one.reason]
    sound(load(folder.parent))
    split = tmp_path / "split"
    upsample(load(made / "photos", cut=False, test_fraction=0.2), split, techniques=("flip",))
    data = load(split / "train")
    sound(data)
    joined = tmp_path / "joined"
    shutil.copytree(made / "folder", joined / "train")
    pictures(joined / "test", {"cat": 5, "dog": 5}, seed=1)
    data = load(joined)
    assert len(data.test) == 10
    assert data.train.copies.any()
    assert not data.validation.copies.any()


@pytest.mark.parametrize("how", ["copied", "linked"])
def test_class_folders_without_their_manifest(folder, tmp_path, how):
    """Names tell the copies then: of an original of that name, in its class."""
    (new := tmp_path / "new").mkdir()
    for name in ("cat", "dog"):
        place = shutil.copytree if how == "copied" else lambda a, b: b.symlink_to(a)
        place(folder / name, new / name)
    Image.new("RGB", (8, 8)).save(new / "dog" / "a__flip__0.png")  # of no original
    data = sound(load(new, follow_links=True))
    assert any("No manifest.parquet lies with the copies" in note for note in data.notes)
    part = next(p for p in data.parts.values() if "dog/a__flip__0.png" in p.names.tolist())
    assert not part.copies[part.names.tolist().index("dog/a__flip__0.png")]


@pytest.mark.parametrize("form", ["npz", "parquet", "webdataset"])
def test_a_file_of_many_without_its_manifest_is_refused(made, tmp_path, form):
    files = [path for path in (made / form).rglob("*") if path.suffix in (".npz", ".tar")]
    files += [path for path in (made / form).rglob("train-*.parquet")]
    for file in files:
        shutil.copy(file, tmp_path)
    with pytest.raises(eq.InputError, match="copies cannot be told from originals"):
        load(tmp_path / files[0].name)


def test_sorted_by_hand_into_splits(folder):
    """Files that were moved are known by the names that copies have."""
    for split, ends in (("train", "012345"), ("test", "6789")):
        for name in ("cat", "dog"):
            (folder / split / name).mkdir(parents=True)
            for file in (folder / name).iterdir():
                if file.stem[-1] in ends:
                    file.rename(folder / split / name / file.name)
    for name in ("cat", "dog"):
        shutil.rmtree(folder / name)
    audit = eq.audit(load(folder, cut=False))
    assert audit.straddling_groups
    data = load(folder)
    assert not data.validation.copies.any()
    assert not data.test.copies.any()
    held = set(data.test.groups.tolist()) | set(data.validation.groups.tolist())
    assert not held & set(data.train.groups[data.train.copies].tolist())
    lines = " ".join(one.line for one in data.left_out)
    assert "Copies of validation and test images left out" in lines


def test_a_copy_of_a_given_test_image_is_a_leak(made, tmp_path):
    """In training, by a manifest there; the original is told by its pixels, whatever its name."""
    joined = tmp_path / "joined"
    shutil.copytree(made / "folder", joined / "train")
    for name in ("cat", "dog"):
        (joined / "test" / name).mkdir(parents=True)
    shutil.move(joined / "train/dog/1.png", joined / "test/dog/first.png")
    shutil.move(joined / "train/cat/1.png", joined / "test/cat/first.png")
    found = eq.audit(load(joined, cut=False))
    assert len(found.straddling_groups) == 1
    data = load(joined)
    copies = [one for one in data.left_out if one.reason == "copies of validation and test images"]
    assert copies[0].count >= 4
    assert not set(data.test.groups) & set(data.train.groups)


def test_a_copy_without_a_known_original_is_left_out(folder):
    copy = next((folder / "dog").glob("*__flip__*"))
    shutil.copy(copy, copy.with_name("stray__flip__0.png"))
    data = sound(load(folder))
    assert "stray__flip__0.png" in " ".join(
        one.line for one in data.left_out if one.reason == "copies whose original is not known"
    )
    assert not any("stray" in name for part in data.parts.values() for name in part.names)


def test_equal_copies_are_no_fault_of_the_data(made, tmp_path):
    pictures(tmp_path / "photos", {"cat": 40, "dog": 8})
    upsample(tmp_path / "photos", tmp_path / "out", techniques=("flip",))  # it has one outcome
    data = load(tmp_path / "out", cut=False)
    assert len(set(data.train.digests.tolist())) < len(data.train)
    assert eq.audit(data).duplicates == ()
    shutil.copy(tmp_path / "out/cat/1.png", tmp_path / "out/cat/x.png")
    (found,) = eq.audit(load(tmp_path / "out", cut=False)).duplicates
    assert found.images == ("cat/1.png", "cat/x.png")


def test_new_pictures_beside_are_originals(folder):
    Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(folder / "dog" / "new.png")
    data = sound(load(folder))
    assert any("in no manifest" in note and "dog/new.png" in note for note in data.notes)


def test_a_table_of_the_written_files(made, folder):
    rows = [(p.relative_to(folder.parent), p.parent.name) for p in folder.rglob("*.png")]
    table = folder.parent / "table.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    sound(load(table))
    inner = folder / "table.csv"
    with inner.open("w", newline="") as file:
        pairs = [(path.relative_to(folder.name), label) for path, label in rows]
        csv.writer(file).writerows([("path", "label"), *pairs])
    sound(load(inner))


def test_copies_in_place_of_originals_stay_in_training(made, tmp_path):
    """With scope 'all', copies replace originals: theirs are nowhere."""
    upsample(made / "photos", tmp_path / "all", scope="all", techniques=("flip", "noise"))
    data = sound(load(tmp_path / "all"))
    own = set(data.train.groups[data.train.copies]) - set(data.train.groups[~data.train.copies])
    assert own


def test_groups_of_the_original_stay_whole(tmp_path):
    photos = pictures(tmp_path / "photos", {"cat": 60, "dog": 15})
    with (tmp_path / "table.csv").open("w", newline="") as file:
        rows = [
            (p.relative_to(tmp_path), p.parent.name, f"{p.parent.name}-{int(p.stem) // 3}")
            for p in sorted(photos.rglob("*.png"))
        ]
        csv.writer(file).writerows([("path", "label", "group"), *rows])
    for form, file in FORMATS.items():
        upsample(tmp_path / "table.csv", tmp_path / form, format=form, techniques=("flip",))
        data = sound(load(f"{tmp_path}/{form}{file}"))
        assert {name[:4] for name in data.train.groups} == {"cat-", "dog-"}
        assert all(np.unique(part.groups).size * 3 == part.originals.sum() for part in
                   data.parts.values())  # fmt: skip


def test_folds_draws_and_the_oracle_hold_no_copy_out(made):
    data = load(made / "folder")
    whole = set()
    for fold in range(3):
        part = folded(data, fold, 3)
        sound(eq.Splits(part.train, part.validation, part.test, left_out=data.left_out))
        whole |= set(part.test.ids.tolist())
    assert len(whole) == sum(int(part.originals.sum()) for part in data.parts.values())
    some = load(made / "folder", take={"dog": 14})
    for draw in range(3):
        part = drawn(some, draw)
        sound(eq.Splits(part.train, part.validation, part.test, left_out=some.left_out))
    assert not some.withheld.copies.any()
    real = with_real(some).train
    added = ~np.isin(real.ids, some.train.ids)
    assert added.any()
    assert not real.copies[added].any()


def test_upsampling_again_starts_from_the_originals(made, tmp_path):
    summary = upsample(made / "folder", tmp_path / "again", techniques=("noise",))
    assert summary.before["train"] == {"cat": 40, "dog": 8}
    assert any(one.reason == "copies that upsample made before" for one in summary.left_out)
    sound(load(tmp_path / "again"))
    held = load(made / "folder", cut=False, test_fraction=0.2)
    assert not set(held.test.groups) & set(held.train.groups)
    assert upsample(held, tmp_path / "held").held_out == ("test",)


def test_an_extra_folder_of_copies_of_test_images_is_refused(made, tmp_path):
    data = load(made / "photos")
    extra = tmp_path / "extra"
    shutil.copytree(made / "folder" / "dog", extra / "dog")
    shutil.copy(made / "folder" / "manifest.parquet", extra)
    for file in extra.glob("dog/?.png"):
        file.unlink()
    with pytest.raises(eq.InputError, match="is a copy of dog/"):
        eq.train(data, eq.Recipe(name="more", extra=str(extra)), epochs=1)


def rewritten(folder: Path, change) -> None:
    path = folder / "manifest.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def column(name, values):
    return lambda table: table.set_column(
        table.schema.get_field_index(name), name, values(table[name])
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (column("source_digest", lambda c: pa.array([None, *c.to_pylist()[1:]])), "has gaps"),
        (column("path", lambda c: pa.array(["cat/0.png"] * len(c))), "lists a path twice"),
        (column("source_digest", lambda c: pa.array([f"{i:032x}" for i in range(len(c))])), "two"),
        (column("source_id", lambda c: pa.array(["x"] * len(c))), "damaged"),
        (column("copy", lambda c: pa.array([2**40] * len(c))), "damaged"),
        (lambda table: table.slice(0, 0), "lists no image"),
        (lambda table: table.drop_columns(["source_digest"]), "columns are missing"),
    ],
)
def test_an_edited_manifest_is_refused(folder, change, words):
    rewritten(folder, change)
    with pytest.raises(eq.InputError, match=words) as error:
        load(folder)
    assert "manifest.parquet" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["cut", "text", "empty", "folder"])
def test_a_damaged_manifest_is_refused(folder, kind):
    path = folder / "manifest.parquet"
    data = path.read_bytes()
    path.unlink()
    if kind == "folder":
        path.mkdir()
        (path / "x.txt").write_text("x")
    else:
        path.write_bytes({"cut": data[: len(data) // 2], "text": b"path,label", "empty": b""}[kind])
    with pytest.raises(eq.InputError, match=r"manifest\.parquet"):
        load(folder)


def test_a_manifest_of_another_make_is_told(tmp_path):
    photos = pictures(tmp_path / "photos", {"cat": 12, "dog": 12})
    pq.write_table(pa.table({"file": ["a"], "label": [1]}), photos / "manifest.parquet")
    data = load(photos)
    assert data.train.copies is None
    assert data.train.groups is None
    assert [note for note in data.notes if "not of equipoise's making" in note]


def test_an_unfinished_set_is_refused(folder):
    (folder / "manifest.parquet").unlink()
    with pytest.raises(eq.InputError, match=r"has no manifest\.parquet"):
        load(folder)


def test_a_manifest_above_of_other_images_is_none_of_ours(folder):
    """A set of another make below a folder that upsample wrote is not its business."""
    other = pictures(folder.parent / "other", {"cat": 12, "dog": 12}, seed=5)
    shutil.copy(folder / "manifest.parquet", folder.parent)
    data = load(other)
    assert data.train.copies is None
    (folder.parent / "manifest.parquet").write_text("not one")
    assert load(other).train.copies is None


def test_another_file_under_the_name_of_ours(made, tmp_path):
    """A manifest lies beside, but the arrays are others: it is told, and tells nothing else."""
    new = Path(shutil.copytree(made / "npz", tmp_path / "set"))
    rng = np.random.default_rng(9)
    images = rng.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)
    np.savez(new / "other.npz", images=images, labels=np.arange(60) % 2)
    data = load(new / "other.npz")
    assert data.train.copies is None
    np.savez(new / "data.npz", images=images, labels=np.arange(60) % 2)
    data = load(new / "data.npz")
    assert any("lists other images" in note for note in data.notes)
