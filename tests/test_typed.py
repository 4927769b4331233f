"""What people type as text: read strictly, or refused in a line."""

import pytest

from equipoise.cli import run
from equipoise.errors import InputError
from equipoise.planning import parse_strategy
from equipoise.studies.timing import seconds_of
from equipoise.typed import counts_of, names_of, number_of, shares_of

ODD = ["1=²", "1=٤", "1=1_0", "1=+5", "1=-5", "1=5.0", "1=1e2", "1=inf", "1=", "=5", "one", "", ","]
DOUBLED = ["1=1,1 =2", "1=1, 1=1", "red fox=1,red fox =2"]


def test_what_is_right():
    assert names_of(" cat, red fox ,,dog,") == ["cat", "red fox", "dog"]
    assert counts_of("--take", "cat=4800, a=b=3,") == {"cat": 4800, "a=b": 3}
    assert shares_of("--prior", "cat = .5,dog=5e-1") == {"cat": 0.5, "dog": 0.5}
    assert [number_of(text) for text in ("-2", "3.", "1E-3")] == [-2, 3, 0.001]


@pytest.mark.parametrize("text", [*ODD, *DOUBLED, "1=" + "9" * 5000])
def test_counts_that_are_none(text):
    with pytest.raises(InputError, match=r"--take is written cat=4800,dog=1200 .*but got") as error:
        counts_of("--take", text)
    assert len(str(error.value)) < 250
    with pytest.raises(InputError, match="A strategy is one of"):
        parse_strategy(text)


@pytest.mark.parametrize(
    "text", ["1=nan", "1=inf", "1=-inf", "1=1_0", "1=٠.5", "1=1e400", "1=", ""]
)
def test_shares_that_are_none(text):
    with pytest.raises(InputError, match="--prior is written"):
        shares_of("--prior", text)


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "1_0", "٠.5", "0x1"])
def test_strategies_that_are_no_number(text):
    with pytest.raises(InputError, match="A strategy is one of"):
        parse_strategy(text)


@pytest.mark.parametrize("text", ["²m", "٤m", "1m1m", "1m2h", "1e5s", "infs", "9" * 400 + "s"])
def test_budgets_that_are_none(text):
    with pytest.raises(InputError, match="A budget is written"):
        seconds_of(text)


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "digits", "--take", "1=²"],
        ["compare", "digits", "--out", "OUT", "--take", "1=1,1 =2"],
        ["train", "digits", "--out", "OUT", "--take", "1=-3"],
        ["upsample", "digits", "--dry-run", "--strategy", "1=99999999999"],
        ["compare", "digits", "--out", "OUT", "--prior", "0=nan"],
        ["compare", "digits", "--out", "OUT", "--recipes", ""],
        ["search", "digits", "--out", "OUT", "--budget", "1m1m"],
        ["search", "digits", "--out", "OUT", "--trials", "2", "--recipes", ","],
    ],
    ids=" ".join,
)
def test_on_the_command_line(words, tmp_path, capsys):
    out = tmp_path / "out"
    assert run([word.replace("OUT", str(out)) for word in words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()
