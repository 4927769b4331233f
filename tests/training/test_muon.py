import numpy as np
import pytest
import torch
from torch import nn

from equipoise.recipes import get_recipe
from equipoise.training import Trainer, fit
from equipoise.training.optimisers import Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 72), (48, 16), (5, 5)])
def test_steps_have_the_gradients_directions_at_singular_values_near_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    found = torch.diag(left.T @ orthogonal(matrix) @ right.T)
    assert torch.all((found > 0.3) & (found < 1.3))
    off = left.T @ orthogonal(matrix) @ right.T - torch.diag(found)
    assert off.abs().max() < 1e-4


def test_two_steps_are_those_of_an_independent_computation():
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, 3)
    optimiser = Muon(layer.parameters(), 0.1, momentum=0.9, weight_decay=0.2)
    weights, bias = (p.detach().numpy().astype(np.float64) for p in (layer.weight, layer.bias))
    velocity, mean, square = np.zeros_like(weights), np.zeros_like(bias), np.zeros_like(bias)
    for step in (1, 2):
        g, b = np.random.default_rng(step).normal(size=weights.shape), np.full_like(bias, step)
        layer.weight.grad = torch.tensor(g, dtype=torch.float32)
        layer.bias.grad = torch.tensor(b, dtype=torch.float32)
        optimiser.step()
        velocity = 0.9 * velocity + g
        x = (g + 0.9 * velocity).reshape(4, -1)
        x /= np.linalg.norm(x)
        for _ in range(3):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        weights = weights * (1 - 0.1 * 0.2) - 0.1 * x.reshape(weights.shape)
        mean, square = 0.9 * mean + 0.1 * b, 0.999 * square + 0.001 * b**2
        moved = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        bias = bias - 0.13 * 0.1 * moved
    np.testing.assert_allclose(layer.weight.detach(), weights, atol=1e-5)
    np.testing.assert_allclose(layer.bias.detach(), bias, atol=1e-5)


def test_a_run_interrupted_between_epochs_goes_on_to_the_same_weights(digits, tmp_path):
    trainer = Trainer(
        name="t", net="airbench", optimiser="muon", learning_rate=0.03, epochs=3, batch_size=16,
        shift=0.125,
    )  # fmt: skip

    class StopHereError(Exception):
        pass

    def interrupt(progress):
        if progress.epoch == 3:
            raise StopHereError

    recipe = get_recipe("none")
    with pytest.raises(StopHereError):
        fit(digits, recipe, trainer, seed=0, folder=tmp_path, progress=interrupt)
    resumed = fit(digits, recipe, trainer, seed=0, folder=tmp_path).model.net.state_dict()
    unbroken = fit(digits, recipe, trainer, seed=0).model.net.state_dict()
    assert all(torch.equal(resumed[name], unbroken[name]) for name in unbroken)
