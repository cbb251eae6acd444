"""The notebooks as files: what CI executes is what is committed, without traces of a run."""

import ast
import json
import re
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
LIBRARIES = {"liquidity", "matplotlib", "numpy", "pandas"}
ONLY_IN = {"PSSimPy": "4-reproduction"}


def _read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _code(path):
    return [ast.parse("".join(cell["source"])) for cell in _read(path)["cells"] if cell["cell_type"] == "code"]


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


def test_the_four_notebooks_are_there_in_reading_order():
    assert [path.stem.split("-")[0] for path in NOTEBOOKS] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs_and_execution_counts(path):
    notebook = _read(path)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_imports_liquidity_and_what_comes_with_it_and_no_more(path):
    imported = {name for tree in _code(path) for name in _imported(tree)}
    assert "liquidity" in imported
    others = imported - LIBRARIES - set(sys.stdlib_module_names)
    assert all(ONLY_IN.get(name) == path.stem for name in others), others


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_states_its_seed_in_words_and_in_code(path):
    opening = "".join(_read(path)["cells"][0]["source"])
    names = {
        target.id
        for tree in _code(path)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert re.search(r"Seeds?: \d", opening)
    assert names & {"SEED", "SEEDS"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_asserts_its_own_claims(path):
    claims = [node for tree in _code(path) for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert len(claims) >= 5
