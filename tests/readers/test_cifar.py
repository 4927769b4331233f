"""The CIFAR-10 python archive, written as its makers wrote it: pickles of protocol 2 with bytes."""

import io
import pickle
import tarfile

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.readers import load

NAMES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def batch(number, count=40, **changes):
    rng = np.random.default_rng(number)
    fields = {
        b"batch_label": b"training batch",
        b"labels": [i % 10 for i in range(count)],
        b"data": rng.integers(0, 256, (count, 3072), dtype=np.uint8),
        b"filenames": [b"image_%d_%d.png" % (number, i) for i in range(count)],
    }
    fields |= {key.encode(): value for key, value in changes.items()}
    return pickle.dumps(fields, protocol=2)


@pytest.fixture
def batches():
    return {name: batch(i) for i, name in enumerate(NAMES)} | {"batches.meta": b"x"}


@pytest.fixture
def archive(tmp_path):
    def packed(batches, order=1):
        path = tmp_path / "cifar-10-python.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name, data in list(batches.items())[::order]:
                member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return path

    return packed


def check(data):
    assert data.classes[3:6] == ("cat", "deer", "dog")
    assert [len(part) for part in data.parts.values()] == [200, 0, 40]
    np.testing.assert_array_equal(data.train.ids, np.arange(200))
    np.testing.assert_array_equal(data.test.ids, np.arange(200, 240))
    first = np.random.default_rng(0).integers(0, 256, (40, 3072), dtype=np.uint8)
    np.testing.assert_array_equal(data.train.images[7][..., 1].ravel(), first[7, 1024:2048])
    assert data.train.names[41] == "data_batch_2/image_1_1.png"
    assert data.train.labels[41] == 1


@pytest.mark.parametrize("order", [1, -1])
def test_archive(archive, batches, order):
    check(load(archive(batches, order), cut=False))


@pytest.mark.parametrize("name", ["cifar-10-batches-py", "anything/cifar-10-batches-py"])
def test_folder(folder_of, batches, name):
    check(load(folder_of(batches, name), cut=False))


def test_by_name(archive, batches, folder_of, tmp_path):
    folder_of(batches, "here/cifar-10-batches-py")
    check(load("cifar10", cut=False, data_dir=tmp_path / "here"))
    check(load("cifar10", cut=False, data_dir=tmp_path / "here" / "cifar-10-batches-py"))
    archive(batches)
    check(load("cifar10", cut=False, data_dir=tmp_path))


def test_by_name_from_the_cache(folder_of, batches, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder_of(batches, "equipoise/cifar-10-batches-py")
    check(load("cifar10", cut=False))


def test_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    words = r"could not be fetched .*Put cifar-10-python.tar.gz into .*equipoise, or .* --data-dir"
    with pytest.raises(InputError, match=words) as caught:
        load("cifar10")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=f"Put cifar-10-python.tar.gz into {tmp_path}/mine"):
        load("cifar10", data_dir=tmp_path / "mine")


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code ran')",))


MISTAKES = {
    "evil": (pickle.dumps({b"data": Evil()}), "it asks for builtins.exec, which is not allowed"),
    "memory bomb": (b"\x80\x02}r\xff\xff\xff\x7f.", "is no batch of CIFAR-10"),
    "cut": (batch(0)[:1000], "is no batch of CIFAR-10"),
    "not a pickle": (b"junk", "is no batch of CIFAR-10"),
    "empty": (b"", "is no batch of CIFAR-10"),
    "no labels": (pickle.dumps({b"data": np.zeros((1, 3072), np.uint8)}), "no batch of CIFAR-10"),
    "objects": (batch(0, data=np.array([None] * 40)), "3072 bytes and a label an image"),
    "wide": (batch(0, data=np.zeros((40, 3071), np.uint8)), "3072 bytes and a label an image"),
    "labels": (batch(0, labels=[10] * 40), "3072 bytes and a label an image"),
    "several labels": (batch(0, labels=[[1, 2]] * 40), "3072 bytes and a label an image"),
    "floats": (batch(0, data=np.zeros((40, 3072))), "3072 bytes and a label an image"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(archive, folder_of, batches, name):
    data, words = MISTAKES[name]
    for path in (
        archive(batches | {"data_batch_3": data}),
        folder_of(batches | {"data_batch_3": data}),
    ):
        with pytest.raises(InputError, match=words) as caught:
            load(path)
        assert "data_batch_3" in str(caught.value)


def test_missing_batch(archive, batches):
    del batches["data_batch_4"]
    with pytest.raises(InputError, match="data_batch_4 is missing"):
        load(archive(batches))
