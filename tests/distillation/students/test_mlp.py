"""The network student for tables: what it learns from, when it stops, and what it answers."""

import copy
import pickle
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

torch = pytest.importorskip("torch")

from stackens._core._task import Task  # noqa: E402
from stackens.distillation.students import MLPStudent  # noqa: E402
from stackens.distillation.students._mlp import _epochs  # noqa: E402
from stackens.exceptions import MissingExtraError  # noqa: E402
from tests.distillation.students.taught import classes, excess, held_back, silent, values  # noqa: E402

SMALL = MLPStudent((16,), n_bins=4, max_iter=12)
STOPPING = held_back(240)


def learn(lesson, recipe=SMALL, seed=0):
    return recipe.fit(lesson, random_state=seed)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("changes", [{}, {"temperature": 4.0}, {"loss": "squared_logits"}])
def test_it_learns_what_the_teacher_says(n_classes, changes):
    lesson = classes(n_classes, n=600, stopping=held_back(600), **changes)
    student = learn(lesson, replace(SMALL, max_iter=30))
    fresh = classes(n_classes, n=600, seed=5)
    found = student.outputs(fresh.X)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert excess(student, fresh) < 0.1
    logits = changes.get("loss") == "squared_logits"
    assert student.path.startswith("squared error of logits" if logits else "soft cross-entropy")


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_it_learns_values(n_outputs):
    lesson = values(n_outputs, soft_weight=0.5, stopping=STOPPING)
    fresh = values(n_outputs, seed=5)
    student = learn(lesson, replace(SMALL, max_iter=40))
    assert student.outputs(fresh.X).shape == (240, n_outputs)
    assert fresh.mean_loss(student.outputs(fresh.X)) < 0.1 * fresh.soft.var()


def test_it_learns_quantiles_of_the_truth_and_of_the_teacher():
    base = values(n=1000, noise=1.0)
    lesson = replace(
        base,
        soft=np.hstack([base.soft - 64.1, base.soft + 64.1]),  # 10% and 90% of the noise
        hard=np.hstack([base.hard, base.hard]),
        task=Task("regression", 2),
        loss="pinball",
        quantiles=(0.1, 0.9),
        stopping=held_back(1000),
    )
    fresh = values(n=1000, noise=1.0, seed=5)
    for weight in (0.0, 0.5, 1.0):
        student = learn(replace(lesson, soft_weight=weight), replace(SMALL, max_iter=30))
        covered = (fresh.hard < student.outputs(fresh.X)).mean(axis=0)
        np.testing.assert_allclose(covered, [0.1, 0.9], atol=0.05)


def test_rows_without_a_label_and_rows_without_a_teacher():
    whole = classes(soft_weight=0.5, stopping=STOPPING)
    soft, hard = silent(whole, slice(0, 120)), silent(whole, slice(120, 240), teacher=False)
    for changes in ({}, {"temperature": 2.0}, {"loss": "squared_logits"}):
        student = learn(replace(whole, soft=soft, hard=hard, **changes))
        assert whole.mean_loss(student.outputs(whole.X)) < 0.9 * np.log(3)


def test_it_stops_by_the_teacher():
    lesson = classes(stopping=STOPPING, soft_weight=1.0)
    others = np.roll(lesson.hard, 1, axis=1)
    a, b = learn(lesson), learn(replace(lesson, hard=others))
    np.testing.assert_array_equal(a.outputs(lesson.X), b.outputs(lesson.X))
    wrong = lesson.soft.copy()
    wrong[STOPPING] = np.roll(wrong[STOPPING], 1, axis=1)
    fooled = learn(replace(lesson, soft=wrong))
    assert lesson.mean_loss(fooled.outputs(lesson.X)) > 1.3 * lesson.mean_loss(a.outputs(lesson.X))


def test_nothing_held_back_is_no_early_stop():
    lesson = classes()
    everything = replace(lesson, stopping=np.ones(240, dtype=bool))
    np.testing.assert_array_equal(
        learn(lesson).outputs(lesson.X), learn(everything).outputs(lesson.X)
    )


def test_order_and_weights_of_rows():
    lesson = classes(
        soft_weight=0.7, stopping=STOPPING, weight=np.where(np.arange(240) < 50, 2.0, 1.0)
    )
    lesson.weight[200:] = 0.0
    wanted = learn(lesson).outputs(lesson.X)
    rows = np.random.default_rng(0).permutation(np.r_[:50, :200])
    copies = replace(lesson.take(rows), weight=np.ones(250))
    np.testing.assert_array_equal(learn(copies).outputs(lesson.X), wanted)


def test_a_class_that_only_the_teacher_knows():
    lesson = classes(stopping=STOPPING, soft_weight=0.0)
    hard = lesson.hard.copy()
    hard[:, 0] += hard[:, 1]
    hard[:, 1] = 0
    plain = replace(lesson, hard=hard)
    assert learn(plain).outputs(lesson.X)[:, 1].max() < 1e-6
    taught = learn(replace(plain, soft_weight=0.9)).outputs(lesson.X)[:, 1]
    assert np.corrcoef(taught, lesson.soft[:, 1])[0, 1] > 0.9


def test_seeds_and_global_state():
    lesson = classes(stopping=STOPPING)
    recipe = replace(SMALL, dropout=0.2)
    state = torch.get_rng_state()
    first, again, other = (learn(lesson, recipe, s).outputs(lesson.X) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_the_bare_network_answers_as_the_student(activation):
    rng = np.random.default_rng(0)
    lesson = classes(stopping=STOPPING)
    X = lesson.X.assign(
        colour=rng.choice(["red", "green", None], 240),
        city=[f"city {i % 80}" for i in range(240)],  # enough for vectors
    )
    X.loc[:9, "x"] = np.nan
    student = learn(replace(lesson, X=X), replace(SMALL, activation=activation))
    fresh = X.head(20).assign(colour="blue", city=["new", *X["city"][:19]])
    ask, rows = student.bare(fresh)
    np.testing.assert_allclose(
        np.vstack([ask(row) for row in rows]), student.outputs(fresh), atol=1e-12
    )
    numbers = values()
    student = learn(numbers)
    ask, rows = student.bare(numbers.X[:20])
    answers = np.vstack([ask(row) for row in rows])
    np.testing.assert_allclose(answers, student.outputs(numbers.X[:20]))


def test_size_labels_and_pickles():
    lesson = classes(stopping=STOPPING)
    student = learn(lesson)
    arrays = [tensor.numpy() for tensor in student.module.state_dict().values()]
    assert student.n_bytes() == sum(array.nbytes for array in arrays)
    for twin in (pickle.loads(pickle.dumps(student)), copy.deepcopy(student)):
        np.testing.assert_array_equal(twin.outputs(lesson.X), student.outputs(lesson.X))
    assert student.predict(lesson.X).dtype == lesson.task.classes.dtype
    assert [recipe.label for recipe in MLPStudent.sweep(lesson.task, 1000)] == [
        "mlp 16-16",
        "mlp 32-32",
        "mlp 64-64",
        "mlp 128-128",
    ]
    assert MLPStudent(()).label == "mlp linear"


@pytest.mark.parametrize(("n_rows", "epochs"), [(100, 100), (20_000, 50), (10**6, 30)])
def test_more_rows_need_fewer_epochs(n_rows, epochs):
    assert _epochs(n_rows) == epochs


def test_settings_are_checked():
    with pytest.raises(ValueError, match="'hidden_layer_sizes' parameter"):
        MLPStudent((0,))
    with pytest.raises(ValueError, match="'max_iter' parameter"):
        MLPStudent(max_iter=0)
    with pytest.raises(ValueError, match="'dropout' parameter"):
        MLPStudent(dropout=2)


def test_only_tables_can_be_read():
    lesson = classes()
    for X in (np.zeros((240, 3, 3)), csr_matrix(np.eye(240)), ["some text"] * 240):
        with pytest.raises((TypeError, ValueError), match=r"mlp 16 needs a .*table.* Got a"):
            learn(replace(lesson, X=X))


def test_one_column():
    lesson = classes()
    X = pd.DataFrame({"x": [1.0, 2.0] * 120})
    found = learn(replace(lesson, X=X)).outputs(X)
    np.testing.assert_allclose(found[0], found[2])


def test_torch_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r'student="mlp" needs .* "stackens\[torch\]"'):
        MLPStudent()
