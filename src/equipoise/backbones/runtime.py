"""Trunks in ONNX Runtime."""

from hashlib import sha256
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from equipoise.backbones.activations import Pictures, Trunk

__all__ = ["onnx_trunk"]


def onnx_trunk(graph: bytes) -> Trunk:
    """Return a trunk of a serialised model from `pictures` to `activations`."""
    run = _session(graph)
    runtime = f"onnxruntime {onnxruntime.__version__}"
    return Trunk(run, f"{runtime} {sha256(graph).hexdigest()}", graph)


def _session(graph: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    # One thread a call: calls run side by side, and results do not depend on how many there are.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def run(pictures: Pictures) -> NDArray[np.float32]:
        values: list[Any] = session.run(None, {"pictures": pictures})
        return values[0]

    return run
