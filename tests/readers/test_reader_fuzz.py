"""Damaged files of every format: a data set or one clear line, never anything else.

Every reader gets valid files with bytes changed, cut out, put in or repeated. Whatever comes of it,
nothing but `InputError` is raised, its message is one line, and nothing is written.
"""

import csv
import io
import json
import pickle
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equipoise.errors import InputError, WorkError
from equipoise.readers import load
from equipoise.readers.decoding import UndecodableError, decode

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow on damaged TIFF tags

SECONDS = 20  # what one load of a few kilobytes may take on a busy machine


def tarred(files, mode):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def parquet(files):
    """The files as Hugging Face's columns, in three row groups."""
    about = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["a", "b"]}}
    images = [{"bytes": data, "path": name} for name, data in files.items()]
    table = pa.table({"image": images, "label": [int(name[0] == "b") for name in files]})
    text = json.dumps({"info": {"features": about}})
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"huggingface": text}), buffer, row_group_size=4)
    return buffer.getvalue()


def samples(files):
    """The files as WebDataset's samples, in one shard."""
    pairs = {f"{i:02d}": item for i, item in enumerate(files.items())}
    images = {f"{key}.png": data for key, (_, data) in pairs.items()}
    labels = {f"{key}.cls": name[0].encode() for key, (name, _) in pairs.items()}
    return tarred(dict(sorted((images | labels).items())), "w")


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def sources(pictures, encode):
    """One valid file of every format, and the files of a valid folder."""
    files = {f"{'ab'[i % 2]}/{i}.png": encode(pictures[i][:8, :8]) for i in range(12)}
    arrays = io.BytesIO()
    np.savez(arrays, images=pictures[:12, :8, :8], labels=np.arange(12) % 2)
    table = io.StringIO()
    csv.writer(table).writerows([("path", "label"), *((name, name[0]) for name in files)])
    batch = {b"data": np.zeros((4, 3072), np.uint8), b"labels": [0, 1, 2, 3]}
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    return {
        "a.zip": zipped(files),
        "a.tar": tarred(files, "w"),
        "a.tar.gz": tarred(files, "w:gz"),
        "a.npz": arrays.getvalue(),
        "a.csv": table.getvalue().encode(),
        "a.parquet": parquet(files),
        "samples.tar": samples(files),
        "parquets": {f"{name}-0.parquet": parquet(files) for name in ("train", "test")},
        "shards": {f"{name}-0.tar": samples(files) for name in ("train", "test")},
        "cifar.tgz": tarred(dict.fromkeys(names, pickle.dumps(batch, 2)), "w:gz"),
        "folder": files,
        "batches": dict.fromkeys(names, pickle.dumps(batch, 2)),
    }


def damaged(data, rng):
    """The same bytes with a few of them changed, cut out, put in or repeated."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 8)):
        if not data:
            break
        # Half of the damage goes to the ends, where headers and directories are.
        near = int(rng.integers(min(200, len(data))))
        place = [near, len(data) - 1 - near, int(rng.integers(len(data)))][
            rng.choice(3, p=[0.3, 0.2, 0.5])
        ]
        kind = rng.integers(5)
        if kind == 0:
            data[place] = rng.integers(256)
        elif kind == 1:
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del data[place : place + int(rng.integers(1, 40))]
        elif kind == 3:
            data[place:place] = rng.bytes(int(rng.integers(1, 5)))
        else:
            data[place:place] = data[place : place + 64]
    return bytes(data) if rng.random() > 0.1 else bytes(data[: len(data) // 2])


def written(root):
    return {place: place.stat().st_mtime_ns for place in root.rglob("*")}


def attack(root: Path, name: str, source, rng) -> bool:
    """Load a damaged source; True where a data set came of it."""
    path = root / name
    if isinstance(source, dict):
        for inner, data in source.items():
            place = path / inner
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(damaged(data, rng) if rng.random() < 0.4 else data)
    else:
        path.write_bytes(damaged(source, rng))
    before, start = written(root), time.perf_counter()
    message = ""
    try:
        data = load(path, cut=bool(rng.integers(2)), test_fraction=0.3, validation_fraction=0.4)
        for image in data.train.images:
            assert image.dtype == np.uint8
            assert image.ndim == 3
    except (InputError, WorkError) as error:
        message = str(error)
    assert message.isprintable()
    assert len(message) < 1200
    assert time.perf_counter() - start < SECONDS
    assert written(root) == before
    return not message


NAMES = [
    *("a.zip", "a.tar", "a.tar.gz", "a.npz", "a.csv", "a.parquet", "samples.tar", "cifar.tgz"),
    *("folder", "batches", "parquets", "shards"),
]


def fuzz(tmp_path, sources, name, rounds, seed):
    for inner, data in sources["folder"].items() if name == "a.csv" else ():
        (tmp_path / inner).parent.mkdir(exist_ok=True)
        (tmp_path / inner).write_bytes(data)
    rng = np.random.default_rng(seed)
    return sum(attack(tmp_path, name, sources[name], rng) for _ in range(rounds))


@pytest.mark.parametrize("name", NAMES)
def test_damaged_sources(tmp_path, sources, name):
    fuzz(tmp_path, sources, name, rounds=30, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_many_damaged_sources(tmp_path, sources, name):
    loaded = fuzz(tmp_path, sources, name, rounds=1500, seed=1)
    if name in ("folder", "a.zip"):  # damage stays with one file there
        assert loaded


@pytest.fixture(scope="module")
def image_files(pictures, encode):
    colour, grey = pictures[0], pictures[0][..., 1]
    files = [encode(colour, name) for name in ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM")]
    files += [encode(grey, name) for name in ("JPEG", "PNG", "TIFF")]
    files.append(encode(colour, "JPEG", progressive=True))
    files += [encode(colour, "TIFF", compression=name) for name in ("tiff_lzw", "jpeg")]
    return files


def fuzz_images(image_files, rounds, seed):
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        data = damaged(image_files[rng.integers(len(image_files))], rng)
        start = time.perf_counter()
        try:
            pixels = decode(data, most_pixels=10**6).pixels
            assert pixels.dtype == np.uint8
            assert pixels.shape[2] in (1, 3, 4)
        except UndecodableError:
            pass
        assert time.perf_counter() - start < SECONDS


def test_damaged_images(image_files):
    fuzz_images(image_files, rounds=1000, seed=0)


@pytest.mark.slow
def test_many_damaged_images(image_files):
    fuzz_images(image_files, rounds=100_000, seed=1)
