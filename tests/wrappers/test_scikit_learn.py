"""Models as estimators: alone, and inside of scikit-learn."""
import numpy as np
import pytest

from symk.layers import Activation, Dense
from symk.models import Sequential
from symk.wrappers.scikit_learn import BaseWrapper, KerasClassifier, KerasRegressor


def build_classifier(units=8, classes=3, one_hot=False):
    model = Sequential([Dense(units, activation="relu", input_shape=(4,)),
                        Dense(classes, activation="softmax")])
    loss = "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy"
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def build_binary():
    model = Sequential([Dense(1, activation="sigmoid", input_shape=(4,))])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


def build_regressor(units=8):
    model = Sequential([Dense(units, input_shape=(4,)), Activation("relu"), Dense(1)])
    model.compile("adam", "mse")
    return model


@pytest.fixture
def data():
    random = np.random.RandomState(0)
    centres = 4 * random.standard_normal((3, 4))
    y = np.repeat([0, 1, 2], 30)
    return (centres[y] + random.standard_normal((90, 4))).astype("float32"), y


@pytest.mark.parametrize("one_hot", [False, True])
def test_classifier_learns_labels_of_any_kind(data, one_hot):
    x, y = data
    names = np.array(["a", "b", "c"])[y]
    classifier = KerasClassifier(build_classifier, units=16, one_hot=one_hot, epochs=30, verbose=0)
    history = classifier.fit(x, names, batch_size=10)
    assert len(history.history["loss"]) == 30
    assert list(classifier.classes_) == ["a", "b", "c"] and classifier.n_classes_ == 3
    predicted = classifier.predict(x)
    assert predicted.shape == (90,) and np.mean(predicted == names) > 0.9
    assert classifier.predict_proba(x, batch_size=7).shape == (90, 3)
    assert classifier.score(x, names) == pytest.approx(np.mean(predicted == names), abs=1e-6)


def test_two_classes_with_one_sigmoid(data):
    x, y = data
    classifier = KerasClassifier(build_binary, epochs=1, verbose=0)
    classifier.fit(x[:60], y[:60], sample_weight=np.ones(60))
    assert classifier.predict(x).shape == (90,)
    np.testing.assert_allclose(classifier.predict_proba(x).sum(1), 1, rtol=1e-6)


def test_regressor(data):
    x, y = data
    regressor = KerasRegressor(build_regressor, epochs=2, verbose=0)
    regressor.fit(x, y)
    assert regressor.predict(x).shape == (90,) and regressor.score(x, y) < 0


def test_parameters_are_checked_and_sorted(data):
    estimator = KerasClassifier(build_classifier, units=4, epochs=3, batch_size=5)
    assert estimator.get_params()["units"] == 4
    assert estimator.filter_sk_params(build_classifier) == {"units": 4}
    assert estimator.filter_sk_params(Sequential.fit) == {"epochs": 3, "batch_size": 5}
    assert estimator.set_params(units=5) is estimator and estimator.sk_params["units"] == 5
    with pytest.raises(ValueError, match="'width' is none"):
        KerasClassifier(build_classifier, width=3)
    with pytest.raises(ValueError, match="Call fit first"):
        estimator.predict(data[0])


def test_a_subclass_may_build_its_own_model(data):
    class Mine(KerasRegressor):
        def __call__(self, units=3):
            return build_regressor(units)

    estimator = Mine(units=2, verbose=0)
    estimator.fit(*data)
    assert estimator.model.layers[0].units == 2 and isinstance(estimator, BaseWrapper)


def test_without_accuracy_there_is_no_score(data):
    def build():
        model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    classifier = KerasClassifier(build, verbose=0)
    classifier.fit(*data)
    with pytest.raises(ValueError, match="accuracy"):
        classifier.score(*data)


def test_inside_of_scikit_learn(data):
    sklearn = pytest.importorskip("sklearn")
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    x, y = data
    order = np.random.RandomState(1).permutation(len(x))
    x, y = x[order], y[order]
    estimator = KerasClassifier(build_classifier, epochs=60, batch_size=8, verbose=0)
    again = sklearn.base.clone(estimator)
    assert again.sk_params == estimator.sk_params and again is not estimator
    assert sklearn.base.is_classifier(estimator)
    search = GridSearchCV(estimator, {"units": [1, 16], "epochs": [15]}, cv=3)
    search.fit(x, y)
    assert search.best_params_["units"] == 16 and search.best_score_ > 0.8
    pipeline = make_pipeline(StandardScaler(), sklearn.base.clone(estimator))
    pipeline.fit(x, y)
    assert pipeline.score(x, y) > 0.8
    scores = cross_val_score(KerasRegressor(build_regressor, epochs=2, verbose=0), x, y, cv=2)
    assert scores.shape == (2,)
