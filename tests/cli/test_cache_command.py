"""The cache on the command line: where it is, how large, empty again."""

import json
import os

import numpy as np

from equipoise.backbones import ActivationCache, Trunk, activations
from equipoise.cli import run


def test_where_how_large_and_cleared(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "other"))
    pictures = np.zeros((5, 4, 4, 3), np.uint8)
    pictures[:, 0, 0, 0] = range(5)
    trunk = Trunk(lambda some: some.mean((1, 2)).astype(np.float32), "a")
    cache = ActivationCache(tmp_path / "mine" / "activations")
    activations(lambda a, b: pictures[a:b], 5, trunk, cache)
    command = ["cache", "--cache", str(tmp_path / "mine"), "--json"]
    assert run(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == str(cache.folder)
    assert told["bytes"] == cache.size() > 0
    assert os.environ["EQUIPOISE_CACHE"] == str(tmp_path / "other")
    assert run([*command, "--clear"]) == 0
    assert json.loads(capsys.readouterr().out)["freed"] == told["bytes"]
    assert cache.size() == 0
