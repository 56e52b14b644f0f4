"""A function between two linear layers: which changes of the units between them pass it."""

import pytest


@pytest.fixture
def between(torch_preserved):
    """Derive the symmetry of linear, function, linear; prove it; say what the first layer may do.

    The answer names what is free: "units", "signs", "scales", "matrix".
    """
    torch = pytest.importorskip("torch")

    class Between(torch.nn.Module):
        def __init__(self, function, width, out, **parts):
            super().__init__()
            self.first = torch.nn.Linear(3, width)
            self.parts = torch.nn.ModuleDict(parts)
            self.last = torch.nn.Linear(out, 2)
            self.function = function

        def forward(self, x):
            return self.last(self.function(self.first(x), **self.parts))

    def derive(function, width=6, out=None, shape=(4, 3), **parts):
        x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        symmetry = torch_preserved(Between(function, width, out or width, **parts), x)
        rows = symmetry.layout.get("first.weight", ((), ()))[0]
        free = {"units"} if any(part.units in symmetry.units for part in rows) else set()
        free |= {"signs"} if any(part.signs for part in rows) else set()
        free |= {"scales"} if any(part.scales for part in rows) else set()
        free |= {"matrix"} if any(part.matrix for part in rows) else set()
        derive.symmetry = symmetry
        return free

    return derive
