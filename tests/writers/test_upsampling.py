"""`upsample` as a user calls it: folders in and out."""

import fcntl
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import equipoise as eq
from equipoise.errors import InputError, WorkError
from equipoise.planning import plan
from equipoise.recipes import Recipe

COUNTS = {"cat": 11, "dog": 4, "red fox": 2}


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a finished data set, but for the lock."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def images_of(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in files_of(folder).items() if "/" in name}


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory):
    """The photos upsampled with the defaults: the folder and what `upsample` returned."""
    out = tmp_path_factory.mktemp("out") / "balanced"
    return out, eq.upsample(str(photos), out)


def test_classes_are_level_and_the_test_split_is_as_it_was(photos, made):
    out, summary = made
    assert summary.before["train"] == COUNTS
    assert summary.after["train"] == dict.fromkeys(COUNTS, 11)
    assert summary.after["test"] == summary.before["test"] == dict.fromkeys(COUNTS, 3)
    assert summary.copies == 16
    assert summary.images == 42
    names = images_of(out)
    assert Counter(tuple(name.split("/")[:2]) for name in names) == {
        (split, name): 11 if split == "train" else 3
        for split in ("train", "test")
        for name in COUNTS
    }
    assert not [name for name in names if name.startswith("test") and "__" in name]


def test_originals_are_the_same_files(photos, made):
    originals = {name: data for name, data in images_of(made[0]).items() if "__" not in name}
    assert originals == images_of(photos)


def test_copies_tell_how_they_came_about_and_are_what_augment_makes(photos, made):
    data = eq.load(str(photos), cut=False)
    rows = {name: row for row, name in enumerate(data.train.names)}
    copies = [name for name in images_of(made[0]) if "__" in name]
    assert len(copies) == 16
    for name in copies:
        stem, technique, copy = Path(name).stem.rsplit("__", 2)
        source = next(
            row for path, row in rows.items() if path.startswith(f"{Path(name).parent}/{stem}.")
        )
        image = data.train.images[source]
        alone = eq.augment([image], technique, seed=0, ids=data.train.ids[[source]], copy=int(copy))
        assert np.array_equal(np.asarray(Image.open(made[0] / name)), alone[0])


def test_the_result_reads_back(made):
    data = eq.load(str(made[0]), cut=False)
    assert data.classes == tuple(COUNTS)
    assert data.train.counts.tolist() == [11, 11, 11]
    assert data.test.counts.tolist() == [3, 3, 3]
    assert not data.broken


def test_the_summary_lies_beside_the_images(made):
    out, summary = made
    written = json.loads((out / "summary.json").read_text())
    assert written == json.loads(json.dumps(summary.to_dict()))


def test_a_dry_run_counts_and_writes_nothing(photos, made, tmp_path):
    summary = eq.upsample(str(photos), tmp_path / "out", dry_run=True)
    assert summary == replace(made[1], out="")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["folder", "zip", "csv"])
def test_a_dry_run_opens_no_image(tmp_path, form):
    """Nothing tells these from pictures but their content."""
    source, extra = tmp_path / "photos", tmp_path / "extra"
    for place, count in ((source / "cat", 6), (source / "dog", 2), (extra / "dog", 1)):
        place.mkdir(parents=True)
        for number in range(count):
            (place / f"{number}.png").write_text("no picture")
    if form == "zip":
        source = shutil.make_archive(str(source), "zip", source)
    if form == "csv":
        names = [f"{kind}/{n}.png,{kind}" for kind, n in (("cat", 0), ("cat", 1), ("dog", 0))]
        (source / "table.csv").write_text("\n".join(["path,label", *names]))
        source = source / "table.csv"
    summary = eq.upsample(source, None, dry_run=True)
    assert summary.after["train"]["dog"] == summary.before["train"]["cat"] == (2, 6)[form != "csv"]
    (tmp_path / "more.yaml").write_text(f"strategy: auto\nextra: {extra}\n")
    summary = eq.upsample(source, None, dry_run=True, recipe=tmp_path / "more.yaml")
    assert summary.generated == {"dog": 1}
    with pytest.raises(InputError, match="none of the images can be read"):
        eq.upsample(source, tmp_path / "out")


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_number_of_jobs_changes_no_byte(photos, made, tmp_path, jobs):
    eq.upsample(str(photos), tmp_path / "out", jobs=jobs)
    assert images_of(tmp_path / "out") == images_of(made[0])
    manifests = [pd.read_parquet(out / "manifest.parquet") for out in (made[0], tmp_path / "out")]
    assert manifests[0].equals(manifests[1])


def test_the_same_call_goes_on_where_it_was(photos, made, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(made[0], out)
    lost = [name for name in sorted(images_of(out)) if name.startswith("train")][::3]
    for name in [*lost, "manifest.parquet", "summary.json"]:
        (out / name).unlink()
    (out / ".parts").mkdir()
    (out / ".parts" / "7").write_bytes(b"half")
    kept = {
        name: (out / name).stat().st_mtime_ns
        for name in images_of(out)
        if "/." not in name and name[0] != "."
    }
    eq.upsample(str(photos), out)
    finished = files_of(out)
    assert {n: d for n, d in finished.items() if n not in ("summary.json", "equipoise.json")} == {
        n: d for n, d in files_of(made[0]).items() if n not in ("summary.json", "equipoise.json")
    }
    assert all((out / name).stat().st_mtime_ns == then for name, then in kept.items())


def test_progress_counts_every_image(photos, tmp_path):
    seen = []
    eq.upsample(
        str(photos), tmp_path / "out", progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (42, 42)
    assert seen == sorted(seen)


def test_scope_all_marks_no_class(photos, tmp_path):
    summary = eq.upsample(str(photos), tmp_path / "out", scope="all")
    assert summary.after["train"] == dict.fromkeys(COUNTS, 11)
    manifest = pd.read_parquet(tmp_path / "out" / "manifest.parquet")
    train = manifest[manifest.split == "train"]
    augmented = train[train.technique != "original"].groupby("class").size()
    assert augmented.to_dict() == dict.fromkeys(COUNTS, 9)


def test_a_recipe_decides(photos, tmp_path):
    recipe = Recipe(name="mine", strategy={"dog": 9}, techniques=("blur",))
    summary = eq.upsample(str(photos), tmp_path / "out", recipe=recipe)
    assert summary.after["train"] == {"cat": 11, "dog": 9, "red fox": 2}
    copies = [name for name in images_of(tmp_path / "out") if "__" in name]
    assert all("__blur__" in name for name in copies)
    balanced = eq.upsample(str(photos), tmp_path / "other", recipe="balanced", dry_run=True)
    assert balanced.after["train"] == dict.fromkeys(COUNTS, 11)
    with pytest.raises(InputError, match="Recipe weights adds no images"):
        eq.upsample(str(photos), tmp_path / "none", recipe="weights")


def test_a_recipe_undersamples_and_weights_its_techniques(photos, tmp_path):
    recipe = Recipe(
        name="mine",
        undersample={"cat": 8},
        strategy="auto",
        techniques=("blur", "flip"),
        weights=(1, 3),
    )
    summary = eq.upsample(str(photos), tmp_path / "out", recipe=recipe)
    assert summary.before["train"] == {"cat": 11, "dog": 4, "red fox": 2}
    assert summary.after["train"] == {"cat": 8, "dog": 8, "red fox": 8}
    rows = pd.read_parquet(tmp_path / "out" / "manifest.parquet").to_dict("records")
    made = Counter((row["class"], row["technique"]) for row in rows if row["copy"] >= 0)
    shares = [
        made[name, technique] for name in ("dog", "red fox") for technique in ("blur", "flip")
    ]
    assert shares in ([1, 3, 2, 4], [1, 3, 1, 5])
    again = eq.upsample(
        str(photos), tmp_path / "again", from_manifest=tmp_path / "out" / "manifest.parquet"
    )
    assert again.images == summary.images
    alone = eq.upsample(str(photos), None, recipe="undersample", dry_run=True)
    assert alone.after["train"] == {"cat": 2, "dog": 2, "red fox": 2}


def test_files_that_are_gone_or_empty_are_written_again(photos, tmp_path):
    eq.upsample(photos, tmp_path / "out")
    files = {path: path.read_bytes() for path in sorted((tmp_path / "out").rglob("*.png"))}
    gone, empty = list(files)[:2]
    gone.unlink()
    empty.write_bytes(b"")
    eq.upsample(photos, tmp_path / "out")
    assert {path: path.read_bytes() for path in files} == files


def test_duplicates_are_the_same_files_again(photos, tmp_path):
    eq.upsample(str(photos), tmp_path / "out", techniques=())
    found = images_of(tmp_path / "out")
    copies = [name for name in found if "__duplicate__" in name]
    assert len(copies) == 16
    for name in copies:
        head, _, tail = name.partition("__duplicate__")
        assert found[name] == found[head + Path(tail).suffix]


def test_arrays_are_written_as_png_without_split_folders(arrays, tmp_path):
    eq.upsample(arrays, tmp_path / "out", techniques=["flip"])
    found = images_of(tmp_path / "out")
    assert Counter(Path(name).parts[0] for name in found) == {"sky": 12, "leaf": 12}
    for row in range(17):
        name = f"{arrays.classes[arrays.train.labels[row]]}/{row}.png"
        assert np.array_equal(
            np.asarray(Image.open(tmp_path / "out" / name)), arrays.train.array[row]
        )
    assert np.array_equal(
        np.asarray(Image.open(tmp_path / "out" / "leaf/14__flip__0.png")),
        arrays.train.array[14][:, ::-1],
    )


def test_grey_and_transparent_images_stay_so(arrays, tmp_path):
    for channels, mode in ((1, "L"), (4, "RGBA")):
        images = np.resize(arrays.train.array, (17, 16, 12, channels))
        data = replace(arrays, train=replace(arrays.train, images=images))
        eq.upsample(data, tmp_path / mode, techniques=["crop"])
        for name in ("leaf/13.png", "leaf/13__crop__0.png"):
            assert Image.open(tmp_path / mode / name).mode == mode
        assert np.array_equal(
            np.asarray(Image.open(tmp_path / mode / "leaf/13.png")).reshape(16, 12, channels),
            images[13],
        )


def test_a_class_called_train_does_not_become_a_split(arrays, tmp_path):
    data = replace(
        arrays,
        **{name: replace(part, classes=("plane", "train")) for name, part in arrays.parts.items()},
    )
    eq.upsample(data, tmp_path / "out")
    assert Counter(name.split("/")[1] for name in images_of(tmp_path / "out")) == {
        "plane": 12,
        "train": 12,
    }
    assert eq.load(str(tmp_path / "out"), cut=False).train.counts.tolist() == [12, 12]


def test_a_class_name_cannot_lead_out_of_the_folder(arrays, tmp_path):
    classes = ("../../evil", "CON")
    data = replace(
        arrays, **{name: replace(part, classes=classes) for name, part in arrays.parts.items()}
    )
    eq.upsample(data, tmp_path / "deep" / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"deep"}
    assert {path.name for path in (tmp_path / "deep" / "out").iterdir() if path.is_dir()} == {
        "%2E.%2F..%2Fevil",
        "%43ON",
    }
    manifest = pd.read_parquet(tmp_path / "deep" / "out" / "manifest.parquet")
    assert set(manifest["class"]) == set(classes)


def test_a_technique_that_does_not_fit_the_images_is_told_before_anything_is_written(
    arrays, tmp_path
):
    narrow = replace(arrays.train, images=arrays.train.array[:, :1])
    with pytest.raises(InputError, match="height and width >= 2"):
        eq.upsample(replace(arrays, train=narrow), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_image_that_a_technique_does_not_fit_further_on_ends_in_one_line(arrays, tmp_path):
    images = list(arrays.train.array)
    second = plan(arrays.train.labels, "auto", 1, seed=0, ids=arrays.train.ids).source[1]
    images[second] = images[second][:1]
    data = replace(arrays, train=replace(arrays.train, images=images))
    with pytest.raises(WorkError, match=r"height and width >= 2.* What is finished is whole"):
        eq.upsample(data, tmp_path / "out", techniques=["flip"])


def test_a_full_folder_of_somebody_else_is_refused(photos, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="not empty and not ours"):
        eq.upsample(str(photos), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_of_another_run_is_refused(photos, made):
    before = files_of(made[0])
    for change in (
        {"seed": 1},
        {"techniques": ["flip"]},
        {"strategy": {"dog": 11}},
        {"scope": "all"},
    ):
        with pytest.raises(InputError, match="was made with another"):
            eq.upsample(str(photos), made[0], **change)
    assert files_of(made[0]) == before


def test_a_second_run_into_the_same_folder_is_refused(photos, made, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(made[0], out)
    with (out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="in use by another run"):
            eq.upsample(str(photos), out)


def test_an_output_folder_inside_the_data_is_refused(photos):
    with pytest.raises(InputError, match="lies inside the data set"):
        eq.upsample(str(photos), photos / "balanced")
    assert not (photos / "balanced").exists()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"techniques": ["nois"]}, "no technique 'nois'. Did you mean 'noise'"),
        ({"strategy": {"wolf": 9}}, "no class 'wolf'"),
        ({"strategy": 0.5}, "binary"),
        ({"format": "foldr"}, "no format 'foldr'. Did you mean 'folder'"),
        ({"format": "npz"}, "images of one size"),
        ({"scope": "some"}, "scope"),
        ({"recipe": "artcle"}, "no recipe 'artcle'. Did you mean 'article'"),
        ({"jobs": 0}, "jobs >= 1 must hold"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(photos, tmp_path, wrong, complaint):
    with pytest.raises(InputError, match=complaint) as error:
        eq.upsample(str(photos), tmp_path / "out", **wrong)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_source_that_vanishes_during_the_work_ends_in_one_line(photos, tmp_path):
    copy = tmp_path / "photos"
    shutil.copytree(photos, copy)
    data = eq.load(str(copy), cut=False)
    hidden = next((copy / "train" / "dog").iterdir())
    hidden.rename(tmp_path / "elsewhere")
    with pytest.raises(WorkError, match=hidden.name):
        eq.upsample(data, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.parquet").exists()
    (tmp_path / "elsewhere").rename(hidden)
    eq.upsample(data, tmp_path / "out")
    eq.upsample(data, tmp_path / "undisturbed")
    assert images_of(tmp_path / "out") == images_of(tmp_path / "undisturbed")


def test_an_original_that_changes_during_the_work_ends_in_one_line(photos, tmp_path):
    copy = tmp_path / "photos"
    shutil.copytree(photos, copy)
    data = eq.load(str(copy), cut=False)
    first, second = sorted((copy / "train" / "dog").iterdir())[:2]
    first.write_bytes(second.read_bytes())
    with pytest.raises(WorkError, match=rf"{first.name} has changed since it was loaded"):
        eq.upsample(data, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.parquet").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 128 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    order = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(order, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("format_", ["folder", "parquet", "webdataset", "npz"])
def test_a_full_disk_ends_in_one_line_and_is_gone_on_with(photos, small_disk, format_):
    data = eq.load(str(photos), cut=False, size=40 if format_ == "npz" else None)
    out = small_disk / "out"
    filler = small_disk / "filler"
    filler.write_bytes(bytes(96 << 10))
    with pytest.raises(WorkError, match=r"No space left on device\. What is finished") as error:
        eq.upsample(data, out, format=format_, jobs=1)
    assert "\n" not in str(error.value)
    assert not (out / "manifest.parquet").exists()
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    eq.upsample(data, out, format=format_)
    eq.upsample(data, small_disk / "undisturbed", format=format_)
    here, there = files_of(out), files_of(small_disk / "undisturbed")
    assert here.keys() == there.keys()
    assert all(there[name] == data for name, data in here.items() if name != "summary.json")


def test_a_disk_that_takes_no_more_ends_in_one_line(photos, made, tmp_path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    sizes = [len(data) for data in images_of(made[0]).values()]
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(np.median(sizes)), limit[1]))
    try:
        with pytest.raises(WorkError, match=r"File too large\. What is finished is whole") as error:
            eq.upsample(str(photos), tmp_path / "out", jobs=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "\n" not in str(error.value)
    whole = images_of(made[0])
    finished = {n: d for n, d in images_of(tmp_path / "out").items() if not n.startswith(".")}
    assert 0 < len(finished) < len(whole)
    assert finished.items() <= whole.items()
    eq.upsample(str(photos), tmp_path / "out")
    assert images_of(tmp_path / "out") == whole


def test_a_place_that_cannot_be_written_to(photos, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/out cannot be written to|is a file"):
        eq.upsample(str(photos), tmp_path / "file" / "out")
    with pytest.raises(InputError, match="is a file"):
        eq.upsample(str(photos), tmp_path / "file")


RUN = """
import json, sys
import equipoise as eq
source, out, strategy, format = sys.argv[1:]
eq.upsample(source, out, strategy=json.loads(strategy), format=format)
"""


def run_until(files: int, folder: Path, *arguments: str) -> int:
    """Start `upsample` in a process of its own and kill it once a folder holds so many files."""
    process = subprocess.Popen([sys.executable, "-c", RUN, *arguments])
    while process.poll() is None:
        if folder.is_dir() and len(list(folder.iterdir())) >= files:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.005)
    return process.returncode


@pytest.mark.parametrize(
    ("format", "kills"),
    [
        ("folder", [200]),
        pytest.param("folder", [5, 400, 800], marks=pytest.mark.slow),
        pytest.param("npz", [3], marks=pytest.mark.slow),
    ],
)
def test_killed_and_started_again_it_ends_as_if_undisturbed(
    photos, arrays, tmp_path, format, kills
):
    source, strategy, killed = photos, {"dog": 1500}, tmp_path / "killed"
    if format == "npz":
        source, strategy = tmp_path / "arrays.npz", {"1": 120_000}
        np.savez(source, images=arrays.train.array, labels=arrays.train.labels)
    watched = killed if format == "npz" else killed / "train" / "dog"
    for files in kills:
        end = run_until(files, watched, str(source), str(killed), json.dumps(strategy), format)
        assert end == -signal.SIGKILL
        assert not (killed / "summary.json").exists()
    for out in (killed, tmp_path / "undisturbed"):
        eq.upsample(str(source), out, strategy=strategy, format=format)
    ends = [files_of(out) for out in (killed, tmp_path / "undisturbed")]
    for files in ends:
        files.pop("summary.json")  # names its folder
    assert ends[0] == ends[1]
