"""The analyst's page: what it shows runs, in the order in which it stands there."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

for package in ("matplotlib", "pandas", "pyarrow"):
    pytest.importorskip(package, exc_type=ImportError)

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "liquidity.md"
MOST_LINES = 290


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the examples, and nothing that a block writes left behind."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def _blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_every_python_block_runs_after_the_ones_before_it(here):
    import matplotlib

    matplotlib.use("agg")
    names = {}
    blocks = _blocks("python")
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert len(blocks) >= 8
    assert (here / "curve.png").stat().st_size > 0
    assert len(names["frame"]) == len(names["rules"]) * 2 * 2
    assert (names["result"].settled_at_s >= 0).any()
    assert names["answer"].objective <= names["free"].objective


def test_the_first_command_gives_metrics_a_table_and_a_plot(here):
    first = next(block for block in _blocks("") if "liquidity simulate" in block)
    command = shlex.split(first.split("python -m ", 1)[1].replace("\\\n", " "))
    ran = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout)["metrics"]["settled_count"] > 0
    assert (here / "day.png").stat().st_size > 0
    assert (here / "result.csv").stat().st_size > 0


def test_the_case_file_on_the_page_resolves(here):
    (case,) = _blocks("json")
    (here / "case.json").write_text(case, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "liquidity", "resolve", "case.json"], capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout)["settled"] == ["T1"]


def test_the_page_can_be_read_in_one_go_and_its_pictures_are_there():
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert pictures
    assert all((PAGE.parent / picture).stat().st_size <= 120_000 for picture in pictures)
