"""The examples in a small form: they run, draw, and learn something; in their full form if slow."""
import importlib
import pathlib
import sys

import numpy as np
import pytest

from symk import backend as K

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples"
pytest.importorskip("PIL")


@pytest.fixture
def example(monkeypatch, tmp_path):
    """Imports an example by its name, in a folder of its own, from fixed random numbers."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)
    K.clear_session()
    np.random.seed(0)
    yield importlib.import_module
    for path in EXAMPLES.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_digits_cnn(example):
    assert example("digits_cnn").main(epochs=3, verbose=0) > 0.7


def test_text_lstm(example):
    assert min(example("text_lstm").main(epochs=4, verbose=0)) > 0.75


def test_text_generation(example, monkeypatch):
    module = example("text_generation")
    accuracy, text = module.main(epochs=2, verbose=0, written=5)
    assert accuracy > 0.15 and len(text) == module.LENGTH + 5


def test_autoencoder(example):
    noisy, cleaned = example("autoencoder").main(epochs=3, verbose=0)
    assert cleaned < noisy


def test_vae(example):
    first, last = example("vae").main(epochs=3, verbose=0)
    assert last < first


def test_image_folders(example):
    assert example("image_folders").main(epochs=2, per_class=40, verbose=0) > 0.2


def test_transfer_learning(example):
    before, after, stayed = example("transfer_learning").main(epochs=2, verbose=0)
    assert before > 0.8 and after > 0.5 and stayed


def test_siamese(example):
    assert example("siamese").main(epochs=2, verbose=0) > 0.7


def test_seq2seq(example, monkeypatch):
    module = example("seq2seq")
    (questions, answers), unseen = module.load()
    part = ((questions[:500], answers[:500]), tuple(texts[:5] for texts in unseen))
    monkeypatch.setattr(module, "load", lambda: part)
    assert 0 <= module.main(epochs=1, verbose=0) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name, reached", [
    ("digits_cnn", lambda accuracy: accuracy >= 0.985),
    ("text_lstm", lambda accuracies: min(accuracies) >= 0.9),
    ("autoencoder", lambda errors: errors[1] <= 0.4 * errors[0]),
    ("image_folders", lambda accuracy: accuracy >= 0.93),
    ("transfer_learning", lambda result: result[1] >= 0.95 and result[2]),
    ("siamese", lambda accuracy: accuracy >= 0.95),
    ("seq2seq", lambda right: right >= 0.95)])
def test_what_an_example_promises(example, name, reached):
    assert reached(example(name).main(verbose=0))
