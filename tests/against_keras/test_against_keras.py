"""Random layers beside real Keras 2.3.1: outputs, gradients, training, files both ways.

    SYMK_KERAS=PYTHON pytest -m slow tests/against_keras

PYTHON has Keras 2.3.1 on TensorFlow 1.15 (Python 3.7); SYMK_KERAS_CASES=first,count says which.
"""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
KERAS = os.environ.get("SYMK_KERAS")
FIRST, COUNT = (int(word) for word in os.environ.get("SYMK_KERAS_CASES", "0,100").split(","))
SILENT = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    not KERAS, reason="SYMK_KERAS names no Python that has Keras 2.3.1")]


def run(python, folder, *options):
    subprocess.run([python, os.path.join(HERE, "run.py"), str(FIRST), str(COUNT), str(folder)]
                   + list(options), check=True, env=dict(os.environ, **SILENT),
                   stderr=subprocess.PIPE)
    with open(folder / "texts.json") as file:
        return dict(np.load(folder / "values.npz")), json.load(file)


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """(values, texts) of real Keras and of symk; each has loaded the other's files."""
    real, own = (tmp_path_factory.mktemp(name) for name in ("real", "own"))
    (real / "other").symlink_to(own)
    (own / "other").symlink_to(real)
    run(KERAS, real)
    found = run(sys.executable, own, "--symk")
    return run(KERAS, real), found


@pytest.mark.parametrize("seed", [str(seed) for seed in range(FIRST, FIRST + COUNT)])
def test_case(sides, seed):
    (expected, texts), (found, own_texts) = sides
    case = texts[seed]["case"]
    names = {name for name in expected if name.startswith(seed + " ")}
    assert {name for name in found if name.startswith(seed + " ")} == names, case
    for name in sorted(names):
        if not is_other_by_design(name, texts[seed]):
            np.testing.assert_allclose(found[name], expected[name], rtol=2e-3, atol=3e-4,
                                       err_msg="%s of %s" % (name, case))
    assert own_texts[seed]["weights"] == texts[seed]["weights"], case


def is_other_by_design(name, text):
    """Whether docs/migration.md lists a number as another one on TensorFlow.

    The moving variance of images is corrected twice there, and the gradient of a table is cut
    before it is added up.
    """
    what, number = name.split()[1:]
    if what != "weight":
        return False
    if text["case"][0] == "Embedding":
        return "clipvalue" in text["optimizer"][1]
    return "moving_variance" in text["weights"][int(number)]
