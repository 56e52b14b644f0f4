"""Tests of the losses of a row: hard labels, soft targets, temperature, numbers."""

import pytest

torch = pytest.importorskip("torch")

from stackens.neural import cross_entropy, soft_cross_entropy, squared_error  # noqa: E402

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0], [0.0, 40.0, -40.0]], dtype=torch.float64)
SOFT = torch.tensor([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0], [0.25, 0.5, 0.25]], dtype=torch.float64)


def test_hard_labels_are_one_hot_soft_targets():
    codes = torch.tensor([0, 2, 1])
    one_hot = torch.nn.functional.one_hot(codes, 3).double()
    expected = -LOGITS.log_softmax(dim=1)[torch.arange(3), codes]
    torch.testing.assert_close(cross_entropy(LOGITS, codes), expected)
    torch.testing.assert_close(cross_entropy(LOGITS, one_hot), expected)
    torch.testing.assert_close(soft_cross_entropy(LOGITS, one_hot), expected)


def test_soft_targets():
    expected = -(SOFT * LOGITS.log_softmax(dim=1)).sum(dim=1)
    torch.testing.assert_close(soft_cross_entropy(LOGITS, SOFT), expected)
    torch.testing.assert_close(cross_entropy(LOGITS, SOFT), expected)


@pytest.mark.parametrize("temperature", [0.5, 2.0, 10.0])
def test_both_sides_are_softened(temperature):
    teacher = torch.tensor([[1.0, -2.0, 0.5], [3.0, 0.0, 0.0], [0.0, 1.0, 5.0]]).double()
    targets = (teacher / temperature).softmax(dim=1)
    expected = -(targets * (LOGITS / temperature).log_softmax(dim=1)).sum(dim=1)
    found = soft_cross_entropy(LOGITS, teacher.softmax(dim=1), temperature)
    torch.testing.assert_close(found, expected * temperature**2)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_best_student_is_the_teacher(temperature):
    logits = SOFT.clamp_min(1e-9).log().requires_grad_()
    soft_cross_entropy(logits, SOFT, temperature).sum().backward()
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), atol=1e-2, rtol=0)


def test_targets_of_zero_stay_finite():
    certain = torch.eye(3).double().requires_grad_()
    assert soft_cross_entropy(LOGITS, certain, 4.0).isfinite().all()


def test_squared_errors_are_means_over_outputs():
    outputs = torch.tensor([[1.0, 2.0], [0.0, 0.0]])
    targets = torch.tensor([[1.0, 4.0], [3.0, 1.0]])
    assert squared_error(outputs, targets).tolist() == [2.0, 5.0]
