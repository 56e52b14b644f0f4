"""Tests of what a file may name, and attacks on it: nothing of a file runs before it is trusted."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer

import stackens as se
from stackens._core._task import Task
from stackens.exceptions import DamagedFileError, UntrustedTypesError
from stackens.export.saving._allowed import (
    check_attributes,
    class_named,
    function_named,
    names_outside,
)
from tests.export.saving.crafted import (
    Canary,
    edited,
    edited_graph,
    form_node,
    in_place_of_object,
    json_node,
    node,
)

EMPTY = node("TupleNode", "builtins.tuple", [])


def type_node(name):
    return node("TypeNode", name)


def text_dict(**items):
    keys = node("ListNode", "builtins.list", [type_node("builtins.str")] * len(items))
    return node("DictNode", "builtins.dict", items, key_types=keys)


def outside(graph, *trusted):
    return names_outside(graph, trusted)[1]


@pytest.mark.parametrize(
    "name",
    [
        "sklearn.linear_model._base.LinearRegression",
        "sklearn.gaussian_process.kernels.RBF",
        "stackens.out_of_fold._fold_bag.FoldBag",
        "lightgbm.sklearn.LGBMClassifier",
        "torch.nn.modules.linear.Linear",
        "scipy.interpolate._bsplines.BSpline",
    ],
)
def test_classes_of_known_libraries_may_be_objects(name):
    assert outside(node("ObjectNode", name)) == set()


@pytest.mark.parametrize(
    "name",
    [
        "subprocess.Popen",
        "builtins.object",
        "sklearnx.Model",
        "sklearn.externals.array_api_compat.anything",
        "sklearn.pipeline.defaultdict",  # imported there
        "sklearn.datasets._base.Bunch",
        "stackens.__main__.Main",
        "lightgbm.sklearn.Dataset",  # holds an address in memory
        "lightgbm.basic.Booster",
        "xgboost.core.Booster",
        "torch.nn.parallel.data_parallel.DataParallel",
        "torch.jit._script.ScriptModule",
        "functools.partial",
        "joblib.memory.Memory",
        "sklearn/../evil.Model",
        # their methods read files, or memory at an address
        "stackens.export._artifact.Artifact",
        "stackens.export.numpy._open.NumpyRunner",
        "stackens.evaluation._cost._Counter",
        "stackens.weight_averaging.files._sources.Window",
        "stackens.weight_averaging.files._torch._Unpickler",
        "sklearn.callback._scoring_monitor.ScoringMonitor",
        "sklearn.utils._mocking.CheckingClassifier",
        "sklearn.utils.deprecation.deprecated",
        "sklearn.utils.parallel.Parallel",
        "torch.nn.modules.module._WrappedHook",
        "torch.nn.modules._functions.SyncBatchNorm",
    ],
)
def test_other_classes_may_not(name):
    assert outside(node("ObjectNode", name)) == {name}
    assert outside(node("ObjectNode", name), name) == set()


@pytest.mark.parametrize(
    "name",
    [
        "numpy.log1p",
        "numpy.nan_to_num",
        "scipy.special.expit",
        "sklearn.metrics._classification.f1_score",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "stackens.schedules.exponential",
        "torch.nn.functional.relu",
        "torch.tanh",
    ],
)
def test_functions_that_compute_may_be_named(name):
    assert outside(form_node("function", name)) == set()
    assert callable(function_named(name, ()))


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "builtins.exec",
        "numpy.load",
        "numpy.fromfile",
        "numpy.loadtxt",
        "numpy.save",
        "numpy.frompyfunc",
        "numpy.vectorize",
        "pandas.read_pickle",
        "joblib.load",
        "torch.load",
        "torch.nn.functional.handle_torch_function",
        "sklearn.datasets.fetch_openml",
        "sklearn.metrics._scorer.get_routing_for_object",  # imported there from elsewhere
        "sklearn.utils.validation.joblib",
        "stackens.export.saving.load",
        "operator.methodcaller",
        # these call methods whose names they are given
        "sklearn.metrics._scorer._cached_call",
        "sklearn.metrics.check_scoring",
        "sklearn.metrics._scorer.make_scorer",
        "sklearn.metrics._base._average_binary_score",
    ],
)
def test_other_functions_may_not(name):
    assert outside(form_node("function", name)) == {name}
    with pytest.raises(ValueError, match="not allowed"):
        function_named(name, ())


def test_types_as_values_are_those_of_numbers_and_estimators():
    names = ["numpy.float32", "builtins.float", "sklearn.linear_model._base.LinearRegression"]
    assert all(outside(type_node(name)) == set() for name in names)
    names = ["builtins.eval", "numpy.memmap", "stackens._core._task.Task", "subprocess.Popen"]
    assert all(outside(type_node(name)) == {name} for name in names)


@pytest.mark.parametrize(
    "bad",
    [
        node("ConstructorFromReduceNode", "subprocess.Popen", EMPTY),
        node("ConstructorFromReduceNode", "sklearn.linear_model._base.LinearRegression", EMPTY),
        node("ListNode", "subprocess.Popen", [json_node("true")]),
        node("SetNode", "subprocess.Popen", []),
        node("DictNode", "os.environ", {}, key_types=node("ListNode", "builtins.list", [])),
        node("NdArrayNode", "numpy.memmap", type="numpy", file="1.npy"),
        node("NdArrayNode", "numpy.ndarray", [], type="json"),
        node("FunctionNode", "os.system"),
        node("PartialNode", "functools.partial", {"func": EMPTY}),
        node("OperatorFuncNode", "operator.methodcaller", attrs=EMPTY),
        node("MethodNode", "builtins.str", {"func": "format", "obj": EMPTY}),
        node("CachedNode", "builtins.str"),
        node("TreeNode", "sklearn.tree._tree.Tree"),
        node("NoSuchNode", "builtins.str"),
        # a type of keys is called with each key
        node("DictNode", "builtins.dict", {"a": EMPTY},
             key_types=node("ListNode", "builtins.list", [type_node("builtins.list")])),
    ],
    ids=lambda bad: f"{bad['__loader__']}-{bad['__class__']}",
)  # fmt: skip
def test_nodes_that_are_not_written_are_refused(bad):
    with pytest.raises(ValueError, match=r"no kind of node|can't hold"):
        names_outside({"deep": [{"down": bad}]}, ["subprocess.Popen", "os.system"])


RIDGE = "sklearn.linear_model._ridge.Ridge"


@pytest.mark.parametrize(
    "state",
    [
        text_dict(predict=form_node("function", "numpy.exp")),
        text_dict(get_params=json_node(1)),
        text_dict(__array_interface__=json_node(1)),
        form_node("json", "dict", "{}"),
        json_node({"predict": 1}),
        node("TupleNode", "builtins.tuple", [json_node("predict"), json_node(1)]),
        node("ListNode", "builtins.list", []),
    ],
    ids=["method", "inherited", "special", "form", "text", "pairs", "list"],
)
def test_a_state_has_no_methods_and_nothing_special(state):
    with pytest.raises(ValueError, match=r"can't be|plain dict"):
        names_outside(node("ObjectNode", RIDGE, state), ())
    assert outside(node("ObjectNode", RIDGE, text_dict(alpha=json_node(1)))) == set()
    assert outside(node("ObjectNode", RIDGE, json_node(None))) == set()


def test_a_dataclass_may_hold_what_is_a_default_of_its_class():
    check_attributes(Task, ["kind"])
    with pytest.raises(ValueError, match="encode is a method of Task"):
        check_attributes(Task, ["encode"])


def test_a_loss_is_one_of_those_that_scikit_learn_compiles():
    assert outside(node("LossNode", "sklearn._loss._loss.CyHalfBinomialLoss")) == set()
    assert outside(node("LossNode", "os.system")) == {"os.system"}


@pytest.mark.parametrize("name", ["sklearn.linear_model._base.Gone", "sklearn.gone.Gone"])
def test_a_class_that_is_not_installed_is_named(name):
    with pytest.raises(ValueError, match="there is no sklearn"):
        names_outside(node("ObjectNode", name), ())
    with pytest.raises(ValueError, match="is no class"):
        class_named("sklearn.metrics.f1_score")


# ---------------------------------------------------------------- attacks on load


@pytest.fixture(scope="module")
def harmless(tmp_path_factory):
    path = tmp_path_factory.mktemp("attacks") / "line.stackens"
    se.save(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), path)
    return path


def attacks(sign):
    command = f"touch {sign}"
    call = node("TupleNode", "builtins.tuple", [json_node(command)])
    state = text_dict(func=form_node("function", "os.system"), validate=json_node(False))
    return {
        "call of a function": node("ConstructorFromReduceNode", "os.system", call),
        "call of a class": node("ConstructorFromReduceNode", "subprocess.Popen", call),
        "function as attribute": node(
            "ObjectNode", "sklearn.preprocessing._function_transformer.FunctionTransformer", state
        ),
        "partial": form_node(
            "partial", form_node("function", "os.system"), node("ListNode", "builtins.list", []),
            text_dict(),
        ),
        "defaultdict": form_node("defaultdict", form_node("function", "os.system"), EMPTY, EMPTY),
        "form of no kind": form_node("__class__"),
        "form of a module": form_node("torch_dtype", "load"),
        "form that enters": form_node("value", "Popen", command),
        "named tuple": form_node("named_tuple", type_node("subprocess.Popen"), EMPTY),
        "generator": form_node("generator", "seed", 1),
        "timezone file": form_node("value", "ZoneInfo", "../../../etc/passwd"),
        "missing part": form_node("array", "arrays/7.npy"),
        "manifest as array": form_node("array", "manifest.json"),
        "object without state": node("ObjectNode", "stackens.export.saving.Form"),
        "shared before it is there": form_node("shared", 0),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(attacks("")))
def test_no_attack_runs_code(name, harmless, tmp_path):
    sign = tmp_path / "sign"
    edit = in_place_of_object(attacks(sign)[name])
    path = edited_graph(harmless, tmp_path / "attack", edit)
    with pytest.raises((DamagedFileError, UntrustedTypesError)):
        se.load(path)
    assert not sign.exists()


def test_the_attack_would_work_if_it_were_trusted(harmless, tmp_path):
    # so that the tests above can fail: the canary does sing
    sign = tmp_path / "sign"
    pickle.loads(pickle.dumps(Canary(sign))).close()
    assert sign.exists()


def test_a_pickle_in_an_array_of_objects_is_not_read(harmless, tmp_path):
    sign = tmp_path / "sign"
    with open(tmp_path / "array.npy", "wb") as file:
        np.save(file, np.array([Canary(sign)], dtype=object), allow_pickle=True)
    smuggled = (tmp_path / "array.npy").read_bytes()

    def into_graph(schema, entries):
        coefficients = schema["content"]["object"]["content"]["content"]["coef_"]
        entries[coefficients["file"]] = smuggled

    def into_part(parts, manifest):
        parts["arrays/0.npy"] = smuggled

    graph = edited_graph(harmless, tmp_path / "graph", into_graph)
    form = form_node("array", "arrays/0.npy")
    part = edited_graph(harmless, tmp_path / "form", in_place_of_object(form))
    part = edited(part, tmp_path / "part", into_part)
    for path in (graph, part):
        with pytest.raises(DamagedFileError, match=r"pickle|announces"):
            se.load(path)
    assert not sign.exists()


def test_a_part_that_nothing_uses_is_refused(harmless, tmp_path):
    path = edited(
        harmless, tmp_path / "extra", lambda parts, _: parts.update({"arrays/9.npy": b""})
    )
    with pytest.raises(DamagedFileError, match="nothing uses"):
        se.load(path)


def test_an_old_protocol_of_skops_is_refused(harmless, tmp_path):
    path = edited_graph(harmless, tmp_path / "old", lambda s, _: s.update(protocol=0))
    with pytest.raises(DamagedFileError, match="old protocol"):
        se.load(path)


def test_all_names_are_told_before_any_module_is_imported(tmp_path, monkeypatch):
    (tmp_path / "victim.py").write_text(
        "import os\nopen('sign', 'w').close()\ndef f(x): return x\n"
    )
    monkeypatch.chdir(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    code = (
        "import stackens as se, victim\n"
        "from sklearn.preprocessing import FunctionTransformer\n"
        "se.save(FunctionTransformer(victim.f), 'file')"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=tmp_path)
    (tmp_path / "sign").unlink()
    with pytest.raises(UntrustedTypesError, match=r"trusted=\['victim.f'\]"):
        se.load("file")
    assert not (tmp_path / "sign").exists()
    assert "victim" not in sys.modules
    monkeypatch.syspath_prepend(tmp_path)
    assert isinstance(se.load("file", trusted=["victim.f"]), FunctionTransformer)
