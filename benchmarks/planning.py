"""Time and memory of planning ten million copies over a million sources of a thousand classes.

Run: python benchmarks/planning.py
"""

import resource
from time import perf_counter

import numpy as np

from equipoise.planning import plan

SOURCES, CLASSES, COPIES = 1_000_000, 1_000, 10_000_000


def main() -> None:
    ids = np.arange(SOURCES) * 2654435761 % 2**61
    labels = ids % CLASSES
    sizes = np.bincount(labels)
    strategy = dict(enumerate((sizes + COPIES // CLASSES).tolist()))
    small = np.arange(20)
    plan(small % 3, "auto", 3, seed=0, ids=small)  # imports and reads the compiled kernels
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = perf_counter()
    made = plan(labels, strategy, 5, seed=0, ids=ids)
    seconds = perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{len(made):,} copies of {SOURCES:,} sources in {CLASSES:,} classes")
    print(f"time         {seconds:.2f} s (to stay under 2 s)")
    print(
        f"peak memory  {after / 1024:.0f} MB in all, {(after - before) / 1024:.0f} MB by planning"
    )


if __name__ == "__main__":
    main()
