"""Keras's callbacks: what happens before, during and after training."""
from .. import paths
from .base import Callback, CallbackList, LambdaCallback
from .control import EarlyStopping, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau
from .logging import BaseLogger, CSVLogger, History, ProgbarLogger, TerminateOnNaN
from .remote import RemoteMonitor
from .tensorboard import TensorBoard

__all__ = ["BaseLogger", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History",
           "LambdaCallback", "LearningRateScheduler", "ModelCheckpoint", "ProgbarLogger",
           "ReduceLROnPlateau", "RemoteMonitor", "TensorBoard", "TerminateOnNaN"]

__getattr__ = paths.later(__name__)
