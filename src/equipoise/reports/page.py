"""One self-contained HTML page from a study, or from an audit."""

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from equipoise import __version__
from equipoise.deep import DeepAudit
from equipoise.errors import InputError, WorkError, plural
from equipoise.files import atomic
from equipoise.images import LeftOut
from equipoise.readers import check_apart
from equipoise.recipes import Recipe
from equipoise.reports import diagnosis, search, tables
from equipoise.reports.deep import deep_view
from equipoise.reports.figures import Gallery, draw, picture
from equipoise.reports.findings import findings
from equipoise.reports.folder import StudyFiles, read_files
from equipoise.reports.following import data_of, next_step, seconds_left
from equipoise.studies import Study, StudySummary, formats, open_study
from equipoise.studies.charts import class_rows
from equipoise.training import Trainer

__all__ = ["audit_page", "environment", "report", "target", "write_page"]

_LISTED = 60  # broken files, duplicates and leaks that the page names; the rest are counted
_NAMED = 20  # images of one finding
_FINDINGS = (
    *("broken", "duplicates", "leaks", "label_conflicts", "straddling_groups"),
    *("near_leaks", "blank", "tiny"),
)


def report(study: Any, path: str | Path | None = None, *, plots: str | Path | None = None) -> Path:
    """Write a study's report: one HTML file that needs no network and no scripts.

    Parameters
    ----------
    study : Study, Search, str or Path
        A study or a search, or its folder. It may be running still: the page says what is missing.
    path : str or Path, optional
        Where the page goes; `report.html` in the study's folder by default.
    plots : str or Path, optional
        A folder for the plots as SVG files of their own.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        Where the folder is no study, or the page cannot be put where it should go.
    WorkError
        Where writing fails, as on a full disk.
    """
    directory = study.directory if hasattr(study, "directory") else Path(study)
    found = None if directory is None else search.searched(directory)
    place = target(_place(directory, path))
    opened = _opened(study, directory, found)
    for given in (path, plots):
        if given is not None and opened is not None and opened.summary.kind == "comparison":
            check_apart(Path(given), opened.summary.data.source)
    gallery = Gallery()
    context: dict[str, Any] = {"answer": None if opened else search.standing(found or {})}
    if opened is not None:
        files = read_files(opened.directory)
        gallery = draw(opened, files)
        diagnosis.draw_calibration(gallery, opened.summary)
        context = _context(opened, files, gallery)
    running = not (
        opened.summary.finished if found is None and opened else (found or {})["finished"]
    )
    context |= {"search": found, "begun": opened is not None, "running": running}
    html = environment().get_template("report.html.j2").render(context)
    write_page(place, html)
    if plots is not None:
        _write_plots(Path(plots), gallery)
    return place


def _place(directory: Path | None, path: str | Path | None) -> Path:
    if path is not None:
        return Path(path)
    if directory is None:
        raise InputError(
            "This study has no folder, so say where its page goes: report(study, path)."
        )
    return directory / "report.html"


def _opened(study: Any, directory: Path | None, found: Mapping[str, Any] | None) -> Study | None:
    """Return the study that a page is about; None where a search has not begun to confirm."""
    if isinstance(study, Study):
        return study
    assert directory is not None
    place = search.studied(directory)
    if found is not None and place == directory:
        return None
    if not (place / "study.json").is_file():
        raise InputError(
            f"{place} is no study folder: it holds no study.json. "
            "Give the --out folder of equipoise compare, evaluate or search."
        )
    return open_study(place)


def audit_page(
    audit: Mapping[str, Any],
    path: str | Path,
    *,
    source: str = "",
    notes: Sequence[str] = (),
    deep: DeepAudit | None = None,
) -> Path:
    """Write the page of an audit alone.

    Parameters
    ----------
    audit : mapping
        What `Audit.to_dict` returns.
    path : str or Path
        The HTML file.
    source : str
        The data set as it was given.
    notes : sequence of str
        What the reader changed on the way.
    deep : DeepAudit, optional
        What `audit_deep` found: shown first, with pictures.
    """
    place = target(Path(path))
    check_apart(place, source)
    context = {
        "audit": audit_view(audit),
        "source": source,
        "notes": list(notes),
        "deep": None if deep is None else deep_view(deep),
    }
    write_page(place, environment().get_template("audit.html.j2").render(context))
    return place


def _context(study: Study, files: StudyFiles, gallery: Gallery) -> dict[str, Any]:
    summary, answer = study.summary, study.summary.answer
    metrics, blocks = tables.every_metric(summary)
    probed = diagnosis.techniques_probed(summary)
    telling = diagnosis.telling_classes(summary)
    headline = tables.headline_metrics(summary)
    audit = summary.data.audit
    return {
        "summary": summary,
        "answer": answer,
        "step": next_step(summary, study.directory, data_of(summary)),
        "left": seconds_left(summary),
        "names": list(summary.recipes),
        "classes": summary.data.classes,
        "margin": formats.points(summary.objective, summary.margin),
        "runs": {"done": sum(row.runs for row in summary.table), "missing": len(summary.missing)},
        "gaps": _gaps(summary, files, gallery) if summary.kind == "comparison" else [],
        "verdicts": tables.verdicts(summary, answer.recipe),
        "heat": {d: class_rows(summary, d) for d in _deciding_first(summary)},
        "headline": [tables.with_unit(metric, summary.positive_class) for metric in headline],
        "decisions": tables.decisions(summary),
        "overall": tables.overall_heads(summary),
        "comparison": tables.comparison(summary, answer.recipe if answer.kind == "use" else ""),
        "metrics": [(*tables.with_unit(m, None), tables.better_when(m)) for m in metrics],
        "blocks": blocks,
        "beside": tables.beside(summary),
        **diagnosis.context(summary, telling),
        "costs": tables.costs(summary),
        "confusions": {
            row.recipe: tables.confusions(row, summary.data.classes) for row in summary.table
        },
        "gallery": gallery,
        "findings": findings(summary, files),
        "probe": diagnosis.overview(summary),
        "probed": probed,
        "telling": telling,
        "technique_tables": {t: diagnosis.technique_table(summary, t, telling) for t in probed},
        "pictures": {
            name: shown
            for name, path in files.examples.items()
            if (shown := picture(path, name)) is not None
        },
        "audit": audit_view({} if audit is None else audit.to_dict()),
        "recipes": {name: _shortest(one) for name, one in summary.recipes.items()},
        "trainer": _shortest(summary.trainer),
        "remedies": {
            name: _shortest(Recipe.model_validate(yaml.safe_load(text)))
            for name, text in summary.shortcut_remedies.items()
        },
    }


def _deciding_first(summary: StudySummary) -> list[str]:
    """The decisions that figures can be switched to, the one that decides first."""
    return sorted(tables.decisions(summary), key=lambda decision: decision != summary.decision)


def _shortest(given: Recipe | Trainer | None) -> str:
    """Return a recipe or trainer as YAML that holds only what differs from the defaults."""
    if given is None:
        return ""
    differs = given.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump({"name": given.name, **differs}, sort_keys=False, allow_unicode=True)


def _gaps(summary: StudySummary, files: StudyFiles, gallery: Gallery) -> list[str]:
    """What is not there that should be, in sentences."""
    wrong = [f"trials/{name} is left out: {what}." for name, what in summary.damaged.items()]
    without = [name for name in summary.recipes if name not in gallery.trade_offs]
    names = ", ".join(without)
    silent = [f"No predictions to read yet for {names}: their curves are left out."]
    return [*files.gaps, *wrong, *silent[: len(without)]]


def audit_view(audit: Mapping[str, Any]) -> dict[str, Any]:
    """Return an audit as the template shows it: counts with bars, and lists cut to length."""
    classes = [dict(entry) for entry in audit.get("classes") or ()]
    largest = max((c.get("training") or 0 for c in classes), default=0) or 1
    for entry in classes:
        entry["bar"] = round(100 * (entry.get("training") or 0) / largest, 1)
    lists = {}
    for key in _FINDINGS:
        lists[key] = _cut_list(audit.get(key) or ())
    near = [one for one in audit.get("near_duplicates") or () if len(set(one["splits"])) < 2]
    return {
        "near": _cut_list(near),
        "near_looked_for": audit.get("near_duplicates") is not None,
        "images": audit.get("images"),
        "ratio": audit.get("imbalance_ratio"),
        "classes": classes,
        "splits": [s for s in ("training", "validation", "test") if any(s in c for c in classes)],
        "left_out": [_left_out(entry).line for entry in audit.get("left_out") or ()],
        "sizes": dict(audit.get("sizes") or {}),
        "shapes": audit.get("shapes"),
        "modes": dict(audit.get("modes") or {}),
        **lists,
    }


def _left_out(entry: Mapping[str, Any]) -> LeftOut:
    return LeftOut(entry["reason"], entry["count"], tuple(entry["names"]))


def _cut_list(found: Sequence[Any]) -> dict[str, Any]:
    """Return the first findings, the first names of each, and how many findings there are."""
    items = [_as_names(item) for item in found[:_LISTED]]
    shown = [
        names if len(names) <= _NAMED else [*names[:_NAMED], f"and {len(names) - _NAMED} more"]
        for names in items
    ]
    return {"items": shown, "count": len(found)}


def _as_names(item: Any) -> list[str]:
    """Return a finding as the names in it, whether it is a name, a list or a mapping."""
    if isinstance(item, Mapping) and "images" in item:
        places = [item["images"], item.get("splits") or (), item.get("classes") or ()]
        # Images of one picture: each with its split and class, where all of them are given.
        if len({len(place) for place in places}) == 1:
            return [
                f"{name} ({split}, {label})" for name, split, label in zip(*places, strict=True)
            ]
        return _as_names(item["images"])
    if isinstance(item, Mapping):
        found = item.get("images", item.values())
        return [name for value in found for name in _as_names(value)]
    if isinstance(item, list | tuple):
        return [name for value in item for name in _as_names(value)]
    return [str(item)]


def environment() -> Environment:
    """Return what makes pages of the templates."""
    loader = PackageLoader("equipoise.reports", "templates")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (loader.get_source(environment, name)[0] for name in ("style.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals.update(
        style=Markup(style),
        script=Markup(script),
        script_digest=digest,
        version=__version__,
    )
    environment.filters.update(
        percent=formats.percent,
        duration=formats.duration,
        level=formats.level,
        change=formats.change,
        quoted=formats.quoted,
        count=formats.count,
        metric_name=formats.metric_name,
        in_sentence=formats.in_sentence,
        plural=plural,
    )
    return environment


def target(path: Path) -> Path:
    """Return the path of a page, or raise `InputError` where none can be put there."""
    if path.is_dir():
        raise InputError(f"{path} must be a file to write, but it is a folder.")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {path.parent}.")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path} cannot be written: no right to write to {path.parent}.")
    return path


def write_page(path: Path, text: str) -> None:
    """Write a file whole or not at all, so that a reader never sees half a page."""
    try:
        with atomic(path) as draft:
            # A file name that is no UTF-8 arrives as lone surrogates.
            draft.write_bytes(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise WorkError(f"{path} could not be written: {error.strerror}.") from None


def _write_plots(directory: Path, gallery: Gallery) -> None:
    for name, text in gallery.files.items():
        write_page(directory / f"{name}.svg", text)
