"""Images from real ones of their class by a diffusion model, through the extra `diffusion`.

A training image is noised a part of the way and denoised again under a text that names the class
(C. Meng et al., "SDEdit: guided image synthesis and editing with stochastic differential
equations", ICLR 2022). How far is the strength: a little keeps the picture, all of the way leaves
nothing of it.
"""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from equipoise import keys
from equipoise.errors import InputError, WorkError, printable, reason, require
from equipoise.generating.making import Learner, Maker, Origin, Workplace, model_digest
from equipoise.images import ImageSet
from equipoise.readers.sizing import resize, scaled, to_channels

__all__ = ["diffusion"]

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_PIPELINE = "stable-diffusion-v1-5/stable-diffusion-v1-5"


def diffusion(
    train: ImageSet,
    *,
    pipeline: str = _PIPELINE,
    strength: float = 0.6,
    prompt: str = "a photograph of a {name}",
    steps: int = 50,
    guidance: float = 7.5,
    size: int = 512,
) -> Learner:
    """Return what loads a diffusion model.

    Parameters
    ----------
    train : ImageSet
    pipeline : str
        A local folder, or a name on Hugging Face's hub, of a pipeline that
        `AutoPipelineForImage2Image` of diffusers knows.
    strength : float
        In (0, 1].
    prompt : str
        With ``{name}`` for the name of the class.
    steps : int
        From pure noise to a picture: `strength` of them are made.
    guidance : float
        How much the text counts, at least 0.
    size : int
        Side in pixels that pictures are made at; 512 is what the default pipeline was trained on.

    Raises
    ------
    InputError
        For a value out of range, or without the extra.
    """
    for name, value, low, high in (
        ("strength", strength, 0, 1),
        ("guidance", guidance, -1e-9, 100),
        ("steps", steps, 0, 1000),
        ("size", size, 7, 4096),
    ):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        rule = f"{max(low, 0):g} {'<=' if low < 0 else '<'} {name} <= {high:g}"
        if not (number and low < value <= high):
            raise InputError(f"{rule} must hold, but got {name}={value!r}.")
    require(isinstance(steps, int), "steps a whole number", steps=steps)
    require(isinstance(size, int), "size a whole number", size=size)
    _check_place(pipeline)
    require(int(strength * steps) >= 1, "strength × steps >= 1", strength=strength, steps=steps)
    _prompts(prompt, train.classes)
    return partial(_load, train, pipeline, Style(prompt, strength, steps, guidance, size), _auto())


@dataclass(frozen=True)
class Style:
    """How an image is made; see `diffusion`."""

    prompt: str
    strength: float
    steps: int
    guidance: float
    size: int


def _check_place(pipeline: object) -> None:
    """Refuse what is neither a pipeline's folder nor can be a name on the hub."""
    folder = isinstance(pipeline, str) and (Path(pipeline) / "model_index.json").is_file()
    if not folder and not (isinstance(pipeline, str) and _NAME.fullmatch(pipeline)):
        raise InputError(
            f"pipeline is a local folder with model_index.json, or OWNER/NAME on Hugging Face's "
            f"hub, but got pipeline={printable(repr(pipeline))}."
        )


def _prompts(prompt: str, classes: tuple[str, ...]) -> dict[str, str]:
    try:
        return {name: prompt.format(name=name) for name in classes}
    except (KeyError, IndexError, ValueError, AttributeError):
        raise InputError(
            f"A prompt is text with {{name}} for the class, but got prompt={prompt!r}."
        ) from None


def _auto() -> Any:
    try:
        from diffusers import AutoPipelineForImage2Image
        from diffusers.utils import logging
    except (ImportError, RuntimeError) as error:
        # Beside another build of torch, torchvision raises RuntimeError when it is imported.
        raise InputError(
            f"method diffusion needs diffusers, which cannot be imported ({reason(error)}): "
            "pip install 'equipoise[diffusion]'."
        ) from None
    logging.disable_progress_bar()
    return AutoPipelineForImage2Image


def _load(train: ImageSet, name: str, style: Style, auto: Any, place: Workplace) -> Maker:
    half = torch.float16 if place.device.type == "cuda" else torch.float32
    try:
        pipe = auto.from_pretrained(name).to(place.device, half)
    except Exception as error:
        # Downloading, reading and building fail in ways of their own.
        raise WorkError(
            f"pipeline {printable(name)} cannot be loaded: {reason(error)}. Name a local folder, "
            "or one on the hub that this machine can reach."
        ) from None
    pipe.set_progress_bar_config(disable=True)
    modules = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    model = Model(pipe, style, train, place.seed)
    return Maker(model.origin, model.make, model_digest(*modules))


@dataclass(frozen=True)
class Model:
    """A loaded pipeline, and the images that it starts from."""

    pipe: Any
    style: Style
    train: ImageSet
    seed: int

    def origin(self, label: int, number: int) -> Origin:
        """Take the images of the class in turn, each round in another order."""
        rows = np.flatnonzero(self.train.labels == label)
        turn, place = divmod(number, len(rows))
        ranked = rows[keys.order(self.seed, self.train.ids[rows], "diffusion", epoch=turn)]
        text = _prompts(self.style.prompt, self.train.classes)[self.train.classes[label]]
        return Origin(int(ranked[place]), {"text": text})

    def make(self, label: int, number: int) -> NDArray[np.uint8]:
        """Noise a real image and denoise it under the class's text, at the image's own size."""
        origin, style = self.origin(label, number), self.style
        real = np.asarray(self.train.images[origin.source])
        start = to_channels(resize(real, style.size), 3)
        words = keys.words(keys.image_keys(self.seed, [number], copies=label), "diffusion", 2)[0]
        # Noise is drawn on the CPU: so it is the same on every device.
        noise = torch.Generator("cpu").manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)
        found = self.pipe(
            prompt=origin.details["text"],
            image=Image.fromarray(start),
            strength=style.strength,
            num_inference_steps=style.steps,
            guidance_scale=style.guidance,
            generator=noise,
            output_type="np",
        ).images[0]
        image = np.rint(np.asarray(found) * 255).clip(0, 255).astype(np.uint8)
        return to_channels(scaled(image, *real.shape[:2]), real.shape[2])
