"""Trainer: a network that can be compiled, fitted, evaluated and asked for predictions.

Data are checked once, then a batch is a slice of arrays and one call of a compiled function.
"""
import warnings

import numpy as np

from .. import optimizers
from ..utils.generic_utils import unpack_singleton
from ..utils.progress import Progbar
from . import data
from .generators import checked_steps, endless, is_generator, triple
from .network import Network
from .objective import Objective, predict_function
from .run import Run, fit_epoch, is_due, told

__all__ = ["Trainer"]


class Trainer(Network):
    """A network with `compile`, `fit`, `evaluate`, `predict` and their relatives."""

    _objective = None
    _predict = None

    def _connect_graph(self, inputs, outputs):
        super()._connect_graph(inputs, outputs)
        self._predict = None
        self._functions = {}
        self._objective = None
        self.optimizer = None
        self.stop_training = False
        self.history = None

    # ---- compile

    def compile(self, optimizer, loss=None, metrics=None, loss_weights=None,
                sample_weight_mode=None, weighted_metrics=None, target_tensors=None):
        """Says what the model is trained for.

        # Arguments
            optimizer: an optimizer, or its name.
            loss: loss, function or name; a list or a dict by output if there are several.
            metrics: list of metrics, functions or names; a list of lists or a dict by output.
            loss_weights: list or dict of numbers: how much each output's loss counts.
            sample_weight_mode: "temporal" for weights of shape (samples, steps), else None.
            weighted_metrics: like `metrics`, weighted by the sample weights.
            target_tensors: must be None; targets are fed.
        """
        if target_tensors is not None:
            raise ValueError("[compile] target_tensors must be None; targets are given to fit, as "
                             "arrays.")
        optimizer = optimizers.get(optimizer)
        self._objective = Objective(self, optimizer, loss, metrics, loss_weights,
                                    sample_weight_mode, weighted_metrics)
        self._functions = {}
        self.optimizer = optimizer
        self.loss = loss
        self.loss_weights = loss_weights
        self.sample_weight_mode = sample_weight_mode
        self._compile_metrics = metrics
        self._compile_weighted_metrics = weighted_metrics

    @property
    def metrics(self):
        """The metrics given to compile."""
        return self._objective.metrics if self._objective else []

    @property
    def metrics_names(self):
        """What `train_on_batch` and `evaluate` return, in order: "loss" and the metrics."""
        return self._objective.names if self._objective else ["loss"]

    def reset_metrics(self):
        """Sets the states of all metrics to zero."""
        for metric in self._objective.means + self._objective.metrics:
            metric.reset_states()

    def _compiled(self):
        if self._objective is None:
            raise RuntimeError('[fit] a compiled model is required; "%s" has not been compiled. '
                               "Call model.compile(optimizer, loss)." % self.name)
        return self._objective

    # ---- functions

    def _make_train_function(self):
        """The function of a training step without sample weights; creates the optimizer's state."""
        return self._function("train", (False,) * len(self.outputs))

    @property
    def train_function(self):
        return self._make_train_function()

    @property
    def test_function(self):
        return self._function("test", (False,) * len(self.outputs))

    @property
    def predict_function(self):
        if self._predict is None:
            self._predict = predict_function(self)
        return self._predict

    def _function(self, kind, weighted):
        """A compiled function; `weighted` says which outputs have sample weights."""
        objective = self._compiled()
        if kind == "train":
            self._check_trainable(objective)
        if (kind, weighted) not in self._functions:
            make = objective.train_function if kind == "train" else objective.test_function
            self._functions[kind, weighted] = make(weighted)
        return self._functions[kind, weighted]

    def _check_trainable(self, objective):
        now = self.trainable_weights
        if len(now) != len(objective.parameters) or any(
                one is not other for one, other in zip(now, objective.parameters)):
            warnings.warn('[fit] the trainable weights of "%s" have changed since compile; those '
                          "of then are trained. Call compile again." % self.name, stacklevel=4)

    # ---- standardising

    def _ensure_built(self, x):
        """Makes a model whose shapes the first data decide; others are built already."""

    def _require_built(self, what):
        """Raises ValueError for a model without weights, before `what` is done with it."""

    def _standard_inputs(self, x):
        self._ensure_built(x)
        arrays = data.arrays_of(x, self.input_names, "input")
        return data.fitted(arrays, self.inputs, self.input_names, "input")

    def _standard_data(self, x, y, sample_weight=None, class_weight=None):
        """(arrays to feed, which outputs have weights); inputs, targets and weights are checked."""
        inputs = self._standard_inputs(x)
        objective = self._compiled()
        targets = self._standard_targets(y)
        weights = self._standard_weights(targets, sample_weight, class_weight)
        given = [weight for weight in weights if weight is not None]
        groups = {"inputs": inputs, "targets": targets, "sample weights": given}
        if not data.check_cardinality(groups):
            raise ValueError("[data] at least one sample is required; there is none.")
        present = iter(weights)
        weighted = tuple(endpoint.is_trained and next(present) is not None
                         for endpoint in objective.endpoints)
        return inputs + targets + given, weighted

    def _standard_targets(self, y):
        trained = self._objective.trained
        names = [endpoint.name for endpoint in trained]
        if not trained and y is None:
            return []
        arrays = data.arrays_of(y, names, "target")
        outputs = {endpoint: output for endpoint, output in
                   zip(self._objective.endpoints, self._objective.outputs)}
        for number, (endpoint, array) in enumerate(zip(trained, arrays)):
            if array.ndim == endpoint.target.ndim - 1:
                arrays[number] = array = array[..., np.newaxis]
            endpoint.check_target(array, outputs[endpoint])
            endpoint.check_values(array)
        return data.fitted(arrays, [endpoint.target for endpoint in trained], names, "target")

    def _standard_weights(self, targets, sample_weight, class_weight):
        """For each trained output its sample weights times those of its classes, or None."""
        trained = self._objective.trained
        names = [endpoint.name for endpoint in trained]
        given = data.weights_of(sample_weight, names, "sample_weight")
        by_class = class_weight is not None and _by_output(class_weight, names)
        result = []
        for endpoint, target, weight in zip(trained, targets, given):
            of_class = by_class.get(endpoint.name) if by_class else None
            if weight is not None:
                weight, = data.fitted([np.asarray(weight)], [endpoint.weight], [endpoint.name],
                                      "sample_weight")
            if of_class:
                factor = data.class_weights(target, of_class, endpoint.name)
                weight = factor if weight is None else weight * factor
            result.append(weight)
        return result

    # ---- single batches

    def train_on_batch(self, x, y, sample_weight=None, class_weight=None, reset_metrics=True):
        """One step on one batch; returns the loss, or the list of loss and metrics."""
        arrays, weighted = self._standard_data(x, y, sample_weight, class_weight)
        return self._run_batch("train", arrays, weighted, reset_metrics)

    def test_on_batch(self, x, y, sample_weight=None, reset_metrics=True):
        """The loss, or the list of loss and metrics, of one batch."""
        arrays, weighted = self._standard_data(x, y, sample_weight)
        return self._run_batch("test", arrays, weighted, reset_metrics)

    def _run_batch(self, kind, arrays, weighted, reset_metrics):
        values = self._function(kind, weighted).run(arrays)
        if reset_metrics:
            self.reset_metrics()
        return unpack_singleton([value[()] for value in values])

    def predict_on_batch(self, x):
        """The output for one batch, an array; a list of arrays if there are several outputs."""
        return unpack_singleton(self.predict_function.run(self._standard_inputs(x)))

    # ---- fit

    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose=1, callbacks=None,
            validation_split=0.0, validation_data=None, shuffle=True, class_weight=None,
            sample_weight=None, initial_epoch=0, steps_per_epoch=None, validation_steps=None,
            validation_freq=1, max_queue_size=10, workers=1, use_multiprocessing=False):
        """Trains the model on arrays; returns a History.

        # Arguments
            x: array, list of arrays or dict by input; or a generator, as in `fit_generator`.
            y: targets, likewise by output.
            batch_size: samples per step, 32 by default.
            epochs: the number of the last epoch + 1.
            verbose: 0 prints nothing, 1 a progress bar, 2 a line per epoch.
            callbacks: list of Callbacks.
            validation_split: the part of the samples, from the end, that is held out.
            validation_data: (x, y) or (x, y, sample_weight), held out.
            shuffle: whether samples are put in a new order in each epoch; "batch" puts whole
                batches in a new order.
            class_weight: dict from a class to its weight, or by output a dict of such.
            sample_weight: weights of the samples; by output if there are several.
            initial_epoch: number of the first epoch.
            steps_per_epoch, validation_steps: for generators only.
            validation_freq: number of epochs from one validation to the next, or a list of epochs.
            max_queue_size, workers, use_multiprocessing: for generators only, as in
                `fit_generator`.
        """
        if is_generator(x):
            _refuse(y=y, batch_size=batch_size, sample_weight=sample_weight,
                    validation_split=validation_split or None)
            return self.fit_generator(x, steps_per_epoch, epochs, verbose, callbacks,
                                      validation_data, validation_steps, validation_freq,
                                      class_weight, shuffle=shuffle, initial_epoch=initial_epoch)
        _refuse(steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        arrays, weighted = self._standard_data(x, y, sample_weight, class_weight)
        arrays, validation = self._validation(arrays, weighted, validation_split, validation_data)
        function = self._function("train", weighted)
        count = len(arrays[0])
        size = _checked_batch_size(batch_size)
        run = Run(self, callbacks, verbose, epochs, samples=count, batch_size=size,
                   validates=validation is not None)
        if verbose:
            print("Train on %d samples%s" % (count, "" if validation is None else
                                             ", validate on %d samples" % len(validation[0][0])))
        with run:
            for epoch in run.epochs_from(initial_epoch):
                fit_epoch(run, function, arrays, data.batches(count, size), shuffle)
                if validation is not None and is_due(validation_freq, epoch):
                    run.validated(self._evaluate_arrays(*validation, size, run.callbacks))
        return self.history

    def _validation(self, arrays, weighted, fraction, given):
        """(arrays for training, None or (arrays, weighted) for validation)."""
        if given is not None:
            if not isinstance(given, (list, tuple)) or len(given) not in (2, 3):
                raise ValueError("[fit] validation_data must be (x, y) or (x, y, sample_weight); "
                                 "%s was given." % type(given).__name__)
            return arrays, self._standard_data(*given)
        if not fraction:
            return arrays, None
        if not 0.0 < fraction < 1.0:
            raise ValueError("[fit] validation_split must be from 0 to below 1; %r was given."
                             % (fraction,))
        arrays, held_out = data.split_validation(arrays, fraction)
        return arrays, (held_out, weighted)

    # ---- evaluation

    def evaluate(self, x=None, y=None, batch_size=None, verbose=1, sample_weight=None, steps=None,
                 callbacks=None, max_queue_size=10, workers=1, use_multiprocessing=False):
        """The loss, or the list of loss and metrics, over all samples.

        # Arguments
            x, y, batch_size, sample_weight: as in `fit`.
            verbose: 1 draws a progress bar.
            steps: number of batches, for generators only.
            callbacks: list of Callbacks.
            max_queue_size, workers, use_multiprocessing: for generators only, as in
                `fit_generator`.
        """
        if is_generator(x):
            _refuse(y=y, batch_size=batch_size, sample_weight=sample_weight)
            return self.evaluate_generator(x, steps, callbacks, verbose=verbose)
        _refuse(steps=steps)
        arrays, weighted = self._standard_data(x, y, sample_weight)
        listeners = told(self, callbacks)
        values = self._evaluate_arrays(arrays, weighted, _checked_batch_size(batch_size), listeners,
                                       verbose)
        return unpack_singleton(values)

    def _evaluate_arrays(self, arrays, weighted, size, callbacks, verbose=0):
        """The mean loss, and the metrics' values, over batches."""
        function = self._function("test", weighted)
        self.reset_metrics()
        count = len(arrays[0])
        progress = Progbar(count, verbose=verbose)
        callbacks.call("on_test_begin", {})
        total, values = 0.0, []
        for number, batch in enumerate(data.batches(count, size)):
            length = batch.stop - batch.start
            logs = {"batch": number, "size": length}
            callbacks.call("on_test_batch_begin", number, logs)
            values = function.run(data.sliced(arrays, slice(*batch)))
            total += float(values[0]) * length
            callbacks.call("on_test_batch_end", number,
                           dict(logs, **dict(zip(self.metrics_names, _numbers(values)))))
            progress.update(batch.stop)
        callbacks.call("on_test_end", {})
        return [total / max(count, 1)] + _numbers(values[1:])

    def predict(self, x, batch_size=None, verbose=0, steps=None, callbacks=None,
                max_queue_size=10, workers=1, use_multiprocessing=False):
        """The outputs for all samples: an array, or a list if there are several outputs.

        # Arguments
            x: array, list of arrays or dict by input; or a generator, as in `predict_generator`.
            batch_size: samples per call, 32 by default.
            verbose: 1 draws a progress bar.
            steps: number of batches, for generators only.
            callbacks: list of Callbacks.
            max_queue_size, workers, use_multiprocessing: for generators only, as in
                `fit_generator`.
        """
        if is_generator(x):
            _refuse(batch_size=batch_size)
            return self.predict_generator(x, steps, callbacks, verbose=verbose)
        _refuse(steps=steps)
        inputs = self._standard_inputs(x)
        count = data.check_cardinality({"inputs": inputs})
        listeners = told(self, callbacks)
        progress = Progbar(count, verbose=verbose)
        listeners.call("on_predict_begin", {})
        parts = []
        for number, batch in enumerate(data.batches(count, _checked_batch_size(batch_size))):
            logs = {"batch": number, "size": batch.stop - batch.start}
            listeners.call("on_predict_batch_begin", number, logs)
            parts.append(self.predict_function.run(data.sliced(inputs, slice(*batch))))
            listeners.call("on_predict_batch_end", number, logs)
            progress.update(batch.stop)
        listeners.call("on_predict_end", {})
        if not parts:
            parts = [self.predict_function.run(inputs)]
        return unpack_singleton([np.concatenate(output) if len(output) > 1 else output[0]
                                 for output in zip(*parts)])

    # ---- generators

    def fit_generator(self, generator, steps_per_epoch=None, epochs=1, verbose=1, callbacks=None,
                      validation_data=None, validation_steps=None, validation_freq=1,
                      class_weight=None, max_queue_size=10, workers=1, use_multiprocessing=False,
                      shuffle=True, initial_epoch=0):
        """Trains the model on batches from a generator; returns a History.

        # Arguments
            generator: gives (x, y) or (x, y, sample_weight) without end; or a sequence with
                `__len__` and `__getitem__`.
            steps_per_epoch: batches per epoch; the length of a sequence by default.
            validation_data: arrays as in `fit`, or a generator of batches.
            validation_steps: batches of a validation generator.
            shuffle: whether a sequence is read in a new order in each epoch.
            max_queue_size, workers, use_multiprocessing: Keras's hints how to read ahead; symk
                reads in the calling thread, in order.
            epochs, verbose, callbacks, validation_freq, class_weight, initial_epoch: as in `fit`.
        """
        steps = checked_steps(generator, steps_per_epoch, "steps_per_epoch")
        run = Run(self, callbacks, verbose, epochs, steps=steps,
                   validates=validation_data is not None)
        if validation_data is not None and not is_generator(validation_data):
            _, validation_data = self._validation([], (), 0.0, validation_data)
        with run:
            stream = endless(generator, shuffle)
            for epoch in run.epochs_from(initial_epoch):
                for number in range(steps):
                    if self.stop_training:
                        break
                    x, y, weight = triple(next(stream))
                    arrays, weighted = self._standard_data(x, y, weight, class_weight)
                    run.step(number, len(arrays[0]), self._function("train", weighted), arrays)
                if validation_data is not None and is_due(validation_freq, epoch):
                    run.validated(self._validate_generator(validation_data, validation_steps, run))
        return self.history

    def _validate_generator(self, given, steps, run):
        if isinstance(given, tuple):
            return self._evaluate_arrays(*given, 32, run.callbacks)
        values = self.evaluate_generator(given, steps)
        return values if isinstance(values, list) else [values]

    def evaluate_generator(self, generator, steps=None, callbacks=None, max_queue_size=10,
                           workers=1, use_multiprocessing=False, verbose=0):
        """The loss, or the list of loss and metrics, over batches from a generator."""
        self._compiled()
        steps = checked_steps(generator, steps, "steps")
        self.reset_metrics()
        listeners, progress = told(self, callbacks), Progbar(steps, verbose=verbose)
        listeners.call("on_test_begin", {})
        total, count, values = 0.0, 0, []
        stream = endless(generator, False)
        for number in range(steps):
            x, y, weight = triple(next(stream))
            arrays, weighted = self._standard_data(x, y, weight)
            logs = {"batch": number, "size": len(arrays[0])}
            listeners.call("on_test_batch_begin", number, logs)
            values = self._function("test", weighted).run(arrays)
            total += float(values[0]) * len(arrays[0])
            count += len(arrays[0])
            listeners.call("on_test_batch_end", number, logs)
            progress.update(number + 1)
        listeners.call("on_test_end", {})
        return unpack_singleton([total / max(count, 1)] + _numbers(values[1:]))

    def predict_generator(self, generator, steps=None, callbacks=None, max_queue_size=10,
                          workers=1, use_multiprocessing=False, verbose=0):
        """The outputs for batches from a generator of x, (x, y) or (x, y, sample_weight)."""
        steps = checked_steps(generator, steps, "steps")
        listeners, progress = told(self, callbacks), Progbar(steps, verbose=verbose)
        listeners.call("on_predict_begin", {})
        stream, parts = endless(generator, False), []
        for number in range(steps):
            batch = next(stream)
            x = batch[0] if isinstance(batch, tuple) else batch
            listeners.call("on_predict_batch_begin", number, {"batch": number})
            parts.append(self.predict_function.run(self._standard_inputs(x)))
            listeners.call("on_predict_batch_end", number, {"batch": number})
            progress.update(number + 1)
        listeners.call("on_predict_end", {})
        return unpack_singleton([np.concatenate(output) for output in zip(*parts)])


def _numbers(values):
    return [float(value) for value in values]


def _by_output(class_weight, names):
    """{output: {class: weight}} from that, or from {class: weight} for a single output."""
    if all(isinstance(value, dict) for value in class_weight.values()):
        unknown = sorted(set(class_weight) - set(names), key=repr)
        if unknown:
            raise ValueError("[class_weight] the keys must be names of outputs (%s); %s is none."
                             % (", ".join(names), ", ".join(map(repr, unknown))))
        return class_weight
    if len(names) != 1:
        raise ValueError("[class_weight] a dict by output (%s) is required for several outputs."
                         % ", ".join(names))
    return {names[0]: class_weight}


def _checked_batch_size(size):
    size = 32 if size is None else size
    if not hasattr(size, "__index__") or size < 1:
        raise ValueError("[batch_size] a positive integer is required; %r was given." % (size,))
    return int(size)


def _refuse(**given):
    """Arguments that mean nothing for the kind of data given."""
    for name, value in given.items():
        if value is not None:
            raise ValueError("[data] %s must not be given for this kind of data: arrays have "
                             "batch_size, targets and weights; generators give batches and need "
                             "numbers of steps." % name)
