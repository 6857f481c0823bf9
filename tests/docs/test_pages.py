"""The Python of the pages runs as it is printed, block after block."""
import pathlib
import re

import pytest

pytest.importorskip("symk._core")
DOCS = pathlib.Path(__file__).resolve().parent.parent.parent / "docs"


@pytest.mark.parametrize("page", ["graph.md", "custom_ops.md", "loops.md", "training.md", "deploy.md"])
def test_the_blocks_of_a_page_run_in_order(page, tmp_path, monkeypatch, capsys, own_ops):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.S)
    assert len(blocks) >= 3
    names = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    for drawn in tmp_path.glob("*.svg"):
        picture = DOCS / "images" / drawn.name
        assert not picture.exists() or picture.read_text() == drawn.read_text()
    if page == "graph.md":
        assert {"loss.svg", "step.svg", "step.dot", "memory.svg"} <= {
            path.name for path in tmp_path.iterdir()}
        assert "of limit" in capsys.readouterr().out
