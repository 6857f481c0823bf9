"""One side of a comparison, in a process of its own: a peer may live in another environment.

Reads one JSON command per line and answers one JSON line: {"prepare": case} compiles, warms up and
finds how many steps make a round; {"round": case} answers with the seconds of one step, the mean
over a round.
"""
import json
import os
import sys
import time

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import cases, every_op, models, moves  # noqa: E402, F401 (the path is set above)

ROUND_SECONDS = 0.15


def serve(side, threads):
    """Answers commands until the input ends."""
    if side == "torch":
        import torch
        torch.set_num_threads(threads)
    steps, counts = {}, {}
    by_name = {case.name: case for case in cases.CASES}
    for line in sys.stdin:
        command = json.loads(line)
        (verb, name), = command.items()
        try:
            if verb == "prepare":
                start = time.perf_counter()
                steps[name] = getattr(by_name[name], side)()
                steps[name]()
                first = time.perf_counter() - start
                counts[name] = count_steps(steps[name])
                answer = {"first_call_s": first}
            elif verb == "round":
                answer = {"step_s": time_steps(steps[name], counts[name])}
            else:
                del steps[name]
                answer = {}
        except Exception as error:
            answer = {"error": "%s: %s" % (type(error).__name__, error)}
        print(json.dumps(answer), flush=True)


def time_steps(step, count):
    start = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - start) / count


def count_steps(step):
    """How many steps fill a round, after a warm-up."""
    for _ in range(3):
        step()
    return max(1, int(ROUND_SECONDS / max(1e-9, min(time_steps(step, 1) for _ in range(3)))))


if __name__ == "__main__":
    serve(sys.argv[1], int(os.environ.get("SYMK_NUM_THREADS", "2")))
