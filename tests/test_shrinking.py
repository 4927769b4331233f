"""A file that is read as a map and becomes shorter: a line, not a bus error."""

import subprocess
import sys

import numpy as np
import pytest

READ = """
import os, sys
import numpy as np
import equipoise as eq
from equipoise.parallel import scattered
from equipoise.readers import npz

npz._MAPPED = 0
source, how = sys.argv[1:]
given = source if source.endswith(".npz") else (np.load(source, mmap_mode="r"), np.arange(600) % 2)
images = eq.load(given, cut=False).train.images
if how == "here":
    os.truncate(source, 5000)
    images[-100:].sum()
else:
    done = scattered(lambda row: int(images[row].sum()), range(599, 595, -1), jobs=2)
    os.truncate(source, 5000)
    try:
        list(done)
    except eq.WorkError as error:
        sys.exit(f"equipoise: {error}")
"""


@pytest.mark.parametrize("how", ["here", "workers"])
@pytest.mark.parametrize("name", ["set.npz", "images.npy"])
def test_it_is_named(name, how, tmp_path):
    path = tmp_path / name
    images = np.zeros((600, 16, 16, 3), np.uint8)
    with path.open("wb") as file:
        if name == "set.npz":
            np.savez(file, images=images, labels=np.arange(600) % 2)
        else:
            np.save(file, images)
    command = [sys.executable, "-c", READ, path, how]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"equipoise: {path} became shorter while it was read, by ")
    assert done.stderr.count("\n") == 1
