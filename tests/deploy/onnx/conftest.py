"""What the tests of ONNX files share: running a file with ONNX Runtime."""
import numpy as np
import pytest


@pytest.fixture(scope="session")
def run_onnx():
    """run_onnx(model or path, arrays) gives the list of outputs by ONNX Runtime."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4      # refusals arrive as exceptions
    options.intra_op_num_threads = 1

    def run(model, arrays):
        content = model.SerializeToString() if hasattr(model, "SerializeToString") else str(model)
        session = onnxruntime.InferenceSession(content, options,
                                               providers=["CPUExecutionProvider"])
        names = [given.name for given in session.get_inputs()]
        assert len(names) == len(arrays)
        return session.run(None, dict(zip(names, map(np.asarray, arrays))))
    return run
