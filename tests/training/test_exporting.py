"""ONNX files against torch, on real images."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.cli import run as run_command
from equipoise.recipes import get_recipe
from equipoise.training import Trainer, export_onnx, fit, get_trainer
from equipoise.training.saving import save_model


@pytest.fixture(scope="module")
def model(make_digits):
    pytest.importorskip("onnxscript")
    data = make_digits({3: 60, 8: 15}, channels=3)
    trainer = Trainer(name="t", epochs=1, batch_size=16)
    # The mean over mirror images is part of the graph.
    model = fit(data, get_recipe("none"), trainer, seed=0).model
    return replace(model, flip=True, range=(0, 4095))


def test_the_graph_says_what_the_model_says(model, make_digits, tmp_path, capsys):
    runtime = pytest.importorskip("onnxruntime")
    save_model(model, tmp_path / "model.pt")
    out = tmp_path / "model.onnx"
    assert run_command(["export", str(tmp_path), "--out", str(out), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"model": str(out), "classes": ["3", "8"]}
    assert captured.err == ""
    session = runtime.InferenceSession(out)
    images = make_digits({3: 60, 8: 15}, channels=3).test.array
    for some in (images, images[:1], images[7:10]):
        logits, probabilities, label = session.run(None, {"images": some})
        np.testing.assert_allclose(logits, model.logits(some), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(probabilities, model.predict_proba(some), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(label, model.predict(some))
    found = session.get_modelmeta().custom_metadata_map
    assert json.loads(found["classes"]) == ["3", "8"]
    assert json.loads(found["range"]) == [0, 4095]
    decision = json.loads(found["decision"])
    decided = (session.run(None, {"images": images})[0] + decision["offsets"]).argmax(1)
    np.testing.assert_array_equal(decided, model.predict(images))


def test_costs_decide_in_the_graph_as_in_python(model, make_digits, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    gains = ((0.0, -1.0), (-9.0, 0.0))
    decision = replace(model.decision, gains=gains, offsets=(0.3, -0.2), scale=0.7)
    costly = replace(model, decision=decision)
    export_onnx(costly, tmp_path / "m.onnx")
    images = make_digits({3: 60, 8: 15}, channels=3).test.array
    label = runtime.InferenceSession(tmp_path / "m.onnx").run(["label"], {"images": images})[0]
    np.testing.assert_array_equal(label, costly.predict(images))
    assert (label != model.predict(images)).any()


@pytest.mark.parametrize("trainer", ["probe", "finetune", "finetune-all"])
def test_a_pretrained_net_is_one_file_from_pixels_to_the_class(
    trainer, patches, tmp_path, monkeypatch
):
    runtime = pytest.importorskip("onnxruntime")
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))
    images, labels = patches(48, 40, 40), np.arange(48) % 3 // 2
    data = eq.load((images, labels))
    model = fit(data, get_recipe("none"), get_trainer(trainer, epochs=1), seed=0).model
    assert model.size == (40, 40)
    export_onnx(model, tmp_path / "m.onnx")
    session = runtime.InferenceSession(tmp_path / "m.onnx")
    assert [one.name for one in session.get_inputs()] == ["images"]
    for some in (images, images[:1]):
        logits, _, label = session.run(None, {"images": some})
        np.testing.assert_allclose(logits, model.logits(some), rtol=1e-3, atol=1e-3)
        np.testing.assert_array_equal(label, model.predict(some))


def test_the_graph_rounds_activations_as_training_does():
    from equipoise.backbones.activations import _rounded as of_the_cache
    from equipoise.training.exporting import _rounded

    values = np.array([[1 / 3, 2e-8, 3.0], [1e6, 0.1, 1.0]], np.float32)
    found = _rounded(torch.from_numpy(values)).numpy()
    np.testing.assert_array_equal(found, of_the_cache(values))
    assert found[0, 0] != values[0, 0]
    assert found[1, 1] == values[1, 1]


def test_what_onnx_cannot_take_is_one_line(model, tmp_path):
    class Odd(torch.nn.Module):
        def forward(self, x):
            return torch.from_numpy(np.linalg.svd(x.numpy())[1]).mean((1, 2))

    with pytest.raises(eq.WorkError, match="has no ONNX form") as caught:
        export_onnx(replace(model, net=Odd(), net_name="odd"), tmp_path / "m.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_file_has_to_be_named_for_what_it_is(tmp_path, capsys):
    assert run_command(["export", str(tmp_path), "--out", str(tmp_path / "model.pt")]) == 2
    assert "ending in .onnx" in capsys.readouterr().err
