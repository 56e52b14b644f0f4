"""Numbers in words: scores, times and sizes as reports write them."""

from __future__ import annotations

import math

__all__ = ["as_bytes", "as_number", "as_seconds", "capitalised", "decimals"]

ROUNDS_TO_ONE = 0.9995  # with three digits, so that 999.9 kB are 1 MB


def capitalised(words: str) -> str:
    """Return words with a capital first letter and the rest as it is."""
    return words[:1].upper() + words[1:]


def decimals(spread: float, value: float) -> int:
    """Return decimals that show two digits of the spread, or four of the value.

    A spread that is only rounding does not count.
    """
    if math.isfinite(spread) and spread > 1e-9 * abs(value):
        return max(0, 1 - math.floor(math.log10(spread)))
    if value and math.isfinite(value):
        return max(0, 3 - math.floor(math.log10(abs(value))))
    return 3


def as_number(value: float, digits: int) -> str:
    """Return a number with that many decimals, zero without a sign; a dash where there is none."""
    return f"{value:z,.{digits}f}" if math.isfinite(value) else "-"


def as_seconds(seconds: float) -> str:
    """Return a time with its unit: s, ms or µs; a dash where there is none."""
    if not math.isfinite(seconds):
        return "-"
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if seconds * factor >= ROUNDS_TO_ONE:
            return f"{_three_digits(seconds * factor)} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def as_bytes(n_bytes: float) -> str:
    """Return a size with its unit: GB, MB, kB or B; a dash where there is none."""
    if not math.isfinite(n_bytes):
        return "-"
    for factor, unit in ((1e-9, "GB"), (1e-6, "MB"), (1e-3, "kB")):
        if n_bytes * factor >= ROUNDS_TO_ONE:
            return f"{_three_digits(n_bytes * factor)} {unit}"
    return f"{n_bytes:.0f} B"


def _three_digits(value: float) -> str:
    return f"{value:.3g}" if value < 1e3 * ROUNDS_TO_ONE else f"{value:,.0f}"
