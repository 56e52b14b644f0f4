"""Torch modules as students: inputs of any kind, copies, precision, early stops, messages."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from stackens.distillation.students import ModuleStudent  # noqa: E402
from stackens.exceptions import BaseModelError, BaseModelTypeError, ExportError  # noqa: E402
from stackens.export._program_of import program_of  # noqa: E402
from stackens.export.program import evaluate  # noqa: E402
from tests.distillation.students.taught import classes, excess, held_back, silent, values  # noqa: E402
from tests.export.exported import assert_exported  # noqa: E402

STOPPING = held_back(240)
FAST = {"epochs": 15, "learning_rate": 0.03}


def network(n_outputs=3, n_inputs=3, *, seed=0, dtype=torch.float32):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(n_inputs, 16),
            nn.BatchNorm1d(16),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(16, n_outputs),
        ).to(dtype)


def learn(module, lesson, seed=0, **settings):
    return ModuleStudent(module, **FAST | settings).fit(lesson, random_state=seed)


@pytest.mark.parametrize(("n_classes", "n_outputs"), [(3, 3), (2, 2), (2, 1)])
def test_classes(n_classes, n_outputs):
    lesson = classes(n_classes, stopping=STOPPING)
    student = learn(network(n_outputs), lesson)
    assert student.outputs(lesson.X).dtype == np.float64
    assert excess(student, lesson) < 0.15
    assert student.predict(lesson.X)[0] in lesson.task.classes


@pytest.mark.parametrize(
    "changes", [{"temperature": 3.0}, {"loss": "squared_logits"}, {"soft_weight": 0.5}]
)
def test_losses_with_silent_rows(changes):
    whole = classes(stopping=STOPPING)
    lesson = replace(
        whole,
        **{"soft_weight": 0.8}
        | changes
        | {
            "soft": silent(whole, slice(0, 40)),
            "hard": silent(whole, slice(200, 240), teacher=False),
        },
    )
    assert excess(learn(network(), lesson), whole) < 0.5


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_teacher_may_be_silent_on_all_rows_to_stop_by(temperature):
    whole = classes(stopping=STOPPING)
    lesson = replace(whole, soft=silent(whole, STOPPING), temperature=temperature)
    assert excess(learn(network(), lesson), whole) < 0.3
    extra_rows_only = replace(
        whole, soft_weight=0.0, hard=silent(whole, ~STOPPING, teacher=False), temperature=4.0
    )
    assert excess(learn(network(), extra_rows_only), whole) < 0.3


def test_values_and_their_unit():
    lesson = values(2, stopping=STOPPING)
    student = learn(network(2), lesson)
    assert student.path == "squared error"
    assert excess(student, lesson) < 0.1
    raw = learn(network(2), lesson, standardise=False)
    assert (raw.mean, raw.scale) == (pytest.approx(0), pytest.approx(1))
    # 1000 is far for weights that begin at zero
    assert excess(raw, lesson) > 10
    # a module that predicts values in their own unit goes on from there
    linear = nn.Linear(3, 2)
    with torch.no_grad():
        linear.weight[:] = torch.tensor([[50.0, 0.0, 20.0], [0.0, 50.0, 20.0]])
        linear.bias[:] = 1000.0
    going_on = learn(linear, lesson, standardise=False, learning_rate=1e-4)
    assert excess(going_on, lesson) < 1e-4


def test_the_module_itself_is_never_changed():
    module, lesson = network().train(), classes()
    before = copy.deepcopy(module.state_dict())
    state = torch.get_rng_state()
    first, again, other = (learn(module, lesson, seed).outputs(lesson.X) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert module.training
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert (first == again).all()
    assert (first != other).any()


def test_every_fit_starts_from_the_weights_given():
    lesson = classes()
    still = learn(network(seed=3), lesson, epochs=1, learning_rate=1e-12)
    with torch.no_grad():
        wanted = network(seed=3)[0].weight
    torch.testing.assert_close(still.module[0].weight, wanted)
    frozen = network()
    frozen[0].requires_grad_(False)
    student = learn(frozen, lesson)
    assert torch.equal(student.module[0].weight, frozen[0].weight)
    assert not torch.equal(student.module[4].weight, frozen[4].weight)


def test_it_stops_by_the_rows_held_back():
    lesson = classes(stopping=STOPPING)
    soft = lesson.soft.copy()
    soft[STOPPING] = np.roll(soft[STOPPING], 1, axis=1)
    fooled = learn(network(), replace(lesson, soft=soft))
    assert excess(fooled, lesson) > 3 * excess(learn(network(), lesson), lesson)


def test_inputs_of_every_kind():
    lesson = classes()
    wanted = learn(network(), lesson).outputs(lesson.X)
    numbers = lesson.X.to_numpy()
    kinds = [numbers, torch.tensor(numbers), pl.from_pandas(lesson.X), numbers.tolist()]
    kinds += [np.asfortranarray(numbers), lesson.X.astype(object)]
    for X in kinds:
        student = learn(network(), replace(lesson, X=X))
        np.testing.assert_array_equal(student.outputs(X), wanted)
        ask, rows = student.bare(X)
        np.testing.assert_allclose(ask(rows[7]), wanted[[7]], atol=1e-6)


def test_double_precision_stays_double():
    lesson = classes()
    for changes in ({}, {"temperature": 2.0, "soft_weight": 0.5}):
        student = learn(network(dtype=torch.float64), replace(lesson, **changes))
        assert student.module[0].weight.dtype == torch.float64
        assert excess(student, lesson) < 0.3


def test_images_and_codes():
    lesson = classes(2)
    numbers = lesson.X.to_numpy()
    images = (128 + 40 * numbers).clip(0, 255).astype(np.uint8)[:, None, :, None]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        convolution = nn.Sequential(
            nn.BatchNorm2d(1), nn.LazyConv2d(8, (3, 1)), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)
        )
        embedding = nn.Sequential(nn.Embedding(8, 4), nn.Flatten(), nn.Linear(12, 2))
    student = learn(convolution, replace(lesson, X=images))
    assert excess(student, lesson, images) < 0.2
    assert any(nn.parameter.is_lazy(part) for part in convolution.parameters())
    codes = np.digitize(numbers, np.linspace(-2, 2, 7))
    student = learn(embedding, replace(lesson, X=codes))
    assert excess(student, lesson, codes) < 0.3


def test_weights_of_rows():
    lesson = classes(n=200)
    off = lesson.soft.copy()
    off[:100] = np.roll(off[:100], 1, axis=1)
    weight = np.r_[np.zeros(100), np.ones(100)]
    student = learn(network(), replace(lesson, soft=off, weight=weight))
    same = learn(network(), lesson.take(np.arange(100, 200)))
    np.testing.assert_array_equal(student.outputs(lesson.X), same.outputs(lesson.X))
    tiny = replace(lesson, soft=off, weight=weight + 1e-6)
    assert excess(learn(network(), tiny), lesson) < 0.5


def test_bytes_bare_and_pickles():
    tied = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    tied[2].weight = tied[0].weight
    lesson = classes()
    student = learn(tied, lesson)
    assert student.n_bytes() == 4 * (9 + 3 + 3)
    threads = torch.get_num_threads()
    ask, rows = student.bare(lesson.X[:10])
    alone = np.vstack([ask(row) for row in rows])
    assert torch.get_num_threads() == threads
    np.testing.assert_allclose(alone, student.outputs(lesson.X[:10]), atol=1e-6)
    twin = pickle.loads(pickle.dumps(student))
    np.testing.assert_array_equal(twin.outputs(lesson.X), student.outputs(lesson.X))


def test_labels():
    assert ModuleStudent(nn.Linear(2, 2)).label == "Linear"
    assert ModuleStudent(nn.Linear(2, 2), name="mine").label == "mine"


class OwnSoftmax(nn.Linear):
    """Ends in probabilities, where no layer tells."""

    def forward(self, rows):
        return super().forward(rows).softmax(dim=1)


@pytest.mark.parametrize(
    ("module", "n_classes"),
    [
        (nn.Sequential(network(), nn.Softmax(1)), 3),
        (nn.Sequential(network(1), nn.Sequential(nn.Sigmoid())), 2),
        (OwnSoftmax(3, 3), 3),
    ],
)
def test_probabilities_at_the_end_are_refused(module, n_classes):
    with pytest.raises(BaseModelError, match=r"must return logits. Got probabilities. Leave the"):
        learn(module, classes(n_classes))


def test_values_may_end_in_a_sigmoid():
    base = values()
    lesson = replace(base, soft=1 / (1 + np.exp((1000 - base.soft) / 50)))
    sigmoid = nn.Sequential(network(1), nn.Sigmoid())
    assert excess(learn(sigmoid, lesson, standardise=False), lesson) < 0.3


def test_missing_values_are_named():
    lesson = classes()
    holey = lesson.X.copy()
    holey.iloc[[5, 7], 0] = np.nan
    with pytest.raises(BaseModelError, match=r"NaN or infinity for 2 of 240 rows, the first at 5"):
        learn(network(), replace(lesson, X=holey))
    with pytest.raises(ValueError, match="Fill in what is missing .*TabularEncoder"):
        learn(network(), lesson).predict(holey)


class Answers(nn.Linear):
    """Returns something else than a tensor."""

    def forward(self, rows):
        return {"logits": super().forward(rows)}


@pytest.mark.parametrize(
    ("module", "changes", "message"),
    [
        (network(4), {}, r"Student Sequential failed .* shape \(n_samples, 3\).* Got \(240, 4\)"),
        (network(1), {}, r"Got \(240, 1\)"),
        (Answers(3, 3), {}, "Got dict"),
        (network(3, 5), {}, "mat1 and mat2"),
        (nn.ReLU(), {}, "parameter"),
    ],
)
def test_a_module_that_does_not_fit(module, changes, message):
    with pytest.raises(BaseModelError, match=message):
        learn(module, replace(classes(), **changes))


def test_text_is_refused():
    lesson = classes()
    with pytest.raises(BaseModelTypeError, match=r"A network reads numbers.*TabularEncoder"):
        learn(network(), replace(lesson, X=lesson.X.assign(x="red")))


def test_a_device_that_is_not_there():
    with pytest.raises(BaseModelError, match="'device' parameter"):
        learn(network(), classes(), device="warp")


def test_fits_side_by_side_draw_from_generators_of_their_own():
    lesson, module, seeds = classes(), network(), [1, 2, 3, 4]

    def outputs(seed):
        return learn(module, lesson, seed, epochs=4).outputs(lesson.X)

    one_by_one = [outputs(seed) for seed in seeds]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(outputs, seeds))
    np.testing.assert_array_equal(one_by_one, together)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n_classes", "n_outputs"), [(3, 3), (2, 2), (2, 1)])
def test_a_module_of_classes_is_exported(dtype, n_classes, n_outputs):
    lesson = classes(n_classes)
    student = learn(network(n_outputs, dtype=dtype), lesson, epochs=3)
    atol = 1e-6 if dtype == torch.float32 else 1e-13
    program = assert_exported(student, lesson.X.to_numpy(), atol=atol)
    assert program.single_precision == (dtype == torch.float32)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_module_of_values_is_exported_and_refuses_missing_ones(n_outputs):
    lesson = values(n_outputs)
    student = learn(network(n_outputs), lesson, epochs=3)
    program = assert_exported(student, lesson.X, rtol=1e-6)
    rows = lesson.X[:3].copy()
    rows[1, 2] = np.nan
    with pytest.raises(ValueError, match="finite numbers"):
        student.predict(rows)
    (found,) = evaluate(program, list(rows.T), [program.refused])
    assert np.isfinite(found).all(axis=1).tolist() == [True, False, True]


def test_a_module_with_ways_of_its_own_is_not_exported():
    class Doubled(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, rows):
            return 2 * self.layer(rows)

    student = learn(Doubled(), classes(), epochs=1)
    with pytest.raises(ExportError, match="The layer Doubled of a torch network"):
        program_of(student)
