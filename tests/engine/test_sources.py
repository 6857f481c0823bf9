"""Where batches come from: files, tables, sparse matrices, generators; what is read ahead."""
import itertools
import threading
import time

import h5py
import numpy as np
import pytest

from symk import config
from symk.callbacks import Callback, CSVLogger, LambdaCallback
from symk.engine import sources
from symk.engine.ahead import Ahead
from symk.layers import Dense, Input
from symk.models import Model, Sequential
from symk.renames import Samples
from symk.utils import HDF5Matrix, Sequence

RANDOM = np.random.RandomState(0)
X, Y = RANDOM.normal(size=(50, 4)), RANDOM.normal(size=(50, 1))


def regression():
    model = Sequential([Dense(1, input_shape=(4,), kernel_initializer="zeros", name="d")])
    model.compile("sgd", "mse")
    return model


def kernel(x, y, **options):
    """The kernel after training from the same seed."""
    np.random.seed(1)
    model = regression()
    model.fit(x, y, verbose=0, batch_size=8, **options)
    return model.get_weights()[0]


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / "data.h5")
    with h5py.File(path, "w") as file:
        file["x"], file["y"], file["flat"] = X, Y, Y[:, 0]
    yield path
    if path in HDF5Matrix.refs:
        HDF5Matrix.refs.pop(path).close()


# ---- generators

class Feeder(Callback):
    """Callback and generator in one: it has batches once training has begun."""

    def on_train_begin(self, logs=None):
        self.size = 5

    def batches(self):
        start = 0
        while True:
            yield X[start:start + self.size], Y[start:start + self.size]
            start = (start + self.size) % 50


def test_a_generator_is_read_after_training_has_begun():
    feeder, whole = Feeder(), regression()
    history = whole.fit_generator(feeder.batches(), 10, 2, verbose=0, callbacks=[feeder],
                                  validation_data=feeder.batches(), validation_steps=2)
    assert len(history.history["val_loss"]) == 2


def test_an_epoch_of_samples_goes_on_until_all_were_seen():
    sizes = itertools.cycle([8, 3])
    batches = ((X[:size], Y[:size]) for size in sizes)
    params = []
    model = regression()
    model.fit_generator(batches, Samples(10), 2, verbose=0, workers=0, callbacks=[
        LambdaCallback(on_batch_end=lambda number, logs: params.append(logs["size"]))])
    assert params == [8, 3, 8, 3]
    assert model.history.params["samples"] == 10 and model.history.params["steps"] is None


# ---- files

@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_a_file_trains_as_arrays_do(path, shuffle):
    np.testing.assert_allclose(
        kernel(HDF5Matrix(path, "x"), HDF5Matrix(path, "y"), shuffle=shuffle),
        kernel(X, Y, shuffle=shuffle), rtol=1e-6)


def test_the_last_part_of_a_file_is_held_out(path):
    model = regression()
    with h5py.File(path, "r") as file:
        history = model.fit(file["x"], file["flat"], validation_split=0.2, verbose=0).history
        again = model.evaluate(file["x"][40:], file["y"][40:], verbose=0)
        assert model.predict(file["x"]).shape == (50, 1)
        assert model.train_on_batch(file["x"], file["y"]) > 0
    assert history["val_loss"][0] == pytest.approx(again, rel=1e-5)


def test_a_file_is_read_batch_by_batch(path):
    matrix, read = HDF5Matrix(path, "x"), []
    matrix.normalizer = lambda rows: read.append(len(rows)) or rows
    regression().predict(matrix, batch_size=8)
    assert read == [8] * 6 + [2]


def test_targets_in_files_are_checked(path):
    model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with h5py.File(path, "r") as file, pytest.raises(ValueError, match="integer labels"):
        model.fit(X, file["flat"], verbose=0)


# ---- tables and sparse matrices, as far as the packages are there

def test_tables_train_as_arrays_do():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=list("abcd"))
    np.testing.assert_array_equal(kernel(table, pandas.Series(Y[:, 0])), kernel(X, Y))
    np.testing.assert_array_equal(
        kernel(table, table[["a"]], sample_weight=pandas.Series(np.ones(50))), kernel(X, X[:, :1]))


def test_sparse_matrices_train_as_arrays_do():
    sparse = pytest.importorskip("scipy.sparse")
    np.testing.assert_allclose(kernel(sparse.csr_matrix(X), Y), kernel(X, Y), rtol=1e-6)
    assert regression().predict(sparse.coo_matrix(X)).shape == (50, 1)
    assert regression().predict(sparse.dok_matrix(X)).shape == (50, 1)   # a dict to Python


class Rows:
    """Something with rows and nothing else of an array, as a sparse matrix or a dataset is."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, picked):
        if not isinstance(picked, slice):
            assert (np.diff(picked) > 0).all(), "files want rising numbers"
        return self.array[picked]


@pytest.mark.parametrize("shuffle", [True, False])
def test_anything_with_rows_trains_as_arrays_do(shuffle):
    np.testing.assert_array_equal(kernel(Rows(X), Rows(Y[:, 0]), shuffle=shuffle),
                                  kernel(X, Y, shuffle=shuffle))


def test_lists_and_dicts_of_arrays():
    a, b = Input(shape=(4,), name="a"), Input(shape=(1,), name="b")
    model = Model([a, b], [Dense(1, name="p")(a), Dense(1, name="q")(b)])
    model.compile("sgd", "mse")
    expected = model.test_on_batch([X, Y], [Y, Y])
    for x, y in [({"a": X, "b": Y[:, 0]}, {"q": Y, "p": Y[:, 0]}), ((X, Y), (Y, Y)),
                 ([X.tolist(), Y], [Y, Y.tolist()])]:
        np.testing.assert_allclose(model.test_on_batch(x, y), expected, rtol=1e-6)


# ---- reading ahead

def test_items_come_in_order_from_a_thread_of_their_own():
    threads = set()

    def items():
        for number in range(5):
            threads.add(threading.current_thread())
            yield number
    assert list(Ahead(items())) == [0, 1, 2, 3, 4]
    assert threading.current_thread() not in threads
    assert not any(thread.is_alive() for thread in threads)


def test_an_exception_arrives_where_its_item_would():
    def items():
        yield 1
        raise LookupError("second")
    got = Ahead(items())
    assert next(got) == 1
    with pytest.raises(LookupError, match="second"):
        next(got)


def test_closing_ends_the_thread():
    before = threading.active_count()
    got = Ahead(iter(range(10 ** 9)))
    assert [next(got), next(got)] == [0, 1]
    got.close()
    assert threading.active_count() == before


def test_large_batches_are_gathered_beside_the_step(monkeypatch):
    monkeypatch.setattr(sources, "_WORTH_A_THREAD", 1)
    aside = kernel(X, Y)
    monkeypatch.undo()
    np.testing.assert_array_equal(aside, kernel(X, Y))


# ---- generators

class Batches(Sequence):
    def __init__(self, broken=None):
        self.broken = broken

    def __len__(self):
        return 5

    def __getitem__(self, index):
        if index == self.broken:
            raise LookupError("batch %d is broken" % index)
        return X[index * 10:index * 10 + 10], Y[index * 10:index * 10 + 10]


@pytest.mark.parametrize("options", [
    {}, {"workers": 0}, {"workers": 3, "max_queue_size": 2},
    {"workers": 2, "use_multiprocessing": True}])
def test_sequences_train_the_same_however_they_are_read(options):
    model, other = regression(), regression()
    model.fit(Batches(), epochs=3, shuffle=False, verbose=0, **options)
    other.fit(X, Y, batch_size=10, epochs=3, shuffle=False, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], other.get_weights()[0])
    assert model.evaluate(Batches(), verbose=0, **options) == pytest.approx(
        model.evaluate(X, Y, verbose=0), rel=1e-5)
    np.testing.assert_allclose(model.predict(Batches(), **options), model.predict(X), rtol=1e-6)


@pytest.mark.parametrize("workers, processes", [(0, False), (2, False), (2, True)])
def test_what_a_worker_raises_ends_the_training(workers, processes):
    model, before = regression(), threading.active_count()
    with pytest.raises(LookupError, match="batch 3 is broken"):
        model.fit(Batches(3), shuffle=False, workers=workers, use_multiprocessing=processes,
                  verbose=0)
    assert threading.active_count() == before
    assert np.isfinite(model.get_weights()[0]).all()


def test_a_generator_gives_no_more_than_is_needed():
    def batches():
        while True:
            given.append(1)
            yield X[:10], Y[:10]
    given, stream = [], batches()
    model = regression()
    model.fit_generator(stream, steps_per_epoch=3, epochs=2, verbose=0)
    model.fit_generator(stream, steps_per_epoch=2, verbose=0)
    assert len(given) == 8


def test_validation_by_a_generator():
    model = regression()
    history = model.fit(X, Y, epochs=2, verbose=0, validation_data=Batches()).history
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)


def test_validation_by_arrays_is_of_all_of_them_whatever_the_steps():
    model = regression()
    history = model.fit_generator(Batches(), verbose=0, validation_data=(X, Y),
                                  validation_steps=1).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)


def test_a_number_of_steps_may_be_a_fraction_and_is_rounded_up():
    seen = []
    regression().fit_generator(Batches(), steps_per_epoch=50 / 15, verbose=0, callbacks=[
        LambdaCallback(on_batch_end=lambda batch, logs: seen.append(batch))])
    assert seen == [0, 1, 2, 3]


def test_batches_are_read_while_a_step_runs():
    """Reading takes as long as the step, so both together take about as long as one; the best of a
    few fits, since other programs only lengthen them.
    """
    wait, times = 0.03, []

    class Slow(Batches):
        def __getitem__(self, index):
            time.sleep(wait)
            return super().__getitem__(index)
    model = regression()
    model.fit(Batches(), verbose=0)
    for _ in range(5):
        begin = time.perf_counter()
        model.fit(Slow(), epochs=2, verbose=0,
                  callbacks=[LambdaCallback(on_batch_end=lambda batch, logs: time.sleep(wait))])
        times.append(time.perf_counter() - begin)
        if times[-1] < 1.7 * 10 * wait:
            return
    assert min(times) < 1.7 * 10 * wait, times


# ---- interruptions

@pytest.mark.parametrize("error", [KeyboardInterrupt, LookupError])
@pytest.mark.parametrize("workers", [0, 1])
def test_an_interrupted_training_leaves_everything_usable(error, workers, tmp_path):
    class Stop(Callback):
        def on_batch_end(self, batch, logs=None):
            if len(self.model.history.epoch) == 1 and batch == 2:
                raise error()
    model = regression()
    with pytest.raises(error):
        model.fit(Batches(), epochs=5, verbose=0, workers=workers,
                  callbacks=[CSVLogger(str(tmp_path / "log.csv")), Stop()])
    weights = model.get_weights()
    assert model.history.epoch == [0]
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2
    model.save(str(tmp_path / "model.h5"))
    np.testing.assert_array_equal(model.get_weights()[0], weights[0])
    assert model.fit(X, Y, verbose=0).history["loss"]


def test_a_stop_among_the_steps_skips_the_validation():
    class Stop(Callback):
        def on_batch_end(self, batch, logs=None):
            self.model.stop_training = True
    model = regression()
    history = model.fit(X, Y, verbose=0, batch_size=10, epochs=3, validation_split=0.2,
                        callbacks=[Stop()]).history
    assert list(history) == ["loss"] and len(history["loss"]) == 1


# ---- refusals

@pytest.mark.parametrize("options, error, words", [
    ({"epochs": "3"}, TypeError, "epochs must be an integer"),
    ({"verbose": 7}, ValueError, "verbose must be 0, 1 or 2"),
    ({"shuffle": "samples"}, ValueError, "True, False or 'batch'"),
    ({"validation_freq": 0, "validation_split": 0.1}, ValueError, "a positive integer"),
    ({"callbacks": Callback()}, TypeError, "a list of Callbacks"),
    ({"callbacks": [object()]}, TypeError, "each must be a Callback"),
    ({"class_weight": {0: 1.0}}, ValueError, "every class needs a weight"),
    ({"class_weight": "balanced"}, ValueError, "a dict from classes to weights"),
    ({"class_weight": [{}, {}]}, ValueError, "a dict for each output"),
    ({"sample_weight": np.ones(49)}, ValueError, "sample weights have 49"),
    ({"sample_weight": np.ones((50, 2))}, ValueError, r"arrays of shape \(batch\) are required"),
    ({"steps_per_epoch": 0}, ValueError, "a positive number of batches"),
    ({"steps_per_epoch": "all"}, ValueError, "a positive number of batches"),
    ({"validation_steps": 2, "validation_split": 0.1}, ValueError, "validation_steps must not")])
def test_wrong_options_are_named_before_anything_changes(options, error, words):
    model = regression()
    options = dict({"verbose": 0}, **options)
    with pytest.raises(error, match=words):
        model.fit(X, Y, **options)
    assert not model.get_weights()[0].any()
    assert model.history is None


@pytest.mark.parametrize("generator, words", [
    (iter([(X,)]), "batches must be"), (iter([None]), "NoneType was given"),
    (iter([X]), "ndarray was given"), ("words", "batches must be")])
def test_generators_that_give_no_batches_are_refused(generator, words):
    with pytest.raises(ValueError, match=words):
        regression().fit_generator(generator, steps_per_epoch=1, verbose=0)


def test_not_everything_is_a_generator():
    with pytest.raises(ValueError, match="an iterator of batches or a Sequence"):
        regression().fit_generator(3, steps_per_epoch=1)


def test_a_stateful_model_needs_whole_batches():
    class Stateful(Dense):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.stateful = True
    model = Sequential([Stateful(1, batch_input_shape=(8, 4))])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="50 samples in batches of 8"):
        model.fit(X, Y, batch_size=8, verbose=0)


def test_nan_among_the_inputs_is_found_if_asked(monkeypatch):
    bad = X.copy()
    bad[7, 2] = np.nan
    model = regression()
    assert np.isnan(model.predict(bad)[7, 0])
    monkeypatch.setattr(config.settings, "check_nan", True)
    with pytest.raises(ValueError, match=r"\[input d_input\] finite numbers.* at \(7, 2\)"):
        model.predict(bad)
