"""The Python of the pages runs as it is printed, block after block."""
import pathlib
import re

import pytest

from symk.config import TABLE

pytest.importorskip("symk._core")
DOCS = pathlib.Path(__file__).resolve().parent.parent.parent / "docs"


@pytest.mark.parametrize("page", ["graph.md", "custom_ops.md", "loops.md", "training.md",
                                  "deploy.md"])
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


def test_the_page_of_settings_has_every_setting_and_every_word():
    rows = dict(re.findall(r"^\| `(SYMK_\w+)` \|(.*)$", (DOCS / "backend.md").read_text(), re.M))
    for row in TABLE:
        said = rows[row.variable]
        if isinstance(row.choices, tuple) and set(row.choices) != {"0", "1"}:
            assert row.choices[0] in said
            assert all("`%s`" % word in said for word in row.choices[1:])


def test_the_readme_leads_to_every_page():
    text = DOCS.parent.joinpath("README.md").read_text()
    assert {path.name for path in DOCS.glob("*.md")} <= set(re.findall(r"docs/(\w+\.md)", text))
