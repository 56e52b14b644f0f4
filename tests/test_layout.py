"""The shape of the repository: file sizes, mirrored tests, layers, light imports, docstrings."""

import ast
import importlib
import inspect
import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import stackens

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("stackens", "tests", "benchmarks", "examples")
LONGEST_FILE = 400  # lines
HEAVY = ("torch", "lightgbm", "matplotlib")
# Public names that are allowed to load torch when they are touched.
NEED_TORCH = {"FrozenNetwork", "TorchMLPClassifier", "TorchMLPRegressor"}


def python_files(*folders):
    """Every Python file below these folders, as sorted paths relative to the repository."""
    files = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path.relative_to(ROOT) for path in files)


def run_python(code, *arguments, cwd=ROOT):
    """Run code in a fresh interpreter that imports stackens from ``cwd``."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


# ---------------------------------------------------------------- files


def test_no_file_is_longer_than_400_lines():
    lengths = {
        path.as_posix(): len((ROOT / path).read_text(encoding="utf-8").splitlines())
        for path in python_files(*FOLDERS)
    }
    assert "tests/test_layout.py" in lengths
    assert {path: n for path, n in lengths.items() if n > LONGEST_FILE} == {}


def mirrored(source):
    """Where the tests of a source file live: stackens/_core/_task.py -> tests/core/test_task.py."""
    *folders, name = [part.strip("_") for part in source.with_suffix("").parts[1:]]
    return Path("tests", *folders, f"test_{name}.py")


@pytest.mark.parametrize(
    ("source", "test"),
    [
        ("stackens/exceptions.py", "tests/test_exceptions.py"),
        ("stackens/combiners/_simplex.py", "tests/combiners/test_simplex.py"),
        ("stackens/_core/_task.py", "tests/core/test_task.py"),
    ],
)
def test_mirrored_paths(source, test):
    assert mirrored(Path(source)) == Path(test)


def test_every_source_file_has_a_test_file():
    sources = [path for path in python_files("stackens") if path.name != "__init__.py"]
    assert sources
    missing = [
        mirrored(path).as_posix() for path in sources if not (ROOT / mirrored(path)).exists()
    ]
    assert missing == []


def test_every_file_says_in_its_first_line_why_it_exists():
    silent = []
    for path in python_files(*FOLDERS):
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        if ast.get_docstring(tree) is None or tree.body[0].lineno != 1:
            silent.append(path.as_posix())
    assert silent == []


# ---------------------------------------------------------------- imports


def lint_imports(cwd):
    """Check the import-linter contracts in pyproject.toml on the package that lies in ``cwd``."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return run_python(code, "--no-logo", "--no-cache", cwd=cwd)


def test_imports_point_downwards():
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("files", "broken"),
    [
        (
            {"_core/_planted.py": "import stackens.out_of_fold"},
            "stackens._core is not allowed to import stackens.out_of_fold",
        ),
        (
            {"blending/_planted.py": "import stackens.stacking"},
            "stackens.blending is not allowed to import stackens.stacking",
        ),
        (
            {
                "_core/_one.py": "import stackens._core._two",
                "_core/_two.py": "import stackens._core._one",
            },
            "No import cycles, at any depth BROKEN",
        ),
        ({"elsewhere/__init__.py": ""}, "stackens.elsewhere"),
    ],
    ids=["upwards", "between routes", "cycle", "folder without a layer"],
)
def test_a_forbidden_import_is_caught(files, broken, tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "stackens", tmp_path / "stackens")
    for name, code in files.items():
        planted = tmp_path / "stackens" / name
        planted.parent.mkdir(exist_ok=True)
        planted.write_text(code, encoding="utf-8")
    result = lint_imports(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert broken in " ".join(result.stdout.split())


def test_no_module_imports_the_top_level_package():
    # stackens/__init__.py reaches every layer, so `from stackens import StackedClassifier` inside
    # the package would be an upward import that import-linter does not see.
    submodules = {path.stem for path in (ROOT / "stackens").iterdir()} - {"__init__"}
    offending = []
    for path in python_files("stackens"):
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                bare = any(alias.name == "stackens" for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module == "stackens":
                bare = not {alias.name for alias in node.names} <= submodules
            else:
                continue
            if bare:
                offending.append(f"{path.as_posix()}:{node.lineno}")
    assert offending == []


def test_public_names_load_nothing_heavy():
    assert "StackedClassifier" in stackens.__all__
    names = ["StackedClassifier", *sorted(set(stackens.__all__) - NEED_TORCH)]
    code = """
import json, sys
names, heavy = json.loads(sys.argv[1]), json.loads(sys.argv[2])
loaded_by = {}
def note(step):
    for package in heavy:
        if package in sys.modules:
            loaded_by.setdefault(package, step)
import stackens
note("import stackens")
for name in names:
    getattr(stackens, name)
    note("stackens." + name)
print(json.dumps([stackens.__file__, loaded_by]))
"""
    result = run_python(code, json.dumps(names), json.dumps(HEAVY))
    assert result.returncode == 0, result.stderr
    file, loaded_by = json.loads(result.stdout)
    assert Path(file).resolve() == ROOT / "stackens" / "__init__.py"
    assert loaded_by == {}


# ---------------------------------------------------------------- public names


def undocumented_methods(cls):
    """Public methods and properties that our code defines and nothing up the hierarchy explains."""
    for owner in cls.__mro__:
        if not owner.__module__.startswith("stackens"):
            continue
        for name, member in vars(owner).items():
            is_method = isinstance(member, (property, classmethod, staticmethod)) or (
                inspect.isroutine(member) or hasattr(member, "fn")  # fn: what available_if wraps
            )
            if is_method and not name.startswith("_"):
                inherited = (vars(base).get(name) for base in cls.__mro__)
                if not any(inspect.getdoc(candidate) for candidate in inherited if candidate):
                    yield f"{owner.__qualname__}.{name}"


@pytest.mark.parametrize("name", sorted(set(stackens.__all__) - {"__version__"}))
def test_public_names_resolve_and_are_documented(name):
    value = getattr(stackens, name)
    assert name in dir(stackens)
    assert (value.__doc__ or "").strip()
    if inspect.isclass(value):
        assert sorted(set(undocumented_methods(value))) == []


@pytest.mark.parametrize("name", ["", ".export", ".neural", ".weight_averaging"])
def test_names_that_are_loaded_late_are_listed(name):
    module = importlib.import_module(f"stackens{name}")
    assert set(module.__all__) <= set(dir(module))


def test_version_is_the_installed_one():
    assert stackens.__version__ == metadata.version("stackens")
