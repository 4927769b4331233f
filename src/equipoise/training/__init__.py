"""Training: trainers, nets, losses, draws, the loop, decisions, and trained models."""

from typing import TYPE_CHECKING

from equipoise.lazy import attach

# Nothing is imported before it is asked for: a loader's spawned workers need no metrics, and
# reading a trainer needs no torch.
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
    from equipoise.training.measuring import untested_words as untested_words
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


__getattr__, __all__ = attach(__name__)
