"""A model's file: equal runs write equal ones, and each odd one is a line."""

import io
import resource
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.cli import run as run_command
from equipoise.recipes import get_recipe
from equipoise.training import Trainer, fit
from equipoise.training.saving import save_model

SHORT = Trainer(name="short", epochs=1, batch_size=16)


@pytest.fixture(scope="module")
def model(make_digits):
    return fit(make_digits({3: 60, 8: 15}), get_recipe("none"), SHORT, seed=0).model


@pytest.fixture
def fields(model, tmp_path):
    save_model(model, tmp_path / "good.pt")
    return torch.load(tmp_path / "good.pt", weights_only=True)


def test_equal_models_are_equal_bytes_under_any_name(model, tmp_path):
    save_model(model, tmp_path / "model.pt")
    save_model(eq.load_model(tmp_path), tmp_path / "a copy of another name.pt")
    first, again = (path.read_bytes() for path in tmp_path.iterdir())
    assert first == again


def _first(fields, change):
    name = next(iter(fields["weights"]))
    fields["weights"][name] = change(fields["weights"][name])


def _shared(levels=40):
    """A value of a few bytes that stands for 2**levels."""
    value = ["x"]
    for _ in range(levels):
        value = [value, value]
    return value


ODD = {
    "no mean": lambda f: f.pop("mean"),
    "mean of text": lambda f: f.update(mean=["a"]),
    "mean of two": lambda f: f.update(mean=[0.1, 0.2], std=[0.1, 0.2]),
    "std of nought": lambda f: f.update(std=[0.0]),
    "std that is none": lambda f: f.update(std=[float("nan")]),
    "infinite size": lambda f: f.update(size=[float("inf"), 8]),
    "huge size": lambda f: f.update(size=[10**9, 10**9]),
    "size of one": lambda f: f.update(size=[8]),
    "size of nought": lambda f: f.update(size=[0, 8]),
    "size of text": lambda f: f.update(size="88"),
    "classes of a number": lambda f: f.update(classes=5),
    "classes of numbers": lambda f: f.update(classes=[1, 2]),
    "one class": lambda f: f.update(classes=["3"]),
    "a class more": lambda f: f.update(classes=["3", "8", "9"]),
    "many classes": lambda f: f.update(classes=["x"] * 10**5),
    "no decision": lambda f: f.update(decision=None),
    "decision of text": lambda f: f.update(decision={"offsets": ["a", "b"]}),
    "decision of one": lambda f: f.update(decision={"offsets": [0.0], "objective": ""}),
    "infinite decision": lambda f: f.update(decision={"offsets": [float("inf"), 0.0]}),
    "odd objective": lambda f: f["decision"].update(objective=5),
    "odd figure": lambda f: f["decision"].update(objective={"figure": 5}),
    "odd costs": lambda f: f["decision"].update(objective={"figure": "cost", "costs": {"3": 5}}),
    "two classes of one name": lambda f: f.update(classes=["3", "3"]),
    "odd adjustment": lambda f: f.update(adjusted={"offsets": 5}),
    "positive of text": lambda f: f.update(positive="8"),
    "positive that is none": lambda f: f.update(positive=2),
    "odd flip": lambda f: f.update(flip="yes"),
    "temperature of nought": lambda f: f.update(temperature=0.0),
    "another net": lambda f: f.update(net="resnet32"),
    "a net that is none": lambda f: f.update(net="resnt32"),
    "a net that is no name": lambda f: f.update(net=["resnet32"]),
    "no weights": lambda f: f.update(weights={}),
    "weights of text": lambda f: f.update(weights="none"),
    "weights of numbers": lambda f: f.update(weights=dict.fromkeys(f["weights"], 1.0)),
    "weights that are none": lambda f: _first(f, lambda t: t * float("nan")),
    "weights of another shape": lambda f: _first(f, lambda t: t[:1]),
    "huge weights": lambda f: _first(f, lambda t: torch.zeros(1).expand(10**6, 10**6)),
    "complex weights": lambda f: _first(f, lambda t: t.to(torch.complex64)),
    "sparse weights": lambda f: _first(f, lambda t: t.to_sparse()),
    "another format": lambda f: f.update(format=2),
    "a bomb": lambda f: f.update(classes=_shared()),
    "a number for a name": lambda f: f.update({5: 1}),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_field_is_a_line(fields, tmp_path, name):
    ODD[name](fields)
    path = tmp_path / "odd.pt"
    torch.save(fields, path)
    with pytest.raises(eq.InputError) as refused:
        eq.load_model(path)
    message = str(refused.value)
    assert "odd.pt" in message
    assert "\n" not in message
    assert len(message) < 500


def test_the_commands_that_take_a_model_say_it_in_a_line(fields, photos, tmp_path, capsys):
    del fields["mean"]
    torch.save(fields, tmp_path / "model.pt")
    for command in (
        ["predict", str(tmp_path), str(photos)],
        ["export", str(tmp_path), "--out", str(tmp_path / "model.onnx")],
        ["audit", str(photos), "--model", str(tmp_path)],
    ):
        assert run_command(command) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert "model.pt is no model of ours: mean: Field required" in line


@pytest.mark.parametrize("value", [[], None, "x", 5, {}])
def test_what_is_no_mapping_of_fields_is_no_model(tmp_path, value):
    torch.save(value, tmp_path / "odd.pt")
    with pytest.raises(eq.InputError, match=r"odd\.pt is no model of ours"):
        eq.load_model(tmp_path / "odd.pt")


def test_a_file_that_unfolds_is_not_unfolded(fields, tmp_path):
    """torch compresses nothing, and would take memory for all that is compressed."""
    good, bomb = io.BytesIO(), tmp_path / "bomb.pt"
    torch.save(fields, good)
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, old.read(member))
        new.writestr("archive/data/99", bytes(2**26))
    with pytest.raises(eq.InputError, match="members are compressed"):
        eq.load_model(bomb)


def test_a_model_that_was_swapped_is_not_its_runs(make_digits, tmp_path):
    data = make_digits({3: 60, 8: 15})
    for seed in (0, 1):
        eq.train(data, "none", trainer=SHORT, seed=seed, out=tmp_path / str(seed))
    other = tmp_path / "1" / "model.pt"
    (tmp_path / "0" / "model.pt").write_bytes(other.read_bytes())
    with pytest.raises(eq.InputError, match=r"0: model\.pt is not what was written"):
        eq.load_model(tmp_path / "0")
    # By its own name it is what was asked for.
    images = data.test.array
    mine = eq.load_model(tmp_path / "0" / "model.pt").logits(images)
    np.testing.assert_array_equal(mine, eq.load_model(other).logits(images))


@contextmanager
def no_file_above(size):
    """A disk that is full from there on."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_a_line_and_the_run_goes_on(make_digits, tmp_path):
    """The first file of the run, and its checkpoint."""
    data, out = make_digits({3: 60, 8: 15}), tmp_path / "run"
    for size, name in ((10, "equipoise.json"), (60_000, "checkpoint.pt")):
        with no_file_above(size), pytest.raises(eq.WorkError) as failed:
            eq.train(data, "none", trainer=SHORT, out=out)
        assert str(failed.value).startswith(f"{out / name}: File too large. What is finished")
        assert "\n" not in str(failed.value)
        assert not list(out.glob(".*.part"))
    assert eq.train(data, "none", trainer=SHORT, out=out).metrics["epochs"] == 1


def test_a_model_that_does_not_fit_on_the_disk_leaves_nothing(model, tmp_path):
    with no_file_above(60_000), pytest.raises(OSError, match="File too large") as failed:
        save_model(model, tmp_path / "model.pt")
    assert failed.value.filename == str(tmp_path / "model.pt")
    assert not list(tmp_path.iterdir())


def test_a_study_on_a_full_disk_is_not_a_study_of_failed_runs(make_digits, tmp_path):
    """The runs that it stopped are begun again once there is room."""
    data = make_digits({3: 60, 8: 15})
    given = {"recipes": ["none"], "seeds": 1, "trainer": SHORT, "jobs": 1, "out": tmp_path / "out"}
    with (
        no_file_above(60_000),
        pytest.raises(eq.WorkError, match=r"checkpoint\.pt: File too"),
    ):
        eq.compare(data, **given)
    assert not list((tmp_path / "out").glob("trials/*/failed.json"))
    assert eq.compare(data, **given).summary.finished
