"""Models train on the device as on the CPU: losses, weights and predictions agree to float32."""
import numpy as np
import pytest

from symk import layers
from symk.config import device
from symk.models import Sequential


def pictures():
    return Sequential([
        layers.Conv2D(4, 3, padding="same", activation="relu", input_shape=(8, 8, 2)),
        layers.BatchNormalization(), layers.MaxPooling2D(),
        layers.SeparableConv2D(6, 3, padding="same"), layers.Dropout(0.25),
        layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")])


def sentences():
    return Sequential([
        layers.Embedding(20, 5, mask_zero=True, input_length=6),
        layers.LSTM(7, return_sequences=True), layers.GRU(5),
        layers.Dense(3, activation="softmax")])


def data(build):
    generator = np.random.default_rng(8)
    y = generator.integers(0, 3, 20)
    if build is pictures:
        return generator.standard_normal((20, 8, 8, 2)).astype("float32"), y
    return generator.integers(0, 20, (20, 6)), y


def train(build, optimizer, where):
    """Losses of three epochs, the weights and predictions afterwards, all made on one device."""
    np.random.seed(11)
    x, y = data(build)
    with device(where):
        model = build()
        model.compile(optimizer, "sparse_categorical_crossentropy")
        history = model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
        return history.history["loss"], model.get_weights(), model.predict(x), model


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("build", [pictures, sentences])
def test_a_model_trains_as_on_the_cpu(on_device, build, optimizer):
    losses, weights, predictions, model = train(build, optimizer, on_device)
    expected_losses, expected_weights, expected_predictions, _ = train(build, optimizer, "cpu")
    np.testing.assert_allclose(losses, expected_losses, rtol=2e-5)
    for value, wanted in zip(weights, expected_weights):
        np.testing.assert_allclose(value, wanted, rtol=0, atol=2e-4 * max(1, np.abs(wanted).max()))
    np.testing.assert_allclose(predictions, expected_predictions, atol=2e-4)
    again = train(build, optimizer, on_device)
    for value, same in zip(again[1], weights):
        np.testing.assert_array_equal(value, same)
    x, y = data(build)
    with device(on_device):
        loss = model.evaluate(x, y, verbose=0)
    with device("cpu"):     # values follow: a function of the CPU sees what the device has learned
        model.compile(optimizer, "sparse_categorical_crossentropy")
        np.testing.assert_allclose(model.evaluate(x, y, verbose=0), loss, rtol=1e-5)
