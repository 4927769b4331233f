"""What to do after a study, and how long a running one still takes."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from equipoise.objectives import get_objective
from equipoise.selection import Selection
from equipoise.studies.summary import StudySummary

__all__ = ["Step", "data_of", "next_step", "seconds_left"]


@dataclass(frozen=True)
class Step:
    """What to do next: in words, and as a command to copy where there is one."""

    words: str
    command: str = ""


def next_step(summary: StudySummary, folder: Path | None, data: str) -> Step:
    """Return what to do after a study: use what it recommends, or look longer.

    Parameters
    ----------
    summary : StudySummary
    folder : Path, optional
        Of the study.
    data : str
        DATA with the options of its selection, as a command takes them.
    """
    answer, again = summary.answer, summary.command
    if not summary.finished and answer.kind in ("undecided", "no verdict"):
        return Step("The same command again, if it was stopped: finished runs are kept.", again)
    if summary.kind == "evaluation":
        if answer.kind in ("undecided", "no verdict"):
            words = "Add runs or test images to the predictions, and give the same command again."
            return Step(words, again)
        return Step(f"Go on with the nets of “{answer.recipe}”, {answer.decision} decision.")
    if answer.kind in ("use", "tune", "keep") and folder is not None:
        recipe = shlex.quote(str(folder / "recipes" / f"{answer.recipe}.yaml"))
        goal = "".join(f" {shlex.quote(word)}" for word in get_objective(summary.tuned_for).options)
        command = f"equipoise train {data} --recipe {recipe}{goal} --out model"
        return Step("Train the model that will be used.", command)
    if len(summary.recipes) == 1:
        return Step("The same command with more --recipes; finished runs are kept.", again)
    asked = summary.question
    open_ones = () if asked is None else asked.having("undecided")
    if answer.kind == "no verdict" or any(one.stopped != "more test images" for one in open_ones):
        words = "The same command with more seeds; finished runs are kept."
        return Step(words, _with_more_seeds(summary))
    return Step("The same with more test images: more seeds would not decide it.")


def _with_more_seeds(summary: StudySummary) -> str:
    """A study's command with about twice the seeds; as it is where it cannot be read."""
    words = shlex.split(summary.command) if summary.command else []
    option = "--seeds" if "--seeds" in words and "auto" not in words else "--most-seeds"
    if len(words) < 2 or words[1] != "compare":
        return summary.command
    if option in words:
        place = words.index(option)
        words[place : place + 2] = []
    return shlex.join([*words, option, str(2 * summary.looks.most_seeds)])


def data_of(summary: StudySummary) -> str:
    """Return DATA with the options that it was selected and cut by in the study's own command."""
    words = shlex.split(summary.command) if summary.command else []
    kept = [summary.data.source]
    for name in (*_selecting(), "--seed"):
        if name in words:
            place = words.index(name)
            value = words[place + 1 : place + 2]
            kept += [name, *(word for word in value if not word.startswith("--"))]
    return shlex.join(kept)


def _selecting() -> Sequence[str]:
    """The options of the command line that say which images of DATA are meant."""
    told = [one for one in fields(Selection) if "help" in one.metadata]
    return [
        name
        for one in told
        for name in one.metadata["names"] or (f"--{one.name.replace('_', '-')}",)
        if name.startswith("--")
    ]


def seconds_left(summary: StudySummary) -> float | None:
    """Return about how long the missing runs take on all cores; None while no run is finished."""
    took = {r.recipe: r.seconds.mean for r in summary.table if r.seconds and r.seconds.mean}
    if not took or not summary.missing:
        return None
    usual = sum(took.values()) / len(took)
    work = sum(took.get(name.split(" seed ")[0], usual) for name in summary.missing)
    cores = summary.machine.get("cores")
    return work / min(cores if isinstance(cores, int) else 1, len(summary.missing))
