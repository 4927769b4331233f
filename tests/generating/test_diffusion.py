"""Images by diffusion: a tiny pipeline of random weights, made and saved here, and mistakes."""

import json

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.backbones import ActivationCache
from equipoise.errors import InputError
from equipoise.generating import get_method
from equipoise.generating.making import Workplace

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def train(shots):
    return eq.load(shots).train


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """Stable Diffusion, as small as it can be, in a folder."""
    for name in ("diffusers", "transformers"):
        pytest.importorskip(name, reason=f"{name} comes with the extra diffusion")
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    root = tmp_path_factory.mktemp("pipeline")
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (root / "vocab.json").write_text(json.dumps({word: k for k, word in enumerate(words)}))
    (root / "merges.txt").write_text("#version: 0.2\n")
    torch.manual_seed(0)
    text = CLIPTextConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=40, bos_token_id=52, eos_token_id=53,
        pad_token_id=53, projection_dim=16,
    )  # fmt: skip
    down, up = ("DownBlock2D", "CrossAttnDownBlock2D"), ("CrossAttnUpBlock2D", "UpBlock2D")
    pipe = StableDiffusionPipeline(
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 8), latent_channels=4, norm_num_groups=4,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(
            str(root / "vocab.json"), str(root / "merges.txt"), model_max_length=40
        ),
        unet=UNet2DConditionModel(
            sample_size=16, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
            down_block_types=down, up_block_types=up, cross_attention_dim=16, attention_head_dim=2,
        ),
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False), safety_checker=None,
        feature_extractor=None, image_encoder=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.save_pretrained(root / "saved")
    return root / "saved"


def given(pipeline, **more):
    return {"pipeline": str(pipeline), "steps": 4, "size": 32, **more}


def maker(train, pipeline, seed=0, **more):
    _, _, begin = get_method({"diffusion": given(pipeline, **more)})
    return begin(train)(Workplace(pipeline, seed, CPU, lambda *told: None))


def test_images_start_from_real_ones_and_come_again(train, pipeline):
    first, again = (maker(train, pipeline) for _ in range(2))
    assert first.model == again.model
    image = first.make(1, 3)
    assert image.shape == (16, 16, 3)
    assert image.dtype == np.uint8
    assert (image == again.make(1, 3)).all()
    assert (image != maker(train, pipeline, seed=1).make(1, 3)).any()
    assert (image != maker(train, pipeline, strength=1.0).make(1, 3)).any()
    assert (image != maker(train, pipeline, prompt="{name}").make(1, 3)).any()


def test_every_real_image_has_its_turn(train, pipeline):
    model = maker(train, pipeline, prompt="one {name}")
    rows = np.flatnonzero(train.labels == 1)
    one, other = (
        [model.origin(1, turn * len(rows) + k).source for k in range(len(rows))] for turn in (0, 1)
    )
    assert sorted(one) == sorted(other) == rows.tolist()
    assert one != other
    assert model.origin(1, 0).details == {"text": "one palace"}


def test_the_whole_way(shots, pipeline, tmp_path):
    found = eq.generate(
        shots, tmp_path / "out", method={"diffusion": given(pipeline)},
        sampling_strategy={"flower": 27}, cache=ActivationCache(tmp_path / "cache"),
    )  # fmt: skip
    assert found.counts["flower"]["images"] >= 2
    assert found.parameters["strength"] == 0.6


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"pipeline": "no such folder"}, "pipeline is a local folder"),
        ({"pipeline": 3}, "pipeline is a local folder"),
        ({"strength": 0}, "0 < strength <= 1"),
        ({"strength": 1.5}, "0 < strength <= 1"),
        ({"strength": 0.1, "steps": 5}, "strength × steps >= 1"),
        ({"steps": 2.5}, "steps a whole number"),
        ({"guidance": -1}, "0 <= guidance"),
        ({"size": 4}, "size"),
        ({"prompt": "a {nme}"}, "{name}"),
        ({"prompt": "a {"}, "{name}"),
    ],
)
def test_mistakes_are_named_before_anything_is_loaded(train, parameters, words):
    _, _, begin = get_method({"diffusion": parameters})
    with pytest.raises(InputError) as caught:
        begin(train)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
