import inspect

import pytest

import equipoise as eq
from equipoise import InputError, cli
from equipoise.training.trainers import DEFAULT, NAMED, Trainer, get_trainer


def test_the_articles_trainer_is_the_articles():
    trainer = get_trainer("article")
    assert (trainer.net, trainer.optimiser, trainer.schedule) == ("article", "adam", "constant")
    assert (trainer.learning_rate, trainer.batch_size, trainer.epochs) == (1e-3, 64, 10)


@pytest.mark.parametrize("name", NAMED)
def test_a_trainer_comes_back_from_its_yaml(name, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(NAMED[name].to_yaml())
    assert get_trainer(path) == NAMED[name]


def test_a_file_may_say_only_what_differs_or_hold_a_recipe_too(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text("epochs: 3\n")
    assert get_trainer(path) == Trainer(name="mine", epochs=3)
    path.write_text("recipe: {name: none}\ntrainer: {name: best, batch_size: 32}\n")
    assert get_trainer(str(path)) == Trainer(name="best", batch_size=32)
    assert get_trainer("article", epochs=2, net="article").epochs == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epocs: 3", "no field 'epocs'. Did you mean 'epochs'"),
        ("epochs: 0", "epochs: .*got 0"),
        ("batch_size: 1", "batch_size: .*got 1"),
        ("net: articel", "no net 'articel'. Did you mean 'article'"),
        ("- 1", "must hold a trainer's fields"),
        ("a: [", "is not YAML"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_one_line(text, message, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        get_trainer(path)
    assert "\n" not in str(caught.value)


def test_names_and_epochs_are_checked():
    with pytest.raises(InputError, match=r"no trainer 'articl'. Did you mean 'article'"):
        get_trainer("articl")
    with pytest.raises(InputError, match="1 <= epochs"):
        get_trainer(epochs=0)
    with pytest.raises(InputError, match="No such file"):
        get_trainer("missing.yaml")


def test_everything_trains_with_the_same_trainer_by_default():
    commands = (cli.studies.compare, cli.searching.search)
    for function in (eq.compare, eq.search, eq.train, *commands):
        assert inspect.signature(function).parameters["trainer"].default == DEFAULT
    assert get_trainer() == NAMED[DEFAULT]


def test_the_upright_trainer_mirrors_nothing_and_is_else_the_default():
    upright, fast = get_trainer("upright"), get_trainer("fast")
    plain = {"flip": "none", "test_time_flip": False, "name": "upright"}
    assert upright == fast.model_copy(update=plain)
