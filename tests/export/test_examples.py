"""The example of deployment, as a user starts it: a student is written, and served."""

import importlib.util
import json
import warnings
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import stackens as se
from tests.example_scripts import EXAMPLES, run_example
from tests.export.exported import mixed_table

pytest.importorskip("onnxruntime")
FOLDER = EXAMPLES / "deployment"
SCRIPT = "deployment/export_student.py"
ROW = {
    "age": 41,
    "income": None,
    "town": "Oslo",
    "sex": None,
    "member": True,
    "since": "2020-05-05T06:30:00+02:00",
}
needs_server = pytest.mark.skipif(
    not (find_spec("fastapi") and (find_spec("httpx") or find_spec("httpx2"))),
    reason="asks a server",
)


def test_a_student_of_a_table_of_ones_own(tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"age": random.normal(40, 9, size=120), "plan": random.choice(["basic", "gold"], size=120)}
    )
    stays = (frame["plan"] == "gold") ^ (random.random(120) < 0.15)
    frame.loc[::7, "age"] = None
    frame.assign(stays=np.where(stays, "yes", "no")).to_csv(tmp_path / "table.csv", index=False)
    done = run_example(SCRIPT, "--csv", "table.csv", "--target", "stays", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("checked on") == 2
    for name in ("model.onnx", "model.py"):
        assert se.export.verify(tmp_path / name).max_difference < 1e-10


def test_what_is_missing_is_said(tmp_path):
    done = run_example(SCRIPT, "--target", "stays", cwd=tmp_path)
    assert done.returncode == 2
    assert "--csv and --target belong together" in done.stderr
    done = run_example(SCRIPT, "--output", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert "a folder that exists" in done.stderr
    (tmp_path / "table.csv").write_text("age,stays\n41,yes\n")
    for path, target, what in (("none.csv", "stays", "read as CSV"), ("table.csv", "goes", "goes")):
        done = run_example(SCRIPT, "--csv", path, "--target", target, cwd=tmp_path)
        assert done.returncode == 1
        assert what in done.stderr
        assert "Traceback" not in done.stderr


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Return a function that exports a model, starts the server, and returns how to ask it."""
    with warnings.catch_warnings():
        # starlette prefers one of two packages that do the same for tests
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient

    def started(model, X, **options):
        artifact = se.export.to_onnx(model, tmp_path / "model.onnx", X=X, **options)
        monkeypatch.setenv("MODEL", str(artifact.path))
        monkeypatch.syspath_prepend(str(FOLDER))  # as uvicorn does with the folder it runs in
        spec = importlib.util.spec_from_file_location("serve", FOLDER / "serve.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        client = TestClient(module.app)

        def ask(row):
            content = row if isinstance(row, str) else json.dumps(row)  # which spells NaN and inf
            headers = {"Content-Type": "application/json"}
            answer = client.post("/predict", content=content, headers=headers)
            return answer.status_code, answer.json()

        ask.artifact, ask.client = artifact, client
        return ask

    return started


def fitted_on_mixed_columns():
    X, y = mixed_table("binary")
    model = make_pipeline(se.TabularEncoder(encoding="one-hot", scale=True), LogisticRegression())
    return model.fit(X, y), X


@needs_server
@pytest.mark.parametrize("inputs", ["auto", "columns"])
def test_the_server_answers_as_the_model(serve, inputs):
    model, X = fitted_on_mixed_columns()
    ask = serve(model, X, inputs=inputs)
    frame = pd.DataFrame([ROW]).assign(since=pd.Timestamp("2020-05-05 04:30"), income=np.nan)
    frame["sex"] = pd.Series([None]).astype(X["sex"].dtype)
    expected = model.predict_proba(frame)[0]
    status, answer = ask(ROW)
    assert status == 200
    assert answer["label"] == model.predict(frame)[0]
    assert answer["probabilities"] == pytest.approx(dict(zip(model.classes_, expected)), rel=1e-12)  # noqa: B905
    assert ask(ROW | {"income": float("nan")}) == (status, answer)
    assert ask(ROW | {"town": "Bergen"})[1] != answer
    # an empty text is a category that the model does not know, not a missing one
    unknown, missing = ask(ROW | {"town": ""}), ask(ROW | {"town": None})
    assert unknown == ask(ROW | {"town": "Bergen"})
    assert unknown[0] == missing[0] == 200


@needs_server
@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"age": "41"}, "age", "valid number"),
        ({"age": [41]}, "age", "valid number"),
        ({"age": 10**400}, "age", "valid number"),
        ({"town": ["Oslo"]}, "town", "valid string"),
        ({"town": 2.5}, "town", "valid string"),
        ({"town": "\ud800"}, "town", "surrogates not allowed"),
        ({"member": "yes"}, "member", "valid number"),
        ({"since": "yesterday"}, "since", "Invalid isoformat"),
        ({"since": 5}, "since", "valid string"),
        ({"height": 180}, "height", "Extra inputs are not permitted"),
        ({"column_0": 41}, "column_0", "Extra inputs are not permitted"),
        ({"age": float("nan"), "height": float("inf")}, "height", "not permitted"),
    ],
)
def test_wrong_rows_are_told(serve, change, field, problem):
    ask = serve(*fitted_on_mixed_columns())
    status, answer = ask(ROW | change)
    assert status == 422
    assert answer["detail"][0]["field"][0] == field
    assert problem in answer["detail"][0]["problem"]


@needs_server
def test_an_absent_field_and_other_json_are_told(serve):
    ask = serve(*fitted_on_mixed_columns())
    status, answer = ask({name: value for name, value in ROW.items() if name != "town"})
    assert status == 422
    assert answer == {"detail": [{"field": ["town"], "problem": "Field required"}]}
    for body in ("[]", "5", "null", "{", '{"\\ud800": 1}'):
        assert ask(body)[0] == 422, body


@needs_server
def test_rows_that_the_model_refuses_are_refused(serve):
    X, y = mixed_table("multiclass")
    X = X[["income"]].rename(columns={"income": "net income (€)"})
    ask = serve(LogisticRegression().fit(X / 1e4, y), X / 1e4)
    assert ask({"net income (€)": 0.3})[0] == 200
    for value in (None, float("nan"), float("inf")):
        status, answer = ask({"net income (€)": value})
        assert status == 422
        assert "does not take this row" in answer["detail"]


@needs_server
@pytest.mark.parametrize("named", [["age", "income"], ["age", "income", "sex"]])
def test_columns_that_count_for_nothing_may_be_absent(serve, named):
    X, y = mixed_table("binary")
    X = X[named]
    model = LGBMClassifier(n_estimators=1, num_leaves=2, verbose=-1).fit(X, y)
    ask = serve(model, X)
    (read,) = [name for name, kind in ask.artifact.manifest.columns if kind != "unread"]
    status, answer = ask({read: None})
    assert status == 200
    assert ask({name: ROW[name] for name in named} | {read: None}) == (status, answer)
    assert ask({})[0] == 422


@needs_server
def test_values_and_scores(serve):
    X, _ = mixed_table("regression")
    X = X[["income"]] / 1e4
    values = LinearRegression().fit(X, X["income"] * 3.0 + 1.0)
    assert serve(values, X)({"income": 2.0})[1] == {"predictions": pytest.approx(7.0)}
    scores = LinearSVC().fit(X, X["income"] > 0.3)
    status, answer = serve(scores, X)({"income": 2.0})
    assert (status, answer["label"]) == (200, True)
    assert answer["scores"] == pytest.approx([scores.decision_function(X * 0 + 2.0)[0]])


@needs_server
def test_the_columns_are_documented(serve):
    ask = serve(*fitted_on_mixed_columns())
    row = ask.client.get("/openapi.json").json()["components"]["schemas"]["Row"]
    assert set(row["properties"]) == set(ROW)
    assert row["additionalProperties"] is False


def test_the_server_needs_no_stackens():
    code = (FOLDER / "serve.py").read_text(encoding="utf-8")
    assert "import stackens" not in code
    assert "from stackens" not in code
