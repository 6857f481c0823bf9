"""Values and gradients that a real Keras 2.3.1 computed, where that collection is at hand.

The collection is a folder with `check_golden.py`, `index.json` and arrays; SYMK_KERAS_REFERENCE
names it, by default it is looked for beside the checkout. `keras_reference.txt` lists the cases
that must pass: it only grows. A case whose reference is itself rounded to float32 names that
dtype; it is not asked for more digits.
"""
import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = pathlib.Path(os.environ.get("SYMK_KERAS_REFERENCE", ROOT.parent / "shared" / "golden"))
REQUIRED = pathlib.Path(__file__).with_name("keras_reference.txt")

pytestmark = pytest.mark.skipif(not (FOLDER / "check_golden.py").exists(),
                                reason="the collection of Keras's values is not at hand")


def required_cases(floatx):
    """{group: set of case ids} of the cases that must pass."""
    groups = {}
    for line in REQUIRED.read_text().splitlines():
        group, case, *only = line.split()
        if not only or floatx in only:
            groups.setdefault(group, set()).add(case)
    return groups


def run(floatx, groups, result):
    """Runs whole groups; {case id: its problems} of what failed, and the number of cases run."""
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    subprocess.run([sys.executable, str(FOLDER / "check_golden.py"), "--package", "symk",
                    "--floatx", floatx, "--groups", ",".join(sorted(groups)),
                    "--json", str(result)],
                   cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    report = json.loads(result.read_text())
    failed = {case: problems for group in report["groups"].values()
              for case, problems in group["failed"].items()}
    return failed, report["total"]


@pytest.mark.parametrize("floatx", ["float32", "float64"])
def test_required_cases_agree_with_keras(floatx, tmp_path):
    required = required_cases(floatx)
    failed, total = run(floatx, required, tmp_path / "result.json")
    wrong = {case: failed[case][0] for cases in required.values() for case in cases & set(failed)}
    assert total >= sum(map(len, required.values()))
    assert not wrong, "\n".join("%s: %s" % item for item in sorted(wrong.items()))
