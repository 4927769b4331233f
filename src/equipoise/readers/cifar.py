"""The CIFAR-10 python archive (Krizhevsky, 2009): a folder of batches, or its .tar.gz.

The batches are pickles. They are read by an unpickler that builds arrays and plain values and
nothing else, so a doctored file cannot run code.
"""

import os
import pickle
import tarfile
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError, reason
from equipoise.readers.table import Table
from equipoise.selection import Selection

__all__ = ["find_cifar10", "is_batch_name", "is_batches", "read_batches", "read_stream"]

_FOLDER = "cifar-10-batches-py"
_ARCHIVE = "cifar-10-python.tar.gz"
_URL = f"https://www.cs.toronto.edu/~kriz/{_ARCHIVE}"
_MD5 = "c58f30108f718f92721af3b95e74349a"
_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_MOST_BYTES = 2**26  # of one batch; they are 31 MB

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _Unpickler(pickle._Unpickler):
    """Builds arrays and plain values only.

    In Python, not in C: there, one doctored byte makes the table of seen objects fill the memory.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not allowed")
        return super().find_class(module, name)


def is_batch_name(name: str) -> bool:
    """Whether a file of an archive is one of the CIFAR-10 archive's."""
    parts = name.split("/")
    return _FOLDER in parts[:-1] or parts[-1] in _BATCHES


def is_batches(path: Path) -> bool:
    """Whether a folder holds the batches, itself or in the folder of their usual name."""
    return any((folder / _BATCHES[0]).is_file() for folder in (path, path / _FOLDER))


def read_batches(path: Path, selection: Selection = Selection()) -> Table:
    """Read a folder of batches."""
    folder = path if (path / _BATCHES[0]).is_file() else path / _FOLDER
    found = {}
    for name in _BATCHES:
        try:
            if (folder / name).stat().st_size <= _MOST_BYTES:
                found[name] = (folder / name).read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputError(f"{folder / name}: {reason(error)}.") from None
    return _table(found, str(path))


def read_stream(path: Path) -> Table:
    """Read the batches of a .tar.gz, in one pass."""
    found = {}
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if name in _BATCHES and member.isreg() and member.size <= _MOST_BYTES:
                found[name] = cast(IO[bytes], archive.extractfile(member)).read()
    return _table(found, str(path))


def find_cifar10(data_dir: str | os.PathLike[str] | None) -> Path:
    """Return the archive or folder: in `data_dir`, else the cache, else downloaded and checked."""
    import pooch  # heavy, and rarely needed

    cache = Path(pooch.os_cache("equipoise"))
    for folder in (Path(data_dir) if data_dir else cache, cache):
        if (folder / _ARCHIVE).is_file():
            return folder / _ARCHIVE
        if is_batches(folder):
            return folder
    try:
        downloader = pooch.HTTPDownloader(timeout=30)
        return Path(pooch.retrieve(_URL, f"md5:{_MD5}", _ARCHIVE, cache, downloader=downloader))
    except Exception as error:  # whatever the network, the server or the disk had to say
        place = f"into {cache}, or name its folder with --data-dir"
        raise InputError(
            f"cifar10: {_URL} could not be fetched ({type(error).__name__}). Put {_ARCHIVE} "
            f"{f'into {data_dir}' if data_dir else place}."
        ) from None


def _table(found: dict[str, bytes], source: str) -> Table:
    if missing := [name for name in _BATCHES if name not in found]:
        raise InputError(
            f"{source}: not the whole CIFAR-10 python archive: {missing[0]} is missing."
        )
    batches = {name: _batch(found.pop(name), f"{source}: {name}") for name in _BATCHES}
    images = np.concatenate([batch.images for batch in batches.values()])
    splits = [
        "test" if name == "test_batch" else "train"
        for name, batch in batches.items()
        for _ in batch.names
    ]
    return Table(
        names=np.array([f"{name}/{file}" for name, b in batches.items() for file in b.names]),
        labels=np.concatenate([batch.labels for batch in batches.values()]),
        classes=_CLASSES,
        splits=np.array(splits),
        ids=np.arange(len(images), dtype=np.int64),
        pixels=images,
    )


class _Batch(NamedTuple):
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    names: list[str]


def _batch(data: bytes, where: str) -> _Batch:
    """Return the images, labels and file names of one pickled batch."""
    try:
        found = _Unpickler(BytesIO(data), encoding="bytes").load()
        rows, labels = found[b"data"], np.array(found[b"labels"], np.int64)
        names = [f"{i:05d}" for i in range(len(labels))]
        if b"filenames" in found:
            names = [name.decode("ascii") for name in found[b"filenames"]]
    except Exception as error:  # a broken pickle may raise anything
        raise InputError(f"{where} is no batch of CIFAR-10: {reason(error)}.") from None
    whole = (
        isinstance(rows, np.ndarray)
        and rows.dtype == np.uint8
        and rows.shape == (len(labels), 3072)
        and labels.ndim == 1
        and len(names) == len(labels) > 0
        and 0 <= labels.min() <= labels.max() < len(_CLASSES)
    )
    if not whole:
        raise InputError(
            f"{where} is no batch of CIFAR-10: 3072 bytes and a label an image needed."
        )
    images = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return _Batch(np.ascontiguousarray(images), labels, names)
