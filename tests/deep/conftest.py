"""A small set of parts of photographs, with what a deep audit looks for planted in it."""

import cv2
import numpy as np
import pytest

import equipoise as eq


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    """Roofs, leaves and four stones, with what was planted.

    Roofs are coded coarsely, so their files are small. Two leaves are called roof; leaf 0 is in
    the test split too, cut and darker; one roof is of one colour, one is a drawing.
    """
    folder = tmp_path_factory.mktemp("planted") / "set"
    roofs, leaves = _windows("china.jpg", 40), _windows("flower.jpg", 40)

    def write(name, picture, quality):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, quality])

    for k in range(30):
        write(f"train/roof/{k}.jpg", roofs[k], 40)
        write(f"train/leaf/{k}.jpg", leaves[k], 95)
    for k in range(5):
        write(f"test/roof/{k}.jpg", roofs[30 + k], 40)
        write(f"test/leaf/{k}.jpg", leaves[30 + k], 95)
    for k in range(4):
        write(f"train/stone/{k}.jpg", roofs[35 + k][::-1], 80)
    write("train/roof/wrong0.jpg", leaves[36], 95)
    write("train/roof/wrong1.jpg", leaves[37], 95)
    write("test/leaf/again.jpg", (leaves[0][6:, :58] * 0.7).astype(np.uint8), 90)
    write("train/roof/blank.jpg", np.full((64, 64, 3), 90, np.uint8), 40)
    drawing = np.full((64, 64, 3), 255, np.uint8)
    cv2.rectangle(drawing, (10, 10), (50, 40), (0, 0, 255), 2)
    cv2.imwrite(str(folder / "train/roof/drawing.png"), drawing)
    return folder


def _windows(photo, count):
    from sklearn.datasets import load_sample_image

    picture = load_sample_image(photo)[..., ::-1]
    rng = np.random.default_rng(0)
    found = []
    while len(found) < count:
        top, left = rng.integers(picture.shape[0] - 64), rng.integers(picture.shape[1] - 64)
        part = picture[top : top + 64, left : left + 64]
        if part.std() > 25 and (part[:, 1:] == part[:, :-1]).mean() < 0.3:
            found.append(part)
    return found


@pytest.fixture(scope="session")
def found(planted, tmp_path_factory):
    """The deep audit of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EQUIPOISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return eq.audit_deep(eq.load(planted, cut=False))
