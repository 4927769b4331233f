"""What decides a run besides its data: what must be the same for a folder to be gone on with.

What a recipe or a trainer names and does not hold (the images of a folder, a file of weights, a
function of the user's) stands there by what it is now. The keys word the refusal.
"""

import json
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

import torch

from equipoise.backbones import BACKBONES, get_backbone
from equipoise.engine import own_techniques
from equipoise.errors import InputError, reason
from equipoise.extras import extra_images
from equipoise.images import Splits
from equipoise.recipes import Recipe
from equipoise.training.nets import Net, build_net
from equipoise.training.stored import packed
from equipoise.training.trainers import Trainer

__all__ = ["contents", "identity", "of_net", "of_recipe", "of_trainer"]


def of_recipe(data: Splits, recipe: Recipe) -> dict[str, Any]:
    """Return a recipe and all that it names; `data` may hold its extra images already."""
    # What is at its default is left out, so that a field added later changes nothing.
    fields = recipe.model_dump(mode="json", exclude_defaults=True)
    return {"recipe": fields, **contents(data, recipe)}


def contents(data: Splits, recipe: Recipe) -> dict[str, Any]:
    """Return digests of what a recipe names and does not hold; empty for most recipes."""
    extra = extra_images(data, recipe)
    own = own_techniques(recipe.resolved(), data.train.images)
    return {
        **({} if extra is None else {"content of the extra folder": extra.digest}),
        **({"technique of your own": own} if own else {}),
    }


def of_trainer(trainer: Trainer) -> dict[str, Any]:
    """Return a trainer and the weights that it starts from, where its fields do not say them."""
    fields: dict[str, Any] = {"trainer": trainer.model_dump(mode="json", exclude_defaults=True)}
    if trainer.backbone is not None and trainer.backbone not in BACKBONES:
        fields["content of the backbone"] = get_backbone(trainer.backbone).digest
    if trainer.weights is None or not Path(trainer.weights).is_file():
        return fields
    try:
        with Path(trainer.weights).open("rb") as file:
            digest = file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise InputError(f"weights: {trainer.weights}: {reason(error)}.") from None
    return {**fields, "content of the file of weights": digest}


def of_net(net: Net, data: Splits, seed: int) -> str:
    """Return what tells a net of the user's from another: its layers, weights and answers.

    Its answers are to one picture, rounded, so that the same net is known on another machine.
    """
    height, width, channels = data.train.array.shape[1:]
    module = build_net(net, channels, len(data.classes), (height, width), seed).eval()
    state = blake2b(repr(module).encode() + packed(module.state_dict()), digest_size=8)
    picture = torch.linspace(-1, 1, channels * height * width).view(1, channels, height, width)
    with torch.inference_mode():
        answers = module(picture).flatten().tolist()
    state.update(" ".join(f"{value:.3g}" for value in answers).encode())
    return state.hexdigest()


def identity(fields: dict[str, Any]) -> str:
    """Return a short digest of a fingerprint."""
    text = json.dumps(fields, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=16).hexdigest()
