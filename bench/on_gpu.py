"""symk beside PyTorch on one GPU: each case by all sides, interleaved, a process for each side.

    python -m bench.on_gpu [--torch PYTHON] [--seconds N] [--cases SUBSTRING] [--output FILE]

A row has the median time of one step, the ratio to the best figure of PyTorch (eager, or compiled
where that is a peer), the fraction of what the device can do at best, measured in the same run (a
copy for what is bound by memory, the largest product of the same precision for what computes), and
the most memory that each side held. A case that fails or takes too long has the reason in its row.
The table is written after each case, so what was measured stays when the time is over.
`--device cuda-host --tiny` tries all cases without a GPU.
"""
import argparse
import datetime
import gc
import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
import traceback

from .gpu_cases import cases

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROUND_SECONDS, ROUNDS = 0.02, 7
NOT_MEASURED = "not measured: the time was over"
# What the errors say after which a process can do nothing more with its GPU: symk's, torch's.
LOST = ("The device is lost", "CUDA error")


# --- a side, in a process of its own ---

def serve(side, device, tiny):
    """Reads a case's name per line; answers with the seconds of its steps, one line of JSON."""
    by_name = {case.name: case for case in cases(tiny)}
    steps, counts = {}, {}
    for line in sys.stdin:
        name = line.strip()
        try:
            if name not in steps:
                steps.clear()      # the memory of the case before
                gc.collect()
                forget_peak(side, device)
                steps[name] = made_by(side, by_name[name], device)
                for _ in range(3):     # bound, recorded, replayed
                    steps[name]()
                counts[name] = max(1, int(ROUND_SECONDS / seconds_of(steps[name], 1)))
            answer = {"seconds": seconds_of(steps[name], counts[name]), "bytes": peak(side, device)}
        except Exception as error:   # a case that fails is a row of the table
            steps.pop(name, None)
            traceback.print_exc()
            answer = {"error": ("%s: %s" % (type(error).__name__, error)).splitlines()[0][:200],
                      "is_lost": any(words in str(error) for words in LOST)}
        print(json.dumps(answer), flush=True)


def warm_up(tiny):
    """Starts torch, and compiles what it compiles: it keeps that on disk, and the next time is
    short."""
    for case in cases(tiny):
        if not case.compiled:
            continue
        print(case.name, flush=True)
        try:
            case.torch(True)()
        except Exception:   # the table will say so
            traceback.print_exc()


def made_by(side, case, device):
    return case.symk(device) if side == "symk" else case.torch(side == "compiled")


def seconds_of(step, count):
    start = time.perf_counter()
    for _ in range(count):
        step()
    return max(1e-9, (time.perf_counter() - start) / count)


def forget_peak(side, device):
    """What was held before counts no longer."""
    if side == "symk":
        peak(side, device)
        return
    import torch
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak(side, device):
    """The most bytes of the device that were held since then, or 0 where that cannot be said."""
    if side == "symk":
        from symk.compile.native import device_bytes
        return device_bytes(device)
    import torch
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


class Side:
    """The process of one side; ended and begun again when a case takes too long."""

    def __init__(self, name, command):
        self.name, self.command = name, command
        self.process = self.lines = self.reader = None

    def _begin(self):
        self.process = subprocess.Popen(self.command, cwd=ROOT, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=_read, args=(self.process.stdout, self.lines),
                                       daemon=True)
        self.reader.start()

    def tell(self, case):
        """Asks for a case; `answer` waits for it."""
        if self.process is None:
            self._begin()
        try:
            self.process.stdin.write(case + "\n")
            self.process.stdin.flush()
        except OSError:     # it has ended, which `answer` finds too
            pass

    def answer(self, seconds):
        """The answer to the case; an error when the process has ended or the time is over."""
        try:
            line = self.lines.get(timeout=max(0.1, seconds))
        except queue.Empty:
            self.end()
            return {"error": "took longer than %.0f s" % seconds}
        answer = {"error": "the process has ended", "is_lost": True}
        if line is not None:
            answer = json.loads(line)
        if answer.get("is_lost"):
            self.end()
        return answer

    def ask(self, case, seconds):
        self.tell(case)
        return self.answer(seconds)

    def end(self):
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except OSError:     # what nobody has read
            pass
        self.process = None


def _read(stream, lines):
    for line in stream:
        if line.startswith("{"):      # libraries print what they like
            lines.put(line)
    lines.put(None)


# --- the table ---

def measure(case, sides, case_seconds, end):
    """{side: {"seconds", "bytes"} or {"error"}}; rounds of the sides alternate.

    Args:     case_seconds: for the first answer of each side, and for all rounds that follow.
    """
    asked = [side for side in sides if side.name != "compiled" or case.compiled]
    begin, rounds = time.time(), {}
    for side in asked:      # all prepare at once; only what follows is timed
        side.tell(case.name)
    latest = min(begin + case_seconds, end)
    results = {side.name: side.answer(latest - time.time()) for side in asked}
    timed = [side for side in sides if "seconds" in results.get(side.name, {})]
    end = min(end, time.time() + case_seconds)
    for _ in range(ROUNDS):
        for side in timed:
            answer = side.ask(case.name, case_seconds) if time.time() < end else {}
            if "seconds" in answer:
                rounds.setdefault(side.name, []).append(answer["seconds"])
                results[side.name] = dict(answer, seconds=statistics.median(rounds[side.name]))
    for side in timed:
        if side.name not in rounds:
            results[side.name] = {"error": NOT_MEASURED}
    return results


def limits(results, chosen):
    """Bytes per second, and operations per second by precision, of the best case of any side."""
    best = {}
    for case in chosen:
        for answer in results.get(case.name, {}).values():
            for what, work, counts in (("bytes", case.bytes, case.name.startswith("copy")),
                                       (case.products, case.flops, case.name.startswith("matmul"))):
                if counts and "seconds" in answer:
                    best[what] = max(best.get(what, 0.0), work / answer["seconds"])
    return best


def table(results, chosen):
    """The results as lines of Markdown."""
    best = limits(results, chosen)
    lines = ["| case | symk | torch | torch.compile | ratio | of the limit | memory symk / torch |",
             "|---|---|---|---|---|---|---|"]
    for case in chosen:
        row = results.get(case.name, {"symk": {"error": NOT_MEASURED}})
        times = {side: answer.get("seconds") for side, answer in row.items()}
        own, peers = times.get("symk"), [times[s] for s in ("torch", "compiled") if times.get(s)]
        work, rate = (case.flops, best.get(case.products)) if case.flops else (case.bytes,
                                                                             best.get("bytes"))
        lines.append("| %s | %s | %s | %s | %s | %s | %s |" % (
            case.name, _time(row.get("symk")), _time(row.get("torch")), _time(row.get("compiled")),
            "%.2f" % (min(peers) / own) if own and peers else "",
            "%.0f %%" % (100 * work / own / rate) if own and work and rate else "",
            " / ".join(_megabytes(row.get(side)) for side in ("symk", "torch"))))
    rates = ["%.0f GB/s copied" % (best["bytes"] / 1e9)] if "bytes" in best else []
    rates += ["%.1f TFLOP/s of %s" % (best[kind] / 1e12, kind) for kind in sorted(best)
              if kind != "bytes"]
    return lines + ["", "Limits of this run: %s." % (", ".join(rates) or "none were measured")]


def _time(answer):
    if not answer:
        return ""
    if "error" in answer:
        return answer["error"].replace("|", "/")
    return "%.1f us" % (answer["seconds"] * 1e6)


def _megabytes(answer):
    return "%.0f MB" % (answer["bytes"] / 1e6) if answer and answer.get("bytes") else "-"


def write(path, lines):
    """All at once, so that nobody reads half of it."""
    with open(path + ".new", "w", encoding="utf-8") as stream:
        stream.write("\n".join(lines) + "\n")
    os.replace(path + ".new", path)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", help="a Python that has torch")
    parser.add_argument("--seconds", type=float, default=170, help="for all cases")
    parser.add_argument("--case-seconds", type=float, default=20, help="for a side to begin a case")
    parser.add_argument("--cases", default="", help="only those whose names contain this")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to try the cases")
    parser.add_argument("--output", help="where the table is written")
    parser.add_argument("--warm-up", action="store_true",
                        help="only have torch compile its cases, of which later runs have use")
    parser.add_argument("--serve", choices=("symk", "torch", "compiled"))
    return parser.parse_args()


def main():
    given = parsed()
    if given.serve:
        return serve(given.serve, given.device, given.tiny)
    if given.warm_up:
        return warm_up(given.tiny)
    chosen = [case for case in cases(given.tiny) if given.cases in case.name]
    command = ["-m", "bench.on_gpu", "--device", given.device] + ["--tiny"] * given.tiny
    sides = [Side("symk", [sys.executable, *command, "--serve", "symk"])]
    if given.torch:
        sides += [Side(name, [given.torch, *command, "--serve", name])
                  for name in ("torch", "compiled")]
    end, results, lines = time.time() + given.seconds, {}, []
    for case in chosen:
        if time.time() > end:
            break
        results[case.name] = measure(case, sides, given.case_seconds, end)
        print("%s %s" % (case.name, results[case.name]), file=sys.stderr, flush=True)
        lines = ["Measured %s on device %s." % (datetime.date.today(), given.device), ""]
        lines += table(results, chosen)
        if given.output:
            write(given.output, lines)
    print("\n".join(lines))
    for side in sides:
        side.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
