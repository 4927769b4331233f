"""The page of what the sieve says of images from elsewhere, with some of each side."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from equipoise.readers.sizing import resize
from equipoise.reports.figures import Picture, packed
from equipoise.reports.page import environment, target, write_page
from equipoise.sifting import STEPS, Sifted

__all__ = ["sieve_page"]

_SHOWN = 12  # images of each class and step
_SIDE = 96  # pixels a side that they are shown at


def sieve_page(sifted: Sifted, path: str | Path, *, source: str = "", against: str = "") -> None:
    """Write one self-contained HTML page of what was kept and what fell.

    Parameters
    ----------
    sifted : Sifted
    path : str or Path
        The HTML file.
    source, against : str
        Where the images are from, and the data set that they were held against.
    """
    place = target(Path(path))
    context = {
        "source": source,
        "against": against,
        "counts": sifted.counts(),
        "steps": STEPS,
        "notes": list(sifted.notes),
        "sides": _sides(sifted),
    }
    write_page(place, environment().get_template("sieve.html.j2").render(context))


def _sides(sifted: Sifted) -> list[dict[str, Any]]:
    """Of each class and step some images, spread over all of them, each with its reason."""
    images, found = sifted.images, []
    for label in np.unique(images.labels).tolist():
        for step, words in {"kept": "kept", **STEPS}.items():
            rows = np.flatnonzero((images.labels == label) & (sifted.verdict == step))
            if len(rows):
                some = np.unique(np.linspace(0, len(rows) - 1, _SHOWN).round().astype(int))
                found.append(
                    {
                        "class": images.classes[label],
                        "words": words,
                        "count": len(rows),
                        "shown": [
                            (_picture(sifted, int(row)), str(sifted.reason[row]))
                            for row in rows[some]
                        ],
                    }
                )
    return found


def _picture(sifted: Sifted, row: int) -> Picture:
    image = np.asarray(sifted.images.images[row])
    if max(image.shape[:2]) > _SIDE:
        image = resize(image, _SIDE, "pad")
    code = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get(image.shape[2])
    turned = image if code is None else cv2.cvtColor(image, code)
    height, width = image.shape[:2]
    data = cv2.imencode(".png", turned)[1].tobytes()
    return packed(str(sifted.images.names[row]), data, "png", (width, height))
