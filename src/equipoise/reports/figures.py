"""The page's figures: each a plot or picture with the words for those who do not see it."""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from equipoise.errors import plural
from equipoise.reports import plots
from equipoise.reports.folder import StudyFiles
from equipoise.reports.plots import Band, TradeOff, chosen_point, learning_band, trade_off
from equipoise.reports.svg import inline
from equipoise.studies import Study
from equipoise.studies.charts import chart, compared
from equipoise.studies.formats import level, metric_name, percent
from equipoise.studies.pictures import Mistake, mistakes_in, picture_of
from equipoise.studies.summary import StudySummary
from equipoise.studies.trials import by_recipe

__all__ = ["Gallery", "Panel", "Picture", "draw", "packed", "picture"]

LEARNING = ("loss", "accuracy", "recall", "precision")
_MISTAKES = 8  # of each recipe
# Bytes of a picture as it lies in the folder; a larger one is packed again.
_MOST, _MOST_OF_MISTAKE = 30_000, 4_000


@dataclass(frozen=True)
class Panel:
    """A plot: its caption, its SVG as a file and its SVG for the page."""

    title: str
    file: str
    svg: Any
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A raster picture as a data URI, with its size on the page."""

    title: str
    uri: str
    width: int
    height: int


@dataclass
class Gallery:
    """All figures of a page.

    `charts` are of the study; the others are by recipe, and recipes without figures are missing.
    """

    charts: dict[str, Panel] = field(default_factory=dict)
    learning: dict[str, list[Panel]] = field(default_factory=dict)
    trade_offs: dict[str, list[Panel]] = field(default_factory=dict)
    calibration: dict[str, list[Panel]] = field(default_factory=dict)
    mistakes: dict[str, list[tuple[Mistake, Picture | None]]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def panel(self, title: str, file: str, name: str, description: str, note: str = "") -> Panel:
        """Keep a plot's file and return it as a panel of the page."""
        self.files[name] = file
        return Panel(title, file, inline(file, name, description), note)


def draw(study: Study, files: StudyFiles) -> Gallery:
    """Draw every figure of a study that can be drawn."""
    gallery, summary = Gallery(), study.summary
    names = list(summary.recipes)
    for what, there in (("recipes", compared(summary)), ("classes", summary.table)):
        if there:
            drawn = chart(summary, what)
            gallery.charts[what] = gallery.panel(what, drawn.svg, what, drawn.words)
    _draw_learning(gallery, files, names)
    _draw_trade_offs(gallery, study, names)
    _find_mistakes(gallery, study, files)
    return gallery


def slug(k: int, name: str) -> str:
    """Return a recipe's name fit for ids and file names; its number keeps it apart from others."""
    return f"{k}-{re.sub('[^A-Za-z0-9_-]', '_', name)}"


def _draw_learning(gallery: Gallery, files: StudyFiles, names: Sequence[str]) -> None:
    bands = {
        (name, split, what): learning_band(files.results, name, f"{split}_{what}")
        for name in names
        for split in ("training", "validation")
        for what in LEARNING
    }
    limits = {
        what: _limits([b for k, b in bands.items() if k[2] == what], what) for what in LEARNING
    }
    for k, name in enumerate(names):
        panels = []
        for what in LEARNING:
            training, validation = (bands[name, s, what] for s in ("training", "validation"))
            if training is None and validation is None:
                continue
            reference = bands[names[0], "validation", what] if k else None
            file = plots.learning(
                training, validation, reference, limits[what], shares=what != "loss"
            )
            title = metric_name(what) + (", %" if what != "loss" else "")
            told = _told(name, what, training, validation)
            panels.append(gallery.panel(title, file, f"learning-{slug(k, name)}-{what}", told))
        if panels:
            gallery.learning[name] = panels


def _limits(bands: Sequence[Band | None], what: str) -> tuple[float, float]:
    known = [band for band in bands if band is not None]
    if not known:
        return 0.0, 1.0
    if what == "loss":
        # One run that blew up must not flatten every other curve.
        top = float(np.quantile(np.concatenate([band.high for band in known]), 0.98))
        return 0.0, 1.08 * top or 1.0
    low = min(float(band.low.min()) for band in known)
    return (max(0.0, np.floor(low * 10) / 10) if what == "accuracy" else -0.02), 1.02


def _told(name: str, what: str, training: Band | None, validation: Band | None) -> str:
    """A learning panel in words: where each curve starts and ends."""
    metric = "accuracy" if what != "loss" else "loss"
    parts = [
        f"{word} from {level(metric, float(band.mean[0]))} to {level(metric, float(band.mean[-1]))}"
        for word, band in (("training", training), ("validation", validation))
        if band is not None
    ]
    unit = " per cent" if what != "loss" else ""
    longest = max(len(band.x) for band in (training, validation) if band is not None)
    over = plural(longest, "epoch")
    return f"{metric_name(what)} of {name} over {over}{unit}: {', '.join(parts)}."


def _draw_trade_offs(gallery: Gallery, study: Study, names: Sequence[str]) -> None:
    reference: TradeOff | None = None
    classes = of_interest(study.summary)
    for name, of in by_recipe(study.outcomes, names).items():
        curves = trade_off([outcome.test for outcome in of], classes)
        if curves is None:
            continue
        k = names.index(name)
        points = _points(study.summary, name, classes)
        gallery.trade_offs[name] = _pair(gallery, k, name, (curves, reference), points)
        reference = curves if k == 0 else reference


def _find_mistakes(gallery: Gallery, study: Study, files: StudyFiles) -> None:
    """List each recipe's worst mistakes, with their pictures where there are any."""
    for name, of in by_recipe(study.outcomes, list(study.summary.recipes)).items():
        found = mistakes_in([outcome.test for outcome in of])[:_MISTAKES]
        if found:
            gallery.mistakes[name] = [(mistake, _shown(files, mistake)) for mistake in found]


def _shown(files: StudyFiles, mistake: Mistake) -> Picture | None:
    if files.directory is None:
        return None
    path = picture_of(files.directory / "examples", mistake)
    return picture(path, mistake.name, _MOST_OF_MISTAKE)


def of_interest(summary: StudySummary) -> list[int]:
    """Return the labels that curves are of: the positive class of two, else every class."""
    classes, positive = summary.data.classes, summary.positive_class
    if positive in classes:
        return [classes.index(positive)]
    return list(range(len(classes)))


def _points(summary: StudySummary, name: str, classes: list[int]) -> plots.Points:
    row = summary.row(name)
    matrices = {} if row is None else row.confusion
    return {d: chosen_point(matrices.get(d), classes) for d in ("plain", "tuned")}


def _pair(
    gallery: Gallery,
    k: int,
    name: str,
    curves: tuple[TradeOff, TradeOff | None],
    points: plots.Points,
) -> list[Panel]:
    told = "; ".join(
        f"the {decision} decision finds {percent(p[0])} with {percent(p[1])} of its answers right "
        f"and {percent(p[2])} false alarms"
        for decision, p in points.items()
        if p is not None
    )
    roc_text = f"ROC curve of {name}. {told}."
    pr_text = f"Precision-recall curve of {name}. {told}."
    return [
        gallery.panel(
            "Precision–recall",
            plots.precision_recall(*curves, points),
            f"pr-{slug(k, name)}",
            pr_text,
        ),
        gallery.panel("ROC", plots.roc(*curves, points), f"roc-{slug(k, name)}", roc_text),
    ]


def picture(path: Path, title: str, most: int = _MOST) -> Picture | None:
    """Return a picture file as a data URI, packed again if it is large; None if it is none."""
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            kind = "png"
            if len(data) > most:
                image.thumbnail((1200, 1200))
                smaller = io.BytesIO()
                image.convert("RGB").save(smaller, "webp", quality=85)
                if smaller.tell() < len(data):
                    data, kind = smaller.getvalue(), "webp"
            width, height = image.size
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
    return packed(title, data, kind, (width, height))


def packed(title: str, data: bytes, kind: str, size: tuple[int, int]) -> Picture:
    """Return the bytes of a picture file of (width, height) as a data URI."""
    text = base64.b64encode(data).decode("ascii")
    return Picture(title, f"data:image/{kind};base64,{text}", *size)
