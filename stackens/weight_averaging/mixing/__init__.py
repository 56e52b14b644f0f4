"""Learned mixing: only the weights of a mixture are learnt, the networks in it stay frozen."""

from stackens.weight_averaging.mixing._learn import learn_mixing
from stackens.weight_averaging.mixing._learned import LearnedMixing

__all__ = ["LearnedMixing", "learn_mixing"]
