"""Nets of timm by name; what needs the library is skipped where it cannot be imported."""

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.recipes import get_recipe
from equipoise.training import Trainer, build_net, fit, get_trainer, load_model
from equipoise.training.saving import save_model


def library():
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        return None, str(error)
    return timm, ""


timm, why = library()
needs_timm = pytest.mark.skipif(timm is None, reason=f"timm cannot be imported: {why}")


@pytest.mark.skipif(timm is not None, reason="timm is here")
def test_without_the_extra_its_name_is_said():
    with pytest.raises(eq.InputError, match=r"equipoise\[timm\]") as caught:
        get_trainer("article", net="timm/resnet18")
    assert "\n" not in str(caught.value)


def test_weights_are_for_a_net_of_timm():
    trainer = Trainer(name="t", weights="pretrained")
    with pytest.raises(eq.InputError, match="weights for a net of timm alone must hold"):
        get_trainer(trainer)


@needs_timm
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224"])
def test_any_channels_and_size(name, channels):
    net = build_net(f"timm/{name}", channels, 5, (32, 48), seed=1).eval()
    again = build_net(f"timm/{name}", channels, 5, (32, 48), seed=1).eval()
    images = torch.rand(2, channels, 32, 48)
    assert net(images).shape == (2, 5)
    assert torch.equal(net(images), again(images))


@needs_timm
def test_weights_from_a_file_are_where_training_starts(tmp_path):
    start = timm.create_model("resnet10t", num_classes=7)
    path = tmp_path / "weights.pth"
    torch.save(start.state_dict(), path)
    net = build_net("timm/resnet10t", 3, 2, (32, 32), 0, str(path))
    assert torch.equal(net.layer1[0].conv1.weight, start.layer1[0].conv1.weight)
    assert net.fc.weight.shape[0] == 2
    with pytest.raises(eq.InputError, match="is no file"):
        build_net("timm/resnet10t", 3, 2, (32, 32), 0, str(tmp_path / "none.pth"))


@needs_timm
def test_a_net_is_trained_and_loaded_by_its_name(digits, tmp_path):
    trainer = Trainer(name="t", net="timm/resnet10t", epochs=1, batch_size=16)
    run = fit(digits, get_recipe("none"), trainer, seed=0)
    save_model(run.model, tmp_path / "model.pt")
    logits = load_model(tmp_path).logits(digits.test.array)
    np.testing.assert_array_equal(logits, run.predictions["test"].logits)
    with pytest.raises(eq.InputError, match="timm has no net 'resnet10x'"):
        get_trainer("article", net="timm/resnet10x")
