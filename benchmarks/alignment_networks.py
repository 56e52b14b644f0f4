"""Networks, data and training that the benchmarks of alignment share; trained networks are kept."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn.functional import cross_entropy

FASHION = Path(__file__).parents[2] / "shared/data/dev/fashion_mnist.npz"


@dataclass(frozen=True)
class Data:
    """Rows to train on and rows to score on."""

    X: torch.Tensor
    y: torch.Tensor
    X_test: torch.Tensor
    y_test: torch.Tensor

    def rows(self, which: torch.Tensor) -> Data:
        """Return the same with some of the training rows."""
        return Data(self.X[which], self.y[which], self.X_test, self.y_test)

    def accuracy(self, network: nn.Module) -> float:
        """Return the accuracy on the test rows, in percent."""
        return 100 * (self._outputs(network).argmax(dim=1) == self.y_test).double().mean().item()

    def loss(self, network: nn.Module) -> float:
        """Return the mean cross-entropy on the test rows."""
        return cross_entropy(self._outputs(network), self.y_test).item()

    def _outputs(self, network: nn.Module) -> torch.Tensor:
        was_training = network.training
        with torch.no_grad():
            outputs = torch.cat([network.eval()(rows) for rows in self.X_test.split(500)])
        network.train(was_training)
        return outputs


def digits(shape: tuple[int, ...] = (64,)) -> Data:
    """Return 1,400 training rows and 397 others; ``(8, 8)`` gives images for recurrent networks."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        (X / 16).astype(np.float32).reshape(-1, *shape),
        y,
        train_size=1400,
        stratify=y,
        random_state=0,
    )
    return Data(*(torch.tensor(part) for part in (X, y, X_test, y_test)))


def fashion(shape: tuple[int, ...], path: Path = FASHION, n_train: int | None = None) -> Data:
    """Return Fashion-MNIST (Xiao et al. 2017), centred and scaled: 10,000 and 2,000 rows."""
    kept = np.load(path)
    X, X_test = (
        torch.tensor((kept[name] / 255 - 0.286) / 0.353, dtype=torch.float32).reshape(-1, *shape)
        for name in ("X_train", "X_test")
    )
    y, y_test = (torch.tensor(kept[name].astype(np.int64)) for name in ("y_train", "y_test"))
    return Data(X[:n_train], y[:n_train], X_test, y_test)


def perceptron(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def convolutional(width: int) -> nn.Sequential:
    """Return three convolutions with BatchNorm, for images of 28 by 28."""
    layers: list[nn.Module] = []
    for n_in, stride in ((1, 2), (width, 2), (width, 1)):
        layers += [
            nn.Conv2d(n_in, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


class Recurrent(nn.Module):
    """An LSTM that reads an image row by row."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(8, width, batch_first=True)
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(x)[0][:, -1])


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    epochs: int
    batch_size: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    one_cycle: bool = False
    bfloat16: bool = False

    def train(self, network: nn.Module, data: Data, kept: Path | None = None) -> nn.Module:
        """Train with AdamW from the global random state, or load what was kept."""
        if kept is not None and kept.exists():
            network.load_state_dict(torch.load(kept))
            return network.eval()
        optimiser = torch.optim.AdamW(
            network.parameters(), self.learning_rate, weight_decay=self.weight_decay
        )
        schedule = None
        if self.one_cycle:
            n_steps = self.epochs * -(-len(data.X) // self.batch_size)
            schedule = torch.optim.lr_scheduler.OneCycleLR(
                optimiser, self.learning_rate, total_steps=n_steps
            )
        network.train()
        for _ in range(self.epochs):
            for rows in torch.randperm(len(data.X)).split(self.batch_size):
                optimiser.zero_grad()
                with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
                    outputs = network(data.X[rows])
                cross_entropy(outputs.float(), data.y[rows]).backward()
                optimiser.step()
                if schedule is not None:
                    schedule.step()
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            torch.save(network.state_dict(), kept)
        return network.eval()
