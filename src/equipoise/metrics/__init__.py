"""Logits and labels to figures, as scikit-learn and imbalanced-learn have them.

Every figure is written once, for images that have weights: resampling images is weighting them by
how often each was drawn, another prior is another weight a class, and the plain figure is the case
in which each counts once. One rule holds for classes without an image (of weight): they are part
of no average, and what is theirs alone is NaN.
"""

from dataclasses import dataclass

from equipoise.metrics.calibration import Reliability, believed, reliability
from equipoise.metrics.figures import (
    confusions,
    decided_figures,
    figures,
    ranked_figures,
)

__all__ = [
    "FIGURES",
    "Figure",
    "Reliability",
    "believed",
    "confusions",
    "decided_figures",
    "figures",
    "ranked_figures",
    "reliability",
]


@dataclass(frozen=True)
class Figure:
    """How readers call a figure and read it.

    Attributes
    ----------
    label : str
    share : bool
        Whether it lies between 0 and 1 and is shown in per cent.
    higher_is_better : bool
    """

    label: str
    share: bool = True
    higher_is_better: bool = True


FIGURES = {
    "balanced_accuracy": Figure("Balanced accuracy"),
    "accuracy": Figure("Accuracy"),
    "recall": Figure("Recall"),
    "precision": Figure("Precision"),
    "macro_f1": Figure("Macro F1"),
    "g_mean": Figure("G-mean"),
    "mcc": Figure("MCC", share=False),
    "roc_auc": Figure("ROC-AUC", share=False),
    "pr_auc": Figure("PR-AUC", share=False),
    "ece": Figure("Calibration error", higher_is_better=False),
    "brier": Figure("Brier score", share=False, higher_is_better=False),
    "log_loss": Figure("Log loss", share=False, higher_is_better=False),
}
