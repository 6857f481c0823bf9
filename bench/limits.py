"""The machine's own limits, measured by `limits.cpp`: multiply-adds and copied bytes per second."""
import json
import os
import subprocess
import tempfile

__all__ = ["measure"]


def measure(threads):
    """Compiles and runs the probe: {"flops_per_s": ..., "bytes_per_s": ...}."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "limits.cpp")
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "limits")
        subprocess.run([os.environ.get("CXX", "c++"), "-O3", "-march=native", "-std=c++17",
                        "-pthread", source, "-o", program], check=True)
        output = subprocess.run([program, str(threads)], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output)
