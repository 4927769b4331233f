import numpy as np

from equipoise.recipes import get_recipe
from equipoise.training import Trainer, fit
from equipoise.training.jitter import shifted


def addresses(count, passes=0):
    return np.arange(count), np.zeros(count, np.int32), np.full(count, passes)


def test_every_shift_up_to_the_share_comes_and_its_rim_is_reflected():
    image = np.arange(7 * 9 * 3, dtype=np.uint8).reshape(1, 7, 9, 3)
    padded = np.pad(image[0], ((2, 2), (2, 2), (0, 0)), "reflect")
    windows = {
        padded[row : row + 7, column : column + 9].tobytes()
        for row in range(5)
        for column in range(5)
    }
    images = np.repeat(image, 2000, axis=0)
    moved = shifted(images, 0.25, *addresses(2000), seed=3)
    found, counts = np.unique(np.array([m.tobytes() for m in moved], object), return_counts=True)
    assert set(found) == windows
    # Each of the 25 about 80 times.
    assert np.sum((counts - 80) ** 2 / 80) < 60


def test_a_shift_depends_on_the_address_alone():
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1), dtype=np.uint8)
    ids, copy, passes = addresses(50)
    whole = shifted(images, 0.4, ids, copy, passes, seed=1)
    part = slice(20, 31)
    again = shifted(images[part], 0.4, ids[part], copy[part], passes[part], seed=1)
    np.testing.assert_array_equal(whole[part], again)
    assert np.any(whole != shifted(images, 0.4, *addresses(50, passes=1), seed=1))
    assert np.any(whole != shifted(images, 0.4, *addresses(50), seed=2))


def test_the_net_sees_shifted_images_of_every_class(digits):
    def distinct(**fields):
        trainer = Trainer(name="t", epochs=3, batch_size=16, **fields)
        return fit(digits, get_recipe("none"), trainer, seed=0).metrics["seen"]["images"]

    still, moving = distinct(), distinct(shift=0.25)
    assert all(moving[name] > 1.5 * still[name] for name in still)


def test_no_shift_leaves_the_images_as_they_are():
    images = np.zeros((2, 4, 4, 1), np.uint8)
    assert shifted(images, 0.0, *addresses(2), seed=0) is images
