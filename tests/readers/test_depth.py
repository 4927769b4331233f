"""Sixteen bits a channel: nothing is lost in reading, and one range brings a whole set to eight."""

import io
import json
import struct
import tarfile
import zipfile
import zlib

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageCms

from equipoise.cli import run
from equipoise.errors import InputError
from equipoise.readers import load
from equipoise.readers.decoding import UndecodableError, decode, narrow
from equipoise.readers.depth import FULL, outside, smallest, to_eight, to_sixteen

TWELVE = (0, 4095)


@pytest.fixture(scope="module")
def wide():
    """Twelve images of twelve bits, 10×12 grey; the first has the highest value."""
    images = np.random.default_rng(0).integers(0, 3000, (12, 10, 12, 1), dtype=np.uint16)
    images[0, 0, 0] = 4000
    return images


def png(image):
    pixels = image if image.shape[2] == 1 else image[..., [2, 1, 0, 3][: image.shape[2]]]
    return cv2.imencode(".png", pixels)[1].tobytes()


def named(images, encode=png, ending="png"):
    return {
        f"{'cat' if i % 2 else 'dog'}/{i:02d}.{ending}": encode(image)
        for i, image in enumerate(images)
    }


def tar_of(path, files):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(wide, kind, *more):
    """A PNG of sixteen bits with chunks that OpenCV does not write."""
    height, width = wide.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + data + chunk(b"IEND", b"")


def pnm_of(wide, magic, most):
    head = f"P{magic} # twelve bits\n{wide.shape[1]} {wide.shape[0]}\n{most}\n".encode()
    if magic < 4:
        return head + b"# text\n" + " ".join(map(str, wide.ravel())).encode()
    return head + wide.astype(">u2").tobytes()


# Of each kind of file: its number of channels, and how it is made.
KINDS = {
    "png": (1, png),
    "png, colour": (3, png),
    "png, transparent": (4, png),
    "png, grey and opaque": (
        1,
        lambda w: png_of(np.concatenate([w, np.full_like(w, 65535)], axis=2), 4),
    ),
    "tiff": (1, lambda w: cv2.imencode(".tiff", w)[1].tobytes()),
    "tiff, colour": (3, lambda w: cv2.imencode(".tiff", w[..., ::-1])[1].tobytes()),
    "pgm": (1, lambda w: pnm_of(w, 5, 65535)),
    "pgm that names its highest value": (1, lambda w: pnm_of(w, 5, 4095)),
    "pgm of text": (1, lambda w: pnm_of(w, 2, 4095)),
    "ppm": (3, lambda w: pnm_of(w, 6, 65535)),
    "ppm of text": (3, lambda w: pnm_of(w, 3, 4095)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_kept_as_they_are_stored(kind):
    channels, make = KINDS[kind]
    wide = np.random.default_rng(1).integers(0, 4096, (10, 12, channels), dtype=np.uint16)
    picture = decode(make(wide))
    assert picture.pixels.dtype == np.uint16
    np.testing.assert_array_equal(picture.pixels, wide)
    assert picture.mode.endswith(";16")


def test_sixteen_bits_are_turned_and_cut_out_too():
    wide = np.random.default_rng(2).integers(0, 4096, (10, 12, 3), dtype=np.uint16)
    exif = Image.Exif()
    exif[0x112] = 6  # a quarter turn clockwise
    turned = decode(png_of(wide, 2, chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))))
    np.testing.assert_array_equal(turned.pixels, np.rot90(wide, -1))
    key = chunk(b"tRNS", wide[3, 4].astype(">u2").tobytes())
    assert decode(png_of(wide, 2, key)).pixels[3, 4, 3] == 0


def test_a_colour_profile_is_for_the_eight_bits(pictures, encode):
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = plain.replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")
    chunk_ = chunk(b"iCCP", b"a\0\0" + zlib.compress(swapped))
    wide = png_of(pictures[0].astype(np.uint16) * 16, 2, chunk_)
    expected = decode(encode(pictures[0], icc_profile=swapped)).pixels
    assert np.abs(expected.astype(int) - pictures[0]).max() > 20
    np.testing.assert_array_equal(narrow(decode(wide), (0, 255 * 16)), expected)


def test_what_is_no_number_in_a_text_is_no_image():
    for text in (b"P2 4 4 4095 1 2 3", b"P2 4 4 4095 " + b"x " * 16, b"P5 4 4 4095 abc"):
        with pytest.raises(UndecodableError):
            decode(text)


def test_the_range_has_the_fewest_bits_that_do():
    highest = (0, 255, 256, 1023, 4000, 4096, 65535)
    assert [smallest(v)[1] for v in highest] == [255, 255, 511, 1023, 4095, 8191, 65535]


def test_eight_bits_of_sixteen():
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    np.testing.assert_array_equal(to_eight(every, FULL), np.round(every / 257).astype(np.uint8))
    low = to_eight(every, (1000, 2000))
    assert (low[every <= 1000] == 0).all()
    assert (low[every >= 2000] == 255).all()
    assert outside(every, (1000, 2000)) == 65536 - 1001
    # Transparency is a share whatever the range.
    pixel = np.array([[[4095, 0, 2048, 65535]]], np.uint16)
    assert to_eight(pixel, TWELVE).tolist() == [[[255, 0, 128, 255]]]
    eights = np.arange(256, dtype=np.uint8).reshape(8, 8, 4)
    for bounds in (FULL, TWELVE, (0, 255), (700, 2000)):
        np.testing.assert_array_equal(to_eight(to_sixteen(eights, bounds), bounds), eights)


def places(tmp_path, wide, folder_of):
    """The same images in every format."""
    labels = [i % 2 for i in range(len(wide))]
    yield "folder", folder_of(named(wide))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in named(wide).items():
            archive.writestr(name, data)
    yield "zip", tmp_path / "a.zip"
    yield "tar", tar_of(tmp_path / "a.tar", named(wide))
    yield "tar.gz", tar_of(tmp_path / "a.tar.gz", named(wide))
    files = {
        f"{i:02d}.{end}": data
        for i, image in enumerate(wide)
        for end, data in (("png", png(image)), ("cls", str(i % 2).encode()))
    }
    yield "webdataset", tar_of(tmp_path / "samples.tar", files)
    table = {"image": [{"bytes": png(i), "path": None} for i in wide], "label": labels}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    yield "parquet", tmp_path / "a.parquet"
    rows = "".join(f"photos/{name},{name[:3]}\n" for name in named(wide))
    (tmp_path / "a.csv").write_text(f"path,label\n{rows}")
    yield "csv", tmp_path / "a.csv"
    np.savez(tmp_path / "a.npz", images=wide[..., 0], labels=labels)
    yield "npz", tmp_path / "a.npz"
    yield "arrays", (wide, labels)
    yield "grey arrays", (wide[..., 0], labels)
    yield "a list", (list(wide), labels)
    yield "a list of sizes", ([*wide[:-1], wide[-1, :8]], labels)
    yield "Pillow's", ([Image.fromarray(image[..., 0]) for image in wide], labels)


def test_one_range_in_every_format(wide, tmp_path, folder_of):
    for name, place in places(tmp_path, wide, folder_of):
        for options in ({"cut": False}, {}, {"size": 4}):
            data = load(place, **options)
            assert data.range == TWELVE, name
            assert sum("16-bit: the range 0…4095" in note for note in data.notes) == 1, name
        whole = load(place, cut=False).train
        order = np.argsort([int(n[-6:-4]) if n.endswith(".png") else i
                            for i, n in enumerate(whole.names.tolist())])  # fmt: skip
        for row, image in list(zip(order, wide, strict=True))[:-1]:
            np.testing.assert_array_equal(whole.images[row], to_eight(image, TWELVE), name)


def test_training_alone_decides_and_what_others_lose_is_told(wide, tmp_path, folder_of):
    bright = wide[:4].copy()
    bright[0, 0, :3] = 50000
    splits = {f"train/{name}": data for name, data in named(wide).items()}
    splits |= {f"test/{name}": data for name, data in named(bright).items()}
    place = folder_of(splits)
    np.savez(
        tmp_path / "splits.npz",
        train_images=wide, train_labels=np.arange(12) % 2,
        test_images=bright, test_labels=np.arange(4) % 2,
    )  # fmt: skip
    for source in (place, tmp_path / "splits.npz"):
        data = load(source, cut=False)
        assert data.range == TWELVE
        assert any(
            "3 values of 1 16-bit image outside the range 0…4095 were clipped" in note
            for note in data.notes
        )
        assert max(image.max() for image in data.test.images) == 255
    # Test images alone have sixteen bits: then they decide.
    mixed = {name: png(np.frombuffer(data, np.uint8)[:120].reshape(10, 12, 1))
             for name, data in splits.items() if name.startswith("train")}  # fmt: skip
    mixed |= {f"test/{name}": data for name, data in named(wide[:4]).items()}
    assert load(folder_of(mixed, "mixed"), cut=False).range == TWELVE


def test_one_more_file_changes_nothing(wide, folder_of):
    place = folder_of(named(wide))
    before = load(place, cut=False)
    (place / "cat" / "new.png").write_bytes(png(np.minimum(wide[0] + 50, 4095)))
    after = load(place, cut=False)
    assert after.range == before.range
    assert np.isin(before.train.digests, after.train.digests).all()


def test_the_range_is_chosen_and_part_of_the_fingerprint(wide, folder_of, capsys):
    place = folder_of(named(wide))
    found = {text: load(place, range=text) for text in ("auto", "full", "0:4095", "100:2000")}
    assert [data.range for data in found.values()] == [TWELVE, FULL, TWELVE, (100, 2000)]
    digests = [data.digest for data in found.values()]
    assert digests[0] == digests[2]
    assert len(set(digests)) == 3
    low = found["100:2000"]
    assert any("of 12 16-bit images outside the range 100…2000" in note for note in low.notes)
    assert run(["audit", str(place), "--range", "100:2000", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["images"] == 12
    for text in ("4095", "5:5", "9:3", "-1:9", "0:65536", "0:²", "none", "0:4095\n", ""):
        with pytest.raises(InputError, match=r"range must be auto, full or LO:HI"):
            load(place, range=text)
    assert run(["audit", str(place), "--range", "9:3"]) == 2
    assert "got range='9:3'" in capsys.readouterr().err


def test_eight_bits_have_no_range(some_files, folder_of):
    place = folder_of(some_files)
    data = load(place)
    assert data.range is None
    assert data.notes == ()
    told = load(place, range="0:4095")
    assert told.digest == data.digest
    assert told.notes == ("No image is 16-bit: --range 0:4095 changes nothing",)


def test_uint16_of_eight_bits_is_what_it_was(pictures):
    labels = np.repeat([0, 1], 150)
    data = load((pictures.astype(np.uint16), labels), cut=False)
    np.testing.assert_array_equal(data.train.images, pictures)
    assert data.range == (0, 255)


def test_splits_of_two_depths_are_refused(wide, tmp_path):
    np.savez(
        tmp_path / "a.npz",
        train_images=wide, train_labels=np.arange(12) % 2,
        test_images=(wide // 16).astype(np.uint8), test_labels=np.arange(12) % 2,
    )  # fmt: skip
    with pytest.raises(InputError, match=r"one shape and type, but got uint16 .* uint8"):
        load(tmp_path / "a.npz")


def test_a_set_that_stays_in_its_file(wide, tmp_path, monkeypatch):
    from equipoise.mapped import is_mapped
    from equipoise.readers import npz

    monkeypatch.setattr(npz, "_MAPPED", 1)
    np.savez(tmp_path / "a.npz", images=wide, labels=np.arange(12) % 2)
    for options, shape in (({"cut": False}, (10, 12)), ({}, (10, 12)), ({"size": 6}, (6, 6))):
        data = load(tmp_path / "a.npz", **options)
        assert is_mapped(data.train.images)
        assert data.train.array.dtype == np.uint8
        assert data.train.array.shape[1:3] == shape
        assert data.range == TWELVE
    whole = load(tmp_path / "a.npz", cut=False).train
    np.testing.assert_array_equal(whole.images, to_eight(wide, TWELVE))
