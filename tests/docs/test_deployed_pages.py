"""The Python of the pages about ONNX and serving runs as it is printed, for a model of digits."""
import pathlib
import re

import numpy as np
import pytest

from symk import layers
from symk.deploy import export
from symk.models import Sequential
from symk.serve import Application

pytest.importorskip("symk._core")
DOCS = pathlib.Path(__file__).resolve().parent.parent.parent / "docs"


@pytest.fixture
def run_page(tmp_path, monkeypatch):
    """run_page(name) runs the blocks of a page and gives their names."""
    monkeypatch.chdir(tmp_path)
    model = Sequential([layers.Flatten(input_shape=(8, 8, 1)), layers.Dense(10, "softmax")])
    export(model, "digits.symk")

    def run(page):
        names = {"model": model, "images": np.random.rand(5, 8, 8, 1).astype("float32")}
        for block in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.S):
            exec(compile(block, page, "exec"), names)
        return names
    return run


def test_the_page_about_onnx(run_page):
    pytest.importorskip("onnx")
    names = run_page("onnx.md")
    np.testing.assert_allclose(names["scores"], names["model"].predict(names["images"]), rtol=1e-5)


def test_the_page_about_serving(run_page):
    application = run_page("serving.md")["application"]
    assert isinstance(application, Application)
    assert [version.number for _, version in application.repository.refresh()] == [1]
