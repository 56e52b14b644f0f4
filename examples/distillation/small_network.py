"""Distil a trained torch network into a small one, and see what the small one keeps.

The teacher is a convolutional network for handwritten digits. It learnt from 1,000 images, with
dropout, and with jitter: each image was moved by up to half a pixel every time. The student is an
eleventh of its size and gets neither; it learns the teacher's softened probabilities of the images,
and of moved copies that need no labels::

    python examples/distillation/small_network.py
    python examples/distillation/small_network.py --channels 8 --temperature 4

797 images that the teacher has not seen tell what the student keeps. Prints the report.
"""

import argparse
import time

import numpy as np
import torch
from scipy.ndimage import shift
from sklearn.datasets import load_digits
from torch import nn

import stackens as se
from stackens.distillation.students import ModuleStudent

N_TRAIN, COPIES = 1000, 5


def main():
    arguments = parse_arguments()
    torch.set_num_threads(1)  # more only get into each other's way in networks this small
    start = time.perf_counter()
    generator = np.random.default_rng(0)
    images, labels = load_digits(return_X_y=True)
    order = generator.permutation(len(labels))
    images = (images[order] / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    labels = labels[order]
    train, test = np.arange(N_TRAIN), np.arange(N_TRAIN, len(labels))

    print("The teacher learns, 40 epochs over 1,000 images.", flush=True)
    teacher = trained_teacher(images[train], labels[train], generator)
    print(f"It has learnt ({time.perf_counter() - start:.0f} seconds).", flush=True)

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, arguments.channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * arguments.channels, 10),
    )
    student = se.DistilledClassifier(
        teacher,
        student=ModuleStudent(network, epochs=60, learning_rate=0.01, name="small network"),
        temperature=arguments.temperature,
        teacher_output="logits",
        soft_targets="in_sample",  # of the images that it learnt from: jitter kept it honest
        outer=[(train, test)],  # scored on images that neither has seen
        random_state=0,
        verbose=1,
    ).fit(
        images,
        labels,
        X_unlabeled=np.concatenate([moved(images[train], generator) for _ in range(COPIES)]),
    )
    print(f"Distilled ({time.perf_counter() - start:.0f} seconds).\n\n{student.report_}")

    small = student.student_.module  # a torch module like the one given
    with torch.no_grad():
        answers = small(torch.tensor(images[:5])).argmax(dim=1)
    print(f"\nFive digits: {labels[:5].tolist()}, read as {answers.tolist()}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--channels", type=int, default=16, help="of the student (default: 16)")
    parser.add_argument("--temperature", type=float, default=2.0, help="(default: 2)")
    arguments = parser.parse_args()
    if arguments.channels < 1 or arguments.temperature <= 0:
        parser.error("--channels must be at least 1, and --temperature above 0.")
    return arguments


def trained_teacher(images, labels, generator, epochs=40, batch_size=50, rate=5e-3):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(1024, 10),
    )
    n_batches = len(labels) // batch_size
    optimiser = torch.optim.AdamW(network.parameters())
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * n_batches)
    labels = torch.tensor(labels)
    for _ in range(epochs):
        inputs = torch.tensor(moved(images, generator))
        for rows in torch.randperm(len(labels)).split(batch_size):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(inputs[rows]), labels[rows]).backward()
            optimiser.step()
            rates.step()
    return network.eval()


def moved(images, generator, by=0.5):
    """Return a copy of each image, moved by up to so many pixels in either direction."""
    moves = generator.uniform(-by, by, size=(len(images), 2))
    return np.stack(
        [shift(image, (0, *move), order=1) for image, move in zip(images, moves, strict=True)]
    )


if __name__ == "__main__":
    main()
