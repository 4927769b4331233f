"""Find out which measure against class imbalance works on your image data set."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Where each public name lives. Nothing is imported before it is asked for (PEP 562), so that
# `import equipoise` and `equipoise --help` stay instant.
_HOME = {
    "AugmentationOverSampler": "oversampling",
    "Augmented": "training",
    "Decision": "training",
    "ImageSet": "images",
    "InputError": "errors",
    "Objective": "objectives",
    "Recipe": "recipes",
    "Splits": "images",
    "Task": "training",
    "Trainer": "training",
    "WorkError": "errors",
    "audit": "auditing",
    "audit_deep": "deep",
    "augment": "engine",
    "batches": "training",
    "compare": "studies",
    "embed": "backbones",
    "evaluate": "studies",
    "generate": "generating",
    "load": "readers",
    "load_model": "training",
    "report": "reports",
    "search": "studies.search",
    "sift": "sifting",
    "train": "training",
    "upsample": "writers",
}

__all__ = ["__version__", *_HOME]

if TYPE_CHECKING:
    from equipoise.auditing import audit as audit
    from equipoise.backbones import embed as embed
    from equipoise.deep import audit_deep as audit_deep
    from equipoise.engine import augment as augment
    from equipoise.errors import InputError as InputError
    from equipoise.errors import WorkError as WorkError
    from equipoise.generating import generate as generate
    from equipoise.images import ImageSet as ImageSet
    from equipoise.images import Splits as Splits
    from equipoise.objectives import Objective as Objective
    from equipoise.oversampling import AugmentationOverSampler as AugmentationOverSampler
    from equipoise.readers import load as load
    from equipoise.recipes import Recipe as Recipe
    from equipoise.reports import report as report
    from equipoise.sifting import sift as sift
    from equipoise.studies import compare as compare
    from equipoise.studies import evaluate as evaluate
    from equipoise.studies.search import search as search
    from equipoise.training import Augmented as Augmented
    from equipoise.training import Decision as Decision
    from equipoise.training import Task as Task
    from equipoise.training import Trainer as Trainer
    from equipoise.training import batches as batches
    from equipoise.training import load_model as load_model
    from equipoise.training import train as train
    from equipoise.writers import upsample as upsample


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'equipoise' has no attribute {name!r}")
    return getattr(import_module(f"equipoise.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
