"""Files that are made to keep a decoder busy, and what decoders say of broken ones."""

import io
import os
import struct
import subprocess
import sys
import threading
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from equipoise.readers import load
from equipoise.readers.complaints import gathered
from equipoise.readers.decoding import UndecodableError, decode
from equipoise.readers.headers import MOST_SCANS, orientation, read_header, tiff_parts


def progressive(more, between=b""):
    """A progressive JPEG with its last scan so many times more; `between` stands before each."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 20, 200)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    return data[:-2] + (between + data[data.rindex(b"\xff\xda") : -2]) * more + data[-2:]


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*more, tail=0):
    """A black PNG of 8×8 with chunks of choice, and so many bytes after its pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(8 * 25 + tail)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + data + chunk(b"IEND", b"")


def test_scans_are_counted_before_any_is_decoded():
    own = read_header(progressive(0)).scans
    assert own == 10
    few = progressive(MOST_SCANS - own)
    assert decode(few).pixels.shape == (48, 64, 3)
    comment = b"\xff\xfe\0\x06\xff\xd9\xff\xda"  # the marks of an end and a scan, and neither
    for between in (b"", comment, b"rubbish", b"\xff\xff\xff"):
        with pytest.raises(UndecodableError, match=f"a JPEG of more than {MOST_SCANS} scans"):
            decode(progressive(MOST_SCANS, between))
    assert decode(progressive(1, comment * 100)).pixels.shape == (48, 64, 3)
    # What stands after the picture, such as a film's data, is none of it.
    assert decode(progressive(0) + b"\xff\xda\0\x02" * 1000).pixels.shape == (48, 64, 3)
    # A header that only a lenient decoder reads.
    odd = progressive(5000)
    place = odd.index(b"\xff\xdb")
    with pytest.raises(UndecodableError, match="scans"):
        decode(odd[:place] + b"\0\0" + odd[place:])


def test_sequential_jpegs_of_many_scans_are_counted_too(pictures):
    buffer = io.BytesIO()
    Image.fromarray(pictures[0]).save(buffer, "JPEG")
    data = buffer.getvalue()
    place = data.index(b"\xff\xda")
    # One component a scan: what follows is read, if not as a picture.
    head = b"\xff\xda\0\x08\x01\x01\x00\x00\x3f\x00"
    many = data[:place] + (head + b"\0" * 4) * 1000 + b"\xff\xd9"
    with pytest.raises(UndecodableError, match="scans"):
        decode(many)


def test_a_height_that_is_told_later_is_no_picture():
    """A JPEG may give its height after the first scan (DNL): decoders do not know it."""
    data = bytearray(progressive(0))
    place = data.index(b"\xff\xc2")
    data[place + 5 : place + 7] = b"\0\0"
    with pytest.raises(UndecodableError):
        decode(bytes(data[:-2]) + b"\xff\xdc\0\x04\0\x30" + b"\xff\xd9")


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
@pytest.mark.parametrize("more", [b"", chunk(b"tRNS", b"\0\1" * 3)], ids=["OpenCV", "Pillow"])
def test_packed_chunks_that_do_not_show_are_not_unpacked(name, more):
    head = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[name]
    large = chunk(name, head + zlib.compress(bytes(2**24), 9))
    data = png(more, *[large] * (1 if name == b"iCCP" else 300))
    picture = decode(data)
    assert picture.pixels.shape == (8, 8, 3)
    assert picture.complaint == ""
    assert len(read_header(data).data) < 500


def test_pixels_that_go_on_after_the_picture_are_not_unpacked():
    data = png(tail=2**27)
    assert not read_header(data).plain
    assert (decode(data).pixels == 0).all()


def tiff(strips):
    """A TIFF of 8×8 grey pixels in so many strips, all of them the same bytes."""
    entries = [
        (256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, strips, 400), (277, 3, 1, 1), (278, 4, 1, 7), (279, 4, strips, 400 + 4 * strips),
    ]  # fmt: skip
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)
    places = struct.pack("<I", 300) * strips
    return head.ljust(400, b"\x07") + places + struct.pack("<I", 56) * strips


def test_strips_that_cover_a_tiff_again_and_again_are_refused():
    assert tiff_parts(tiff(2)) == 2
    assert (decode(tiff(2)).pixels == 7).all()
    with pytest.raises(UndecodableError, match=r"500 strips or tiles for 8×8 pixels"):
        decode(tiff(500))
    with pytest.raises(UndecodableError, match=r"a TIFF of 200,000 strips or tiles"):
        decode(tiff(200_000))


def test_many_frames_and_pages_cost_the_first_alone(pictures):
    frames = [Image.fromarray(picture) for picture in pictures[:50]]
    for format_ in ("GIF", "WEBP", "TIFF"):
        buffer = io.BytesIO()
        options = {"lossless": True} if format_ == "WEBP" else {}
        frames[0].save(buffer, format_, save_all=True, append_images=frames[1:], **options)
        found = decode(buffer.getvalue()).pixels
        assert found.shape == (24, 32, 3)
        if format_ != "GIF":
            np.testing.assert_array_equal(found, pictures[0])


def test_orientation_is_read_from_its_entry_alone():
    exif = Image.Exif()
    exif[0x112] = 7
    data = exif.tobytes()
    assert orientation(data) == orientation(data.removeprefix(b"Exif\0\0")) == 7
    big = TiffImagePlugin.ImageFileDirectory_v2(b"MM\0*\0\0\0\x08")
    big[0x112] = 5
    assert orientation(b"MM\0*\0\0\0\x08" + big.tobytes(8)) == 5
    for odd in (
        b"",
        b"Exif\0\0",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff",
        b"x",
    ):
        assert orientation(odd) == 1
    # 65,535 entries that are all the same large place: none is read.
    entries = b"".join(struct.pack("<HHII", tag, 7, 2**30, 0) for tag in range(0x200, 0x2200))
    assert orientation(b"II*\0\x08\0\0\0" + struct.pack("<H", 0x2000) + entries) == 1


def damaged_jpeg(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG")
    data = buffer.getvalue()
    return data[:-2] + b"rubbish" + data[-2:]


def test_what_decoders_print_is_told_under_the_files_name(pictures, encode, folder_of, capfd):
    files = {f"{k}/{i}.png": encode(pictures[10 * k + i]) for k in range(2) for i in range(5)}
    broken = damaged_jpeg(pictures[20])
    assert "JPEG" in decode(broken).complaint
    extra = png(chunk(b"PLTE", b"abc"), chunk(b"PLTE", b"abc"))
    assert "PLTE" in decode(extra).complaint
    files |= {"0/a.jpg": broken, "1/b.png": extra}
    data = load(folder_of(files), cut=False)
    (note,) = [one for one in data.notes if "faults" in one]
    assert note.startswith("2 files with faults that decoding passed over, such as 0/a.jpg (")
    _ = [data.train.images[row] for row in range(len(data.train))]
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_what_pillow_logs_is_told_as_the_reason(pictures, tmp_path):
    """In a process of its own: pytest has handlers for what is logged."""
    buffer = io.BytesIO()
    Image.fromarray(pictures[0]).save(buffer, "TIFF")
    data = bytearray(buffer.getvalue())
    place = data.index(struct.pack("<HHI", 277, 3, 1)) + 8
    data[place : place + 2] = b"\xff\xff"  # samples a pixel
    (tmp_path / "a.tif").write_bytes(data)
    code = (
        "from pathlib import Path\n"
        "from equipoise.readers.decoding import UndecodableError, decode\n"
        f"try: decode(Path({str(tmp_path / 'a.tif')!r}).read_bytes())\n"
        "except UndecodableError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("not an image of a known format\n", "")


def test_each_thread_gathers_its_own_lines_and_others_pass(pictures, encode, capfd):
    broken = np.frombuffer(damaged_jpeg(pictures[0]), np.uint8)
    whole = np.frombuffer(encode(pictures[1], "JPEG"), np.uint8)
    said = {}

    def work(number):
        with gathered() as lines:
            for _ in range(20):
                cv2.imdecode(broken if number % 2 else whole, cv2.IMREAD_COLOR)
        said[number] = lines

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    with gathered():
        os.write(2, b"others\n")
    for thread in threads:
        thread.join()
    assert [len(said[number]) for number in range(4)] == [0, 20, 0, 20]
    assert capfd.readouterr().err == "others\n"
    with gathered():
        pass
    cv2.imdecode(broken, cv2.IMREAD_COLOR)
    assert "JPEG" in capfd.readouterr().err  # nothing is kept from who does not gather
