"""The bench: its cases, its pictures, and the way into RESULTS.md."""
import json
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

from bench import cases, charts, report  # noqa: E402 (the bench is no part of the package)

MACHINE = {"flops_per_s": 4e11, "bytes_per_s": 5e10}
FOUND = [{"case": "fast", "flops": 4e9, "bytes": 1e8, "symk_us": 12e3, "ratio": 2.5},
         {"case": "slow <1>", "flops": 4e6, "bytes": 1e7, "symk_us": 900.0, "ratio": 0.4},
         {"case": "alone", "flops": 0, "bytes": 0, "symk_us": 3.0}]


def elements(svg, kind):
    return ElementTree.fromstring(svg).findall("{http://www.w3.org/2000/svg}" + kind)


def test_names_of_cases_are_their_own():
    names = [case.name for case in cases.CASES]
    assert len(names) > 40 and len(set(names)) == len(names)
    assert all(case.flops >= 0 and case.bytes >= 0 for case in cases.CASES)


def test_ratios_have_a_bar_for_each_case_with_a_peer():
    bars = elements(charts.ratios(FOUND), "rect")[1:]
    assert [bar.get("fill") for bar in bars] == [charts.FASTER, charts.SLOWER]
    words = [text.text for text in elements(charts.ratios(FOUND), "text")]
    assert "slow <1>" in words and "2.50" in words and "alone" not in words


def test_the_roofline_has_a_dot_below_the_limit_for_each_case_with_a_floor():
    dots = elements(charts.roofline(FOUND, MACHINE), "circle")
    assert len(dots) == 2
    peak = min(float(line.get("y2")) for line in elements(charts.roofline(FOUND, MACHINE), "line")
               if line.get("stroke-width") == "2")
    assert all(float(dot.get("cy")) > peak for dot in dots)


def test_pictures_without_a_case_are_pictures():
    assert not elements(charts.roofline([], MACHINE), "circle")
    assert elements(charts.ratios([]), "text")


def test_each_part_has_its_place_in_the_results():
    with open(report.RESULTS) as file:
        text = file.read()
    for name in report.PARTS:
        changed = report.replaced(text, name, "| a | table |")
        assert "| a | table |" in changed and changed.count("<!-- end: %s -->" % name) == 1
    with pytest.raises(ValueError, match="begin: nothing"):
        report.replaced(text, "nothing", "")


@pytest.mark.slow
def test_the_bench_prints_a_table(tmp_path):
    file = tmp_path / "found.json"
    output = subprocess.run([sys.executable, "-m", "bench", "--cases", "call_x", "--rounds", "1",
                             "--json", str(file)], cwd=ROOT, check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    assert "| call_x_plus_1 |" in output
    (found,) = json.loads(file.read_text())["results"]
    assert found["symk_us"] > 0 and found["errors"] == {}
