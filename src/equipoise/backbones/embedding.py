"""`embed`: pictures as vectors of a pretrained net."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from equipoise.backbones.activations import ActivationCache, Pictures, activations
from equipoise.backbones.named import get_backbone
from equipoise.images import ImageSet
from equipoise.readers.sizing import resize, to_channels

__all__ = ["embed"]


def embed(
    images: ImageSet | Pictures,
    backbone: str = "lite0",
    *,
    size: int | None = None,
    cache: ActivationCache | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Return embeddings of pictures by a pretrained net.

    Parameters
    ----------
    images : ImageSet or (N, H, W, C) uint8 array
        Grey pictures are brought to colour, transparency is laid on white.
    backbone : str
        `lite0`, `lite1`, `lite2`, FILE.onnx, `hf/` and a repository or folder, `timm/` and a name.
    size : int, optional
        Side in pixels that the pictures are brought to; by default the backbone's own.
    cache : ActivationCache, optional
        Where embeddings that were computed before are found; by default the user's.
    jobs : int, optional
        Threads; by default one a core. The result does not depend on it.
    progress : callable, optional
        Called with how many pictures are done and how many there are.

    Returns
    -------
    (N, D) float32
        Rounded to float16, as the cache keeps them. D is 1280 for the EfficientNet-Lite nets.
    """
    chosen = get_backbone(backbone)
    pictures = images.images if isinstance(images, ImageSet) else images
    side = size or chosen.size
    chosen.check_size((side, side))

    def block(start: int, stop: int) -> Pictures:
        return np.stack([to_channels(resize(pictures[i], side), 3) for i in range(start, stop)])

    trunk = chosen.trunk()
    found = activations(block, len(pictures), trunk, cache, jobs=jobs, progress=progress)
    return np.asarray(found, np.float32)
