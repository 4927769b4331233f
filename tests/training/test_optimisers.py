import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from equipoise.training.optimisers import SCHEDULES, get_optimiser, set_learning_rate
from equipoise.training.trainers import Trainer


def rates(schedule, steps, rate=0.2):
    trainer = Trainer(name="t", schedule=schedule, learning_rate=rate)
    optimiser = get_optimiser(trainer, nn.Linear(2, 2))
    for step in range(steps):
        set_learning_rate(optimiser, trainer, step, steps)
        yield optimiser.param_groups[0]["lr"]


@pytest.mark.parametrize(
    ("schedule", "theirs"),
    [
        ("constant", lambda o, n: lr_scheduler.ConstantLR(o, 1)),
        ("linear", lambda o, n: lr_scheduler.LinearLR(o, 1, 0, total_iters=n)),
        ("cosine", lambda o, n: lr_scheduler.CosineAnnealingLR(o, n)),
        ("one_cycle", lambda o, n: lr_scheduler.OneCycleLR(o, 0.2, n + 1, pct_start=0.25)),
    ],
)
def test_schedules_are_torchs_within_a_step(schedule, theirs):
    steps = 1000
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.2, momentum=0.9)
    scheduler = theirs(optimiser, steps)
    expected = []
    for _ in range(steps):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    mine = np.array(list(rates(schedule, steps)))
    # Ours are the rates in the middle of each step, torch's those at its start or end.
    np.testing.assert_allclose(mine, expected, atol=0.2 * 8 / steps)


def test_the_step_schedule_is_the_long_tail_papers():
    mine = np.array(list(rates("step", 200, rate=0.1)))
    assert (np.diff(mine[:5]) > 0).all()
    np.testing.assert_allclose(mine[5:160], 0.1)
    np.testing.assert_allclose(mine[160:180], 0.001)
    np.testing.assert_allclose(mine[180:], 0.00001)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_every_rate_of_a_short_run_is_of_use(schedule, steps):
    mine = np.array(list(rates(schedule, steps)))
    assert ((mine > 0) & (mine <= 0.2)).all()


@pytest.mark.parametrize(
    ("optimiser", "theirs"),
    [
        ("adam", lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1)),
        ("adamw", lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1)),
        ("sgd", lambda p: torch.optim.SGD(p, 0.01, 0.8, weight_decay=0.1, nesterov=True)),
    ],
)
def test_optimisers_are_torchs(optimiser, theirs):
    trainer = Trainer(
        name="t", optimiser=optimiser, learning_rate=0.01, momentum=0.8, weight_decay=0.1
    )
    nets = [nn.Linear(3, 2), nn.Linear(3, 2)]
    nets[1].load_state_dict(nets[0].state_dict())
    both = [get_optimiser(trainer, nets[0]), theirs(nets[1].parameters())]
    for _ in range(5):
        for net, mine in zip(nets, both, strict=True):
            mine.zero_grad()
            net(torch.arange(6.0).view(2, 3)).square().sum().backward()
            mine.step()
    torch.testing.assert_close(nets[0].weight, nets[1].weight)
    # Without momentum there is none of Nesterov's, which torch would refuse.
    get_optimiser(Trainer(name="t", optimiser="sgd", momentum=0), nets[0])
