"""Predictions of simulated nets, as a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

# How well a recipe's nets tell the classes apart, and how far they lean to the frequent ones.
Nets = Mapping[str, tuple[float, float]]


@pytest.fixture(scope="session")
def predicted() -> Callable[..., dict[str, Any]]:
    """Return `predicted(nets, seeds=3, test=600, …)`: columns as `evaluate` takes them."""

    def table(
        nets: Nets,
        *,
        seeds: int = 3,
        test: int = 600,
        validation: int = 400,
        classes: int = 2,
        draws: Sequence[int] = (0,),
        spread: float = 0.02,
        rng: int = 0,
    ) -> dict[str, Any]:
        shares = np.array([4.0] * (classes - 1) + [1.0])
        shares /= shares.sum()
        generator = np.random.default_rng(rng)
        parts = []
        for split, number in (("validation", validation), ("test", test)):
            labels = np.sort(generator.choice(classes, number, p=shares))
            parts.append((split, labels, generator.normal(0, 0.8, (number, classes))))
        columns: dict[str, list] = {k: [] for k in ("recipe", "seed", "draw", "split", "id")}
        columns |= {"label": [], "logits": []}
        for name, (apart, lean) in nets.items():
            for seed in range(seeds):
                for draw in draws:
                    quality = apart + generator.normal(0, spread)
                    for split, labels, difficulty in parts:
                        number = len(labels)
                        noise = generator.normal(0, 0.5, (number, classes))
                        logits = quality * np.eye(classes)[labels] + difficulty + noise
                        rows = {"recipe": name, "seed": seed, "draw": draw, "split": split}
                        for key, value in rows.items():
                            columns[key].append(np.repeat(value, number))
                        columns["id"].append(np.arange(number))
                        columns["label"].append(labels)
                        columns["logits"].append(logits + lean * np.log(shares))
        whole = {name: np.concatenate(of) for name, of in columns.items() if len(of)}
        logits = whole.pop("logits")
        return {**whole, **{f"logit_{k}": logits[:, k] for k in range(classes)}}

    return table
