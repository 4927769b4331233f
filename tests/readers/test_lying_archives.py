"""Headers of archives that lie: about sizes, or nested without end."""

import gzip
import io
import struct
import tarfile
import zipfile

import pytest

from equipoise.errors import InputError
from equipoise.readers import load


@pytest.fixture(scope="module")
def tar(some_files):
    """An archive of cats and dogs, without its end."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for inner, data in some_files.items():
            member = tarfile.TarInfo(inner)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    data = buffer.getvalue().rstrip(b"\0")
    return data + bytes(-len(data) % 512)


def header(size, type_=b"0"):
    """A tar's header for a member of any size, below zero too."""
    head = bytearray(tarfile.TarInfo("cat/odd.png").tobuf())
    head[156:157] = type_
    head[124:136] = (size % 2**96 if size < 0 else 2**95 + size).to_bytes(12, "big")
    head[148:156] = b"        "
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def pax(field, value):
    """A header that tells a field of the next one."""
    body = f" {field}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    record = f"{length}".encode() + body
    return header(len(record), b"x") + record.ljust(512, b"\0")


ODD = {
    "negative": header(-512),
    "negative, told before": pax("size", -1024) + header(0),
    "more than the file": header(2**40),
    "more than any file": header(2**80),
    "more, told before": pax("size", "9" * 30) + header(0),
    "a negative sparse one": header(-512, b"S"),
    "5,000 long names in one another": (header(4, b"L") + b"abc\0".ljust(512, b"\0")) * 5000,
    "5,000 fields in one another": pax("path", "cat/x.png") * 5000 + header(0),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_tar_of_odd_headers_is_refused_in_one_line(tar, tmp_path, name, kind, place):
    data = (ODD[name] + tar if place == "first" else tar + ODD[name]) + bytes(1024)
    path = tmp_path / f"photos.{kind}"
    path.write_bytes(data if kind == "tar" else gzip.compress(data))
    with pytest.raises(InputError, match=r"damaged, or not what its name says") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_5000_folders_in_one_another(some_files, tar, tmp_path, kind):
    path, deep = tmp_path / f"photos.{kind}", "a/" * 5000
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for inner, data in {**some_files, f"{deep}x.png": b"x", deep: b""}.items():
                archive.writestr(inner, data)
    else:
        name = deep.encode().ljust(10240, b"\0")
        names = [header(10240, b"L") + name + header(0, type_) for type_ in (b"0", b"5")]
        path.write_bytes(tar + b"".join(names) + bytes(1024))
    data = load(path, cut=False)
    assert len(data.train) == 40
    for one in data.left_out:
        assert one.count == 1
        assert one.names[0].endswith("path of more than 1,024 characters")


def central(data, field, kind, value):
    """A .zip whose directory says something else of its first member."""
    changed = bytearray(data)
    struct.pack_into(kind, changed, data.index(b"PK\1\2") + field, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("field", "words"),
    [(20, "promises more than the archive holds"), (42, "promises more than the archive holds")],
)
def test_a_zip_of_odd_places_is_read_without_them(some_files, tmp_path, field, words):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, data in some_files.items():
            archive.writestr(inner, data)
    path.write_bytes(central(path.read_bytes(), field, "<I", 2**32 - 100))
    data = load(path, cut=False)
    assert len(data.train) == 39
    (left,) = data.left_out
    assert words in left.names[0]


def test_a_zip_of_members_packed_larger_than_they_are(some_files, tmp_path):
    """Many small members whose packed bytes are the same large place would be read one by one."""
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, data in some_files.items():
            archive.writestr(inner, data)
        archive.writestr("cat/noise.txt", bytes(2**20))
    raw = central(path.read_bytes(), 20, "<I", 2**20)
    path.write_bytes(central(raw, 24, "<I", 100))
    data = load(path, cut=False)
    names = [name for one in data.left_out for name in one.names]
    assert any("damaged: packed it is larger than unpacked" in name for name in names)


def test_a_zip_of_a_nameless_member(some_files, tmp_path):
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, data in some_files.items():
            archive.writestr(inner, data)
        archive.writestr("nameless", b"")
    path.write_bytes(path.read_bytes().replace(b"nameless", b"\0ameless"))
    assert len(load(path, cut=False).train) == 40


def test_a_file_under_another_ones_path_is_told(tmp_path, some_files):
    path, doubled = tmp_path / "a.zip", next(iter(some_files))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in some_files.items():
            archive.writestr(name, data)
        archive.writestr(f"./{doubled}", some_files[doubled])
    lines = [one.line for one in load(path).left_out]
    assert lines == [f"Files under a path of another one left out: 1 ({doubled})"]


def test_two_tars_in_one_file_are_refused(tmp_path, tar):
    path = tmp_path / "a.tar"
    path.write_bytes(tar + bytes(1024) + tar + bytes(1024))
    with pytest.raises(InputError, match="more lies behind its end"):
        load(path)
