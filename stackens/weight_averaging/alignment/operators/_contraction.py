"""Operators that sum products over an axis: linear layers, matrix products, attention, lookup."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase

from stackens.weight_averaging.alignment._axes import Axes
from stackens.weight_averaging.alignment._factors import Axis, Value, factors_of, find, length
from stackens.weight_averaging.alignment.operators._elementwise import (
    combined,
    entrywise,
    labels_added,
)
from stackens.weight_averaging.alignment.operators._rules import Call, Result, rule

__all__ = ["added", "contracted", "note_sum"]


def contracted(axes: Axes, operands: Sequence[Value], letters: Sequence[str], out: str) -> Value:
    """Return a sum of products, as ``numpy.einsum`` would.

    Parameters
    ----------
    axes : Axes
    operands : list of Value
    letters : list of str
        For each operand one letter per axis.
    out : str
        Letters of the result; what it lacks is summed over.
    """
    held: dict[str, list[Axis]] = {letter: [] for letter in "".join([*letters, out])}
    for operand, word in zip(operands, letters, strict=True):
        for letter, axis in zip(word, operand.axes, strict=True):
            held[letter].append(axis)
    result: dict[str, Axis] = {}
    for letter, found in held.items():
        wide = [axis for axis in found if length(axis) != 1]
        if letter in out:
            result[letter] = _side_by_side(axes, wide) if wide else ((),)
        elif len(wide) == len(found) == 2:
            axes.unify(wide[0], wide[1], -1)
        else:
            axes.rigid(*wide)
            axes.fixed(_side_by_side(axes, wide) if wide else ((),))
    for operand, word in zip(operands, letters, strict=True):
        summed = [k for k, letter in enumerate(word) if letter not in out]
        note_sum(axes, operand, summed)
    return axes.resolved(Value(tuple(result[letter] for letter in out)))


def note_sum(axes: Axes, value: Value, positions: Sequence[int]) -> None:
    """Remember which units are summed over while others stand on another axis."""
    for position in positions:
        for k, other in enumerate(value.axes):
            if k != position:
                pairs = (
                    (summed.variable, kept.variable)
                    for summed in factors_of(value.axes[position])
                    for kept in factors_of(other)
                    if not find(summed.variable)[0].pinned and not find(kept.variable)[0].pinned
                )
                axes.mixed.extend(pairs)


def _side_by_side(axes: Axes, found: list[Axis]) -> Axis:
    """Return the axis of a product that all of its operands have: heads, batches."""
    result = found[0]
    for axis in found[1:]:
        axes.rigid(result, axis)
        result = labels_added(*axes.move_alike(result, axis))
        for factor in factors_of(result):
            find(factor.variable)[0].leads = True
    return result


def added(axes: Axes, value: Value, bias: Value | None, position: int = -1) -> Value:
    """Return a tensor plus a bias along one axis."""
    if bias is None:
        return value
    after = (len(value.axes) - 1 - position) % len(value.axes)
    return combined(axes, value, Value((*bias.axes, *[((),)] * after)))


@rule("linear")
def _linear(axes: Axes, call: Call) -> Result:
    value, weight = call["input"], call["weight"]
    batch = ascii_lowercase[: len(value.axes) - 1]
    if len(weight.axes) != 2:
        return None
    result = contracted(axes, [value, weight], [batch + "I", "OI"], batch + "O")
    return added(axes, result, call["bias"])


@rule("matmul", "mm", "bmm", "mv", "dot", "vdot")
def _matmul(axes: Axes, call: Call) -> Result:
    one = call["self"]
    other = call.get("other") or call.get("mat2") or call.get("vec") or call.get("tensor")
    return product(axes, one, other)


def product(axes: Axes, one: Value, other: Value) -> Value:
    """Return the matrix product of tensors, their batches broadcast."""
    rank = max(len(one.axes), len(other.axes), 2) - 2
    batch = ascii_lowercase[:rank]
    left = (batch[len(batch) - len(one.axes) + 2 :] + "I" if len(one.axes) > 1 else "") + "K"
    right = batch[len(batch) - len(other.axes) + 2 :] if len(other.axes) > 1 else ""
    right += "KO" if len(other.axes) > 1 else "K"
    out = batch + ("I" if len(one.axes) > 1 else "") + ("O" if len(other.axes) > 1 else "")
    return contracted(axes, [one, other], [left, right], out)


@rule("addmm", "baddbmm", "addbmm", "addmv")
def _add_product(axes: Axes, call: Call) -> Result:
    if call.name == "addbmm":
        return None
    pairs = {
        "addmm": ("mat1", "mat2"),
        "baddbmm": ("batch1", "batch2"),
        "addmv": ("mat", "vec"),
    }
    one, other = (call[name] for name in pairs[call.name])
    return combined(axes, product(axes, one, other), call["self"])


@rule("bilinear")
def _bilinear(axes: Axes, call: Call) -> Result:
    """Each output is x A y, with a matrix of its own."""
    batch = ascii_lowercase[: len(call["input1"].axes) - 1]
    operands = [call["input1"], call["weight"], call["input2"]]
    result = contracted(axes, operands, [batch + "I", "OIJ", batch + "J"], batch + "O")
    return added(axes, result, call["bias"])


@rule("einsum")
def _einsum(axes: Axes, call: Call) -> Result:
    equation, operands = call["equation"].replace(" ", ""), call["tensors"]
    words, arrow, out = equation.partition("->")
    words = words.split(",")
    if not arrow:
        found = "".join(words)
        out = "".join(sorted(letter for letter in set(found) if found.count(letter) == 1))
        out = "..." * ("..." in equation) + out
    if "..." in equation:
        unused = [x for x in ascii_uppercase + ascii_lowercase if x not in equation]
        ranks = [len(v.axes) - len(w) + 3 for w, v in zip(words, operands, strict=True)]
        most = max(rank for rank, word in zip(ranks, words, strict=True) if "..." in word)
        names = "".join(unused[:most])
        words = [w.replace("...", names[most - r :]) for w, r in zip(words, ranks, strict=True)]
        out = out.replace("...", names)
    if any(len(set(word)) < len(word) for word in words):
        return None  # a diagonal
    return contracted(axes, operands, words, out)


@rule("scaled_dot_product_attention")
def _attention(axes: Axes, call: Call) -> Result:
    query, key, value = call["query"], call["key"], call["value"]
    if call["dropout_p"] or len(query.axes) > 12:
        return None
    if call["enable_gqa"]:
        key, value = (_repeated_heads(axes, part, query) for part in (key, value))
    batch = ascii_lowercase[: len(query.axes) - 2]
    scores = contracted(axes, [query, key], [batch + "QD", batch + "KD"], batch + "QK")
    if call["is_causal"]:
        axes.pin(scores.axes[-1])
        axes.pin(scores.axes[-2])
    if call["attn_mask"] is not None:
        scores = combined(axes, scores, entrywise(axes, call["attn_mask"]))
    scores = entrywise(axes, scores)
    return contracted(axes, [scores, value], [batch + "QK", batch + "KD"], batch + "QD")


def _repeated_heads(axes: Axes, value: Value, query: Value) -> Value:
    """Return keys with as many heads as there are queries, neighbours alike."""
    heads, copies = value.axes[-3], query.shape[-3] // value.shape[-3]
    repeated = axes.product([heads, axes.free(copies)])
    return Value((*value.axes[:-3], repeated, *value.axes[-2:]))


@rule("embedding_bag")
def _embedding_bag(axes: Axes, call: Call) -> Result:
    """Sums (mode 0), means (1) or maxima (2) of rows of a table; its other results are places."""
    table, weights = call["weight"], call["per_sample_weights"]
    axes.pin(table.axes[0])
    if weights is not None:
        entrywise(axes, weights)
        axes.pin(weights.axes[0])
    for axis in (*call["indices"].axes, *call["offsets"].axes):
        axes.pin(axis)
    bags = Value((axes.pinned(call.shape[0]), table.axes[1]))
    if call["mode"] == 2:
        bags = entrywise(axes, bags, scale=False)
    return (bags, *(axes.constant(shape) for shape in call.shapes[1:]))


@rule("embedding")
def _embedding(axes: Axes, call: Call) -> Result:
    table, rows = call["weight"], entrywise(axes, call["indices"])
    axes.pin(table.axes[0])
    return Value((*rows.axes, table.axes[1]))
