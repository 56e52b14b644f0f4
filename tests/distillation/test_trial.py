"""Candidates in an outer split: fitted once, measured on distinct rows."""

import numpy as np
import pytest
from sklearn.datasets import make_classification

from stackens._core._task import infer_task
from stackens.distillation import _trial
from stackens.distillation._candidates import PLAIN_MIX, Candidate, Mix
from stackens.distillation._inputs import Inputs
from stackens.distillation._lessons import Lessons
from stackens.distillation._trial import Trial, measure_student, measure_teacher
from stackens.distillation.students._tree import TreeStudent
from stackens.evaluation import HeldOut
from stackens.export import exported_cost

X, Y = make_classification(300, 5, random_state=0)


def trial():
    task, y = infer_task(Y[:200])
    soft = np.eye(2)[y] * 0.8 + 0.1
    inputs = Inputs(X[:200], y, task, np.eye(2)[y], task, None, None, 5)
    lessons = Lessons(inputs, soft, lambda X: None, None, "cross_entropy", 1.0, (), 0)
    return Trial(lessons, X[200:], HeldOut(np.arange(200, 300), Y[200:], None, {}), 0)


def test_a_candidate_learns_once_and_answers_the_rows_set_aside():
    found, candidate = trial(), Candidate(TreeStudent(max_depth=3), Mix(1.0))
    found.run(candidate, measure=True)
    answers = found.held_out.answers[candidate.name]
    assert answers.values.shape == (100, 2)
    assert answers.response == "predict_proba"
    found.run(candidate, measure=False)
    assert found.held_out.answers[candidate.name] is answers
    assert found.fit_seconds[candidate.name] > 0
    assert found.measured[candidate.name].n_bytes > 0
    plain = Candidate(TreeStudent(max_depth=3), PLAIN_MIX)
    found.run(plain, measure=False)
    assert plain.name not in found.measured


def test_a_student_is_measured_in_its_exported_form():
    found = trial()
    lesson = found.lessons.lesson(Mix(1.0), stops_early=False)
    student = TreeStudent(max_depth=3).fit(lesson)
    cost = measure_student(student, X)
    assert abs(cost.n_bytes - exported_cost(student, X).n_bytes) < 1_000  # other rows are carried
    assert cost.n_bytes > student.n_bytes()
    assert 0 < cost.one_row_us <= cost.one_row_p99_us


def test_one_that_cannot_be_exported_is_measured_bare_on_distinct_rows(monkeypatch):
    monkeypatch.setattr(_trial, "exported_cost", lambda student, X: None)
    found = trial()
    lesson = found.lessons.lesson(Mix(1.0), stops_early=False)
    student = TreeStudent(max_depth=3).fit(lesson)
    seen, bare = [], student.bare

    def recording(rows):
        ask, prepared = bare(rows)
        return lambda row: (seen.append(row.tobytes()), ask(row)), prepared

    student.bare = recording
    cost = measure_student(student, X)
    assert 0 < cost.one_row_us <= cost.one_row_p99_us
    assert len(set(seen)) == 200


def test_a_slow_teacher_is_asked_little(monkeypatch):
    asked, now = [], [0.0]

    def slow(rows):
        now[0] += 1.0
        asked.append(len(rows))
        return np.zeros((len(rows), 2))

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    cost = measure_teacher(slow, X)
    assert cost.one_row_us == pytest.approx(1e6)
    assert len(asked) < 10
