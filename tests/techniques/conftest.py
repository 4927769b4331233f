"""What the techniques' tests share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def carried_out() -> Callable[..., NDArray[np.uint8]]:
    """The apply step alone: carried_out(kernel, images, *arrays) as the engine calls it."""

    def carry(kernel: Callable[..., None], images: NDArray[np.uint8], *arrays: Any) -> Any:
        out = np.empty_like(images)
        frozen = images.view()
        frozen.flags.writeable = False
        kernel(frozen, out, *arrays)
        return out

    return carry
