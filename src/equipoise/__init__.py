"""Find out which measure against class imbalance works on your image data set."""

from typing import TYPE_CHECKING

from equipoise.lazy import attach

__version__ = "0.1.0"

# Nothing is imported before it is asked for, so that `import equipoise` and `equipoise --help` stay
# instant: these imports say where the public names live.
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


__getattr__, _names = attach(__name__)
__all__ = ["__version__", *_names]


def __dir__() -> list[str]:
    return sorted(__all__)
