"""One-hot labels, normalised vectors, files that are replaced, the progress bar."""
import io
import os

import numpy as np
import pytest

from symk.files import replacing
from symk.utils import Progbar, normalize, progress, to_categorical
from symk.utils.conv_utils import normalize_padding_sizes, normalize_tuple


def test_labels_become_rows():
    np.testing.assert_array_equal(to_categorical([0, 2]), [[1, 0, 0], [0, 0, 1]])
    assert to_categorical([[1], [0]], num_classes=4).shape == (2, 4)
    assert to_categorical(np.zeros((2, 3)), 5, dtype="int32").dtype == np.int32
    assert to_categorical([], 3).shape == (0, 3)


@pytest.mark.parametrize("labels, words", [([0, 3], "from 0 to 2"), ([-1], "from 0 to 2"),
                                           ([0.5], "integer labels")])
def test_labels_that_are_none_are_refused(labels, words):
    with pytest.raises(ValueError, match=words):
        to_categorical(labels, 3)


def test_vectors_get_the_norm_one():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(normalize(x), [[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(normalize(x, axis=0, order=1), [[1, 1], [0, 0]])


def test_tuples_of_windows():
    assert normalize_tuple(3, 2, "size") == (3, 3)
    assert normalize_tuple(np.array([1, 2]), 2, "size") == (1, 2)
    assert normalize_padding_sizes(((1, 0), 2), 2, "padding") == ((1, 0), (2, 2))
    for wrong in ((1, 2, 3), 0, "ab", None, 1.5, (True, 1)):
        with pytest.raises(ValueError, match="size"):
            normalize_tuple(wrong, 2, "size")
    with pytest.raises(ValueError, match="padding"):
        normalize_padding_sizes((1, -1), 2, "padding")


def test_a_file_is_replaced_when_all_went_well(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    os.chmod(path, 0o600)
    with replacing(path) as temporary:
        with open(temporary, "w") as file:
            file.write("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_file_stays_when_something_failed(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyError):
        with replacing(path):
            raise KeyError("no")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_at_most_every_interval(monkeypatch):
    screen, clock = Terminal(), [0.0]
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setattr(progress.time, "time", lambda: clock[0])
    bar = Progbar(1000, interval=0.05)
    for step in range(1000):
        clock[0] = 100 + step * 0.001
        bar.update(step + 1, [("loss", 1.0)])
    text = screen.getvalue()
    assert 15 <= text.count("\r") <= 22
    assert "ETA" in text
    assert text.endswith("loss: 1.0000\n")
    assert "1000/1000 [==============================]" in text


def test_values_are_means_or_as_they_are(capsys):
    bar = Progbar(4, stateful_metrics=["last"])
    bar.update(1, [("mean", 1.0), ("last", 1.0)])
    bar.update(4, [("mean", 5.0), ("last", 7.0)])
    text = capsys.readouterr().out
    assert "mean: 4.0000 - last: 7.0000" in text
    assert len(text.splitlines()) == 1


def test_an_unknown_target_is_said(capsys):
    bar = Progbar(None)
    bar.add(3, [("loss", 1e-5)])
    bar.update(3, finished=True)
    assert "3/Unknown" in capsys.readouterr().out
