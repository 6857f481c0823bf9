"""How losses are weighted and reduced, where Keras has it; the code is in `symk.losses`."""
from ..losses import (
    Reduction,
    broadcast_weights,
    compute_weighted_loss,
    squeeze_or_expand_dimensions,
)

__all__ = ["Reduction", "broadcast_weights", "compute_weighted_loss",
           "squeeze_or_expand_dimensions"]
