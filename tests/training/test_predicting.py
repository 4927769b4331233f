"""Folders of files, classified part by part."""

import csv
import io
import json
import os
from dataclasses import replace
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from PIL import Image

import equipoise as eq
from equipoise.cli import run
from equipoise.recipes import get_recipe
from equipoise.training import Trainer, fit, predict_files, predicting
from equipoise.training.saving import save_model

SHORT = Trainer(name="t", epochs=1, batch_size=16)


@pytest.fixture(scope="module")
def model(make_digits):
    return fit(make_digits({3: 60, 8: 15}, channels=3), get_recipe("none"), SHORT, seed=0).model


@pytest.fixture
def pictures(patches, tmp_path):
    """Three pictures of 9×9 in a folder of their own, and the model's answers."""
    folder = tmp_path / "new"
    folder.mkdir()
    images = patches(3, 9, 9)
    for k, image in enumerate(images):
        cv2.imwrite(str(folder / f"{k}.png"), image[..., ::-1])
    return folder


def names_of(rows):
    return [os.path.basename(row["path"]) for row in rows]  # noqa: PTH119


def test_files_of_any_size_are_classified_in_order(model, patches, tmp_path, monkeypatch):
    images = [patches(1, 8 + 3 * k, 8 + 5 * k)[0] for k in range(11)]
    for k, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"{k:02d}.png"), image[..., ::-1])
    (tmp_path / "05x.png").write_text("no picture")
    whole = predict_files(model, [tmp_path])
    monkeypatch.setattr(predicting, "_TOGETHER", 3)
    found = predict_files(model, [tmp_path])
    assert found == whole
    assert [one.name for one in found.left_out] == [str(tmp_path / "05x.png")]
    assert names_of(found.rows) == [f"{k:02d}.png" for k in range(11)]
    labels, shares = model.predict(images), model.predict_proba(images)
    assert [row["class"] for row in found.rows] == [model.classes[k] for k in labels]
    for k, row in enumerate(found.rows):
        assert list(row["probabilities"]) == ["3", "8"]
        np.testing.assert_allclose(list(row["probabilities"].values()), shares[k], atol=1e-5)
        assert row["probability"] == row["probabilities"][row["class"]]


def test_a_folder_of_broken_files_gives_no_rows(model, tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    found = predict_files(model, [tmp_path])
    assert found.rows == []
    assert len(found.left_out) == 1
    with pytest.raises(eq.InputError, match="does not exist"):
        predict_files(model, [tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(eq.InputError, match="holds no image file"):
        predict_files(model, [tmp_path / "empty"])


def test_links_inside_the_folder_are_read_and_others_told(model, pictures, tmp_path):
    cv2.imwrite(str(tmp_path / "outside.png"), np.zeros((9, 9, 3), np.uint8))
    (pictures / "a.png").symlink_to("0.png")
    (pictures / "b").symlink_to("c", target_is_directory=True)
    (pictures / "c").mkdir()
    (pictures / "c" / "deep.png").symlink_to("../1.png")
    (pictures / "d.png").symlink_to(tmp_path / "outside.png")
    (pictures / "e.png").symlink_to("gone.png")
    (pictures / "around").symlink_to(".", target_is_directory=True)
    (pictures / ".hidden.png").write_bytes(b"")
    (pictures / "notes.txt").write_text("by hand")
    found = predict_files(model, [pictures])
    read = [os.path.relpath(row["path"], pictures) for row in found.rows]
    assert read == ["0.png", "1.png", "2.png", "a.png", "b/deep.png", "c/deep.png"]
    same = {name: row["probability"] for name, row in zip(read, found.rows, strict=True)}
    assert same["a.png"] == same["0.png"]
    told = {os.path.basename(one.name): one.reason for one in found.left_out}  # noqa: PTH119
    assert set(told) == {"around", "d.png", "e.png"}
    assert told["d.png"] == "symbolic link that leaves the folder"
    assert [note[:30] for note in found.notes] == ["Files of other kinds left out:"]
    # What is named itself is read wherever it leads, and so is a folder.
    (tmp_path / "linked").symlink_to(pictures, target_is_directory=True)
    assert names_of(predict_files(model, [pictures / "d.png"]).rows) == ["d.png"]
    assert len(predict_files(model, [tmp_path / "linked"]).rows) == 6


def test_every_kind_of_picture_is_brought_to_the_models_channels(make_digits, tmp_path):
    data = make_digits({3: 60, 8: 15})
    grey = fit(data, get_recipe("none"), SHORT, seed=0).model
    pixels = data.test.array[0, ..., 0]
    image = Image.fromarray(pixels)
    for mode in ("L", "RGB", "RGBA", "P", "LA", "I;16"):
        changed = Image.fromarray(pixels.astype(np.uint16) * 257) if mode == "I;16" else (
            image.convert(mode)
        )  # fmt: skip
        changed.save(tmp_path / f"{mode.replace(';', '')}.png")
    found = predict_files(grey, [tmp_path])
    assert len(found.rows) == 6
    expected = grey.predict_proba(pixels[None])[0].max()
    for row in found.rows:
        assert max(row["probabilities"].values()) == pytest.approx(expected, abs=1e-5), row["path"]
    assert found.notes == [
        "16-bit images: 1 of 6. The model was trained on 8-bit ones, so 0…65535 became 0…255"
    ]


def test_what_cannot_be_brought_to_the_models_shape_is_left_out(model, pictures):
    flat = replace(model, size=(9, 12))
    with pytest.raises(eq.InputError, match="9×9 pixels cannot be brought to the 12×9 of a model"):
        flat.predict(np.zeros((1, 9, 9, 3), np.uint8))
    found = predict_files(flat, [pictures])
    assert found.rows == []
    assert {one.reason for one in found.left_out} == {
        "9×9 pixels cannot be brought to the 12×9 of a model whose images are not square. "
        "Bring them to that size"
    }


def test_a_models_range_is_that_of_its_training(tmp_path):
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 2000, (60, 8, 8), dtype=np.uint16)
    wide[::3] += 2000
    labels = np.where(np.arange(60) % 3 == 0, "bright", "dark")
    run_ = eq.train(eq.load((wide, labels)), "none", epochs=1, out=tmp_path / "model")
    model = eq.load_model(tmp_path / "model")
    assert run_.model.range == model.range == (0, 4095)
    new = tmp_path / "new"
    new.mkdir()
    for k, image in enumerate(wide[:4]):
        cv2.imwrite(str(new / f"{k}.png"), image)
    expected = model.predict_proba(((wide[:4] / 4095) * 255).round().astype(np.uint8))
    np.testing.assert_allclose(model.predict_proba(wide[:4]), expected, atol=1e-5)
    found = predict_files(model, [new])
    shares = [list(row["probabilities"].values()) for row in found.rows]
    np.testing.assert_allclose(shares, expected, atol=1e-5)
    assert found.notes == []
    cv2.imwrite(str(new / "4.png"), wide[5] + np.uint16(40000))
    assert predict_files(model, [new]).notes == [
        "16-bit images with values outside the model's range 0…4095: 1; 64 values were clipped "
        "to it"
    ]


def _predicts(capsys, *arguments):
    code = run(["predict", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_the_command_names_what_it_leaves_out_and_fails_with_nothing(
    model, pictures, tmp_path, capsys
):
    save_model(model, tmp_path / "model.pt")
    (pictures / "bad.png").write_text("no picture")
    code, out, err = _predicts(capsys, tmp_path / "model.pt", pictures)
    assert code == 0
    assert len(list(csv.reader(io.StringIO(out)))) == 4
    assert err == f"left out: {pictures / 'bad.png'}: not an image of a known format\n"
    code, out, err = _predicts(capsys, tmp_path / "model.pt", pictures / "bad.png")
    assert (code, out) == (1, "path,class,probability\n")
    assert err.splitlines()[-1].startswith("equipoise: No image could be classified")
    code, out, _ = _predicts(capsys, tmp_path / "model.pt", pictures / "bad.png", "--json")
    assert (code, json.loads(out)) == (1, [])


def test_probabilities_have_a_column_a_class(model, pictures, tmp_path, capsys):
    named = replace(model, classes=("=1+2", "a,b\r\nc"))
    save_model(named, tmp_path / "model.pt")
    code, out, _ = _predicts(capsys, tmp_path / "model.pt", pictures, "--probabilities")
    assert code == 0
    rows = list(csv.reader(io.StringIO(out)))
    assert rows[0] == ["path", "class", "probability", "probability_=1+2", "probability_a,b%0D%0Ac"]
    assert {row[1] for row in rows[1:]} <= {"%3D1+2", "a,b%0D%0Ac"}
    for row in rows[1:]:
        first, second = map(float, row[3:])
        assert first + second == pytest.approx(1, abs=1e-5)
    code, out, _ = _predicts(capsys, tmp_path / "model.pt", pictures, "--probabilities", "--json")
    assert all(set(row["probabilities"]) == {"=1+2", "a,b\r\nc"} for row in json.loads(out))


@pytest.mark.parametrize("name", [
    "=cmd()", "+x", "-x", "@x", "\tx", "\rx", "a\rb", "a\nb,cat,1", "\x1b[31mred", "50%", 'q"u,o',
    "caf\udce9", "\u202egnp", "x\u2028y", "ü", "-1", "%41",
])  # fmt: skip
def test_names_of_any_kind_do_no_harm_and_come_back(
    model, pictures, tmp_path, capsys, monkeypatch, name
):
    save_model(model, tmp_path / "model.pt")
    folder = tmp_path / "odd"
    folder.mkdir()
    (pictures / "0.png").rename(folder / f"{name}.png")
    monkeypatch.chdir(folder)
    code, out, err = _predicts(capsys, tmp_path / "model.pt", f"./{name}.png")
    assert code == 0
    assert err == ""
    text = out.removesuffix("\n")
    assert all(c.isprintable() or c == "\n" for c in out)
    assert len(text.splitlines()) == 2
    row = list(csv.reader(io.StringIO(out)))[1]
    assert unquote(row[0], errors="surrogateescape") == f"{name}.png"
    assert row[0][0] not in "=+-@"
    assert out.encode()
