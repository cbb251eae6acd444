"""A bank's own copy of the official schemas decides as well what is readable."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples import HK_A, TH_A, Pen, customer

SHARED_XSD = Path(__file__).resolve().parents[3] / "shared" / "xsd"


def _submit(data_dir, schemas, folder):
    pen = Pen(seed=8)
    path = folder / "payment.xml"
    path.write_bytes(pen.message("pacs.008", customer(HK_A, TH_A, "HKD", "1.00", pen.uetr())))
    command = [sys.executable, "-m", "corridor.cli", "submit", str(path), "--schemas", str(schemas), "--json"]
    command += ["--data-dir", str(data_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_official_schemas_decide_as_well_where_they_are_named(data_dir, tmp_path):
    if not SHARED_XSD.is_dir():
        pytest.skip("the official schemas are not at hand (../shared/xsd)")
    for definition in ("pacs.008.001.08", "pacs.009.001.08"):
        strict = (SHARED_XSD / f"{definition}.xsd").read_text().replace('value="CLRG"', 'value="NONE"')
        (tmp_path / f"{definition}.xsd").write_text(strict)
    [answer] = json.loads(_submit(data_dir, tmp_path, tmp_path).stdout)
    assert answer["refused_whole"]
    assert answer["answers"][0].endswith(".admi.002.xml")


def test_a_directory_without_the_schemas_is_named(data_dir, tmp_path):
    done = _submit(data_dir, tmp_path, tmp_path)
    assert done.returncode == 2
    assert "pacs.008.001.08.xsd is missing" in done.stderr
    assert done.stdout == ""
