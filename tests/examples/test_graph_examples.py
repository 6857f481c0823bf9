"""The examples of the graph as a tool, and of ops of one's own, in a small form."""
import os
import pathlib
import runpy
import shutil

import numpy as np
import pytest

pytest.importorskip("symk._core")
EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples"


pytestmark = pytest.mark.usefixtures("own_ops")


def test_newtons_method_finds_the_minimum(tmp_path, capsys):
    main = runpy.run_path(str(EXAMPLES / "custom_graph.py"))["main"]
    losses = main(str(tmp_path / "graph.svg"))
    assert losses[0] == pytest.approx(np.log(2), abs=1e-6)
    assert losses[-1] < 0.316 and losses[-2] - losses[-1] < 1e-4
    assert (tmp_path / "graph.svg").read_text().startswith("<svg")
    assert "Newton step 5" in capsys.readouterr().out


def test_a_network_trains_through_a_custom_op():
    example = runpy.run_path(str(EXAMPLES / "custom_op.py"))
    assert example["gradient_error"]() < 1e-9
    losses = example["train"](epochs=60)
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.skipif(shutil.which(os.environ.get("CXX", "c++")) is None,
                    reason="there is no C++ compiler")
def test_a_custom_kernel_gives_what_the_reference_means(tmp_path, capsys):
    main = runpy.run_path(str(EXAMPLES / "custom_kernel" / "run.py"))["main"]
    called_back, compiled, deployed = main(str(tmp_path))
    np.testing.assert_allclose(compiled, called_back, rtol=1e-6)
    np.testing.assert_array_equal(compiled, deployed)
    assert "soft_threshold(b0) width=0.2" in capsys.readouterr().out
