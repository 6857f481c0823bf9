"""Models as estimators of scikit-learn: for GridSearchCV, cross_val_score, pipelines, clone.

scikit-learn itself is not needed to import or to use them. Where it is installed they are
estimators of its own kind, so that current versions know whether they classify.
"""
import copy

import numpy as np

from ..models import Sequential
from ..utils.generic_utils import has_arg
from ..utils.np_utils import to_categorical

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
except ImportError:     # the wrappers work without it
    BaseEstimator = ClassifierMixin = RegressorMixin = object

__all__ = ["BaseWrapper", "KerasClassifier", "KerasRegressor"]

# Methods of a model whose arguments an estimator may be given when it is made.
_METHODS = ("fit", "predict", "predict_classes", "evaluate")


class BaseWrapper(BaseEstimator):
    """What classifier and regressor share.

    Args:
        build_fn: a function or an object with `__call__` that makes a compiled model; None when a
            subclass has `__call__` itself.
        sk_params: arguments of build_fn, and of `fit`, `predict` and `evaluate` of the model
            (`epochs`, `batch_size`, ...). All can be changed by `set_params`.
    Attributes: model (after `fit`).
    """

    def __init__(self, build_fn=None, **sk_params):
        self.build_fn = build_fn
        self.sk_params = sk_params
        self.check_params(sk_params)

    def _builder(self):
        """The function that makes the model."""
        return self.__call__ if self.build_fn is None else self.build_fn

    def check_params(self, params):
        """Raises ValueError for parameters that neither the model nor its maker takes."""
        if self.build_fn is None and not callable(self):
            return      # scikit-learn makes estimators without arguments to look at them
        takers = [getattr(Sequential, name) for name in _METHODS if hasattr(Sequential, name)]
        builder = self._builder()
        takers.append(builder)
        for name in params:
            if name != "nb_epoch" and not any(has_arg(taker, name) for taker in takers):
                if not has_arg(builder, name, accept_all=True):
                    raise ValueError("[%s] parameters of build_fn, fit, predict or evaluate are "
                                     "required; %r is none." % (type(self).__name__, name))

    def get_params(self, deep=True, **params):
        """All parameters, with build_fn.

        Args:     deep: whether they are copies.
        """
        found = copy.deepcopy(self.sk_params) if deep else dict(self.sk_params)
        found["build_fn"] = self.build_fn
        return found

    def set_params(self, **params):
        """Changes parameters; returns the estimator."""
        if "build_fn" in params:
            self.build_fn = params.pop("build_fn")
        self.check_params(params)
        self.sk_params.update(params)
        return self

    @classmethod
    def _get_param_names(cls):
        """What scikit-learn takes for the arguments of `__init__`."""
        return ["build_fn"]

    def __repr__(self):
        arguments = ["build_fn=%r" % (self.build_fn,)]
        arguments += ["%s=%r" % item for item in sorted(self.sk_params.items())]
        return "%s(%s)" % (type(self).__name__, ", ".join(arguments))

    def fit(self, x, y, **kwargs):
        """Makes the model and trains it.

        Args:
            x, y: arrays.
            kwargs: arguments of the model's `fit`; they go before the parameters.
        Returns:  a History, as in Keras.
        """
        self.model = self._builder()(**self.filter_sk_params(self._builder()))
        if self._wants_one_hot() and np.ndim(y) != 2:
            y = to_categorical(y)
        arguments = self.filter_sk_params(Sequential.fit)
        arguments.update(kwargs)
        return self.model.fit(x, y, **arguments)

    def _wants_one_hot(self):
        loss = self.model.loss
        return getattr(loss, "__name__", loss) == "categorical_crossentropy"

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model")

    def filter_sk_params(self, fn, override=None):
        """Those parameters that a function takes.

        Args:     override: a dict that goes before them.
        """
        found = {name: value for name, value in self.sk_params.items() if has_arg(fn, name)}
        found.update(override or {})
        return found

    def _fitted_model(self):
        if not hasattr(self, "model"):
            raise ValueError("[%s] a trained model is required; there is none. Call fit first."
                             % type(self).__name__)
        return self.model


class KerasClassifier(ClassifierMixin, BaseWrapper):
    """A model that classifies. Its output is a softmax, or one sigmoid for two classes.

    Args:     as BaseWrapper.
    Attributes: classes_ (the labels in the order of the outputs), n_classes_.
    """

    def fit(self, x, y, sample_weight=None, **kwargs):
        """Trains the model on labels (n,), of any kind, or on one-hot rows (n, classes)."""
        y = np.array(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        elif y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1):
            self.classes_ = np.unique(y)
            y = np.searchsorted(self.classes_, y)
        else:
            raise ValueError("[KerasClassifier] labels (n,) or one-hot rows (n, classes) are "
                             "required; the shape is %s." % (y.shape,))
        self.n_classes_ = len(self.classes_)
        if sample_weight is not None:
            kwargs["sample_weight"] = sample_weight
        return super().fit(x, y, **kwargs)

    def predict(self, x, **kwargs):
        """The label of each sample: an array (n,)."""
        arguments = self.filter_sk_params(Sequential.predict, kwargs)
        scores = self._fitted_model().predict(x, **arguments)
        if scores.shape[-1] > 1:
            return self.classes_[scores.argmax(axis=-1)]
        return self.classes_[(scores > 0.5).astype("int32").ravel()]

    def predict_proba(self, x, **kwargs):
        """The probability of each class: an array (n, classes)."""
        arguments = self.filter_sk_params(Sequential.predict, kwargs)
        scores = self._fitted_model().predict(x, **arguments)
        return np.hstack([1 - scores, scores]) if scores.shape[1] == 1 else scores

    def score(self, x, y, **kwargs):
        """The mean accuracy; the model must be compiled with metrics=["accuracy"]."""
        y = np.asarray(y)
        if y.ndim == 1 or y.shape[1] == 1:
            y = np.searchsorted(self.classes_, y)
        model = self._fitted_model()
        if self._wants_one_hot() and y.ndim != 2:
            y = to_categorical(y, self.n_classes_)
        arguments = self.filter_sk_params(Sequential.evaluate, kwargs)
        arguments.setdefault("verbose", 0)
        results = model.evaluate(x, y, **arguments)
        results = results if isinstance(results, list) else [results]
        for name, value in zip(model.metrics_names, results):
            if name in ("acc", "accuracy"):
                return value
        raise ValueError('[KerasClassifier] a model compiled with metrics=["accuracy"] is '
                         "required; its metrics are %s." % model.metrics_names)


class KerasRegressor(RegressorMixin, BaseWrapper):
    """A model that predicts numbers.

    Args:     as BaseWrapper.
    """

    def predict(self, x, **kwargs):
        """The numbers for each sample, without an axis of one."""
        arguments = self.filter_sk_params(Sequential.predict, kwargs)
        return np.squeeze(self._fitted_model().predict(x, **arguments), axis=-1)

    def score(self, x, y, **kwargs):
        """Minus the loss: the larger, the better, as in Keras 2.3."""
        arguments = self.filter_sk_params(Sequential.evaluate, kwargs)
        arguments.setdefault("verbose", 0)
        loss = self._fitted_model().evaluate(x, y, **arguments)
        return -loss[0] if isinstance(loss, list) else -loss
