"""Training: trainers, nets, losses, draws, the loop, decisions, and trained models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Where each public name lives. Nothing is imported before it is asked for (PEP 562): a loader's
# spawned workers need no metrics, and reading a trainer needs no torch.
_HOME = {
    "Augmented": "loaders",
    "Batches": "loaders",
    "Budget": "budgets",
    "Decision": "decisions",
    "Equal": "budgets",
    "LOSSES": "losses",
    "MIXINGS": "mixing",
    "Model": "model",
    "NETS": "nets",
    "Predictions": "predictions",
    "Progress": "loop",
    "Run": "runs",
    "SCHEDULES": "optimisers",
    "Task": "own",
    "Trainer": "trainers",
    "TrainerLike": "trainers",
    "adjust": "tuning",
    "aim": "jobs",
    "batches": "loaders",
    "budget": "budgets",
    "build_net": "nets",
    "check": "jobs",
    "check_words": "jobs",
    "export_onnx": "exporting",
    "class_weights": "losses",
    "extract": "cached",
    "fit": "fitting",
    "get_device": "devices",
    "get_loss": "losses",
    "get_trainer": "trainers",
    "load_model": "saving",
    "predict_files": "predicting",
    "read_run": "runs",
    "side_by_side": "devices",
    "source_of": "runs",
    "takes": "jobs",
    "temperature": "calibrating",
    "large_side": "trainers",
    "train": "fitting",
    "tune": "tuning",
    "untested_words": "untested",
    "with_trainer": "trainers",
    "write_run": "runs",
}

__all__ = [*_HOME]

if TYPE_CHECKING:
    from equipoise.training.budgets import Budget as Budget
    from equipoise.training.budgets import Equal as Equal
    from equipoise.training.budgets import budget as budget
    from equipoise.training.cached import extract as extract
    from equipoise.training.calibrating import temperature as temperature
    from equipoise.training.decisions import Decision as Decision
    from equipoise.training.devices import get_device as get_device
    from equipoise.training.devices import side_by_side as side_by_side
    from equipoise.training.exporting import export_onnx as export_onnx
    from equipoise.training.fitting import fit as fit
    from equipoise.training.fitting import train as train
    from equipoise.training.jobs import aim as aim
    from equipoise.training.jobs import check as check
    from equipoise.training.jobs import check_words as check_words
    from equipoise.training.jobs import takes as takes
    from equipoise.training.loaders import Augmented as Augmented
    from equipoise.training.loaders import Batches as Batches
    from equipoise.training.loaders import batches as batches
    from equipoise.training.loop import Progress as Progress
    from equipoise.training.losses import LOSSES as LOSSES
    from equipoise.training.losses import class_weights as class_weights
    from equipoise.training.losses import get_loss as get_loss
    from equipoise.training.mixing import MIXINGS as MIXINGS
    from equipoise.training.model import Model as Model
    from equipoise.training.nets import NETS as NETS
    from equipoise.training.nets import build_net as build_net
    from equipoise.training.optimisers import SCHEDULES as SCHEDULES
    from equipoise.training.own import Task as Task
    from equipoise.training.predicting import predict_files as predict_files
    from equipoise.training.predictions import Predictions as Predictions
    from equipoise.training.runs import Run as Run
    from equipoise.training.runs import read_run as read_run
    from equipoise.training.runs import source_of as source_of
    from equipoise.training.runs import write_run as write_run
    from equipoise.training.saving import load_model as load_model
    from equipoise.training.trainers import Trainer as Trainer
    from equipoise.training.trainers import TrainerLike as TrainerLike
    from equipoise.training.trainers import get_trainer as get_trainer
    from equipoise.training.trainers import large_side as large_side
    from equipoise.training.trainers import with_trainer as with_trainer
    from equipoise.training.tuning import adjust as adjust
    from equipoise.training.tuning import tune as tune
    from equipoise.training.untested import untested_words as untested_words


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'equipoise.training' has no attribute {name!r}")
    return getattr(import_module(f"equipoise.training.{_HOME[name]}"), name)
