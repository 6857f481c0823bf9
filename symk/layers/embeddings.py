"""Embedding: numbers of words to vectors."""
from .. import backend as K
from ..engine import Layer
from ..registry import register
from .parametric import Parametric

__all__ = ["Embedding", "Layer"]


@register("layer")
class Embedding(Parametric):
    """A vector, a weight, for each integer from 0 to below `input_dim`. First layer of a model.

    # Arguments
        input_dim: number of different integers.
        output_dim: size of the vectors.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the vectors.
        activity_regularizer: penalty on the output.
        mask_zero: whether 0 is padding, which later layers skip; then no word has the number 0.
        input_length: the number of steps, if it is the same for all data; `Flatten` and `Dense`
            after this layer need it.

    # Input shape
        `(batch, steps)`, integers.

    # Output shape
        `(batch, steps, output_dim)`.

    # References
        Gal & Ghahramani 2015, https://arxiv.org/abs/1512.05287
    """

    dropout = 0.0       # of Keras 1: the part of the words that is dropped in training

    def __init__(self, input_dim, output_dim, embeddings_initializer="uniform",
                 embeddings_regularizer=None, activity_regularizer=None,
                 embeddings_constraint=None, mask_zero=False, input_length=None, **kwargs):
        if "input_shape" not in kwargs:
            lengths = input_length if isinstance(input_length, (list, tuple)) else (input_length,)
            kwargs["input_shape"] = tuple(lengths)
        super().__init__(**kwargs)
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.input_length = input_length
        self._keep(embeddings_initializer=embeddings_initializer,
                   embeddings_regularizer=embeddings_regularizer,
                   activity_regularizer=activity_regularizer,
                   embeddings_constraint=embeddings_constraint)

    def build(self, input_shape):
        self.embeddings = self._add("embeddings", (self.input_dim, self.output_dim))
        self.built = True

    def compute_mask(self, inputs, mask=None):
        """True where the integer is not 0, if that is padding."""
        return K.not_equal(inputs, 0) if self.mask_zero else None

    def call(self, inputs):
        self._check_steps(inputs)
        if not K.dtype(inputs).startswith(("int", "uint")):
            inputs = K.cast(inputs, "int32")
        return K.gather(self._kept_embeddings(), inputs)

    def _kept_embeddings(self):
        """The vectors; in training without those of the words that `dropout` drops."""
        if not 0 < self.dropout < 1:
            return self.embeddings
        kept = K.random_binomial((self.input_dim, 1), p=1.0 - self.dropout)
        return K.in_train_phase(self.embeddings * (kept / (1.0 - self.dropout)), self.embeddings)

    def _check_steps(self, inputs):
        """Raises ValueError if the input's steps are not those of `input_length`."""
        if self.input_length is None:
            return
        wanted = self.input_length if isinstance(self.input_length, (list, tuple)) \
            else (self.input_length,)
        given = K.int_shape(inputs)[1:]
        if len(wanted) != len(given) or any(
                want is not None and have is not None and want != have
                for want, have in zip(wanted, given)):
            raise ValueError('in layer "%s" (Embedding): [call] input_length is %s; the input is '
                             "%r." % (self.name, self.input_length, inputs.type))

    def get_config(self):
        config = dict(super().get_config(), input_dim=self.input_dim, output_dim=self.output_dim,
                      mask_zero=self.mask_zero, input_length=self.input_length)
        return dict(config, dropout=self.dropout) if self.dropout else config
