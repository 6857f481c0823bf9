"""multi_gpu_model: a model whose batches are divided over several devices."""
from .. import backend as K
from .. import config
from ..compile.native import device_kernel_names
from ..graph import apply
from ..graph.errors import DeviceError
from ..layers import Concatenate, Lambda
from ..ops.checks import integer_of
from ..ops.placed import with_rows
from ..ops.slice import Slice
from ..utils.generic_utils import to_list, unpack_singleton
from .copying import clone_model
from .model import Model

__all__ = ["multi_gpu_model"]

_MOST = 1000    # GPUs: their numbers have three digits


def multi_gpu_model(model, gpus=None, cpu_merge=True, cpu_relocation=False):
    """A model that cuts each batch into parts, has each device do one, and joins the outputs.

    The weights are those of `model`, which is the one to save. The parts are as in Keras: equally
    long, but for the last one, which takes the rest. In training each device computes the gradients
    of its part; those of a weight are added up on one of the devices, in the order of the parts,
    and its step is done there. Statistics of a batch, as in BatchNormalization, are those of a
    part, and moving ones are updated by one part after the other.

    # Arguments
        model: a Model, or a Sequential that knows the shape of its input.
        gpus: the number of GPUs, at least 2; or a list of their numbers, or of names of devices as
            `K.device` takes them. By default all GPUs.
        cpu_merge: whether outputs are joined, and losses computed, on the host; else on the first
            device.
        cpu_relocation: whether a clone of `model` is trained in place of it, with the values that
            its weights have now.

    # Raises
        ValueError: for fewer than two devices, for one that is missing, or for a model without
            inputs.
    """
    devices = _devices(gpus)
    if not isinstance(model, Model) or model.inputs is None:
        raise ValueError("[multi_gpu_model] a model with inputs is required; %r was given. Build "
                         "it first." % (model,))
    if cpu_relocation:
        values, model = model.get_weights(), clone_model(model)
        model.set_weights(values)
    replicas = [_replica(model, number, devices) for number in range(len(devices))]
    with config.device("cpu" if cpu_merge else devices[0]):
        merged = [Concatenate(axis=0, name=name)(list(parts))
                  for name, parts in zip(_unique(model.output_names), zip(*replicas))]
        return Model(model.inputs, unpack_singleton(merged))


def _replica(model, number, devices):
    """The outputs for one part of the inputs. Cut on the host, only parts go to the devices."""
    arguments = {"i": number, "parts": len(devices), "for_statistics": _takes_statistics(model)}
    with config.device("cpu"):
        parts = [Lambda(get_slice, arguments=arguments)(tensor) for tensor in model.inputs]
    with config.device(devices[number]):
        return to_list(model(unpack_singleton(parts)))


def _takes_statistics(model):
    """Whether layers keep statistics of the batches that they see in training."""
    return len(model.updates) > len(model.state_updates)


def get_slice(data, i, parts, for_statistics=False):
    """Part i of a batch; one to take statistics of must have a row in training."""
    step = data.shape[0] // parts
    size = step if i < parts - 1 else data.shape[0] - step * i
    shape = (size,) + data.shape[1:]
    part = apply(Slice(begin=(step * i,) + (0,) * (data.ndim - 1), step=(1,) * data.ndim,
                       shape=shape), data)
    return K.in_train_phase(with_rows(part), part) if for_statistics else part


def _unique(names):
    """The names, numbered where one is there several times."""
    several = {name for name in names if names.count(name) > 1}
    return ["%s_%d" % (name, names[:place].count(name) + 1) if name in several else name
            for place, name in enumerate(names)]


# --- devices ---

def _devices(gpus):
    """The names of the devices that `gpus` stands for, all of them there."""
    if gpus is None:
        names = _all_gpus()
    elif isinstance(gpus, (list, tuple)):
        names = [gpu if isinstance(gpu, str) else _gpu(gpu) for gpu in gpus]
    else:
        count = _whole(gpus)
        if count > _MOST:
            raise ValueError("[multi_gpu_model] gpus must be at most %d; %r was given."
                             % (_MOST, gpus))
        names = [_gpu(number) for number in range(count)]
    if len(names) < 2:
        raise ValueError("[multi_gpu_model] at least two devices are required; gpus=%r is %s. Use "
                         "the model as it is." % (gpus, ", ".join(names) or "none"))
    for name in names:
        reason = _missing(name)
        if reason is not None:
            raise ValueError("[multi_gpu_model] the devices %s are required for gpus=%r; one is "
                             "missing: %s Try fewer gpus, or use the model as it is."
                             % (", ".join(names), gpus, reason))
    return names


def _gpu(number):
    """The name of a GPU: of the kind that functions run on, where that is no host."""
    kind = config.current_device().partition(":")[0]
    return "%s:%d" % ("cuda" if kind == "cpu" else kind, _whole(number))


def _whole(number):
    found = integer_of(number)
    if found is None:
        raise TypeError("[multi_gpu_model] gpus must be a number of GPUs, or a list of their "
                        "numbers or names; %r was given." % (number,))
    return found


def _all_gpus():
    names = []
    while _missing(_gpu(len(names))) is None:
        names.append(_gpu(len(names)))
    return names


def _missing(name):
    """Why there is no device of a name; None if there is."""
    try:
        with config.default_device(name):
            device_kernel_names(config.current_device())
    except DeviceError as error:
        return str(error)
    return None
