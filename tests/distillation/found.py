"""What a distillation into LightGBM may have found."""

from dataclasses import replace

import pandas as pd

from stackens._core._task import infer_task
from stackens.distillation._findings import DISTILLED, PLAIN, TEACHER, Findings
from stackens.evaluation import resolve_scoring

TASK = infer_task([0, 1])[0]
LOSS = resolve_scoring(None, TASK, {})


def findings(**changes):
    scores = pd.DataFrame(
        {
            "score": [-0.395, -0.430, -0.404],
            "score_se": 0.009,
            "agreement": [1.0, 0.93, 0.97],
            "kl": [0.0, 0.021, 0.0085],
            "ece": [0.012, 0.02, 0.015],
            "one_row_us": [4_300.0, 55.0, 56.0],
            "one_row_p99_us": [5_000.0, 70.0, 71.0],
            "bytes": [12e6, 340e3, 350e3],
            "fit_s": [31.0, 0.8, 2.2],
        },
        index=[TEACHER, PLAIN, DISTILLED],
    )
    found = Findings(
        scoring=LOSS,
        task=TASK,
        scores=scores,
        chosen=DISTILLED,
        guard=True,
        recipe="lightgbm 100x31",
        soft_weight=0.9,
        temperature=1.0,
        path="soft cross-entropy",
        label_source="out-of-fold, 5 folds",
        n_held_out=2_400,
        n_outer=5,
        gap=0.035,
        gap_se=0.006,
        gain=0.026,
        gain_se=0.005,
        teacher_temperature=1.12,
        teacher_calls=6,
        teacher_rows=12_000,
    )
    return replace(found, **changes)
