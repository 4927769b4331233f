import inspect
import json

import pytest

import equipoise as eq
from equipoise import InputError
from equipoise.backbones import get_backbone
from equipoise.cli import models, run, searching, studies
from equipoise.selection import LARGE, Selection
from equipoise.training import budget
from equipoise.training.trainers import NAMED, Trainer, get_trainer, large_side, with_trainer


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


def test_everything_leaves_the_choice_to_the_pictures_by_default():
    commands = (studies.compare, searching.search, models.train)
    for function in (eq.compare, eq.search, eq.train, *commands):
        assert inspect.signature(function).parameters["trainer"].default is None


def test_the_upright_trainer_mirrors_nothing_and_is_else_the_default():
    upright, fast = get_trainer("upright"), get_trainer("fast")
    plain = {"flip": "none", "test_time_flip": False, "name": "upright"}
    assert upright == fast.model_copy(update=plain)


@pytest.mark.parametrize(
    ("size", "spec", "net", "expected"),
    [
        (64, None, None, "fast"),
        (65, None, None, "finetune"),
        (96, "fast", None, "fast"),
        (96, None, "airbench", "fast"),
    ],
)
def test_the_pictures_choose_the_trainer_where_none_is_named(photos, size, spec, net, expected):
    data = eq.load(photos, size=size)
    told, trainer = with_trainer(data, spec, net=net, epochs=2)
    assert (trainer.name, trainer.epochs) == (expected, 2)
    new = told.notes[len(data.notes) :]
    assert len(new) == (spec is None and net is None)
    assert all(f"Trainer {expected}" in note and f"{size}×{size}" in note for note in new)
    assert told.digest == data.digest


def test_larger_pictures_are_brought_to_the_size_of_the_trainer():
    assert large_side(None) == large_side("finetune") == LARGE == get_backbone("lite0").side
    assert large_side("fast") == large_side(None, "airbench") == 64
    assert Selection().large == LARGE


def test_the_line_on_the_trainer_stands_before_the_work(photos, tmp_path, capsys):
    command = ["train", str(photos), "--recipe", "none", "--epochs", "1", "--out"]
    assert run([*command, str(tmp_path / "a"), "--json"]) == 0
    out = capsys.readouterr()
    assert "Trainer fast (a net from scratch): the pictures are 8×8" in out.err
    assert any(note.startswith("Trainer fast") for note in json.loads(out.out)["notes"])
    assert run([*command, str(tmp_path / "b"), "--quiet"]) == 0
    assert run([*command, str(tmp_path / "c"), "--trainer", "fast"]) == 0
    assert "net from scratch" not in capsys.readouterr().err


@pytest.mark.parametrize("name", [None, "finetune", "probe"])
def test_a_small_set_gets_more_epochs_unless_they_are_given(photos, name):
    data = eq.load(photos, size=96)
    steps = [
        budget(data.train.labels, with_trainer(data, name, epochs=epochs)[1]).steps
        for epochs in (None, 2)
    ]
    assert steps[0] >= 200 > steps[1]
    assert NAMED["finetune-all"].least_steps == 0
