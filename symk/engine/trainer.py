"""Trainer: a network that can be compiled, fitted, evaluated and asked for predictions.

Here are the arguments and what they mean; `feeds.py` checks the data, `sources.py` cuts them into
batches, `run.py` has the loops.
"""
import contextlib
import functools
import math
import numbers
import warnings

import numpy as np

from .. import config, optimizers, renames
from ..mixed_precision import follow_policy
from ..ops.checks import one_of
from ..ops.products import PRODUCTS
from ..utils.generic_utils import unpack_singleton
from ..utils.progress import Progbar
from . import data
from .feeds import input_arrays, training_arrays
from .network import Network
from .objective import Objective, fed, predict_function
from .run import Run, count_validations, evaluate_source, is_due, predict_source, told
from .sources import Arrays, Generated, Repeated, checked_steps, is_generator, triple

__all__ = ["Trainer"]


class Trainer(Network):
    """A network with `compile`, `fit`, `evaluate`, `predict` and their relatives."""

    optimizer = None
    history = None
    stop_training = False
    _objective = None
    _predict = None
    _functions = None
    _compile_later = None       # a call of compile that waits for the shape of the input
    _device = None              # of the scope in which it was built or compiled

    def __new__(cls, *args, **kwargs):
        made = super().__new__(cls)
        made._device = config.scoped_device()
        return made

    def _connect_graph(self, inputs, outputs):
        super()._connect_graph(inputs, outputs)
        self._device = config.scoped_device() or self._device
        self._predict = None
        self._functions = {}
        self._objective = None
        self.optimizer = None

    # ---- compile

    def compile(self, optimizer, loss=None, metrics=None, loss_weights=None,
                sample_weight_mode=None, weighted_metrics=None, target_tensors=None,
                recompute=False, products=None):
        """Says what the model is trained for. A model without a shape is compiled when the first
        data have given it one.

        # Arguments
            optimizer: an optimizer, or its name.
            loss: loss, function or name; a list or a dict by output if there are several.
            metrics: list of metrics, functions or names; a list of lists or a dict by output.
            loss_weights: list or dict of numbers: how much each output's loss counts.
            sample_weight_mode: "temporal" for weights of shape (samples, steps), else None.
            weighted_metrics: like `metrics`, weighted by the sample weights.
            target_tensors: tensors to use as targets, in place of data given to fit; a list or a
                dict by output.
            recompute: whether training keeps only what crosses between parts of the model, and
                computes the rest again for the gradients: less memory, one more forward pass. A
                number says how many parts there are.
            products: "bfloat16", "float16" or "tf32" for training, evaluation and prediction whose
                products round their operands so, "winograd" for faster 3x3 convolutions that are
                less exact; by default what the policy of `mixed_precision` or SYMK_PRODUCTS says.
        """
        optimizer, products = follow_policy(optimizers.get(optimizer), products)
        if products is not None:
            one_of("compile", "products", products, PRODUCTS)
        self._device = config.scoped_device() or self._device
        if self.inputs is None:
            self._compile_later = functools.partial(
                self.compile, optimizer, loss, metrics, loss_weights, sample_weight_mode,
                weighted_metrics, target_tensors, recompute, products)
        else:
            self._objective = Objective(self, optimizer, loss, metrics, loss_weights,
                                        sample_weight_mode, weighted_metrics, target_tensors,
                                        recompute, products)
            self._functions = {}
            self._predict = None
        self.optimizer = optimizer

    @property
    def loss(self):
        """The loss as it was given to compile."""
        return self._objective.given["loss"] if self._objective else None

    @property
    def loss_weights(self):
        return self._objective.given["loss_weights"] if self._objective else None

    @property
    def sample_weight_mode(self):
        return self._objective.given["sample_weight_mode"] if self._objective else None

    @property
    def total_loss(self):
        """The loss as an expression of `inputs`, `targets` and `sample_weights`."""
        return self._compiled().total_loss()

    @property
    def targets(self):
        """The tensors of the targets of the outputs that have a loss."""
        return [endpoint.target for endpoint in self._compiled().trained]

    @property
    def sample_weights(self):
        """The tensors of the sample weights of the outputs that have a loss."""
        return [endpoint.weight for endpoint in self._compiled().trained]

    # What programs that look into gradients feed, by Keras's names.

    @property
    def _feed_inputs(self):
        return fed(self.inputs)

    @property
    def _feed_targets(self):
        return [endpoint.target for endpoint in self._compiled().fed_endpoints]

    @property
    def _feed_sample_weights(self):
        return self.sample_weights

    @property
    def metrics(self):
        """The metrics given to compile, and those that layers and the model have added."""
        return self._objective.metrics if self._objective else self.metric_objects()

    @property
    def metrics_names(self):
        """What `train_on_batch` and `evaluate` return, in order: "loss" and the metrics."""
        return list(self._objective.names) if self._objective else ["loss"]

    def add_loss(self, losses, inputs=None):
        """Adds losses to the model: tensors that are made of its inputs and layers."""
        super().add_loss(losses, inputs)
        self._refuse_if_compiled("add_loss")

    def add_metric(self, value, name=None):
        """Reports a value in training and evaluation; as `Layer.add_metric`."""
        super().add_metric(value, name)
        self._refuse_if_compiled("add_metric")

    def _refuse_if_compiled(self, what):
        """What is added takes effect at the next compile; saying so is better than silence."""
        if self._objective is not None:
            warnings.warn('[%s] "%s" has been compiled already; call compile again, so that what '
                          "was added counts." % (what, self.name), stacklevel=3)

    def reset_metrics(self):
        """Sets the states of all metrics to zero."""
        for metric in self._compiled().means + self._compiled().metrics:
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

    def _make_test_function(self):
        return self._function("test", (False,) * len(self.outputs))

    @property
    def test_function(self):
        return self._make_test_function()

    def _make_predict_function(self):
        """The function of a prediction, compiled now; programs with threads ask for it first."""
        return self.predict_function

    @property
    def predict_function(self):
        if self._predict is None:
            self._predict = self.prediction_of(self)
        return self._predict

    def prediction_of(self, part):
        """The compiled prediction of the model, or of a part of it: with the products and in the
        place of the model.
        """
        products = self._objective.products if self._objective else None
        with self._placed():
            return predict_function(part, products)

    def _function(self, kind, weighted):
        """A compiled function; `weighted` says which outputs have sample weights."""
        objective = self._compiled()
        if kind == "train":
            self._check_trainable(objective)
        if (kind, weighted) not in self._functions:
            make = objective.train_function if kind == "train" else objective.test_function
            with self._placed():
                self._functions[kind, weighted] = make(weighted)
        return self._functions[kind, weighted]

    def _placed(self):
        """The scope in which its functions are compiled: one that is open, else its own."""
        if self._device is None or config.scoped_device() is not None:
            return contextlib.nullcontext()
        return config.default_device(self._device)

    def _check_trainable(self, objective):
        now = self.trainable_weights
        if len(now) != len(objective.parameters) or any(
                one is not other for one, other in zip(now, objective.parameters)):
            warnings.warn('[fit] the trainable weights of "%s" have changed since compile; those '
                          "of then are trained. Call compile again." % self.name, stacklevel=4)

    def _ensure_built(self, x):
        """Makes the weights of a model whose shapes the first data decide."""
        if self.inputs is None:
            self._build_from(x)
            self._compile_waiting()

    def _build_from(self, x):
        """Gives a subclass inputs of the shapes of some data."""
        if isinstance(x, dict):
            raise ValueError("[%s] an array or a list of arrays is required as the first data of a "
                             "model with a `call` of its own; a dict was given."
                             % type(self).__name__)
        several = isinstance(x, (list, tuple)) and len(x) > 0 and np.ndim(x[0]) > 0
        shapes = [np.shape(one) for one in (x if several else [x])]
        self._set_inputs([(None,) + (shape[1:] or (1,)) for shape in shapes])

    def _compile_waiting(self):
        """Does what a compile before the shapes were known has asked for."""
        if self._compile_later is not None:
            compile_now, self._compile_later = self._compile_later, None
            compile_now()

    # ---- single batches

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, reset_metrics=True):
        """One step on one batch; returns the loss, or the list of loss and metrics."""
        arrays, weighted = training_arrays(self, x, y, sample_weight, class_weight)
        return self._run_batch("train", arrays, weighted, reset_metrics)

    def test_on_batch(self, x, y=None, sample_weight=None, reset_metrics=True):
        """The loss, or the list of loss and metrics, of one batch."""
        arrays, weighted = training_arrays(self, x, y, sample_weight)
        return self._run_batch("test", arrays, weighted, reset_metrics)

    def _run_batch(self, kind, arrays, weighted, reset_metrics):
        values = self._function(kind, weighted).run(data.sliced(arrays, slice(None)))
        if reset_metrics:
            self.reset_metrics()
        return unpack_singleton([value[()] for value in values])

    def predict_on_batch(self, x):
        """The output for one batch, an array; a list of arrays if there are several outputs."""
        arrays = data.sliced(input_arrays(self, x), slice(None))
        return unpack_singleton(self.predict_function.run(arrays))

    # ---- arrays and generators

    @renames.accepts("fit")
    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose=1, callbacks=None,
            validation_split=0.0, validation_data=None, shuffle=True, class_weight=None,
            sample_weight=None, initial_epoch=0, steps_per_epoch=None, validation_steps=None,
            validation_freq=1, max_queue_size=10, workers=1, use_multiprocessing=False):
        """Trains the model; returns a History.

        # Arguments
            x: array, list of arrays or dict by input; or a generator, as in `fit_generator`.
            y: targets, likewise by output.
            batch_size: samples per step, 32 by default.
            epochs: the number of the last epoch + 1.
            verbose: 0 prints nothing, 1 a progress bar, 2 a line per epoch.
            callbacks: list of Callbacks.
            validation_split: the part of the samples, from the end, that is held out.
            validation_data: (x, y) or (x, y, sample_weight), held out; or a generator of batches.
            shuffle: whether samples are put in a new order in each epoch; "batch" puts whole
                batches in a new order.
            class_weight: dict from a class to its weight, or by output a dict of such.
            sample_weight: weights of the samples; by output if there are several.
            initial_epoch: number of the first epoch.
            steps_per_epoch: batches per epoch of a generator; for arrays: all samples are one
                batch, and an epoch is so many steps with it.
            validation_steps: the same for the validation: only for a generator, or together with
                steps_per_epoch.
            validation_freq: number of epochs from one validation to the next, or a list of epochs.
            max_queue_size, workers, use_multiprocessing: for generators only, as in
                `fit_generator`.
        """
        validations = count_validations(validation_freq, initial_epoch, epochs)
        if is_generator(x):
            _refuse("a generator", y=y, batch_size=batch_size, sample_weight=sample_weight,
                    validation_split=validation_split or None)
            return self.fit_generator(x, steps_per_epoch, epochs, verbose, callbacks,
                                      validation_data, validation_steps, validation_freq,
                                      class_weight, max_queue_size, workers, use_multiprocessing,
                                      shuffle, initial_epoch)
        if steps_per_epoch is not None:
            _refuse("steps_per_epoch", batch_size=batch_size,
                    validation_split=validation_split or None)
        arrays, weighted = training_arrays(self, x, y, sample_weight, class_weight)
        held_out = None
        if validation_data is None and validation_split:
            arrays, held_out = data.split_validation(arrays, _checked_fraction(validation_split))
            held_out = held_out, weighted
        source = self._source("train", arrays, weighted, batch_size, steps_per_epoch, shuffle)
        readers = max_queue_size, workers, use_multiprocessing
        if steps_per_epoch is None and not is_generator(validation_data):
            _refuse("arrays and no steps_per_epoch", validation_steps=validation_steps)
        validation = self._validation(validation_data, held_out, batch_size, validation_steps,
                                      readers, validations)
        if verbose and source.unit == "samples":
            print("Train on %d samples%s"
                  % (source.total, ", validate on %d %s" % (validation.total, validation.unit)
                     if validation is not None else ""))
        size = source.batch_size if source.unit == "samples" else None
        return self._fit(source, validation, callbacks, verbose, epochs, initial_epoch,
                         validation_freq, size)

    @renames.accepts("fit_generator")
    def fit_generator(self, generator, steps_per_epoch=None, epochs=1, verbose=1, callbacks=None,
                      validation_data=None, validation_steps=None, validation_freq=1,
                      class_weight=None, max_queue_size=10, workers=1, use_multiprocessing=False,
                      shuffle=True, initial_epoch=0):
        """Trains the model on batches from a generator; returns a History.

        # Arguments
            generator: gives (x, y) or (x, y, sample_weight) without end; or a `Sequence`.
            steps_per_epoch: batches per epoch; the length of a sequence by default.
            validation_data: arrays as in `fit`, or a generator of batches.
            validation_steps: batches of a validation generator; arrays are evaluated whole.
            max_queue_size: how many batches may be ready before they are needed.
            workers: threads or processes that read a Sequence; 0 reads between the steps, in the
                calling thread.
            use_multiprocessing: whether processes read, in place of threads.
            shuffle: whether a Sequence is read in a new order in each epoch.
            epochs, verbose, callbacks, validation_freq, class_weight, initial_epoch: as in `fit`.
        """
        validations = count_validations(validation_freq, initial_epoch, epochs)
        readers = max_queue_size, workers, use_multiprocessing
        source = self._generated("train", generator, steps_per_epoch, "steps_per_epoch", readers,
                                 class_weight, epochs - initial_epoch, shuffle)
        # As in Keras, arrays are evaluated whole, whatever the steps.
        steps = validation_steps if is_generator(validation_data) else None
        validation = self._validation(validation_data, None, None, steps, readers,
                                      validations)
        return self._fit(source, validation, callbacks, verbose, epochs, initial_epoch,
                         validation_freq)

    def _fit(self, source, validation, callbacks, verbose, epochs, first, frequency, size=None):
        with source, validation or contextlib.nullcontext():
            run = Run(self, source, callbacks, verbose, epochs, size, validation is not None)
            if isinstance(validation, Arrays):
                self._tell_validation_data(run.callbacks, validation.arrays)
            with run:
                for epoch in run.epochs_from(first):
                    if run.train() and validation is not None and is_due(frequency, epoch):
                        run.validated(evaluate_source(self, validation, run.callbacks,
                                                      Progbar(None, verbose=0)))
        return self.history

    def _tell_validation_data(self, listeners, arrays):
        """Gives callbacks what Keras gives them: inputs, targets, weights of the samples, and 0
        for the learning phase if it counts."""
        given = list(arrays)
        missing = len(self.inputs) + 2 * len(self._compiled().trained) - len(given)
        given += [np.ones(len(arrays[0]), dtype="float32")] * missing
        for callback in listeners:
            callback.validation_data = given + ([0.0] if self.uses_learning_phase else [])

    @renames.accepts("evaluate")
    def evaluate(self, x=None, y=None, batch_size=None, verbose=1, sample_weight=None, steps=None,
                 callbacks=None, max_queue_size=10, workers=1, use_multiprocessing=False):
        """The loss, or the list of loss and metrics, over all samples.

        # Arguments
            x, y, batch_size, sample_weight: as in `fit`.
            verbose: 1 draws a progress bar.
            steps: number of batches of a generator, or of steps with arrays as one batch.
            callbacks: list of Callbacks.
            max_queue_size, workers, use_multiprocessing: for generators only, as in
                `fit_generator`.
        """
        if is_generator(x):
            _refuse("a generator", y=y, batch_size=batch_size, sample_weight=sample_weight)
            return self.evaluate_generator(x, steps, callbacks, max_queue_size, workers,
                                           use_multiprocessing, verbose)
        arrays, weighted = training_arrays(self, x, y, sample_weight)
        return self._evaluate(self._source("test", arrays, weighted, batch_size, steps),
                              callbacks, verbose)

    @renames.accepts("evaluate_generator")
    def evaluate_generator(self, generator, steps=None, callbacks=None, max_queue_size=10,
                           workers=1, use_multiprocessing=False, verbose=0):
        """The loss, or the list of loss and metrics, over batches from a generator.

        # Arguments: as `fit_generator` and `evaluate`.
        """
        readers = max_queue_size, workers, use_multiprocessing
        return self._evaluate(self._generated("test", generator, steps, "steps", readers),
                              callbacks, verbose)

    def _evaluate(self, source, callbacks, verbose):
        with source:
            return unpack_singleton(evaluate_source(self, source, told(self, callbacks),
                                                    Progbar(source.total, verbose=verbose)))

    def predict(self, x, batch_size=None, verbose=0, steps=None, callbacks=None,
                max_queue_size=10, workers=1, use_multiprocessing=False):
        """The outputs for all samples: an array, or a list if there are several outputs.

        # Arguments
            x: array, list of arrays or dict by input; or a generator, as in `predict_generator`.
            batch_size: samples per call, 32 by default.
            verbose: 1 draws a progress bar.
            steps: number of batches of a generator, or of calls with arrays as one batch.
            callbacks: list of Callbacks.
            max_queue_size, workers, use_multiprocessing: for generators only, as in
                `fit_generator`.
        """
        if is_generator(x):
            _refuse("a generator", batch_size=batch_size)
            return self.predict_generator(x, steps, callbacks, max_queue_size, workers,
                                          use_multiprocessing, verbose)
        arrays = input_arrays(self, x)
        data.check_predicted(arrays)
        return self._predict_all(self._source("predict", arrays, (), batch_size, steps), callbacks,
                                 verbose)

    @renames.accepts("predict_generator")
    def predict_generator(self, generator, steps=None, callbacks=None, max_queue_size=10,
                          workers=1, use_multiprocessing=False, verbose=0):
        """The outputs for batches from a generator of x, (x, y) or (x, y, sample_weight).

        # Arguments: as `fit_generator` and `predict`.
        """
        readers = max_queue_size, workers, use_multiprocessing
        return self._predict_all(self._generated("predict", generator, steps, "steps", readers),
                                 callbacks, verbose)

    def _predict_all(self, source, callbacks, verbose):
        with source:
            return unpack_singleton(predict_source(source, told(self, callbacks),
                                                   Progbar(source.total, verbose=verbose)))

    # ---- sources

    def _source(self, kind, arrays, weighted, batch_size, steps=None, shuffle=False):
        """The batches of arrays that have been checked."""
        function = self.predict_function if kind == "predict" else self._function(kind, weighted)
        if steps is not None:
            _refuse("a number of steps", batch_size=batch_size)
            return Repeated(function, arrays, _whole_steps("steps", steps))
        if not arrays:
            raise ValueError("[data] a number of steps is required for a model that is fed "
                             "nothing; none was given.")
        source = Arrays(function, arrays, _checked_count("batch_size", batch_size, 32), shuffle)
        alone = kind == "predict" and source.total < source.batch_size   # one batch, of any size
        if self.stateful and source.total % source.batch_size and not alone:
            raise ValueError("[data] the samples of a stateful model must fill its batches; there "
                             "are %d samples in batches of %d."
                             % (source.total, source.batch_size))
        return source

    def _generated(self, kind, generator, steps, steps_name, readers, class_weight=None, epochs=1,
                   shuffle=False):
        """The batches of a generator, checked one by one."""
        def prepare(batch):
            if kind == "predict":
                x = batch[0] if isinstance(batch, tuple) else batch
                arrays, weighted = input_arrays(self, x), ()
            else:
                x, y, weight = triple(batch)
                arrays, weighted = training_arrays(self, x, y, weight, class_weight)
            function = (self.predict_function if kind == "predict"
                        else self._function(kind, weighted))
            return function, data.sliced(arrays, slice(None)), len(arrays[0])

        if kind != "predict" and self._compile_later is None:
            self._compiled()
        steps = _whole_steps(steps_name, checked_steps(generator, steps, steps_name))
        return Generated(generator, steps, prepare, epochs, shuffle, *readers)

    def _validation(self, given, held_out, batch_size, steps, readers, count):
        """The source of data for a number of validations, or None."""
        if given is None:
            return None if held_out is None else self._source("test", *held_out, batch_size)
        if is_generator(given):
            return self._generated("test", given, steps, "validation_steps", readers,
                                   epochs=count)
        if not isinstance(given, (list, tuple)) or len(given) not in (2, 3):
            raise ValueError("[fit] validation_data must be (x, y) or (x, y, sample_weight); %s "
                             "was given." % type(given).__name__)
        arrays, weighted = training_arrays(self, *given)
        return self._source("test", arrays, weighted, None if steps else batch_size, steps)


def _checked_count(name, count, default=None):
    count = default if count is None else count
    if not hasattr(count, "__index__") or count < 1:
        raise ValueError("[%s] a positive integer is required; %r was given." % (name, count))
    return int(count)


def _whole_steps(name, steps):
    """A number of steps, rounded up: people divide samples by the size of a batch."""
    if not isinstance(steps, numbers.Real) or not 0 < steps < float("inf"):
        raise ValueError("[%s] a positive number of batches is required; %r was given."
                         % (name, steps))
    return steps if isinstance(steps, renames.Samples) else math.ceil(steps)


def _checked_fraction(fraction):
    if not 0.0 < fraction < 1.0:
        raise ValueError("[fit] validation_split must be from 0 to below 1; %r was given."
                         % (fraction,))
    return fraction


def _refuse(kind, **given):
    """Arguments that mean nothing for the kind of data given."""
    for name, value in given.items():
        if value is not None:
            raise ValueError("[data] %s must not be given with %s: arrays have batch_size, targets "
                             "and weights; generators give batches and need numbers of steps."
                             % (name, kind))
