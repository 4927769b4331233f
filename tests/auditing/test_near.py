"""Near duplicates are found, and pictures that merely resemble each other are not."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

import equipoise as eq
from equipoise import near
from equipoise.auditing import audit
from equipoise.near import look, perceptual_hash
from equipoise.readers import load


def recoded(image, format_="JPEG", **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format_, **options)
    return np.array(Image.open(buffer).convert("RGB"))


CHANGES = {
    "jpeg": lambda image: recoded(image, quality=60),
    "webp": lambda image: recoded(image, "WEBP", quality=60),
    "smaller": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "larger": lambda image: cv2.resize(image, None, fx=1.7, fy=1.5),
    "brighter": lambda image: np.clip(image * 0.8 + 30, 0, 255).astype(np.uint8),
    "darker": lambda image: (image * 0.6).astype(np.uint8),
    "blurred": lambda image: cv2.GaussianBlur(image, (5, 5), 0),
}


@pytest.fixture(scope="module")
def pieces():
    """40 pieces of 96×96 pixels, no two of which overlap."""
    photos = load_sample_images().images
    corners = [
        (k, top, left) for k in (0, 1) for top in range(0, 330, 96) for left in range(0, 480, 96)
    ]
    return [photos[k][top : top + 96, left : left + 96] for k, top, left in corners]


def audited(images, others=(), labels=None):
    """The near duplicates among training images and others, which are the test split."""
    data = load((list(images), np.arange(len(images)) % 2 if labels is None else labels), cut=False)
    if others:
        both = [*images, *others]
        whole = load((both, np.arange(len(both)) % 2), cut=False).train
        rows = np.arange(len(both))
        data = eq.Splits(
            whole.select(rows < len(images)), whole.select([]), whole.select(rows >= len(images))
        )
    return audit(data, near=True)


def test_different_pictures_are_not_near(pieces):
    found = audited(pieces)
    assert found.near_duplicates == found.near_leaks == found.blank == found.tiny == ()


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_near(pieces, change):
    """Of the pieces with something to be seen, each is found with its changed form alone."""
    clear = [image for image in pieces if image.std() > 25][:16]
    changed = [CHANGES[change](image) for image in clear]
    found = audited(clear, changed)
    assert {len(one.images) for one in found.near_duplicates} == {2}
    assert all(one.splits == ("train", "test") for one in found.near_duplicates)
    assert found.near_leaks == found.near_duplicates
    count = len(clear)
    for one in found.near_duplicates:
        row, other = (int(name.rpartition("/")[2]) for name in one.images)
        assert other == row + count
        assert 0 <= one.distance <= near.RADIUS
    assert len(found.near_duplicates) >= 0.75 * count
    assert found.duplicates == ()


def test_exact_copies_are_named_with_what_is_near(pieces):
    first, second = pieces[12], pieces[17]
    found = audited([first, second, recoded(first, quality=80)], [first, second])
    (one,) = found.near_duplicates
    assert one.images == ("images/00000", "images/00002", "images/00003")
    assert one.splits == ("train", "train", "test")
    assert len(found.leaks) == 2
    assert audited([first, second, second, first]).near_duplicates == ()


def test_odd_images(pieces):
    grey = np.full((96, 96, 3), 128, np.uint8)
    noisy = grey + np.random.default_rng(0).integers(0, 2, grey.shape, dtype=np.uint8)
    dot = grey.copy()
    dot[40:44, 40:44] = 255
    found = audited([*pieces[:6], grey, noisy, grey[:7], dot, pieces[7][:11]])
    assert found.blank == ("images/00006", "images/00007", "images/00008")
    assert found.tiny == ("images/00008", "images/00010")
    assert found.near_duplicates == ()
    assert audit(load((pieces[:4], [0, 1, 0, 1]), cut=False)).blank is None


def test_alpha_and_files(pieces, tmp_path):
    """Decoded on demand from files of mixed sizes, where the order of names is another."""
    for i, image in enumerate(pieces[10:18]):
        for name, change in (("a", lambda x: x), ("b", CHANGES["jpeg"]), ("c", CHANGES["blurred"])):
            path = tmp_path / f"{'test' if name == 'b' else 'train'}/{'xy'[i % 2]}/{name}{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            made = Image.fromarray(change(image)).convert("RGBA" if name == "a" else "RGB")
            made.resize((96 + i, 96)).save(path)
    found = audit(load(tmp_path, cut=False), near=True)
    assert len(found.near_duplicates) >= 6
    for one in found.near_duplicates:
        assert len({name[-5:] for name in one.images}) == 1
        assert one.splits[-1] == "test"
        assert set(one.classes) == {one.images[0].split("/")[1]}


def test_a_picture_there_a_thousand_times_is_told_once(pieces):
    """Exactly, nearly and blank: what is told grows with the images and not with their pairs."""
    small = cv2.resize(pieces[12], (32, 32), interpolation=cv2.INTER_AREA)
    nearly = np.repeat(small[None], 1000, axis=0)
    nearly.reshape(1000, -1)[np.arange(1000), np.arange(1000)] ^= 1
    blank = np.full((500, 32, 32, 3), 200, np.uint8)
    found = audited([*np.repeat(small[None], 1000, axis=0), *nearly, *blank])
    (one,) = found.near_duplicates
    assert len(one.images) == 2000
    assert len(found.blank) == 500
    assert sorted(len(same.images) for same in found.duplicates) == [500, 1000]


def test_thumbnails_in_a_file_tell_the_same(pieces, monkeypatch):
    images = [*pieces[10:20], *(recoded(image) for image in pieces[10:20])]
    found = audited(images[:12], images[12:])
    monkeypatch.setattr(near, "_HELD", 0)
    assert audited(images[:12], images[12:]).near_duplicates == found.near_duplicates != ()


def test_a_hash_is_half_ones_and_heeds_no_light(pieces):
    small = np.stack(
        [cv2.resize(piece, (32, 32), interpolation=cv2.INTER_AREA) for piece in pieces]
    )
    hashes = perceptual_hash(small)
    assert (np.bitwise_count(hashes) == 32).mean() > 0.9
    np.testing.assert_array_equal(look(small).hashes, hashes)
    darker = perceptual_hash((small // 2 * 2) // 2)
    assert np.median(np.bitwise_count(hashes ^ darker)) <= 4


@pytest.mark.parametrize("format_", ["folder", "parquet"])
def test_a_rebalanced_set_audits_clean(pieces, tmp_path, capsys, format_):
    """No test image is in training, and every copy's source is a training image."""
    import pyarrow.parquet as pq

    from equipoise.cli import run

    for i, image in enumerate(pieces[:30]):
        split, name = ("test" if i % 3 == 2 else "train"), ("cat" if i % 5 else "dog")
        path = tmp_path / f"photos/{split}/{name}/{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    before = load(tmp_path / "photos", cut=False)
    eq.upsample(before, tmp_path / "out", format=format_)
    manifest = pq.read_table(tmp_path / "out/manifest.parquet").to_pandas()
    copies = manifest[manifest["copy"] >= 0]
    assert len(copies) > 5
    assert set(copies.split) == {"train"}
    assert set(copies.source_id) <= set(before.train.ids.tolist())
    digests = {digest.ljust(16, b"\0").hex() for digest in before.test.digests.tolist()}
    assert not digests & set(copies.source_digest)
    after = load(tmp_path / "out", cut=False)
    assert not set(after.train.digests) & set(before.test.digests)
    assert sorted(after.test.digests) == sorted(before.test.digests)
    assert run(["audit", str(tmp_path / "out"), "--strict", "--near"]) == 0
    assert "near duplicates stand" not in capsys.readouterr().out


def test_strict_names_what_stands_in_two_splits(pieces, tmp_path, capsys):
    from equipoise.cli import run

    (tmp_path / "images").mkdir()
    lines = ["path,label,split,group"]
    for i, image in enumerate([*pieces[10:18], CHANGES["jpeg"](pieces[12])]):
        Image.fromarray(image).save(tmp_path / f"images/{i}.png")
        lines.append(f"images/{i}.png,{'ab'[i % 2]},{'test' if i > 5 else 'train'},g{i}")
    (tmp_path / "near.csv").write_text("\n".join(lines))
    assert run(["audit", str(tmp_path / "near.csv"), "--strict"]) == 0
    assert run(["audit", str(tmp_path / "near.csv"), "--strict", "--near"]) == 1
    said = capsys.readouterr()
    words = "images/2.png (train) ≈ images/8.png (test)"
    assert f"  {words}" in said.out
    assert f"1 set of near duplicates stands in more than one split, such as {words}" in said.err
    (tmp_path / "groups.csv").write_text("\n".join(lines).replace(",g7", ",g1"))
    assert run(["audit", str(tmp_path / "groups.csv"), "--strict"]) == 1
    assert "1 group stands in more than one split, such as g1." in capsys.readouterr().err


@pytest.mark.slow
def test_the_known_near_duplicates_of_cifar10(cifar_archive):
    """Barz and Denzler (2020) count 3.3 % of the test images, many of them less near than ours."""
    data = load(cifar_archive, classes=["automobile", "ship"], cut=False)
    found = audit(data, near=True)
    assert 10 <= len(found.near_leaks) <= 100
    assert found.leaks == ()
