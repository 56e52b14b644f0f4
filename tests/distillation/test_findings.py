"""What a distillation says in words, case by case."""

import math
from dataclasses import replace

import pytest

from stackens._core._task import infer_task
from stackens.distillation._findings import (
    DISTILLED,
    PLAIN,
    TEACHER,
    details,
    sentences,
    table,
    verdict,
)
from stackens.evaluation import resolve_scoring
from tests.distillation.found import LOSS, TASK, findings

LABELS = "Soft targets: out-of-fold, 5 folds, calibrated with a temperature of 1.12."
COST = (
    "It answers a single row in 56 µs (teacher 4.3 ms, 77 times the time) and takes 350 kB "
    "(teacher 12 MB, 34 times the size)."
)


def rescored(*scores, **changes):
    found = findings()
    return replace(found, scores=found.scores.assign(score=scores), **changes)


NO_GAP = rescored(-0.428, -0.430, -0.431, gap=0.002, gap_se=0.004, gain=-0.001, gain_se=0.003)


def test_it_pays():
    found = findings()
    assert found.pays
    assert found.retention == pytest.approx(0.026 / 0.035)
    assert verdict(found) == "Distilling pays: the student keeps 74% of the teacher's lead"
    assert sentences(found) == [
        "Distilling pays: the teacher's log loss of 0.3950 is better than the 0.4300 of a plain "
        "student by 0.0350 ± 0.0060, more than two standard errors (2,400 rows set aside).",
        "The distilled student (0.4040) keeps 74% of that gap (gain 0.0260 ± 0.0050).",
        COST,
        LABELS,
    ]


def test_a_gain_within_noise_is_called_so():
    found = rescored(-0.395, -0.430, -0.425, gain=0.005)
    assert found.pays
    assert "keeps nothing of it that is clear of noise" in verdict(found)
    assert sentences(found)[0].startswith(
        "The teacher has a lead: the teacher's log loss of 0.3950"
    )
    assert sentences(found)[1] == (
        "The distilled student (0.4250) keeps 14% of that gap (gain 0.0050 ± 0.0050, which is "
        "within noise)."
    )


def test_a_distilled_student_that_is_worse_than_plain():
    found = rescored(-0.395, -0.430, -0.450, gain=-0.020, chosen=PLAIN)
    assert found.retention < 0
    assert "keeps nothing" in verdict(found)
    assert not sentences(found)[0].startswith("Distilling pays")
    assert sentences(found)[1] == (
        "The distilled student (0.4500) keeps nothing of that gap (gain -0.0200 ± 0.0050); the "
        "plain student is the one that is given."
    )
    assert "answers a single row in 55 µs" in sentences(found)[2]


def test_no_gap():
    found = replace(NO_GAP, chosen=PLAIN)
    assert not found.pays
    assert found.retention is None
    assert verdict(found).startswith("Distilling does not pay")
    assert sentences(found)[:2] == [
        "Distilling does not pay: there is no gap to keep, as the teacher (log loss 0.4280) is "
        "not better than a plain student (0.4300) by two standard errors (difference "
        "0.0020 ± 0.0040, 2,400 rows set aside).",
        "So the guard gives the plain student.",
    ]
    asked = replace(found, guard=False)
    assert sentences(asked)[1] == "The plain student is the one that is given."


def test_no_gap_and_the_guard_off():
    assert sentences(replace(NO_GAP, guard=False))[1] == (
        "The distilled student (0.4310) is given all the same: its gain over the plain one is "
        "-0.0010 ± 0.0030, which is within noise."
    )
    clear = replace(NO_GAP, guard=False, gain=0.009)
    assert sentences(clear)[1].endswith("0.0090 ± 0.0030, clear of noise.")


def test_errors_that_are_not_known_are_no_gap():
    found = findings(gap_se=math.nan)
    assert not found.pays
    assert found.retention is None
    assert sentences(found)[0] == (
        "Teacher and plain student could not be compared (log loss 0.3950 and 0.4300)."
    )
    unscored = rescored(-0.395, -0.43, math.nan, gain=math.nan, gain_se=math.nan)
    assert sentences(unscored)[1] == "The distilled student has no score."


def test_nothing_set_aside():
    found = findings(scores=None, gap=math.nan, gap_se=math.nan, gain=math.nan)
    assert not found.pays
    said = sentences(found)
    assert said[0].startswith("No rows were set aside (outer=None), so it is not known whether")
    assert said[1:] == [LABELS]
    assert "no rows were set aside" in verdict(found)
    assert table(found).empty
    assert details(found)[0].startswith("Student: ")


def test_scores_where_higher_is_better():
    scoring = resolve_scoring("roc_auc", TASK, {})
    found = rescored(0.93, 0.90, 0.924, scoring=scoring, gap=0.03, gain=0.024)
    assert "ROC AUC of 0.9300 is better than the 0.9000" in sentences(found)[0]
    assert table(found)["ROC AUC"].tolist() == ["0.9300", "0.9000", "0.9240"]
    assert details(found)[0].startswith("ROC AUC (higher is better)")


def test_costs_that_are_not_known_are_not_told():
    found = findings()
    unknown = found.scores.assign(one_row_us=math.nan, bytes=math.nan)
    assert sentences(replace(found, scores=unknown))[2:] == [LABELS]
    teacher = found.scores.copy()
    teacher.loc[TEACHER, ["one_row_us", "bytes"]] = math.nan
    said = sentences(replace(found, scores=teacher))[2]
    assert said == "It answers a single row in 56 µs and takes 350 kB."
    teacher.loc[TEACHER, ["one_row_us", "bytes"]] = 67_424.0, 157_500.0
    said = sentences(replace(found, scores=teacher))[2]
    assert "1,204 times the time" in said
    assert "0.45 times the size" in said


def test_a_teacher_that_is_not_calibrated():
    assert sentences(findings(teacher_temperature=None))[-1] == (
        "Soft targets: out-of-fold, 5 folds."
    )


def test_the_table_has_units_and_natural_signs():
    shown = table(findings())
    assert shown.index.tolist() == [TEACHER, PLAIN, DISTILLED]
    row = ["0.4040", "0.0090", "97%", "0.0085", "0.015", "56 µs", "71 µs", "350 kB", "2.2 s"]
    assert shown.loc[DISTILLED].tolist() == row
    assert shown.columns[2] == "same class as teacher"


def test_the_table_of_a_regression():
    task = infer_task([0.5, 1.5, 2.5])[0]
    found = findings(task=task, scoring=resolve_scoring(None, task, {}))
    found = replace(found, scores=found.scores.assign(kl=math.nan, ece=math.nan))
    shown = table(found)
    assert shown["R² to teacher"].tolist() == ["1.000", "0.930", "0.970"]
    assert shown.columns[0] == "RMSE"
    assert not any("KL" in column or "calibration" in column for column in shown)


def test_what_is_missing_is_a_dash():
    found = findings()
    scores = found.scores.copy()
    scores.loc[PLAIN, ["agreement", "bytes"]] = math.nan
    shown = table(replace(found, scores=scores))
    assert shown.loc[PLAIN, ["same class as teacher", "size"]].tolist() == ["-", "-"]


@pytest.mark.parametrize(
    ("gap", "gap_se", "shown"),
    [
        (0.035, 0.0, "0.0350 ± 0.0000"),  # always the same lead: four digits of the scores
        (35.0, 6.0, "35.000 ± 6.000"),  # two digits of the smaller error, which is 0.05
        (0.035, 1e-8, "0.035000 ± 0.000000"),  # but no more than six decimals
        (0.035, 1e-12, "0.0350 ± 0.0000"),  # an error that is only rounding
    ],
)
def test_decimals_follow_the_errors(gap, gap_se, shown):
    gain_se = 0.05 if gap > 1 else 0.0
    assert shown in sentences(findings(gap=gap, gap_se=gap_se, gain_se=gain_se))[0]


def test_details():
    found = findings(
        augmentation="munge",
        n_extra_rows=20_000,
        seconds={"teacher": 31.0, "students": 0.5},
        budget="at most 80 µs",
        notes=("One.", "Two."),
    )
    assert details(found) == [
        "Log loss (lower is better) on 2,400 rows set aside before any fit (5 outer splits)",
        "Single row and size: of the exported file, or of the model as it is if there is none",
        "Student: lightgbm 100x31 (distilled student), learnt by soft cross-entropy",
        "Distilled: soft weight 0.9, temperature 1, extra rows: munge (20,000)",
        "Budget: at most 80 µs",
        "Teacher: 6 calls, 12,000 rows",
        "Time: teacher 31 s, students 500 ms",
        "Note: One.",
        "Note: Two.",
    ]
    bare = details(findings(n_outer=1, scoring=replace(LOSS, note="Because.")))
    assert bare[0].endswith("(one hold-out). Because.")
    assert bare[3].endswith("extra rows: none")
    assert len(bare) == 5
