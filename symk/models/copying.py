"""Copies of models."""
from .model import Model

__all__ = ["clone_model"]


def clone_model(model, input_tensors=None):
    """A model with the same layers, joined in the same way, and new weights.

    # Arguments
        input_tensors: must be None: the copy has inputs of its own.
    """
    if not isinstance(model, Model):
        raise ValueError("[clone_model] a Model is required; %r was given." % (model,))
    if input_tensors is not None:
        raise ValueError("[clone_model] input_tensors must be None; call the copy on the tensors.")
    return type(model).from_config(model.get_config())
