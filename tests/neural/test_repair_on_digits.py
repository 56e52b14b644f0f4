"""What REPAIR is worth: the average of networks trained apart on digits, and matched."""

import copy
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_digits

torch = pytest.importorskip("torch")

from stackens import weight_averaging as wa  # noqa: E402

nn = torch.nn


def trained(seed, X, y):
    """A perceptron with six hidden layers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        hidden = [(nn.Linear(*sizes), nn.ReLU()) for sizes in pairwise([64] * 7)]
        net = nn.Sequential(*(part for layer in hidden for part in layer), nn.Linear(64, 10))
        optimizer = torch.optim.Adam(net.parameters(), 3e-3)
        for _ in range(25):
            for batch in torch.randperm(len(X)).split(200):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(X[batch]), y[batch]).backward()
                optimizer.step()
    return net


@torch.no_grad()
def matched(net, like, X):
    """Reorder hidden units so that what they do goes best with those of another network."""
    net = copy.deepcopy(net)
    for i in range(0, len(net) - 1, 2):
        outputs = [part[: i + 2](X).double() for part in (like, net)]
        unit = [(out - out.mean(0)) / (out.std(0) + 1e-9) for out in outputs]
        order = torch.from_numpy(linear_sum_assignment(-(unit[0].T @ unit[1]).numpy())[1])
        net[i].weight.copy_(net[i].weight[order])
        net[i].bias.copy_(net[i].bias[order])
        net[i + 2].weight.copy_(net[i + 2].weight[:, order])
    return net


def test_networks_trained_apart_and_matched_get_accuracy_back():
    X, y = (torch.from_numpy(part) for part in load_digits(return_X_y=True))
    X = X.float() / 16
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
    X_train, y_train, X_test, y_test = (
        X[order[:1400]],
        y[order[:1400]],
        X[order[1400:]],
        y[order[1400:]],
    )

    @torch.no_grad()
    def accuracy(net):
        return (net(X_test).argmax(1) == y_test).float().mean().item()

    scores = []
    for seed in (0, 1):
        like, net = trained(seed, X_train, y_train), trained(seed + 2, X_train, y_train)
        models = [like, matched(net, like, X_train)]
        assert accuracy(models[1]) == pytest.approx(accuracy(net), abs=0.01)
        merged = wa.average(models)
        repaired = wa.repair(merged, models, list(X_train.split(500)))
        scores.append([accuracy(part) for part in (*models, merged, repaired)])
    *single, merged, repaired = np.mean(scores, axis=0)
    assert min(single) > 0.85
    assert repaired > merged + 0.1
