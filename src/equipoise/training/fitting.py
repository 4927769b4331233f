"""`fit` and `train`: from data, a recipe and a trainer to a finished run."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from equipoise.errors import InputError, Remark, WorkError, require, whole_seed
from equipoise.extras import with_extra
from equipoise.files import claim
from equipoise.images import ImageSet, Splits
from equipoise.objectives import DEFAULT as BALANCED
from equipoise.objectives import ObjectiveLike
from equipoise.parallel import one_thread, seeded
from equipoise.readers import check_apart
from equipoise.recipes import Recipe, get_recipe
from equipoise.training.cached import activations_of
from equipoise.training.checkpoints import CHECKPOINT, fingerprint, restore, save
from equipoise.training.devices import get_device
from equipoise.training.fingerprints import identity, of_net, of_recipe, of_trainer
from equipoise.training.jobs import Config, Job, Logs, aim, check, prepare
from equipoise.training.loop import Progress, Report, goes_on, run_epoch
from equipoise.training.measuring import chosen_on, told_of
from equipoise.training.model import Model, evaluate
from equipoise.training.nets import Net
from equipoise.training.own import check_resumable, fit_own
from equipoise.training.predictions import Predictions
from equipoise.training.runs import Run, finished, read_run, write_run, wrong_with
from equipoise.training.trainers import Trainer, TrainerLike, with_trainer

__all__ = ["fit", "train"]


def fit(
    data: Splits,
    recipe: Recipe,
    trainer: Trainer,
    *,
    seed: int,
    equal: str = "steps",
    objective: ObjectiveLike = BALANCED,
    net: Net | None = None,
    folder: Path | None = None,
    progress: Report | None = None,
    device: str = "auto",
) -> Run:
    """Train one net and measure it; the test split is read once, at the end.

    Everything random is a function of `seed`, and torch computes on one thread: on the CPU the same
    call gives the same numbers on the same kind of machine, however many cores it has.

    Parameters
    ----------
    data : Splits
        Of one size; no split empty.
    recipe, trainer : Recipe, Trainer
    seed : int
    equal : {'steps', 'epochs'}
        See `equipoise.training.budget`.
    objective : str, mapping or Objective
        What the decision is tuned for on validation: see `equipoise.objectives.Objective`.
    net : callable, optional
        A function (channels, classes, (height, width)) -> module instead of the trainer's net.
    folder : Path, optional
        Where the state is kept after each epoch. A run that was killed goes on from there and ends
        with the same weights, bit for bit on the same kind of CPU.
    progress : callable, optional
        Called with a `Progress` after every step and every epoch.
    device : {'auto', 'cpu', 'cuda'}
        See `equipoise.training.devices.get_device`. The run's model is on the CPU, whatever
        trained it.

    Raises
    ------
    InputError
        If data or options do not fit, before any work.
    WorkError
        If training diverges.
    OSError
        If the state cannot be written.
    """
    seed = whole_seed(seed)
    data = check(data, recipe, trainer, equal=equal, objective=objective)
    goal, place = aim(data, objective), get_device(device)
    return _fit(data, Config(recipe, trainer, seed, equal, goal, place, net), folder, progress)


def _fit(data: Splits, config: Config, folder: Path | None, progress: Report | None) -> Run:
    """Train on data that are checked and have the recipe's extra images."""
    try:
        # A net's own randomness, such as dropout, draws from torch's generator: ours meanwhile.
        with one_thread(), seeded(config.seed, config.device):
            if config.trainer.function is not None:
                return fit_own(data, config)
            job = prepare(data, config)
            _run(job, data, folder, progress)
            return _finish(job, data)
    except torch.OutOfMemoryError:
        raise WorkError(
            f"Recipe {config.recipe.name}: the GPU's memory is full. A smaller batch_size in the "
            "trainer, fewer jobs or device cpu may help."
        ) from None


def _run(job: Job, data: Splits, folder: Path | None, progress: Report | None) -> None:
    """Run all epochs, or those that are left after the checkpoint in `folder`."""
    if folder is None:
        while run_epoch(job, progress):
            pass
        return
    path, mark = folder / CHECKPOINT, fingerprint(data, job)
    more = goes_on(job) if restore(job, path, mark) else True
    while more:
        more = run_epoch(job, progress)
        save(job, path, mark)


def _finish(job: Job, data: Splits) -> Run:
    config, net, kept = job.config, job.model.net.eval(), job.best.weights
    if kept is not None:
        net.load_state_dict(kept)
    trunk = job.model.trunk
    test = data.test if trunk is None else activations_of(data.test, trunk)
    # Where the weights are the last epoch's, it has asked them about validation already.
    known = job.validated if kept is None or job.best.epoch == job.epoch else None
    predictions = {
        "validation": _predictions(job.model, job.validation, known),
        "test": _predictions(job.model, test),
    }
    net.cpu()
    chosen = chosen_on(predictions["validation"], data.train.counts, config.objective)
    told = told_of(data, chosen, predictions, config.objective)
    told["remarks"] = [*getattr(job.feed.presented, "remarks", ()), *told["remarks"]]
    return Run(
        recipe=config.recipe,
        trainer=config.trainer,
        seed=config.seed,
        equal=config.equal,
        rows=job.logs.rows,
        history=_history(job.logs),
        metrics={**told, **_costs(job)},
        predictions=predictions,
        model=replace(
            job.model,
            decision=chosen.tuned,
            adjusted=chosen.adjusted,
            temperature=chosen.temperature,
        ),
    )


def _predictions(
    model: Model, part: ImageSet, logits: NDArray[np.float32] | None = None
) -> Predictions:
    logits = evaluate(model, part.array) if logits is None else logits
    return Predictions(logits, part.labels, part.ids, part.names)


def _history(logs: Logs) -> dict[str, list[float]]:
    history = {
        "training_loss_per_batch": logs.training_losses,
        "validation_loss_per_batch": logs.validation_losses,
    }
    for split in ("training", "validation"):
        for figure in ("accuracy", "recall", "precision"):
            values = [row[f"{split}_{figure}"] for row in logs.rows]
            history[f"{split}_{figure}_per_epoch"] = values
    return history


def _costs(job: Job) -> dict[str, Any]:
    last = job.logs.rows[-1]
    seen = job.feed.seen.counts()
    return {
        "epochs": last["epoch"],
        "kept_epoch": last["epoch"] if job.best.weights is None else job.best.epoch,
        "steps": last["step"],
        "passes": last["passes"],
        "seconds": job.elapsed,
        "presented": len(job.feed.presented),
        "seen": {kind: dict(zip(job.model.classes, seen[kind], strict=True)) for kind in seen},
    }


def train(
    data: Splits,
    recipe: str | Path | Recipe = "article",
    *,
    trainer: TrainerLike | None = None,
    epochs: int | None = None,
    net: str | Net | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    equal: str = "steps",
    objective: ObjectiveLike = BALANCED,
    progress: Report | None = None,
    device: str = "auto",
    tensorboard: bool = False,
) -> Run:
    """Train one net with one recipe.

    Parameters
    ----------
    data : Splits
        As `equipoise.load` returns it.
    recipe : str, path or Recipe
        A name, a YAML file, or a recipe.
    trainer : str, path, Trainer or callable, optional
        Likewise, or a function that trains: see `equipoise.training.Task`. By default `finetune`
        for pictures above 64 pixels a side, and `fast` for smaller ones or where a net is given.
    epochs : int, optional
        In the trainer's place.
    net : str or callable, optional
        In the place of the trainer's net: a name in `equipoise.training.NETS`, or a function
        (channels, classes, (height, width)) -> module.
    seed : int
    out : path, optional
        Folder for the run's files: `batches.csv`, `history.json`, `predictions.parquet`,
        `model.pt`, `recipe.yaml`, `trainer.yaml`, `metrics.json`, `digests.json`. Given again, a
        run that was killed goes on and a finished one is read; one whose files are not what was
        written is made again, which a `Remark` says.
    equal, objective, progress, device
        See `equipoise.training.fit`.
    tensorboard : bool
        Whether the figures of each epoch are also written to `out`/tensorboard, which needs the
        extra `tensorboard`.

    Raises
    ------
    InputError
        If anything given does not fit, before any work.
    WorkError
        If training diverges or a file cannot be written.
    """
    chosen = get_recipe(recipe)
    named, own = (net, None) if isinstance(net, str) else (None, net)
    spec = "fast" if trainer is None and own is not None else trainer
    data, how = with_trainer(data, spec, epochs=epochs, net=named)
    given, data, seed = data, with_extra(data, chosen), whole_seed(seed)
    place = get_device(device)
    require(not tensorboard or out is not None, "an output folder for tensorboard", out=out)
    board = None if not tensorboard else _board_in(Path(out or ""))
    folder = None if out is None else Path(out)
    for source in (data.source, chosen.extra or ""):
        if folder is not None:
            check_apart(folder, source)
    check(data, chosen, how, equal=equal, objective=objective)
    config = Config(chosen, how, seed, equal, aim(data, objective), place, own)

    def run() -> Run:
        with _tracked(board, progress) as report:
            return _fit(data, config, folder, report)

    if folder is None:
        return run()
    check_resumable(folder, how)
    with claim(folder, "training run", of := _fingerprint(given, data, config), given.read_with):
        if tensorboard and finished(folder) and not (folder / "tensorboard").exists():
            line = f"{folder}: the run is finished, and no log is made of it. Name another folder."
            warnings.warn(Remark(line), stacklevel=2)
        return _kept_in(folder, config, identity(of), run)


def _fingerprint(given: Splits, data: Splits, config: Config) -> dict[str, Any]:
    """Return what a folder's run is of; `data` are the given ones with a recipe's extra images."""
    net, seed = config.net, config.seed
    return {
        "data": given.digest,
        **of_recipe(data, config.recipe),
        **of_trainer(config.trainer),
        **({} if net is None else {"net of your own": of_net(net, data, seed)}),
        "seed": seed,
        "equal": config.equal,
        "objective": config.objective.to_json(),
    }


def _kept_in(folder: Path, config: Config, of: str, run: Callable[[], Run]) -> Run:
    """Return the run of a folder that is ours: as it was written, or made and written now."""
    if wrong := wrong_with(folder, of):
        line = f"{folder}: {wrong}. The run is made again."
        warnings.warn(Remark(line), stacklevel=3)
    elif finished(folder):
        return read_run(folder, net=config.net, trainer=config.trainer, of=of)
    result = run()
    write_run(folder, result, of)
    return result


def _board_in(out: Path) -> Callable[[], Any]:
    """Return what opens a writer in a run's folder, which may not be there yet.

    Raises
    ------
    InputError
        Without the extra.
    """
    try:
        from tensorboardX import SummaryWriter
    except (ImportError, RuntimeError):
        raise InputError(
            "tensorboard needs the package tensorboardX: pip install 'equipoise[tensorboard]'."
        ) from None
    return lambda: SummaryWriter(str(out / "tensorboard"))


@contextmanager
def _tracked(board: Callable[[], Any] | None, progress: Report | None) -> Iterator[Report | None]:
    """Give a report that also writes each epoch's row as scalars, one a figure, by the step."""
    if board is None:
        yield progress
        return
    with board() as writer:

        def report(told: Progress) -> None:
            for name, value in (told.row or {}).items():
                # training_loss becomes training/loss: TensorBoard groups by what is before it.
                split, _, figure = name.partition("_")
                tag = f"{split}/{figure}" if split in ("training", "validation") else f"run/{name}"
                writer.add_scalar(tag, value, told.step)
            if progress is not None:
                progress(told)

        yield report
