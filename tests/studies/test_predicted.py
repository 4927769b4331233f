"""Tables of predictions made elsewhere: what is read, and every mistake in one line."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equipoise.errors import InputError
from equipoise.studies.predicted import read_predictions_table


def columns(**more):
    """Two recipes, two seeds, three test and two validation images, two classes."""
    splits = ["test"] * 3 + ["validation"] * 2
    ids, labels = ["a", "b", "c", "d", "e"], [0, 1, 1, 0, 1]
    runs = [(recipe, seed) for recipe in ("none", "mine") for seed in (0, 1)]
    rng = np.random.default_rng(0)
    first = rng.uniform(0.1, 0.9, len(runs) * 5)
    return {
        "recipe": [recipe for recipe, _ in runs for _ in ids],
        "seed": [seed for _, seed in runs for _ in ids],
        "split": splits * len(runs),
        "id": ids * len(runs),
        "label": labels * len(runs),
        "p_0": first.tolist(),
        "p_1": (1 - first).tolist(),
        **more,
    }


def test_a_run_is_read_with_its_images_in_the_order_of_their_ids():
    table = columns()
    order = np.random.default_rng(1).permutation(20)
    shuffled = {name: [values[k] for k in order] for name, values in table.items()}
    outcomes = {(o.recipe, o.seed): o for o in read_predictions_table(shuffled)}
    assert set(outcomes) == {("none", 0), ("none", 1), ("mine", 0), ("mine", 1)}
    run = outcomes["mine", 1]
    assert run.test.names.tolist() == ["a", "b", "c"]
    assert run.test.labels.tolist() == [0, 1, 1]
    assert run.validation.labels.tolist() == [0, 1]
    assert np.exp(run.test.logits[:, 0]) == pytest.approx(table["p_0"][15:18])


def test_files_arrow_pandas_and_mappings_are_one(tmp_path):
    table = pa.table(columns())
    pq.write_table(table, tmp_path / "all.parquet")
    table.to_pandas().to_csv(tmp_path / "all.csv", index=False)
    halves = [tmp_path / "one.parquet", tmp_path / "two.csv"]
    pq.write_table(table.slice(0, 8), halves[0])
    table.slice(8).to_pandas().to_csv(halves[1], index=False)
    frame = table.to_pandas()
    frame["recipe"] = pd.Categorical(frame["recipe"])
    sources = [tmp_path / "all.parquet", str(tmp_path / "all.csv"), halves, table, frame, columns()]
    logits = [np.stack([o.test.logits for o in read_predictions_table(one)]) for one in sources]
    for other in logits[1:]:
        assert other == pytest.approx(logits[0])


def test_a_probability_of_nought_has_a_finite_logarithm():
    table = columns()
    table["p_0"][0], table["p_1"][0] = 0.0, 1.0
    assert np.isfinite(read_predictions_table(table)[0].test.logits).all()


def test_numbers_are_names_too(tmp_path):
    table = {**columns(), "id": [7, 8, 9, 10, 11] * 4, "recipe": [1] * 10 + [2] * 10}
    pd.DataFrame(table).to_csv(tmp_path / "p.csv", index=False)
    for source in (table, tmp_path / "p.csv"):
        first = read_predictions_table(source)[0]
        assert (first.recipe, sorted(first.test.ids.tolist())) == ("1", [7, 8, 9])


def put(column, row, value):
    def change(table):
        table[column][row] = value

    return change


def drop(*rows):
    def change(table):
        for values in table.values():
            for row in sorted(rows, reverse=True):
                del values[row]

    return change


MISTAKES = {
    "no column": (lambda t: t.pop("seed"), "no column 'seed'. Needed are recipe, seed"),
    "no class": (lambda t: (t.pop("p_0"), t.pop("p_1")), "no column 'logit_0'"),
    "one class": (lambda t: t.pop("p_1"), "at least two are needed"),
    "a gap": (lambda t: t.update(p_3=t.pop("p_1")), "a column p_3, but no p_1"),
    "both kinds": (lambda t: t.update(logit_0=t["p_0"]), "both logits and probabilities"),
    "no row": (lambda t: [values.clear() for values in t.values()], "has no row"),
    "a split": (put("split", 3, "train"), "column split, row 4: must be validation or test"),
    "a label": (put("label", 6, 2), "column label, row 7: must be from 0 to 1"),
    "half a label": (lambda t: t.update(label=[*t["label"][:-1], 0.5]), "label, row 20: .* whole"),
    "a word": (lambda t: t.update(label=["cat"] * 20), "label, row 1: .* whole number, but is 'ca"),
    "a seed": (put("seed", 2, None), "column seed, row 3: .* but is nothing"),
    "no recipe": (put("recipe", 5, None), "column recipe, row 6: must be given"),
    "not a number": (put("p_1", 4, float("nan")), "column p_1, row 5: must be a number"),
    "above one": (put("p_0", 4, 1.4), "column p_0, row 5: must be a probability, from 0 to 1"),
    "below nought": (put("p_0", 4, -0.2), "column p_0, row 5: must be a probability"),
    "no sum": (put("p_0", 0, 0.95), "row 1: p_0 to p_1 must sum to 1"),
    "twice": (put("id", 1, "a"), "recipe 'none' seed 0 has id 'a' 2 times in test"),
    "no test": (drop(0, 1, 2), "recipe 'none' seed 0 has no row of split test"),
    "another image": (put("id", 5, "z"), "same test images, but id 'a' is in recipe 'none' seed 0"),
    "an image less": (drop(16), "id 'b' is in recipe 'none' seed 0 and not in recipe 'mine' seed"),
    "another label": (put("label", 12, 0), "test id 'c' has 1 in recipe 'none' seed 0 and 0 in"),
    "no validation": (drop(18, 19), "recipe 'none' seed 0 has validation rows, but .* seed 1 has"),
    "one recipe": (lambda t: t.update(recipe=["none"] * 20, seed=[k // 5 for k in range(20)]),
                   "At least two recipes"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_one_line(name, tmp_path):
    spoil, words = MISTAKES[name]
    table = columns()
    spoil(table)
    with pytest.raises(InputError, match=words) as told:
        read_predictions_table(table)
    assert "\n" not in str(told.value)
    path = tmp_path / "mine.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    with pytest.raises(InputError, match=words):
        read_predictions_table(path)


@pytest.mark.parametrize("logit", [float("nan"), float("inf"), -float("inf")])
def test_a_logit_is_finite(logit):
    table = columns()
    table["logit_0"], table["logit_1"] = table.pop("p_0"), table.pop("p_1")
    table["logit_1"][7] = logit
    with pytest.raises(InputError, match="column logit_1, row 8"):
        read_predictions_table(table)


def test_files_that_are_none_are_named(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.parquet").write_text("x")
    for name, words in (
        ("a.txt", "must be a .csv or a .parquet"),
        ("b.parquet", "b.parquet cannot be read"),
        ("c.csv", "c.csv cannot be read"),
    ):
        with pytest.raises(InputError, match=words):
            read_predictions_table(tmp_path / name)
    for source in (7, [], {"recipe": [1], "seed": [1, 2]}):
        with pytest.raises(InputError):
            read_predictions_table(source)


def test_files_of_other_classes_do_not_go_together(tmp_path):
    two, three = columns(), columns(p_2=[0.0] * 20)
    with pytest.raises(InputError, match="predictions for 2 classes, but the table for 3"):
        read_predictions_table([two, three])
