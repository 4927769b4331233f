"""Archives are read in place, and nothing in them leads anywhere."""

import gzip
import io
import os
import pickle
import stat
import tarfile
import time
import zipfile

import numpy as np
import pytest

from equipoise.auditing import audit
from equipoise.errors import InputError
from equipoise.readers import load

KINDS = ["zip", "tar", "tar.gz", "tgz"]


@pytest.fixture
def pack(tmp_path):
    """Write files, or tar members, into an archive."""

    def packed(files, kind="zip", name="photos", extra=()):
        path = tmp_path / f"{name}.{kind}"
        if kind == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for inner, data in [*files.items(), *extra]:
                    archive.writestr(inner, data)
        else:
            with tarfile.open(path, "w" if kind == "tar" else "w:gz") as archive:
                for inner, data in files.items():
                    member = tarfile.TarInfo(inner)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
                for member in extra:
                    archive.addfile(member)
        return path

    return packed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("inner", ["", "./", "wrapped/"])
def test_same_as_the_folder(folder_of, some_files, pack, kind, inner):
    folder = load(folder_of(some_files), seed=3)
    shuffled = dict(sorted(some_files.items(), key=lambda item: item[0][::-1]))
    archive = load(pack({inner + name: data for name, data in shuffled.items()}, kind), seed=3)
    assert archive.digest == folder.digest
    for name, part in archive.parts.items():
        np.testing.assert_array_equal(part.images, folder.parts[name].images)
        np.testing.assert_array_equal(part.names, folder.parts[name].names)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_written(some_files, pack, kind, tmp_path, monkeypatch):
    path = pack(some_files, kind)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "here"))
    load(path)
    assert {place.relative_to(tmp_path).as_posix() for place in tmp_path.rglob("*")} == {
        "here",
        path.name,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_classes_skip_the_rest(some_files, pack, encode, pictures, kind):
    files = some_files | {f"fox/{i}.png": encode(pictures[50 + i]) for i in range(5)}
    files["fox/5.png"] = b"broken"
    data = load(pack(files, kind), classes=["dog", "cat"], cut=False)
    assert data.classes == ("dog", "cat")
    assert data.train.counts.tolist() == [10, 30]
    assert data.broken == ()
    with pytest.raises(InputError, match=r"no class 'foxx'. Did you mean 'fox'"):
        load(pack(files, kind), classes=["foxx", "cat"])


@pytest.mark.parametrize("kind", KINDS)
def test_paths_that_lead_out_are_refused(some_files, pack, kind):
    slips = [
        "../evil.png",
        "/etc/evil.png",
        "cat/../../evil.png",
        "C:/evil.png",
        "cat/" + "x" * 1100,
    ]
    files = some_files | {name + ".png" if "x" * 9 in name else name: b"x" for name in slips}
    data = load(pack(files, kind), cut=False)
    reasons = [one.reason for one in data.broken]
    assert reasons.count("path that leaves the archive") == 4
    assert reasons.count("path of more than 1,024 characters") == 1
    assert len(data.train) == 40


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_links_and_devices_in_a_tar(some_files, pack, kind):
    extra = []
    for name, type_ in [
        ("cat/link.png", tarfile.SYMTYPE),
        ("cat/hard.png", tarfile.LNKTYPE),
        ("cat/device.png", tarfile.CHRTYPE),
        ("cat/pipe.png", tarfile.FIFOTYPE),
    ]:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = type_, "/etc/passwd"
        extra.append(member)
    data = load(pack(some_files, kind, extra=extra), cut=False)
    assert {one.name: one.reason for one in data.broken} == {
        "cat/device.png": "neither a file nor a folder",
        "cat/hard.png": "link in an archive",
        "cat/link.png": "link in an archive",
        "cat/pipe.png": "neither a file nor a folder",
    }


def test_links_in_a_zip(some_files, pack):
    link = zipfile.ZipInfo("cat/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    data = load(pack(some_files, extra=[(link, "/etc/passwd")]), cut=False)
    assert [one.reason for one in data.broken] == ["link in an archive"]


def test_bombs_are_refused_by_their_size(some_files, pack):
    path = pack(some_files | {"cat/bomb.png": b"small"})
    found = bytearray(path.read_bytes())
    place = found.rindex(b"cat/bomb.png") - 46
    found[place + 24 : place + 28] = (2**28 + 1).to_bytes(4, "little")
    path.write_bytes(found)
    data = load(path, cut=False)
    assert [one.reason for one in data.broken] == [
        "268,435,457 bytes are more than the limit of 268,435,456; --most-bytes raises it"
    ]


def test_size_in_a_zip_that_lies(some_files, pack):
    """The directory says 100 bytes; unpacking stops there instead of filling the memory."""
    path = pack(some_files | {"cat/liar.png": bytes(10**6)})
    data = bytearray(path.read_bytes())
    place = data.rindex(b"cat/liar.png") - 46
    assert data[place : place + 4] == b"PK\1\2"
    data[place + 24 : place + 28] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    assert [one.reason for one in load(path, cut=False).broken] == [
        "damaged archive member (wrong size or checksum)"
    ]


def test_encrypted_member(some_files, pack):
    path = pack(some_files)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"cat/00.png") - 46
    data[place + 8] |= 1
    path.write_bytes(data)
    assert [one.reason for one in load(path, cut=False).broken] == ["encrypted"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2])
def test_other_methods(some_files, tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        for name, data in some_files.items():
            archive.writestr(name, data)
    if method == zipfile.ZIP_STORED:
        assert len(load(tmp_path / "a.zip", cut=False).train) == 40
    else:
        with pytest.raises(InputError, match=r"cat/00.png is refused: compressed in an uncommon"):
            load(tmp_path / "a.zip")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_archive(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    for data in (b"", b"no archive at all", os.urandom(4000), gzip.compress(b"no tar" * 500)):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"a\.(zip|tar|tgz).*: (damaged|holds no images)"):
            load(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.8])
def test_archive_cut_short(some_files, pack, kind, keep):
    """It is an error, never a smaller data set."""
    path = pack(some_files, kind)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep) // 512 * 512])
    with pytest.raises(InputError, match="damaged"):
        load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_byte_missing_from_the_middle(some_files, pack, kind):
    path = pack(some_files, kind)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3] + whole[len(whole) // 3 + 1 :])
    if kind == "zip":  # it has a directory, so that the damage stays with some members
        data = load(path, cut=False)
        assert 0 < len(data.broken) == 40 - len(data.train)
    else:
        with pytest.raises(InputError, match="damaged"):
            load(path)


def test_damaged_header_in_the_middle_of_a_tar(some_files, pack):
    path = pack(some_files, "tar")
    data = bytearray(path.read_bytes())
    place = data.index(b"dog/30.png")
    data[place : place + 3] = b"xxx"
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        load(path)


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
@pytest.mark.parametrize("type_", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_long_headers_do_not_fill_the_memory(some_files, pack, kind, type_):
    member = tarfile.TarInfo("x")
    member.type, member.size = type_, 2**33 - 1
    with pytest.raises(InputError, match=r"a header of 8,589,934,591 bytes"):
        load(pack(some_files, kind, extra=[member]))


def test_later_members_stand_for_earlier_ones(some_files, pack, encode, pictures):
    path = pack(some_files, "tar")
    with tarfile.open(path, "a") as archive:
        data = encode(pictures[99])
        member = tarfile.TarInfo("cat/00.png")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    found = load(path, cut=False).train
    assert len(found) == 40
    np.testing.assert_array_equal(found.images[0], pictures[99])


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_lazy_images_travel_to_other_processes(some_files, pack, encode, pictures, kind):
    files = some_files | {"cat/x.png": encode(pictures[50][:9])}
    images = load(pack(files, kind), cut=False).train.images
    again = pickle.loads(pickle.dumps(images))
    for i in (0, 30, 40):
        np.testing.assert_array_equal(again[i], images[i])
        assert again.encoded(i) == images.encoded(i)


def test_the_articles_task(cifar_archive):
    start = time.process_time()
    data = load(cifar_archive, classes=["cat", "dog"], take={"cat": 4800, "dog": 1200})
    assert time.process_time() - start < 60  # seconds, of the processor: machines are shared
    assert data.train.images.shape == (5100, 32, 32, 3)
    assert data.train.counts.tolist() == [4080, 1020]
    assert data.validation.counts.tolist() == [720, 180]
    assert data.test.counts.tolist() == [1000, 1000]
    first = [*data.train.names, *data.validation.names]
    assert max(name for name in first if "/cat/" in name) == "train/cat/4799.jpg"
    assert max(name for name in first if "/dog/" in name) == "train/dog/1199.jpg"
    assert data.sizes == {"32×32": 12000}
    assert data.broken == data.notes == ()
    found = audit(data)
    assert found.imbalance_ratio == 4
    assert found.duplicates == found.leaks == found.label_conflicts == ()
