"""An expression for one known value of some of its inputs, such as the learning phase.

To be used before gradients are taken: the branch that is never taken then has no gradient, while
afterwards it would be a product with zeros, which no rule may drop because 0 * NaN is NaN.
"""
from ..graph.walk import rebuild
from .fold import fold
from .rewrite import rewrite
from .simplify import KNOWN_CONDITION

__all__ = ["specialise"]


def specialise(results, givens):
    """The results with variables replaced ({old: new}), constants folded, known branches taken."""
    results, _ = fold(rebuild(list(results), givens))
    results, _ = rewrite(results, [KNOWN_CONDITION])
    return results
