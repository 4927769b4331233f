"""Writes docs/techniques.md and its pictures from the catalogue.

Run it as ``python docs/make_techniques.py`` whenever a technique has changed. The page is a
function of the code alone, so a test can tell when it is out of date.
"""

import inspect
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image

import equipoise as eq
from equipoise.techniques import CATALOGUE, FAMILIES, Definition, Parameter, mixing, resolve

HERE = Path(__file__).parent
PICTURES = Path("pictures/techniques")
MAGNITUDES = (0.25, 0.5, 1.0)
SIDE, GAP = 80, 4

INTRODUCTION = """\
# The techniques

This page is made by `python docs/make_techniques.py` from the code. `equipoise techniques` prints
the same tables.

Images are N×H×W×C arrays of uint8, or lists of H×W×C arrays of mixed sizes, with 1, 3 or 4
channels, from 2×2 up and square or not. Colour techniques leave a fourth channel, alpha, as it is.

```python
import equipoise as eq

noisy = eq.augment(images, "noise", seed=0, ids=ids, white=0.15, black=0.10)
```

In recipes, in the sampler and on the command line a technique is its name, or
`{name: {parameter: value}}`.

**Magnitude.** One knob for all techniques, from 0, where the image stays as it is, to 1. The tables
say which value a parameter has at either end; between them it is linear. A parameter without such
values stays at its default.

```python
from equipoise.techniques import CATALOGUE

half = CATALOGUE["rotate"].at(0.5)  # a dict of its parameters
turned = eq.augment(images, "rotate", seed=0, ids=ids, **half)
```

**Pictures** show the original and magnitudes 0.25, 0.5 and 1 of one address, one whose draw is
large; for policies the original and three addresses.
"""

PREAMBLES = {
    "policy": "Techniques made of techniques, given as `techniques`: a list of names, one-key dicts"
    " or, but for `trivial`, callables.",
    "mixing": "Mixing changes the labels too and so is no technique: it works on a batch, and gives"
    " the labels back as shares of the classes. The functions are in `equipoise.techniques.mixing`;"
    " in a recipe they are the field `mixing`. Pictures show two images of a batch, and each of"
    " them mixed with the other.",
}

HEAD = ("| parameter | default | range | unit | magnitude 0 → 1 | |", "|---|---|---|---|---|---|")

END = """\
## The random numbers

What an image becomes depends on its address and its pixels alone: its id, the seed, which copy and
which epoch it is, and a technique's name, parameters and place in a chain. Batches, threads, order,
processes and global generators change no byte.

The draws come from Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw
("Parallel random numbers: as easy as 1, 2, 3", SC 2011): a function from four counter words and two
key words, 32 bits each, to four words.

1. The image's key is the first two words of the counter (lower half of the id, upper half, copy,
   epoch) under the key (lower half of the seed, upper half).
2. A technique draws its parameters, in the order in which its code asks for them, from the words of
   the counters (n, code, place, 0), n = 0, 1, …, under the image's key. The code is the CRC-32 of
   the technique's name; the place is 0 for a technique alone, and in a chain 1, 2, …
3. What is drawn for each pixel comes from the counters (n, code, place, 1), n = 0 … B - 1, whose
   words are cut into halves: number (2j + h)·B + n is the lower (h = 0) or upper (h = 1) half of
   word j of block n. B is an eighth of the numbers needed, rounded up.

```python
from equipoise.keys import image_keys, words

key = image_keys(seed=1, ids=[2], copies=3, epochs=4)
assert key.tolist() == [[3331222140, 2648152920]]
assert words(key, "noise", 2, place=0).tolist() == [[2968567355, 2440523060]]
assert words(key, "noise", 2, place=1).tolist() == [[2481035339, 2376898525]]
```

**What may change between versions.** Whenever any address gives other bytes than before, the
engine's version goes up; it stands in every manifest, and a manifest of another version is refused
instead of giving other images. Within one version the bytes are the same on every machine, but for
`jpeg`, which runs OpenCV's codec and may change with OpenCV, and for callables of your own.

## Adding a technique

One function in one of the families' files, and nothing else: a *draw* step that turns addresses
into parameters, one an image, and the *apply* step that it names, which carries these out on a
block of images and draws nothing. The declaration enters it into the catalogue, the command line,
this page and the tests of the whole catalogue in `tests/techniques/test_catalogue.py`; what is
particular to it gets a test of its own there. Numba's `@njit(cache=True, nogil=True)` makes an
apply step fast; it may be plain NumPy.

```python
from equipoise.techniques.base import Parameter, technique


def negate(images, out, chosen):
    \"\"\"Turn the colours of the chosen images into 255 minus them.\"\"\"
    out[...] = images
    out[chosen, :, :, :3] = 255 - images[chosen, :, :, :3]


@technique(
    "colour",
    apply=negate,
    probability=Parameter(1.0, 0, 1, "probability", "Share of the images that are changed.", 0, 1),
)
def invert(draws, probability):
    \"\"\"Turns every value into 255 minus it.\"\"\"
    return (draws.happens(probability),)


negative = eq.augment(images, "invert", seed=0, ids=ids)
```

Without touching the package, any callable `image, numpy Generator → image` is a technique too:
[Plugging in](plugging-in.md).
"""


def page() -> str:
    """Return docs/techniques.md."""
    parts = [INTRODUCTION]
    for family in FAMILIES:
        parts += [f"## {'Policies' if family == 'policy' else family.capitalize()}\n"]
        parts += [PREAMBLES[family] + "\n"] if family in PREAMBLES else []
        parts += [_entry(found) for found in CATALOGUE.values() if found.family == family]
    parts += ["## Mixing\n", PREAMBLES["mixing"] + "\n", *map(_mixing_entry, mixing.__all__), END]
    return "\n".join(parts)


def _entry(found: Definition) -> str:
    function = found.compose or found.draw
    more = (inspect.getdoc(function) or "").partition("\n\n")[2]
    parts = [f"### {found.name}\n", found.summary]
    parts += [more] if more else []
    if found.needs_colour:
        parts.append("Needs colour images, of 3 or 4 channels.")
    if found.compose:
        parts.append(f"By default of {', '.join(f'`{name}`' for name in found.parts)}.")
    rows = [_row(parameter) for parameter in found.parameters]
    return "\n".join([*parts, "", *HEAD, *rows, "", _image(found.name), ""])


def _row(parameter: Parameter) -> str:
    reach = f"{parameter.low:g} to {parameter.high:g}"
    if parameter.step and parameter.step > 1:
        reach += f" by {parameter.step}"
    ends = "–" if parameter.none is None else f"{parameter.none:g} → {parameter.full:g}"
    cells = (f"`{parameter.name}`", f"{parameter.default:g}", reach, parameter.unit, ends)
    return f"| {' | '.join(cells)} | {parameter.doc} |"


def _mixing_entry(name: str) -> str:
    function = getattr(mixing, name)
    text = inspect.getdoc(function) or ""
    # An address is no choice; what has a default besides it, is.
    options = [
        f"`{option.name}` (default {option.default:g})"
        for option in inspect.signature(function).parameters.values()
        if option.default is not option.empty and option.name != "epoch"
    ]
    reference = text.partition("References\n----------\n")[2]
    return (
        f"### {name}\n\n{text.splitlines()[0]}\n\n{reference}\n\n"
        f"Options: {', '.join(options)}.\n\n{_image(name)}\n"
    )


def _image(name: str) -> str:
    return f"![{name}]({(PICTURES / f'{name}.png').as_posix()})"


def strip(name: str) -> NDArray[np.uint8]:
    """Return a technique's picture: its tiles side by side, (SIDE, W, 3)."""
    photos = np.stack([_photo("flower.jpg"), _photo("china.jpg")])
    tiles = _tiles(CATALOGUE[name], photos[0]) if name in CATALOGUE else _mixed(name, photos)
    edge = np.full((SIDE, GAP, 3), 255, np.uint8)
    return np.concatenate([part for tile in tiles for part in (tile, edge)][:-1], axis=1)


def _photo(name: str) -> NDArray[np.uint8]:
    photo = load_sample_image(name)
    side = min(photo.shape[:2])
    left = (photo.shape[1] - side) // 2
    square = photo[:side, left : left + side]
    return np.asarray(cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def _tiles(found: Definition, photo: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    ids = np.arange(32)
    many = np.repeat(photo[None], len(ids), axis=0)
    if found.compose:
        return [photo, *eq.augment(many, found.name, seed=0, ids=ids)[: len(MAGNITUDES)]]

    def at(magnitude: float) -> NDArray[np.uint8]:
        technique = resolve({found.name: found.at(magnitude)})
        return np.asarray(eq.augment(many, technique, seed=0, ids=ids))

    change = np.abs(at(1.0).astype(int) - photo).sum(axis=(1, 2, 3))
    shown = int(change.argmax())
    return [photo, *(at(magnitude)[shown] for magnitude in MAGNITUDES)]


def _mixed(name: str, photos: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    labels, address = np.array([0, 1]), {"seed": 11, "ids": np.array([0, 1])}
    pool: tuple[Any, ...] = (photos[::-1], labels[::-1]) if name == "cmo" else ()
    images, _ = getattr(mixing, name)(photos, labels, *pool, 2, **address)
    return [*photos, *images]


def write() -> None:
    """Write the page and its pictures."""
    (HERE / PICTURES).mkdir(parents=True, exist_ok=True)
    for name in (*CATALOGUE, *mixing.__all__):
        best = (cv2.IMWRITE_PNG_COMPRESSION, 9)
        _, code = cv2.imencode(".png", strip(name)[:, :, ::-1], best)
        (HERE / PICTURES / f"{name}.png").write_bytes(code.tobytes())
    (HERE / "techniques.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
