"""Dependencies point down, the core touches nothing outside itself, and every module can be read in a sitting."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Each may import itself and what stands behind it.
LAYERS = {
    "liquidity": set(),
    "corridor": {"liquidity"},
    "scripts": {"corridor", "liquidity"},
    "load": {"corridor", "liquidity"},
    "notebooks": {"liquidity"},
    "examples": {"corridor", "liquidity"},
    "tools": {"corridor", "liquidity"},
}
OURS = {*LAYERS, "tests"}
# What liquidity may need of others: its base dependencies and those of its extra in pyproject.toml.
LIQUIDITY_NEEDS = {"numpy", "numba", "scipy", "matplotlib", "orjson", "pandas", "pyarrow", "tqdm"}

MAX_LINES = 500

# The pure core: data in, data out. Clock, randomness, files and network are passed in.
PURE = [
    "agent_books",
    "calendars",
    "consent_rules",
    "credit_rules",
    "errors",
    "matching",
    "merkle",
    "model",
    "money",
    "planning",
    "ports",
    "proposals",
    "typed_data",
    "validation",
    "wire",
    "engine.life",
    "iso20022.codes",
    "iso20022.content",
    "iso20022.conformance",
    "iso20022.definitions",
    "iso20022.forwarding",
    "iso20022.notification",
    "iso20022.parsing",
    "iso20022.reading",
    "iso20022.reject",
    "iso20022.status_report",
    "iso20022.writing",
]
# Only these of liquidity talk to the outside.
LIQUIDITY_OUTSIDE = {"io", "__main__", "compiling", "simulate_command", "solver", "sweeping", "tables"}
OUTSIDE = {
    "asyncio",
    "fcntl",
    "http",
    "httpx",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "requests",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
    "web3",
}
# Names that read the clock or open a file without an import of their own.
READS_OUTSIDE = {"now", "utcnow", "today", "fromtimestamp_now", "open", "input", "default_rng"}


def modules(package):
    """The package's own modules; generated code and caches are none."""
    return [path for path in sorted((ROOT / package).rglob("*.py")) if "__pycache__" not in path.parts]


def parsed(path):
    return ast.parse(path.read_text(), filename=str(path))


def imported(tree):
    """The full names of modules that are imported anywhere in a module, for types only or not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


def called(tree):
    """The last name of everything that is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr
            elif isinstance(node.func, ast.Name):
                yield node.func.id


def module_of(name):
    """The path of a module of corridor by its dotted name."""
    return ROOT / "corridor" / (name.replace(".", "/") + ".py")


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_down(layer):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(layer)
        for name in imported(parsed(path))
        if name.split(".")[0] in OURS - LAYERS[layer] - {layer}
    ]
    assert wrong == []


def test_liquidity_imports_nothing_of_ours_and_little_of_others():
    tops = {name.split(".")[0] for path in modules("liquidity") for name in imported(parsed(path))}
    assert tops - set(sys.stdlib_module_names) - {"liquidity"} <= LIQUIDITY_NEEDS


@pytest.mark.parametrize("name", PURE)
def test_a_module_of_the_core_reaches_nothing_outside(name):
    tree = parsed(module_of(name))
    assert {one.split(".")[0] for one in imported(tree)} & OUTSIDE == set()
    assert set(called(tree)) & READS_OUTSIDE == set()


@pytest.mark.parametrize("name", PURE)
def test_a_module_of_the_core_rests_on_the_core(name):
    """The store's SQL apart (it is handed a connection, and opens none), and schemas (that are passed in)."""
    allowed = {f"corridor.{one}" for one in PURE} | {"corridor.iso20022", "corridor.store.database"}
    allowed |= {"corridor.iso20022.schemas"}
    rests_on = {one for one in imported(parsed(module_of(name))) if one.split(".")[0] == "corridor"}
    assert rests_on - allowed - {"corridor", "corridor.store.tables"} == set()


@pytest.mark.parametrize("path", modules("liquidity"), ids=lambda path: path.stem)
def test_liquidity_is_pure_but_for_its_files_and_command_line(path):
    reaches = {one.split(".")[0] for one in imported(parsed(path))} & OUTSIDE
    if path.stem not in LIQUIDITY_OUTSIDE:
        # It measures how long it took, and tells; nothing it decides depends on that.
        assert reaches <= {"time"}
        assert set(called(parsed(path))) & (READS_OUTSIDE - {"default_rng"}) == set()


@pytest.mark.parametrize("package", ["liquidity", "corridor", "scripts", "load", "examples", "tools", "tests"])
def test_every_module_can_be_read_in_a_sitting(package):
    counted = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules(package)}
    assert {path: lines for path, lines in counted.items() if lines > MAX_LINES} == {}


def test_no_function_of_the_core_is_longer_than_a_screen():
    long = {
        f"{name}.{node.name}": node.end_lineno - node.lineno + 1
        for name in PURE
        for node in ast.walk(parsed(module_of(name)))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 > 70
    }
    assert long == {}


def test_every_named_module_of_the_core_exists():
    assert [name for name in PURE if not module_of(name).is_file()] == []
