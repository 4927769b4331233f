"""What a run's net is asked once it is trained, for the diagnostics to rest on."""

from collections.abc import Sequence
from pathlib import Path

from equipoise.files import is_sealed, seal
from equipoise.images import ImageSet, Splits
from equipoise.studies.memory import MEMORY, remember
from equipoise.studies.shortcut import PROBES, probe, probed
from equipoise.studies.trials import Trial
from equipoise.techniques import Technique

__all__ = ["ask"]


def ask(
    folder: Path, trial: Trial, data: Splits, techniques: Sequence[Technique], seed: int
) -> None:
    """Write what one run's net makes of augmented validation images and of its training images.

    Parameters
    ----------
    folder : Path
        Of the run; what it has answered before is kept.
    trial : Trial
    data : Splits
        The study's; the run's own is made from it.
    techniques : sequence of Technique
        All that the study's recipes use.
    seed : int
        Of the study.
    """
    for name in PROBES:
        if not is_sealed(folder, name):  # a killed run's, perhaps
            (folder / name).unlink(missing_ok=True)
    probe(folder, _validation(data, trial), techniques, seed)
    if not (folder / MEMORY).is_file():
        remember(folder, trial.data(data), trial.recipe, trial.seed)
    if not probed(folder):
        seal(folder, PROBES)


def _validation(data: Splits, trial: Trial) -> ImageSet:
    """The images a run's decision was tuned on; draws have them in common."""
    return data.validation if trial.folds is None else trial.data(data).validation
