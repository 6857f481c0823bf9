"""Callbacks: when they are called, and what each of them does."""
import numpy as np
import pytest

from symk import backend as K
from symk import optimizers
from symk.callbacks import (Callback, CallbackList, CSVLogger, EarlyStopping, LambdaCallback,
                            LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau,
                            TerminateOnNaN)
from symk.layers import Dense
from symk.models import Sequential, load_model


@pytest.fixture
def model():
    made = Sequential([Dense(1, input_shape=(2,), kernel_initializer="ones")])
    made.compile(optimizers.SGD(0.01), "mse", metrics=["mae"])
    return made


X, Y = np.arange(16.0).reshape(8, 2) / 16, np.ones((8, 1))


def fit(model, *callbacks, **options):
    options = dict(dict(epochs=3, batch_size=4, verbose=0), **options)
    return model.fit(X, Y, callbacks=list(callbacks), **options).history


class Fixed(Callback):
    """Puts given values of `val_loss` into the logs of the epochs."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = self.values[epoch]


def test_hooks_are_called_in_order(model):
    calls = []
    hooks = {name: (lambda *arguments, name=name: calls.append(name)) for name in (
        "on_train_begin", "on_epoch_begin", "on_batch_begin", "on_batch_end", "on_epoch_end",
        "on_train_end", "on_test_begin", "on_test_batch_end", "on_test_end")}
    fit(model, LambdaCallback(**hooks), epochs=1, validation_data=(X, Y))
    assert calls == ["on_train_begin", "on_epoch_begin", "on_batch_begin", "on_batch_end",
                     "on_batch_begin", "on_batch_end", "on_test_begin", "on_test_batch_end",
                     "on_test_batch_end", "on_test_end", "on_epoch_end", "on_train_end"]


def test_predict_and_evaluate_tell_callbacks_too(model):
    calls = []
    watch = LambdaCallback(on_predict_batch_end=lambda batch, logs: calls.append(batch),
                           on_test_batch_end=lambda batch, logs: calls.append(logs["loss"]))
    model.predict(X, batch_size=4, callbacks=[watch])
    assert calls == [0, 1]
    model.evaluate(X, Y, batch_size=8, verbose=0, callbacks=[watch])
    assert calls[2] == pytest.approx(model.test_on_batch(X, Y)[0])


def test_batch_hooks_have_two_names(model):
    class Watch(Callback):
        def __init__(self):
            super().__init__()
            self.seen = []

        def on_train_batch_end(self, batch, logs=None):
            self.seen.append((batch, logs["size"]))
    watch = Watch()
    fit(model, watch, epochs=1)
    assert watch.seen == [(0, 4), (1, 4)]
    assert watch.params["epochs"] == 1
    assert watch.model is model


def test_an_unknown_hook_is_refused():
    with pytest.raises(TypeError, match="'on_sunday'"):
        LambdaCallback(on_sunday=print)


def test_a_list_can_be_called_like_a_callback():
    seen = []
    told = CallbackList([LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))])
    told.on_epoch_begin(3)
    told.on_train_begin()
    assert seen == [3]


def test_checkpoints_of_every_epoch(model, tmp_path):
    fit(model, ModelCheckpoint(str(tmp_path / "m{epoch:02d}-{loss:.1f}.h5")), epochs=2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name[:3] for name in names] == ["m01", "m02"]
    loaded = load_model(str(tmp_path / names[1]))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_the_best_checkpoint_is_kept(model, tmp_path):
    path = str(tmp_path / "best.h5")
    saved = []
    watch = LambdaCallback(on_epoch_end=lambda epoch, logs: saved.append(
        load_model(path).get_weights()[0]))
    fit(model, Fixed([1.0, 2.0, 0.5]), ModelCheckpoint(path, save_best_only=True), watch)
    assert np.array_equal(saved[0], saved[1])
    assert not np.array_equal(saved[1], saved[2])


def test_checkpoints_with_a_period_and_weights_alone(model, tmp_path):
    fit(model, ModelCheckpoint(str(tmp_path / "{epoch}.h5"), period=2, save_weights_only=True),
        epochs=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.h5", "4.h5"]
    model.load_weights(str(tmp_path / "4.h5"))


def test_training_stops_when_nothing_improves(model):
    history = fit(model, Fixed([1.0, 0.9, 0.95, 0.94, 0.93]), EarlyStopping(patience=2), epochs=5)
    assert len(history["loss"]) == 4


def test_the_best_weights_can_be_restored(model):
    kept = []
    watch = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()[0]))
    fit(model, watch, Fixed([1.0, 0.5, 0.9, 0.9]),
        EarlyStopping(patience=2, restore_best_weights=True), epochs=4)
    np.testing.assert_array_equal(model.get_weights()[0], kept[1])


def test_stopping_may_look_for_the_greatest(model):
    history = fit(model, Fixed([1.0, 2.0, 1.5]), EarlyStopping(mode="max"), epochs=3)
    assert len(history["loss"]) == 3
    with pytest.raises(ValueError, match="mode must be one of"):
        EarlyStopping(mode="best")


def test_a_value_that_is_missing_brings_a_warning(model):
    with pytest.warns(RuntimeWarning, match="'val_loss' is not among .*: loss, mae"):
        fit(model, EarlyStopping(), epochs=1)


@pytest.mark.parametrize("schedule", [lambda epoch: 0.1 / (epoch + 1),
                                      lambda epoch, rate: 0.1 / (epoch + 1)])
def test_learning_rates_follow_a_schedule(model, schedule):
    history = fit(model, LearningRateScheduler(schedule), epochs=3)
    np.testing.assert_allclose(history["lr"], [0.1, 0.05, 0.1 / 3], rtol=1e-6)


def test_a_schedule_must_return_a_float(model):
    with pytest.raises(ValueError, match="it returned 'fast'"):
        fit(model, LearningRateScheduler(lambda epoch: "fast"))


def test_learning_rates_fall_on_plateaus(model):
    history = fit(model, Fixed([1.0, 1.0, 1.0, 1.0]),
                  ReduceLROnPlateau(factor=0.5, patience=2, min_lr=0.004), epochs=4)
    np.testing.assert_allclose(history["lr"], [0.01, 0.01, 0.01, 0.005], rtol=1e-5)
    assert float(K.get_value(model.optimizer.lr)) == pytest.approx(0.005)


def test_training_stops_at_nan(model, capsys):
    with np.errstate(all="ignore"):
        history = model.fit(np.full((8, 2), np.inf), Y, batch_size=4, epochs=3, verbose=0,
                            callbacks=[TerminateOnNaN()]).history
    assert len(history["loss"]) == 1
    assert "training stops" in capsys.readouterr().out


def test_a_table_of_the_epochs(model, tmp_path):
    path = tmp_path / "log.csv"
    fit(model, CSVLogger(str(path)), epochs=2)
    fit(model, CSVLogger(str(path), append=True), epochs=1)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert rows[0] == ["epoch", "loss", "mae"]
    assert [row[0] for row in rows[1:]] == ["0", "1", "0"]


@pytest.mark.parametrize("verbose, lines", [(0, 0), (1, 5), (2, 5)])
def test_progress_is_one_line_per_epoch_without_a_terminal(model, capsys, verbose, lines):
    fit(model, verbose=verbose, epochs=2)
    text = capsys.readouterr().out
    assert len(text.splitlines()) == lines
    assert "\r" not in text
    if verbose:
        assert "Epoch 2/2" in text
        assert "mae: " in text
