"""Programs for Keras 1 and 2, run as they are by `symk run`."""
import importlib.util
import pathlib
import subprocess
import sys

import pytest

SCRIPTS = sorted((pathlib.Path(__file__).parent / "scripts").glob("*.py"))


def symk(*arguments, cwd=None):
    return subprocess.run([sys.executable, "-m", "symk"] + list(map(str, arguments)), cwd=cwd,
                          capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_runs_as_it_is(script):
    ordering = ["--dim-ordering", "th"] if script.stem.endswith("_th") else []
    done = symk("run", *ordering, script)
    assert done.returncode == 0, done.stderr[-3000:]


def test_arguments_and_settings_reach_the_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys, keras\nfrom keras import backend as K\n"
                      "print(sys.argv[1:], keras.__version__, K.backend(), "
                      "K.image_dim_ordering(), __name__)\n")
    done = symk("run", "--keras", "1", "--backend", "theano", "--dim-ordering", "th", script,
                "--epochs", "3")
    assert done.stdout.split("\n")[0] == "['--epochs', '3'] 1.2.2 theano th __main__"
    assert symk("run", script).stdout.split()[1] == "2.3.1"


def test_a_traceback_begins_in_the_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import keras\n\ndef inner():\n    raise KeyError('lost')\n\ninner()\n")
    done = symk("run", script)
    assert done.returncode == 1 and "KeyError: 'lost'" in done.stderr
    assert "run.py" not in done.stderr and "line 6, in <module>" in done.stderr


def test_the_status_of_a_script_is_its_own(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nsys.exit(7)\n")
    assert symk("run", script).returncode == 7


@pytest.mark.skipif(importlib.util.find_spec("theano") is not None, reason="Theano is installed")
def test_a_script_that_calls_an_engine_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import keras\nimport theano\n")
    done = symk("run", script)
    assert done.returncode == 1
    assert "script.py calls theano itself; symk runs no code" in done.stderr


def test_a_script_finds_what_was_around_keras(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from six.moves import range\nimport re\nimport numpy as np\nimport keras\n"
                      "print(np.float is float, re.split('(b+)?', 'abc'), list(range(2)), "
                      "xrange(3))\n")
    assert symk("run", script).stdout == "True ['a', 'b', 'c'] [0, 1] range(0, 3)\n"
