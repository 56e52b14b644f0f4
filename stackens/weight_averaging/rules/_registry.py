"""Names of averaging rules, as users write them in ``rule``."""

from __future__ import annotations

from stackens.weight_averaging.rules._mean import FisherMean, WeightedMean
from stackens.weight_averaging.rules._model_stock import ModelStock
from stackens.weight_averaging.rules._regmean import RegMean
from stackens.weight_averaging.rules._rule import Rule
from stackens.weight_averaging.rules._slerp import Slerp
from stackens.weight_averaging.rules._task_vectors import Dare, TaskArithmetic, Ties

__all__ = ["RULES", "rule_for"]

RULES: dict[str, type[Rule]] = {
    "dare": Dare,
    "fisher": FisherMean,
    "mean": WeightedMean,
    "model_stock": ModelStock,
    "regmean": RegMean,
    "slerp": Slerp,
    "task_arithmetic": TaskArithmetic,
    "ties": Ties,
}


# What other libraries call these, and what to write here.
_ELSEWHERE = {
    "linear": "'mean'",
    "karcher": "'slerp'",
    "nuslerp": "'slerp'",
    "dare_linear": "'dare'",
    "dare_ties": "rules.Dare(then=rules.Ties())",
}


def rule_for(rule: str | Rule) -> Rule:
    """Return the rule that a name stands for, or a rule as it is.

    Parameters
    ----------
    rule : str or Rule
        A key of ``RULES``, for the rule with its defaults; or a rule.

    Returns
    -------
    Rule

    Raises
    ------
    ValueError
        If the name is not known, or the rule needs statistics, which a name does not have.
    TypeError
        If it is neither.

    Examples
    --------
    >>> from stackens.weight_averaging import rules
    >>> rules.rule_for("ties")
    Ties(density=0.2, scale=1.0)
    >>> rules.rule_for(rules.Ties(density=0.5))
    Ties(density=0.5, scale=1.0)
    """
    if isinstance(rule, Rule):
        return rule
    if not isinstance(rule, str):
        raise TypeError(
            f"The 'rule' parameter must be a name or a rule. Got {rule!r}. The names are "
            f"{sorted(RULES)}; a class must be called first."
        )
    if rule not in RULES:
        here = f"Write {_ELSEWHERE[rule]}." if rule in _ELSEWHERE else "Correct the name."
        raise ValueError(
            f"The 'rule' parameter must be one of {sorted(RULES)} or a rule. Got {rule!r}. {here}"
        )
    kind = RULES[rule]
    if kind in (FisherMean, RegMean):
        raise ValueError(
            f"The rule {rule!r} needs statistics of each model. Got its name only. Give "
            f"rules.{kind.__name__}(statistics) instead."
        )
    return kind()
