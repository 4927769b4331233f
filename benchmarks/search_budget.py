"""How long does `equipoise search --budget` take, from the start of its process to its end?

    python benchmarks/search_budget.py [DATA] [--budgets 60s 120s 10m] [-- SEARCH OPTIONS]

A row a budget: what the whole command took, of that what came after the search itself (the page,
the end of the process), and what was used up. A search that has tried all it may, or whose
confirmation is decided, ends earlier. The exit code is 1 where one took more than 10 % too long, or
where one whose time was used up took 10 % less. The machine must be idle.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from equipoise.studies.timing import seconds_of

_NEAR = 0.1


def searched(words: list[str], out: Path) -> float:
    """Run a search as a process of its own; return the seconds it took."""
    began = time.monotonic()
    command = [sys.executable, "-m", "equipoise", "search", *words, "--out", str(out), "--quiet"]
    subprocess.run(command, check=True)
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", default="digits")
    parser.add_argument("--budgets", nargs="+", default=["60s", "120s", "10m"])
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    asked, options = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    print("| budget, s | took, s | of it | after the search, s | trials | seeds | used up |")
    print("|---|---|---|---|---|---|---|")
    held = True
    for budget in asked.budgets:
        seconds = seconds_of(budget)
        with tempfile.TemporaryDirectory() as folder:
            took = searched([asked.data, "--budget", budget, *options], Path(folder) / "out")
            found = json.loads((Path(folder) / "out" / "search.json").read_text())
            study = json.loads((Path(folder) / "out" / "confirm" / "summary.json").read_text())
        trials, limit = len(found["leaderboard"]), found["budget"]["trials"]
        seeds, decided = len(study["seeds"]), study["answer"]["kind"] != "undecided"
        used = "trials" if trials >= limit else "confirmation" if decided or seeds >= 9 else "time"
        held &= took <= (1 + _NEAR) * seconds
        held &= used != "time" or took >= (1 - _NEAR) * seconds
        after = took - found["budget"]["spent"]
        print(
            f"| {seconds:g} | {took:.1f} | {took / seconds:.0%} | {after:.1f} | {trials} | {seeds} "
            f"| {used} |",
            flush=True,
        )
    sys.exit(not held)


if __name__ == "__main__":
    main()
