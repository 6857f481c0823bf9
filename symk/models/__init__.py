"""Keras's models: Model and Sequential, how they are saved, loaded, copied and taken apart."""
from ..engine import Input, InputLayer
from .copying import clone_model
from .files import load_model, save_model
from .model import Model
from .part import Part
from .sequential import Sequential
from .text import model_from_config, model_from_json, model_from_yaml

__all__ = ["Input", "InputLayer", "Model", "Part", "Sequential", "clone_model", "load_model",
           "model_from_config", "model_from_json", "model_from_yaml", "save_model"]
