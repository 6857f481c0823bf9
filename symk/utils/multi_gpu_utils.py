"""multi_gpu_model, which says what to use in its place."""

__all__ = ["multi_gpu_model"]


def multi_gpu_model(model, gpus=None, cpu_merge=True, cpu_relocation=False):
    """Raises NotImplementedError: a model runs on one device, on all cores of it.

    # Arguments
        model, gpus, cpu_merge, cpu_relocation: as in Keras.
    """
    raise NotImplementedError(
        "[multi_gpu_model] one device is required; %r was given for gpus. Use the model %r as it "
        "is: a step runs on all cores of its device. Give it larger batches in place of several "
        "devices." % (gpus, getattr(model, "name", model)))
