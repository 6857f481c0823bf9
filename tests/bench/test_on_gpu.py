"""The bench for a GPU, tried without one: its cases run, and its table says what failed and what
was not reached."""
import os
import sys

import pytest

from symk.compile.native import device_kernel_names
from symk.graph.errors import DeviceError

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from bench import gpu_cases, on_gpu  # noqa: E402 (the folder is no package)

TINY = {case.name: case for case in gpu_cases.cases(tiny=True)}
LONG = ("train", "lstm", "gru")      # seconds, where the threads of a GPU are loops


@pytest.fixture(scope="module")
def stand_in():
    try:
        device_kernel_names("cuda-host")
    except DeviceError as error:
        pytest.skip(str(error))
    return "cuda-host"


@pytest.mark.parametrize("name", [name for name in TINY if not name.startswith(LONG)])
def test_a_case_runs_and_has_work_to_be_compared(stand_in, name):
    case = TINY[name]
    step = case.symk(stand_in)
    for _ in range(3):
        step()
    assert case.flops or case.bytes or name.startswith("call")


@pytest.mark.parametrize("name", ["matmul_16x16x16", "softmax_16x16", "transpose_16x16",
                                  "batch_norm_16x16_gradients",
                                  "max_pool_2x2_gradients_16x16x16x16"])
def test_all_of_a_case_is_done_in_each_step(stand_in, name):
    """The forward step is not kept from one to the next, and no part of its result is left out
    because one number is looked at."""
    step = TINY[name].symk(stand_in)
    step()
    run = step.func.__self__
    assert run.program.parts()[0][0] == 0
    assert run.program.memory()["arena_bytes"] >= 4 * 16 * 16


def test_the_sizes_of_a_gpu_are_not_those_of_the_trial():
    large = {case.name for case in gpu_cases.cases()}
    assert {"matmul_8192x8192x8192", "conv_b64_14x14x1024_256_1x1_s1", "lstm_b64_t50_h512",
            "train_resnet50_batch_32_momentum", "matmul_bfloat16_4096"} <= large
    assert len(large) > 60


class Answers:
    """A side of the bench that has its answers ready."""

    def __init__(self, name, *answers):
        self.name, self.answers = name, list(answers)

    def tell(self, case):
        pass

    def answer(self, seconds):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def ask(self, case, seconds):
        return self.answer(seconds)


def test_the_table_has_medians_ratios_and_reasons():
    chosen = [TINY["copy_scaled_16"], TINY["chain_of_six_16"], TINY["softmax_16x16"]]
    steady = Answers("symk", {"seconds": 9.0, "bytes": 5}, *({"seconds": s, "bytes": 5000000}
                                                            for s in (1e-6, 3e-6, 2e-6) * 3))
    failing = Answers("torch", {"error": "it | broke"})
    results = {"copy_scaled_16": on_gpu.measure(chosen[0], [steady, failing], 5, 1e12),
               "chain_of_six_16": {"symk": {"seconds": 4e-6, "bytes": 0},
                                   "torch": {"seconds": 8e-6, "bytes": 0},
                                   "compiled": {"seconds": 2e-6, "bytes": 0}}}
    lines = on_gpu.table(results, chosen)
    assert lines[2] == "| copy_scaled_16 | 2.0 us | it / broke |  |  | 100 % | 5 MB / - |"
    assert lines[3] == "| chain_of_six_16 | 4.0 us | 8.0 us | 2.0 us | 0.50 | 50 % | - / - |"
    assert on_gpu.NOT_MEASURED in lines[4]
    assert "Limits of this run: 0 GB/s copied." in lines[-1]


def test_a_side_that_hangs_is_ended_and_begun_again(tmp_path):
    script = tmp_path / "side.py"
    script.write_text("import sys, time\n"
                      "for line in sys.stdin:\n"
                      "    print('a library says hello', flush=True)\n"
                      "    if line.strip() == 'hangs': time.sleep(60)\n"
                      "    if line.strip() == 'dies': sys.exit(1)\n"
                      "    if line.strip() == 'loses':\n"
                      "        print('{\"error\": \"gone\", \"is_lost\": true}', flush=True)\n"
                      "    print('{\"seconds\": 1.5}', flush=True)\n")
    side = on_gpu.Side("symk", [sys.executable, str(script)])
    try:
        assert side.ask("works", 30) == {"seconds": 1.5}
        assert "took longer than 0 s" in side.ask("hangs", 0.2)["error"]
        assert side.ask("works", 30) == {"seconds": 1.5}
        assert side.ask("dies", 30)["error"] == "the process has ended"
        assert side.ask("works", 30) == {"seconds": 1.5}
        assert side.ask("loses", 30)["error"] == "gone" and side.process is None
        assert side.ask("works", 30) == {"seconds": 1.5}
    finally:
        side.end()
