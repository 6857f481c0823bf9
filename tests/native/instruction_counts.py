"""Counts the instructions of hot kernels with callgrind, and fails if one needs more than it may.

    python tests/native/instruction_counts.py PROGRAM [--write]

PROGRAM is the executable `instruction_counts`. Times on a shared machine drift, instructions do
not. The AVX2 kernels are counted, as callgrind knows no AVX-512; both are compiled from one source.
A count is that of one run more, per eight multiply-adds: what one vector instruction does. The
ceilings are in instruction_counts.txt; --write makes them anew, 3 % above what is counted.
"""
import os
import re
import shutil
import subprocess
import sys

CEILINGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instruction_counts.txt")
LANES = 8
ROOM = 1.03


def instructions(program, name, times):
    """All instructions of a process that runs a case so often, and the multiply-adds of one run."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
               program, name, str(times)]
    result = subprocess.run(command, env=dict(os.environ, SYMK_ISA="avx2"), text=True,
                            capture_output=True)
    collected = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or not collected:
        raise RuntimeError("[counts] %s must run under callgrind; it ended with %d:\n%s"
                           % (name, result.returncode, result.stderr[-2000:]))
    return int(collected.group(1)), int(result.stdout)


def count(program, name):
    """Instructions of one run per vector of multiply-adds."""
    few, _ = instructions(program, name, 2)
    more, multiply_adds = instructions(program, name, 4)
    return (more - few) / 2 / (multiply_adds / LANES)


def read_ceilings():
    with open(CEILINGS) as file:
        return {name: float(most) for name, most in (line.split() for line in file if line.strip())}


def main():
    program = os.path.abspath(sys.argv[1])
    if shutil.which("valgrind") is None:
        print("instruction counts: skipped, as valgrind is not installed")
        return 0
    names = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    counts = {name: count(program, name) for name in names}
    if "--write" in sys.argv:
        with open(CEILINGS, "w") as file:
            file.writelines("%-26s %.3f\n" % (name, ROOM * n) for name, n in counts.items())
    ceilings = read_ceilings()
    failed = False
    for name, counted in counts.items():
        above = counted > ceilings.get(name, 0)
        failed = failed or above
        print("%-26s %7.3f of %7.3f%s"
              % (name, counted, ceilings.get(name, 0), "  ABOVE" if above else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
