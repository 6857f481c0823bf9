"""Times symk beside its peers, case by case, the sides in turn, and prints one table.

    python -m bench                              # all cases
    python -m bench --cases matmul,softmax       # names containing one of these
    python -m bench --cases ^op_                 # names that begin so: every op of the registry
    python -m bench --torch PYTHON               # an interpreter with torch (this one, if it has)
    python -m bench --onnxruntime PYTHON         # and one that has onnxruntime

Each round times all sides one after the other, so that a machine whose speed drifts slows all; the
ratio quoted is that to the fastest peer, the median of the ratios of the rounds. The limit is the
larger of operations / FMA rate and bytes / copy rate, both measured in the same run by
`bench/limits.cpp`.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time

from . import cases, every_op, limits, models, moves  # noqa: F401 (these add their cases)

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = ("torch", "onnxruntime")
# Threads of a peer look for work for a while after its round, on cores that the next side needs:
# those of onnxruntime for some 0.1 s, those of others for milliseconds.
PAUSE_SECONDS = 0.02
PAUSE_SECONDS_BESIDE = {"onnxruntime": 0.25}


class Side:
    """A worker process of one library."""

    def __init__(self, name, python, threads):
        environment = dict(os.environ, SYMK_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads),
                           MKL_NUM_THREADS=str(threads))
        self.name = name
        self.process = subprocess.Popen([python, os.path.join(HERE, "worker.py"), name], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment)

    def ask(self, verb, case):
        """The worker's answer; an error in the case is an answer, a dead worker is not."""
        self.process.stdin.write(json.dumps({verb: case.name}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("[bench] the worker of %s must stay alive; it ended in case %s."
                               % (self.name, case.name))
        return json.loads(line)


def measure(case, sides, rounds):
    """{side: [seconds of a step in each round]} and {side: error text}."""
    times, errors = {}, {}
    sides = [side for side in sides if hasattr(case, side.name)]
    for side in sides:
        answer = side.ask("prepare", case)
        if "error" in answer:
            errors[side.name] = answer["error"]
    running = [side for side in sides if side.name not in errors]
    pause = max([PAUSE_SECONDS_BESIDE.get(side.name, PAUSE_SECONDS) for side in running], default=0)
    for _ in range(rounds):
        for side in running:
            time.sleep(pause)
            times.setdefault(side.name, []).append(side.ask("round", case)["step_s"])
    for side in running:
        side.ask("forget", case)
    return times, errors


def row(case, times, errors, machine):
    """The result of one case as a dict."""
    result = {"case": case.name, "flops": case.flops, "bytes": case.bytes, "errors": errors}
    for name, values in times.items():
        result[name + "_us"] = statistics.median(values) * 1e6
    peers = [name for name in times if name != "symk"]
    if "symk" in times and peers:
        ratios = {name: statistics.median(t / s for s, t in zip(times["symk"], times[name]))
                  for name in peers}
        result["best_peer"] = min(ratios, key=ratios.get)
        result["ratio"] = ratios[result["best_peer"]]
    floor = max(case.flops / machine["flops_per_s"], case.bytes / machine["bytes_per_s"])
    if floor and "symk" in times:
        result["of_limit"] = floor / statistics.median(times["symk"])
    return result


def show_time(microseconds):
    if microseconds is None:
        return "-"
    return "%.2f ms" % (microseconds / 1e3) if microseconds >= 1e3 else "%.1f us" % microseconds


def line_of(result, peers):
    """A result as a row of a Markdown table."""
    ratio, share = result.get("ratio"), result.get("of_limit")
    cells = [result["case"]] + [show_time(result.get(name + "_us")) for name in ("symk",) + peers]
    cells.append("-" if ratio is None else "%.2f" % ratio)
    cells.append("-" if share is None else "%.0f %%" % (100 * share))
    return "| %s |" % " | ".join(cells)


def has(python, package):
    done = subprocess.run([python, "-c", "import " + package], stderr=subprocess.DEVNULL)
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="", help="only names containing one of these texts, "
                        "comma-separated; ^TEXT: beginning so")
    parser.add_argument("--without", default=None, metavar="TEXT", help="no names that begin so")
    for peer in PEERS:
        parser.add_argument("--" + peer, default=sys.executable, metavar="PYTHON",
                            help="a Python interpreter that has " + peer)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="also write the results to this file")
    arguments = parser.parse_args()
    machine = limits.measure(arguments.threads)
    print("%s, %s, %d threads; FMA %.0f GFLOP/s, copy of 64 MB %.1f GB/s\n" % (
        datetime.date.today(), platform.processor() or platform.machine(), arguments.threads,
        machine["flops_per_s"] / 1e9, machine["bytes_per_s"] / 1e9))
    peers = tuple(peer for peer in PEERS if has(getattr(arguments, peer), peer))
    if not peers:
        print("no peer is there: symk alone is timed "
              "(--torch PYTHON names an interpreter that has it)\n")
    sides = [Side("symk", sys.executable, arguments.threads)]
    sides += [Side(peer, getattr(arguments, peer), arguments.threads) for peer in peers]
    titles = ("case", "symk") + peers + ("best peer / symk", "of limit")
    print("| %s |\n%s|" % (" | ".join(titles), "|---" * len(titles)))
    results = []
    for case in cases.find(arguments.cases, arguments.without):
        results.append(row(case, *measure(case, sides, arguments.rounds), machine))
        print(line_of(results[-1], peers), flush=True)
        for name, text in results[-1]["errors"].items():
            print("  %s failed: %s" % (name, text), file=sys.stderr)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"machine": machine, "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
