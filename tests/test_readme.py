"""The README's Python runs as it is printed."""
import pathlib
import re

import numpy as np

README = pathlib.Path(__file__).resolve().parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)


def test_python_blocks_run_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme"}
    for block in BLOCKS:
        exec(compile(block, str(README), "exec"), names)
    loss, accuracy = names["model"].evaluate(names["x_test"], names["y_test"], verbose=0)
    assert np.isfinite(loss) and accuracy > 0.9
    assert (tmp_path / "digits.h5").exists() and (tmp_path / "digits.symk").exists()
    assert "step" in capsys.readouterr().out
