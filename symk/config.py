"""Every setting of symk in one table, with its environment variable and its default.

Imports nothing of symk, so every part may read it. Values read from the environment are checked
here, once; a setting is changed by assignment: `symk.config.settings.floatx = "float64"`.
"""
import os

__all__ = ["Settings", "settings"]


class Settings:
    """The settings of this process.

    floatx: dtype of new floating tensors: "float16", "float32" or "float64".
    epsilon: the fuzz factor of Keras's losses and normalisations.
    image_data_format: "channels_last" or "channels_first".
    mode: "native" runs Plans in the C++ runtime, "reference" runs expressions in NumPy.
    check: verify the graph between optimiser stages (slow; on in the tests).
    check_nan: functions stop at the first NaN or infinity, unless they are asked otherwise.
    """

    def __init__(self, environment):
        self.floatx = _choice(environment, "SYMK_FLOATX", ("float32", "float16", "float64"))
        self.epsilon = 1e-7
        self.image_data_format = _choice(environment, "SYMK_IMAGE_DATA_FORMAT",
                                         ("channels_last", "channels_first"))
        self.mode = _choice(environment, "SYMK_MODE", ("native", "reference"))
        self.check = _choice(environment, "SYMK_CHECK", ("0", "1")) == "1"
        self.check_nan = _choice(environment, "SYMK_CHECK_NAN", ("0", "1")) == "1"


def _choice(environment, name, choices):
    """The value of one environment variable; the first choice is the default."""
    value = environment.get(name, choices[0])
    if value not in choices:
        raise ValueError("[config] %s must be one of %s; it is %r."
                         % (name, ", ".join(choices), value))
    return value


settings = Settings(os.environ)
