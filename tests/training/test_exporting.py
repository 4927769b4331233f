"""ONNX files against torch, on real images."""

import json
from dataclasses import replace

import numpy as np
import pytest

import equipoise as eq
from equipoise.cli import run as run_command
from equipoise.recipes import get_recipe
from equipoise.training import Trainer, export_onnx, fit
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
        logits, probabilities = session.run(None, {"images": some})
        np.testing.assert_allclose(logits, model.logits(some), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(probabilities, model.predict_proba(some), rtol=1e-4, atol=1e-6)
    found = session.get_modelmeta().custom_metadata_map
    assert json.loads(found["classes"]) == ["3", "8"]
    assert json.loads(found["range"]) == [0, 4095]
    decision = json.loads(found["decision"])
    decided = (session.run(None, {"images": images})[0] + decision["offsets"]).argmax(1)
    np.testing.assert_array_equal(decided, model.predict(images))


def test_what_onnx_cannot_take_is_one_line(model, tmp_path):
    import torch

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
