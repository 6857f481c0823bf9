"""The order of the parts is a fact: a file imports only what stands above its own part."""
import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parent.parent / "symk"

# The parts from top to bottom; "" is symk/__init__.py, which imports a part when it is first used.
ORDER = (
    "paths", "renames", "config", "registry", "extras", "files",
    "graph", "ops", "autodiff", "optimize", "compile", "expressions", "deploy", "serve",
    "backend", "activations", "initializers", "initializations", "regularizers", "constraints",
    "losses", "optimizers", "mixed_precision", "utils",
    "callbacks", "preprocessing", "datasets", "engine", "metrics", "layers", "legacy",
    "models",
    "applications", "wrappers", "compat", "demo", "", "__main__")
# Files at Keras's paths that belong further down than their folder.
BELONGS = {"utils/test_utils.py": "applications"}
RANK = {part: rank for rank, part in enumerate(ORDER)}

# Packages of others that only their users wait for: importing symk stays fast without them.
LAZY = {"h5py", "scipy", "yaml", "cffi", "matplotlib", "subprocess", "multiprocessing", "urllib",
        "tarfile", "zipfile", "requests", "pydot", "onnx"}

# Own imports inside of functions, each with its reason.
INSIDE_FUNCTIONS = {
    ("__main__.py", "_demo"): "a command waits for what it uses alone",
    ("__main__.py", "_info"): "a command waits for what it uses alone",
    ("__main__.py", "_run"): "a command waits for what it uses alone",
    ("__main__.py", "_convert"): "a command waits for what it uses alone",
    ("__main__.py", "_inspect"): "a command waits for what it uses alone",
    ("__main__.py", "_serve"): "a command waits for what it uses alone",
    ("__main__.py", "_export"): "a command waits for what it uses alone",
    ("__main__.py", "_exported"): "a command waits for what it uses alone",
}

FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path):
    """The part that a file belongs to: "graph", "config", ...; "" is the package itself."""
    placed = BELONGS.get(path.relative_to(PACKAGE).as_posix())
    if placed is not None:
        return placed
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first[:-3] if first.endswith(".py") else first


def own_imports(path):
    """(part, line) of each import of symk in a file."""
    folder = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            base = (node.module or "").split(".") if node.module else []
            if node.level:
                base = list(folder[:len(folder) - node.level + 1]) + base
            elif base[0] == "symk":
                base = base[1:]
            else:
                continue
            for name in names:
                part = (base or [name])[0]
                yield "" if part.startswith("__version") else part, node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name.split(".")
                if whole[0] == "symk":
                    yield (whole[1:] or [""])[0], node.lineno


def inner_imports(path):
    """The names of the functions of a file that import something not LAZY, with lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import):
                    outside = {alias.name.split(".")[0] for alias in inner.names}
                    if not outside <= LAZY:
                        yield node.name, inner.lineno
                elif isinstance(inner, ast.ImportFrom) and (
                        inner.level or inner.module.split(".")[0] not in LAZY):
                    yield node.name, inner.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_from_above(path):
    own = part_of(path)
    assert own in RANK, "a new part needs its place in ORDER"
    wrong = ["line %d imports symk.%s" % (line, part) for part, line in own_imports(path)
             if part not in (own, "_core") and RANK.get(part, len(ORDER)) >= RANK[own]]
    assert not wrong, "%s stands above what it imports: %s" % (own, "; ".join(wrong))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_stand_at_the_top_of_a_file(path):
    name = str(path.relative_to(PACKAGE))
    wrong = ["%s, line %d" % found for found in inner_imports(path)
             if (name, found[0]) not in INSIDE_FUNCTIONS]
    assert not wrong, "imports inside of functions need a reason in INSIDE_FUNCTIONS: %s" % wrong


def test_only_native_imports_the_extension():
    users = [str(path.relative_to(PACKAGE)) for path in FILES
             if "_core" in {part for part, _ in own_imports(path)}]
    assert set(users) <= {"compile/native.py"}


def test_the_loader_of_plans_imports_nothing_of_symk():
    loader = PACKAGE / "deploy" / "loader.py"
    assert list(own_imports(loader)) == []
