"""The demonstration tells a true story: every figure in it comes from what happened."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]


def test_the_demonstration_settles_nets_refuses_refunds_and_conserves(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "examples.demo", str(tmp_path / "demo")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    story = run.stdout
    assert run.returncode == 0, run.stderr
    assert 25 <= len(story.splitlines()) <= 45
    for said in (
        "settled in 1 transaction: both currencies or neither",
        "Hong Kong bank B is short of HKD 3,000,000.00",
        "0 of the 8 payments can be paid from what its bank has",
        "HKD: one by one HKD 118,500,000.00 would have to move; together HKD 1,000,000.00 does: 99.1 % saved",
        "All 4 trades settle in one batch",
        "Answered admi.002 (nothing accepted) and pacs.002.RJCT (RC01)",
        "is not what this bank instructed",
        "both legs are claimed in one transaction",
        "HKD 500,000.00 was held and is refunded",
        "HKD 24,000,000.00 before and after: conserved",
        "THB 100,000,000.00 before and after: conserved",
    ):
        assert said in story
    picture = ElementTree.parse(tmp_path / "demo" / "netting.svg").getroot()
    labels = [element.text for element in picture.iter() if element.tag.endswith("text")]
    assert "THB 132.75" in labels
    assert "HKD -0.5" in labels
