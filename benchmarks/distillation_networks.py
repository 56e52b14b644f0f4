"""Hinton's experiment in small: what a student keeps of a teacher that was trained with care.

    python benchmarks/distillation_networks.py --seeds 2 --output networks.csv

The images are 10,000 of Fashion-MNIST to learn from and 2,000 to count errors on. The teacher is a
convolutional network of 216,000 weights, regularised by dropout and jitter (each image is moved by
up to a pixel every time it is met). The student has 50,000 (with --width 16: 21,000; Hinton's: 1.3
of 2.4 million) and no regularisation:

- plain: true classes alone, trained as the distilled ones are;
- plain, best: the same with three learning rates, each with early stopping and without it on all
  images, and with as many steps as training with copies has. The one with the fewest errors *on
  the test images* is taken, which favours it: nothing is tuned for the distilled ones;
- plain, moved: true classes of the images and of copies moved by a pixel in eight directions;
- distilled, images alone: by the teacher's probabilities of the 10,000 images;
- distilled: by those of the images and of the moved copies, given as rows without labels.

All students begin with the same weights (of their seed), take AdamW, one cycle and the same number
of epochs, and keep the weights of the epoch with the lowest loss on 15% of the images. Kept is
(errors of plain - errors of student) / (errors of plain - errors of teacher), of mean errors over
the seeds, against either plain student. Standard errors are those over the test images.

Hinton, Vinyals & Dean (2015), arXiv:1503.02531, section 3, keep (146 - 74) / (146 - 67) = 0.91 of
10,000 digits. Copies that teacher and student see alike are the consistent teaching of Beyer et
al. (2022), arXiv:2106.05237.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from alignment_networks import Data, fashion
from joblib import Parallel, delayed
from tables import FOLDER
from torch import nn
from torch.nn.functional import cross_entropy, pad

import stackens as se
from stackens._core._task import infer_task
from stackens.distillation._lesson import Lesson
from stackens.distillation.students import ModuleStudent

N_CLASSES = 10
BACKGROUND = -0.286 / 0.353  # a black pixel, centred and scaled
RATE, OTHER_RATES = 5e-3, (2e-3, 1e-2)
DIRECTIONS = [move for move in itertools.product((-1, 0, 1), repeat=2) if any(move)]


@dataclass(frozen=True)
class Setting:
    """How a student is taught; the kind is what it is called in the table."""

    kind: str
    rate: float = RATE
    temperature: float = 1.0
    copies: bool = False
    stops_early: bool = True
    longer: int = 1  # times the epochs of the others


def settings(temperatures: list[float]) -> list[Setting]:
    return [
        Setting("plain"),
        *(Setting("plain, other", rate) for rate in OTHER_RATES),
        *(Setting("plain, other", rate, stops_early=False) for rate in (RATE, *OTHER_RATES)),
        Setting("plain, other", longer=1 + len(DIRECTIONS)),
        Setting("plain, moved", copies=True),
        Setting("distilled, images alone"),
        *(Setting("distilled", temperature=t, copies=True) for t in temperatures),
    ]


def teacher_network(width: int = 16) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(1, width, 1),
        nn.MaxPool2d(2),
        *_convolution(width, 2 * width, 1),
        nn.MaxPool2d(2),
        *_convolution(2 * width, 2 * width, 1),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(2 * width * 49, 128),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(128, N_CLASSES),
    )


def student_network(width: int) -> nn.Sequential:
    return nn.Sequential(
        *_convolution(1, width, 2),
        *_convolution(width, 2 * width, 2),
        nn.Flatten(),
        nn.Linear(2 * width * 49, N_CLASSES),
    )


def _convolution(n_in: int, n_out: int, stride: int) -> list[nn.Module]:
    layers = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()
    return list(layers)


def moved(images: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
    """Return the images, each moved by at most a pixel down and to the right: -1, 0 or 1."""
    n, _, height, width = images.shape
    room = pad(images[:, 0], (1,) * 4, value=BACKGROUND)
    rows = 1 - moves[:, :1] + torch.arange(height)
    columns = 1 - moves[:, 1:] + torch.arange(width)
    return room[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None]][:, None]


def with_copies(images: torch.Tensor) -> list[torch.Tensor]:
    """Return the images moved by a pixel, in all directions."""
    return [moved(images, torch.tensor([move] * len(images))) for move in DIRECTIONS]


def trained_teacher(data: Data, epochs: int, rate: float = 4e-3, batch_size: int = 128) -> Any:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    network = teacher_network()
    optimiser = torch.optim.AdamW(network.parameters(), rate)
    n_steps = epochs * -(-len(data.X) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=n_steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(data.X), generator=generator).split(batch_size):
            optimiser.zero_grad()
            moves = torch.randint(-1, 2, (len(rows), 2), generator=generator)
            answer = network(moved(data.X[rows], moves))
            cross_entropy(answer, data.y[rows]).backward()
            optimiser.step()
            schedule.step()
    return network.eval()


def plain_student(recipe: ModuleStudent, setting: Setting, data: Data, X: Any, seed: int) -> Any:
    y = data.y.repeat(len(X) // len(data.y)).numpy()
    task, _ = infer_task(y)
    hard = np.eye(N_CLASSES)[y]
    stopping = None
    if setting.stops_early:
        stopping = np.arange(len(y)) < len(data.y)  # never a moved copy
        stopping &= np.random.default_rng(seed).random(len(y)) < 0.15
    silent, weights = np.full_like(hard, np.nan), np.ones(len(y))
    lesson = Lesson(X, silent, hard, task, weights, soft_weight=0.0, stopping=stopping)
    return recipe.fit(lesson, random_state=seed)


def run(
    setting: Setting, seed: int, data: Data, teacher: Any, epochs: int, width: int
) -> dict[str, Any]:
    """Teach one student, and say which test images it gets wrong."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    copies = with_copies(data.X) if setting.copies else []
    recipe = ModuleStudent(
        student_network(width), epochs=epochs * setting.longer, learning_rate=setting.rate
    )
    start = time.perf_counter()
    if setting.kind.startswith("plain"):
        X = torch.cat([data.X, *copies]).numpy()
        student = plain_student(recipe, setting, data, X, seed)
    else:
        student = se.DistilledClassifier(
            teacher,
            student=recipe,
            temperature=setting.temperature,
            teacher_output="logits",
            soft_weight=1.0,
            soft_targets="in_sample",
            outer=None,
            random_state=seed,
        ).fit(data.X, data.y, X_unlabeled=torch.cat(copies).numpy() if copies else None)
        student = student.student_
    return {
        **vars(setting),
        "seed": seed,
        "wrong": student.predict(data.X_test.numpy()) != data.y_test.numpy(),
        "seconds": time.perf_counter() - start,
    }


def summary(found: pd.DataFrame, teacher_wrong: np.ndarray) -> pd.DataFrame:
    """Errors of each kind of student, averaged over the seeds, and what they keep."""
    by = ["kind", "temperature", "rate", "stops_early", "longer"]
    wrong = {key: np.mean(list(part), axis=0) for key, part in found.groupby(by)["wrong"]}
    plain = [key for key in wrong if key[0] in ("plain", "plain, other")]
    best = min(plain, key=lambda key: wrong[key].sum())
    print(f"best plain: {dict(zip(by, best, strict=True))}")
    shown = {("teacher", np.nan): teacher_wrong, ("plain, best", 1.0): wrong[best]}
    shown |= {key[:2]: errors for key, errors in wrong.items() if key[0] != "plain, other"}
    errors = pd.DataFrame(shown).sum()
    table = pd.DataFrame({"errors": errors})
    for name in ("plain", "plain, best"):
        fewer = pd.DataFrame({key: shown[name, 1.0] - each for key, each in shown.items()})
        table[f"fewer than {name}"] = fewer.sum()
        table[f"two errors of {name}"] = 2 * np.sqrt(len(fewer)) * fewer.std()
        table[f"kept of {name}"] = fewer.sum() / fewer["teacher"].sum().item()
    return table.rename_axis(index=["", "temperature"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--temperatures", type=float, nargs="+", default=[1.0, 2.0, 4.0, 8.0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--width", type=int, default=32, help="channels of the student")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output")
    options = parser.parse_args()
    data = fashion((1, 28, 28), FOLDER / "fashion_mnist.npz")
    start = time.perf_counter()
    teacher = trained_teacher(data, options.epochs)
    teacher_wrong = (se.FrozenNetwork(teacher, output="logits").predict(data.X_test.numpy())) != (
        data.y_test.numpy()
    )
    print(f"teacher: {teacher_wrong.sum()} errors, {time.perf_counter() - start:.0f} s", flush=True)
    jobs = itertools.product(settings(options.temperatures), range(options.seeds))
    rows = []
    finished = Parallel(options.jobs, return_as="generator")(
        delayed(run)(setting, seed, data, teacher, options.epochs, options.width)
        for setting, seed in jobs
    )
    for row in finished:
        rows.append(row)
        print({**row, "wrong": int(row["wrong"].sum())}, flush=True)
    found = pd.DataFrame(rows)
    if options.output:
        found.assign(wrong=found["wrong"].map(sum)).to_csv(options.output, index=False)
    print(summary(found, teacher_wrong).round(2).to_string())
    print(f"{time.perf_counter() - start:.0f} seconds")


if __name__ == "__main__":
    main()
