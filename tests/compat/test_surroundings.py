"""What scripts found around Keras: provided while they run, and gone after."""
import collections
import importlib
import re
import sys
import warnings

import numpy as np
import pytest

from symk.compat import pictures, surroundings


@pytest.fixture
def provided(monkeypatch):
    """The context, and no module that it brought is left behind."""
    before = set(sys.modules)
    with surroundings.provided():
        yield
    for name in set(sys.modules) - before:
        monkeypatch.delitem(sys.modules, name)


def test_names_that_are_gone_stand_for_what_they_were(provided):
    with pytest.warns(UserWarning, match="collections has no Mapping any more; Mapping stands"):
        assert isinstance({}, collections.Mapping)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.zeros(2, np.float).dtype == np.float64 and np.product([2, 3]) == 6
    with pytest.raises(AttributeError):
        np.nothing


def test_a_name_warns_once(provided, recwarn):
    assert collections.Iterable is collections.Iterable
    assert len(recwarn) == 1


def test_nothing_is_left():
    split, finders = re.split, list(sys.meta_path)
    with surroundings.provided():
        pass
    assert re.split is split and sys.meta_path == finders
    assert "Mapping" not in vars(collections) and not hasattr(np, "nothing")


@pytest.mark.skipif(importlib.util.find_spec("six") is not None, reason="six is installed")
def test_six(provided):
    six = importlib.import_module("six")
    pickle = importlib.import_module("six.moves.cPickle")
    request = importlib.import_module("six.moves.urllib.request")
    assert six.moves.range is range and isinstance("", six.string_types) and not six.PY2
    assert pickle.loads(pickle.dumps(1)) == 1 and hasattr(request, "urlretrieve")
    assert list(six.iteritems({1: 2})) == [(1, 2)]

    class Meta(type):
        pass

    class Made(six.with_metaclass(Meta, dict)):
        pass

    assert type(Made) is Meta and issubclass(Made, dict)
    with pytest.raises(AttributeError):
        six.moves.nothing


def test_the_script_alone_splits_as_before(provided):
    pattern = r"(\W+)?"
    assert re.split(pattern, "ab")[0] == "" and len(re.split(pattern, "ab")) > 3
    script = {"__name__": "__main__", "re": re}
    exec("parts = re.split(%r, 'Mary went.')\nfirst = re.split(%r, 'a b c', 1)"
         % (pattern, pattern), script)
    assert script["parts"] == ["Mary", " ", "went", ".", ""]
    assert script["first"] == ["a", " ", "b c"]


def test_pictures(tmp_path):
    pytest.importorskip("PIL")
    colours = np.arange(4 * 6 * 3, dtype=float).reshape(4, 6, 3)
    pictures.imsave(tmp_path / "a.png", colours)
    read = pictures.imread(tmp_path / "a.png")
    assert read.shape == (4, 6, 3) and read.dtype == np.uint8
    assert read.flat[0] == 0 and read.flat[-1] == 255
    assert pictures.imread(tmp_path / "a.png", flatten=True).shape == (4, 6)
    assert pictures.imresize(read, (8, 3)).shape == (8, 3, 3)
    assert pictures.imresize(read, 0.5).shape == pictures.imresize(read, 50).shape == (2, 3, 3)
    assert pictures.toimage(read.transpose(2, 0, 1)).size == (6, 4)
    np.testing.assert_array_equal(pictures.bytescale([-1.0, 0.0, 1.0]), [0, 128, 255])
    with pytest.raises(ValueError, match=r"\[imresize\] interp must be one of"):
        pictures.imresize(read, 2.0, "best")
    with pytest.raises(ValueError, match=r"\[toimage\] an axis of 3 or 4 colours"):
        pictures.toimage(np.zeros((5, 5, 5)))


def test_modules_that_moved(provided):
    misc = pytest.importorskip("scipy.misc")
    assert misc.imsave is pictures.imsave and misc.factorial(4) == 24
    pytest.importorskip("sklearn")
    with pytest.warns(UserWarning, match="sklearn.cross_validation is gone"):
        module = importlib.import_module("sklearn.cross_validation")
    assert module.train_test_split([1, 2, 3, 4], test_size=1)[0]


def test_searches_know_the_old_names_of_scores(provided):
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression
    search = importlib.import_module("sklearn.grid_search").GridSearchCV(
        LogisticRegression(), {"C": [0.1, 1.0]}, "log_loss", cv=2)
    search.fit(np.arange(8.0)[:, None], [0, 1] * 4)
    assert search.scoring == "neg_log_loss" and search.best_params_["C"] in (0.1, 1.0)
