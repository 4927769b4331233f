"""Where and in what precision the steps run; without a GPU its paths are run on the CPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.parallel import one_thread, seeded
from equipoise.recipes import Recipe, get_recipe
from equipoise.training import Trainer, fit, train
from equipoise.training.checkpoints import fingerprint
from equipoise.training.devices import device_of, get_device, moved, side_by_side
from equipoise.training.feeding import Resident, resident
from equipoise.training.jobs import Config, aim, prepare
from equipoise.training.loop import run_epoch

CPU = torch.device("cpu")
TRAINER = Trainer(name="t", epochs=2, batch_size=16, flip="alternating")


def job_of(digits, recipe="article", trainer=TRAINER):
    goal = aim(digits, "balanced_accuracy")
    return prepare(digits, Config(get_recipe(recipe), trainer, 3, "steps", goal))


def test_a_device_is_named_and_has_to_be_there(digits):
    assert get_device("cpu") == CPU
    there = torch.cuda.is_available()
    assert get_device("auto").type == ("cuda" if there else "cpu")
    with pytest.raises(eq.InputError, match="'auto', 'cpu' or 'cuda' must hold, but got device="):
        train(digits, "none", trainer=TRAINER, device="gpu")
    if not there:
        with pytest.raises(eq.InputError, match="GPU that torch can use"):
            train(digits, "none", trainer=TRAINER, device="cuda")


@pytest.mark.parametrize("recipe", ["article", "none"])
def test_a_resident_set_shows_the_images_that_batches_show(digits, recipe):
    job = job_of(digits, recipe)
    pixels = Resident(job.feed.presented, CPU)
    for step in (0, 5, job.feed.budget.steps - 1):
        job.feed.resident = None
        made = job.feed.batch(step)
        job.feed.resident = pixels
        shown = job.feed.batch(step)
        np.testing.assert_array_equal(shown.images.numpy(), made.images)
        np.testing.assert_array_equal(shown.labels, made.labels)


def test_a_run_on_a_resident_set_is_the_run(digits):
    whole, on_device = job_of(digits), job_of(digits)
    on_device.feed.resident = Resident(on_device.feed.presented, CPU)
    with one_thread():
        for job in (whole, on_device):
            torch.manual_seed(0)
            run_epoch(job)
    assert whole.logs.training_losses == on_device.logs.training_losses
    assert whole.feed.seen.counts() == on_device.feed.seen.counts()


def test_only_a_gpu_keeps_a_set(digits):
    assert resident(job_of(digits).feed.presented, CPU) is None
    assert resident(job_of(digits, "balanced").feed.presented, torch.device("cuda")) is None


def test_runs_share_a_gpu_only_when_asked_to(monkeypatch):
    assert side_by_side(None, "cpu") is None
    assert side_by_side(3, "cpu") == 3
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert side_by_side(None, "auto") == 1
    assert side_by_side(3, "cuda") == 3


def test_a_full_gpu_ends_the_run_and_not_the_study(digits, monkeypatch):
    def full(job, report):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr("equipoise.training.fitting.run_epoch", full)
    with pytest.raises(eq.WorkError, match=r"Recipe none: the GPU's memory is full\."):
        fit(digits, get_recipe("none"), TRAINER, seed=0, device="cpu")


def test_a_seed_for_a_while_leaves_the_generator_as_it_was():
    torch.manual_seed(1)
    first = torch.rand(2)
    torch.manual_seed(1)
    with seeded(7, CPU):
        inside = torch.rand(2)
    assert torch.equal(torch.rand(2), first)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(2), inside)


def test_what_is_on_the_device_stays(digits):
    # 'meta' has an index as a GPU's tensors have, and can no more be pinned than those.
    there = torch.empty(3, device="meta")
    assert moved(there, torch.device("meta", 0)) is there
    assert moved(there, torch.device("meta")) is there
    tensor = torch.arange(3)
    assert moved(tensor, CPU) is tensor
    array = np.arange(3)
    assert moved(array, CPU).data_ptr() == array.ctypes.data
    assert device_of(torch.nn.Flatten()) == CPU


def test_a_checkpoint_of_the_cpu_bears_no_device(digits):
    job = job_of(digits)
    assert "device" not in fingerprint(digits, job)
    job.config = replace(job.config, device=torch.device("cuda"))
    assert '"device": "cuda"' in fingerprint(digits, job)


def test_bfloat16_takes_nearly_the_same_steps_and_keeps_float32_weights(make_digits):
    data = make_digits({0: 60, 1: 60}, held_out=50)
    full, half = (
        fit(data, get_recipe("none"), TRAINER.model_copy(update={"precision": p}), seed=0)
        for p in ("float32", "bfloat16")
    )
    assert {weight.dtype for weight in half.model.net.parameters()} == {torch.float32}
    losses = [r.history["training_loss_per_batch"] for r in (full, half)]
    assert losses[0] != losses[1]
    assert losses[1][0] == pytest.approx(losses[0][0], rel=0.05)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_compiled_steps_are_the_steps(digits):
    plain, compiled = (
        fit(digits, Recipe(name="r"), TRAINER.model_copy(update={"compile": c}), seed=0)
        for c in (False, True)
    )
    losses = [r.history["training_loss_per_batch"] for r in (plain, compiled)]
    np.testing.assert_allclose(losses[1][:4], losses[0][:4], rtol=1e-3)
    assert compiled.model.net.state_dict().keys() == plain.model.net.state_dict().keys()


def test_a_net_that_does_not_compile_stops_the_run_in_one_line(digits):
    def broken(channels, classes, size):
        class Broken(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.weight = torch.nn.Parameter(torch.zeros(1))

            def forward(self, x):
                raise ValueError("no\nway")

        return Broken()

    trainer = TRAINER.model_copy(update={"compile": True})
    with pytest.raises(eq.WorkError, match="compile cannot compile the net custom") as caught:
        fit(digits, Recipe(name="r"), trainer, seed=0, net=broken)
    assert "\n" not in str(caught.value)
