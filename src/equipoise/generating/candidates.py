"""The images that a model made: files, first in a hidden folder, then with their class or not."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from equipoise.errors import WorkError
from equipoise.files import atomic
from equipoise.generating.making import Maker
from equipoise.images import ImageSet
from equipoise.readers.digests import digest
from equipoise.readers.lineage import hexadecimal
from equipoise.readers.manifests import MANIFEST
from equipoise.readers.table import path_ids
from equipoise.sifting import Sifted
from equipoise.writers.encoding import encoded
from equipoise.writers.manifest import SCHEMA, VERSION, clean
from equipoise.writers.naming import class_folders
from equipoise.writers.outputs import Coding

__all__ = ["Candidates", "read_sifted"]

_APART = ".made"  # where images lie that are not yet judged, or fell
_SCHEMA = pa.schema(
    [*SCHEMA, ("model", pa.string()), ("verdict", pa.string()), ("reason", pa.string())]
)


class Candidates:
    """What a maker makes, as files below a folder; each is made once.

    An image lies in a hidden folder until all are judged. Then what is kept moves to the folder of
    its class, and what fell stays.
    """

    def __init__(self, folder: Path, method: str, train: ImageSet, maker: Maker) -> None:
        self.folder, self.method, self.train, self.maker = folder, method, train, maker
        self.folders = class_folders(train.classes)

    def images(
        self, asked: Sequence[tuple[int, int]], tell: Callable[[int, int, str], None]
    ) -> ImageSet:
        """Return the images of labels and numbers, made where they are not there yet."""
        pixels = []
        for k, (label, number) in enumerate(asked):
            pixels.append(self._image(label, number))
            tell(k + 1, len(asked), "making images")
        names = [self._name(label, number) for label, number in asked]
        return ImageSet(
            images=pixels,
            labels=np.array([label for label, _ in asked], np.int64),
            classes=self.train.classes,
            ids=path_ids(f"generated/{name}" for name in names),  # as those of an extra folder
            names=np.array(names),
            digests=np.array([digest(image) for image in pixels], "S16"),
        )

    def _name(self, label: int, number: int) -> str:
        return f"{self.folders[label]}/{self.method}-{number:06d}.png"

    def _image(self, label: int, number: int) -> NDArray[np.uint8]:
        name = self._name(label, number)
        for place in (self.folder / name, self.folder / _APART / name):
            if place.is_file():
                return _read(place)
        image = self.maker.make(label, number)
        with atomic(self.folder / _APART / name) as part:
            part.write_bytes(encoded(image, Coding()))
        return image

    def finish(self, sifted: Sifted, how: Mapping[str, Any]) -> None:
        """Move what is kept to its class, and write the manifest of all that was made."""
        for name in sifted.images.names[sifted.kept].tolist():
            place = self.folder / name
            place.parent.mkdir(exist_ok=True)
            if not place.is_file():
                (self.folder / _APART / name).replace(place)
        with atomic(self.folder / MANIFEST) as part:
            pq.write_table(self._manifest(sifted, how), part, compression="zstd")

    def _manifest(self, sifted: Sifted, how: Mapping[str, Any]) -> pa.Table:
        images, train, count = sifted.images, self.train, len(sifted.images)
        labels = images.labels.tolist()
        numbers = [int(name.rpartition("-")[2].partition(".")[0]) for name in images.names.tolist()]
        origins = [self.maker.origin(*pair) for pair in zip(labels, numbers, strict=True)]
        sources = np.array([origin.source for origin in origins], np.intp)
        parameters = [
            json.dumps({**how["parameters"], **origin.details}, sort_keys=True)
            for origin in origins
        ]
        apart = np.where(sifted.kept, "", f"{_APART}/").tolist()
        columns = {
            "id": images.ids,
            "path": [
                f"{top}{name}" for top, name in zip(apart, images.names.tolist(), strict=True)
            ],
            "split": ["train"] * count,
            "label": images.labels,
            "class": [clean(train.classes[label]) for label in labels],
            "source_id": train.ids[sources],
            "technique": [self.method] * count,
            "parameters": parameters,
            "seed": np.full(count, how["seed"] % 2**64, np.uint64),
            "copy": np.array(numbers, np.int32),
            "epoch": np.zeros(count, np.int32),
            "source_digest": hexadecimal(train.digests[sources]),
            "version": [VERSION] * count,
            "generated": np.ones(count, bool),
            "group": [""] * count,
            "model": [self.maker.model] * count,
            "verdict": sifted.verdict.tolist(),
            "reason": [clean(reason) for reason in sifted.reason.tolist()],
        }
        return pa.table(columns, schema=_SCHEMA)

    @staticmethod
    def finished(folder: Path) -> bool:
        """Whether a folder has a manifest, and all images that it says are kept."""
        if not (folder / MANIFEST).is_file():
            return False
        paths = pq.read_table(folder / MANIFEST, columns=["path"])["path"].to_pylist()
        return all((folder / path).is_file() for path in paths)


def read_sifted(folder: Path, notes: tuple[str, ...]) -> Sifted:
    """Return the images that a finished folder lists, and what the sieve said of them."""
    table = pq.read_table(folder / MANIFEST)
    rows = table.to_pydict()
    classes = tuple(dict.fromkeys(rows["class"]))
    pixels = [_read(folder / path) for path in rows["path"]]
    images = ImageSet(
        images=pixels,
        labels=np.array([classes.index(name) for name in rows["class"]], np.int64),
        classes=classes,
        ids=np.array(rows["id"], np.int64),
        names=np.array(rows["path"]),
        digests=np.array([digest(image) for image in pixels], "S16"),
    )
    return Sifted(images, np.array(rows["verdict"]), np.array(rows["reason"]), notes)


def _read(path: Path) -> NDArray[np.uint8]:
    """Read a PNG that was written here: lossless, so that it is judged as what was made."""
    found = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise WorkError(f"{path} is damaged: it holds no PNG. Remove it, and it is made again.")
    image = np.asarray(found, np.uint8).reshape(*found.shape[:2], -1)
    code = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}.get(image.shape[2])
    return image if code is None else np.asarray(cv2.cvtColor(image, code), np.uint8)
