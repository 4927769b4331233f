"""The one contract that every technique of the catalogue keeps."""

import json
import pickle
from hashlib import blake2b

import numpy as np
import pytest

from equipoise.engine import augment
from equipoise.errors import InputError
from equipoise.techniques import CATALOGUE, FAMILIES, register, resolve

NAMES = list(CATALOGUE)
SHAPES = [(2, 2), (2, 7), (3, 5), (33, 17), (32, 32)]

# What these do to an image depends on their parameters alone.
FIXED = {
    "flip",
    "vertical_flip",
    "autocontrast",
    "grayscale",
    "posterize",
    "solarize",
    "blur",
    "sharpen",
    "jpeg",
    "downscale",
}

GOLDEN = {
    "crop": "007d3671791096c7",
    "flip": "1e30ac2a9fc8e9e6",
    "vertical_flip": "5d86a65e9a31113d",
    "rotate90": "850bc4200b78148d",
    "rotate": "f801c529df8a7ddc",
    "translate": "8c6fb2541db6f420",
    "shear": "007e82cfefc59908",
    "zoom": "a9454ee5554a1d6c",
    "brightness": "4d8000f98d473599",
    "contrast": "35cef61afd580b13",
    "autocontrast": "5c9fd72f3a416c90",
    "saturation": "1612412692d77524",
    "grayscale": "2092a68b102697e1",
    "hue": "3ade1b398a33c35f",
    "gamma": "6fdbfcf84cd549a9",
    "posterize": "1728dc16bb2d8466",
    "solarize": "fea22fd339feade3",
    "noise": "c6b2b794b64e7f58",
    "gaussian_noise": "7a41fe20af4bf903",
    "blur": "0c8f69ead860b9c6",
    "motion_blur": "31d2c65a2f850a53",
    "sharpen": "570814e90b9db6ac",
    "downscale": "033cb848570781ad",
    "erase": "e82dfb6f463a7a80",
    "one_of": "51073d881a7b605f",
    "chain": "9db107c949464037",
    "trivial": "f2fcd4e8173318d7",
}


def suited(name, channels):
    return channels >= 3 or not CATALOGUE[name].needs_colour


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_any_shape_is_kept_and_the_input_is_unchanged(name, channels, patches):
    for height, width in SHAPES:
        images = patches(5, height, width, channels)
        before = images.copy()
        if not suited(name, channels):
            with pytest.raises(InputError, match=f"{name} needs colour images"):
                augment(images, name, seed=0, ids=np.arange(5))
            continue
        result = augment(images, name, seed=0, ids=np.arange(5))
        assert result.shape == images.shape
        assert result.dtype == np.uint8
        assert result.flags.writeable
        assert not np.may_share_memory(result, images)
        assert np.array_equal(images, before)


@pytest.mark.parametrize("name", NAMES)
def test_the_address_and_nothing_else_decides(name, patches):
    images, ids = patches(12, 32, 32), np.arange(100, 112)
    result = augment(images, name, seed=1, ids=ids, threads=1)
    assert np.array_equal(result, augment(images, name, seed=1, ids=ids, threads=2))
    for cut in (1, 5):
        halves = [
            augment(images[part], name, seed=1, ids=ids[part])
            for part in (slice(None, cut), slice(cut, None))
        ]
        assert np.array_equal(result, np.concatenate(halves))
    order = np.random.default_rng(0).permutation(12)
    shuffled = augment(images[order], name, seed=1, ids=ids[order])
    assert np.array_equal(result[order], shuffled)
    listed = augment(list(images), name, seed=1, ids=ids)
    assert np.array_equal(result, np.stack(listed))


@pytest.mark.parametrize("name", NAMES)
def test_every_part_of_the_address_counts(name, patches):
    images = np.repeat(patches(1, 32, 32), 8, axis=0)
    address = {"seed": 1, "ids": np.arange(8), "copy": 2, "epoch": 3, "place": 4}
    result = augment(images, name, **address)
    changes = [{"seed": 2}, {"ids": np.arange(8) + 8}, {"copy": 3}, {"epoch": 4}, {"place": 5}]
    for change in changes:
        same = np.array_equal(result, augment(images, name, **{**address, **change}))
        assert same == (name in FIXED)
    if name not in FIXED:
        assert len({image.tobytes() for image in result}) > 1


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_magnitude_nought_changes_nothing_and_the_default_does(name, channels, patches):
    if not suited(name, channels):
        return
    images, ids = patches(16, 17, 20, channels), np.arange(16)
    spec = {name: CATALOGUE[name].at(0)}
    assert np.array_equal(augment(images, spec, seed=3, ids=ids), images)
    assert not np.array_equal(augment(images, name, seed=3, ids=ids), images)
    full = augment(images, {name: CATALOGUE[name].at(1)}, seed=3, ids=ids)
    assert not np.array_equal(full, images)


@pytest.mark.parametrize("name", [n for n in NAMES if CATALOGUE[n].family != "policy"])
def test_change_grows_with_the_magnitude(name, patches):
    images, ids = patches(64, 32, 32), np.arange(64)
    changes = []
    for magnitude in (0.0, 0.5, 1.0):
        result = augment(images, {name: CATALOGUE[name].at(magnitude)}, seed=0, ids=ids)
        changes.append(np.abs(result.astype(int) - images).mean())
    assert 0 == changes[0] < changes[1] < changes[2]


@pytest.mark.parametrize("name", ["brightness", "contrast", "autocontrast", "saturation", "hue"])
def test_alpha_is_left_alone_by_colour(name, patches):
    images, ids = patches(9, 16, 12, 4), np.arange(9)
    result = augment(images, name, seed=0, ids=ids)
    assert np.array_equal(result[..., 3], images[..., 3])
    assert np.array_equal(
        result[..., :3], augment(np.ascontiguousarray(images[..., :3]), name, seed=0, ids=ids)
    )


@pytest.mark.parametrize("name", ["gamma", "grayscale", "posterize", "solarize", "jpeg"])
def test_alpha_is_left_alone_by_others(name, patches):
    images = patches(9, 16, 12, 4)
    result = augment(images, name, seed=0, ids=np.arange(9))
    assert np.array_equal(result[..., 3], images[..., 3])


@pytest.mark.parametrize("name", NAMES)
def test_declared_once(name):
    definition = CATALOGUE[name]
    assert definition.family in FAMILIES
    assert definition.summary.endswith((".", ")."))
    technique = resolve(name)
    assert technique.family == definition.family
    for parameter in definition.parameters:
        assert parameter.doc.endswith(".")
        assert parameter.unit
        assert parameter.low <= parameter.default <= parameter.high
        assert technique.parameters[parameter.name] == parameter.default
        for wrong in (parameter.low - 1, parameter.high + 1, float("nan"), "much", None, True):
            with pytest.raises(InputError, match=parameter.name):
                resolve({name: {parameter.name: wrong}})
    assert any(parameter.none is not None for parameter in definition.parameters)


@pytest.mark.parametrize("name", NAMES)
def test_a_technique_is_plain_data(name):
    technique = resolve(name)
    assert pickle.loads(pickle.dumps(technique)) == technique
    assert resolve(json.loads(json.dumps(technique.spec))) == technique
    assert hash(technique) == hash(resolve(name))
    assert resolve(technique) is technique


@pytest.mark.parametrize("name", [n for n in NAMES if n != "jpeg"])
def test_bytes_stay_the_same(name, patches):
    """Stored digests: another process, machine or day. A change needs a new ENGINE_VERSION."""
    del patches
    ramp = np.arange(2 * 24 * 20 * 3, dtype=np.uint64) * 2654435761 >> 13 & 255
    images = ramp.astype(np.uint8).reshape(2, 24, 20, 3)
    result = augment(images, name, seed=11, ids=[5, 2**33 + 1], copy=[0, 3], epoch=2)
    assert blake2b(result.tobytes(), digest_size=8).hexdigest() == GOLDEN[name]


def test_unknown_names_and_parameters_are_named():
    with pytest.raises(InputError, match="Did you mean 'noise'"):
        resolve("nois")
    with pytest.raises(InputError, match="Did you mean 'white'"):
        resolve({"noise": {"whit": 0.1}})
    with pytest.raises(InputError, match=r"white \+ black <= 1 must hold, but got white=0.7"):
        resolve({"noise": {"white": 0.7, "black": 0.5}})
    with pytest.raises(InputError, match=r"0.05 <= scale <= 1 must hold, but got scale=1.5"):
        resolve({"crop": {"scale": 1.5}})
    with pytest.raises(InputError, match="kernel must be one of 1, 3, …, but got kernel=4"):
        resolve({"blur": {"kernel": 4}})
    for spec in (3, None, {}, {"crop": {}, "flip": {}}, {"crop": [1]}):
        with pytest.raises(InputError):
            resolve(spec)


def test_a_callable_joins_by_name(patches):
    technique = register("inverted", lambda image, rng: 255 - image)
    assert resolve("inverted") == technique
    images = patches(3, 8, 8)
    assert np.array_equal(augment(images, "inverted", seed=0, ids=[0, 1, 2]), 255 - images)
    with pytest.raises(InputError, match="takes no parameters"):
        resolve({"inverted": {"much": 1}})
    with pytest.raises(InputError, match="'crop' is a technique of the catalogue"):
        register("crop", lambda image, rng: image)
