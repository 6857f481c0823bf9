"""Runs every bench and writes what they print into `bench/RESULTS.md`, with two pictures.

    python -m bench.report --torch PYTHON                 # everything
    python -m bench.report --torch PYTHON --only cases    # one part

A part of RESULTS.md stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`; what stands
around it is written by hand.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

from . import charts

HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS = os.path.join(HERE, "RESULTS.md")
# Each part and its command; those in WITH_PEERS take the interpreters of the peers.
PARTS = {"cases": ["bench", "--without", "op_"], "operations": ["bench", "--cases", "^op_"],
         "compile": ["bench.compile"], "loops": ["bench.recurrences"],
         "memory": ["bench.memory"], "deploy": ["bench.deploy"], "serving": ["bench.serving"]}
WITH_PEERS = {"cases": ("torch", "onnxruntime"), "operations": ("torch",), "memory": ("torch",)}


def replaced(text, name, part):
    """The text with a part in the place of the old one.

    Raises:   ValueError where the text has no such place.
    """
    place = re.compile(r"(<!-- begin: %s -->\n).*?(<!-- end: %s -->)" % (name, name), re.DOTALL)
    if not place.search(text):
        raise ValueError("[report] a place between <!-- begin: %s --> and <!-- end: %s --> is "
                         "required in %s; there is none." % (name, name, RESULTS))
    return place.sub(lambda found: found.group(1) + "\n" + part.strip() + "\n\n" + found.group(2),
                     text)


def output_of(name, peers, extra=()):
    """What a part's command prints."""
    command = [sys.executable, "-m"] + PARTS[name] + list(extra)
    for peer in WITH_PEERS.get(name, ()):
        if peers.get(peer):
            command += ["--" + peer, peers[peer]]
    print("bench.report: " + name, file=sys.stderr)
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE,
                          cwd=os.path.dirname(HERE)).stdout


def write(path, text):
    """Writes a file whole or not at all."""
    with open(path + ".part", "w") as file:
        file.write(text)
    os.replace(path + ".part", path)


def draw(results):
    """The pictures of a run of the cases."""
    write(os.path.join(HERE, "ratios.svg"), charts.ratios(results["results"]))
    write(os.path.join(HERE, "roofline.svg"),
          charts.roofline(results["results"], results["machine"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m bench.report",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter that has torch")
    parser.add_argument("--onnxruntime", metavar="PYTHON", help="one that has onnxruntime")
    parser.add_argument("--only", choices=PARTS, action="append", help="these parts alone")
    arguments = parser.parse_args()
    for name in arguments.only or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            found = os.path.join(folder, "results.json")
            extra = ("--json", found) if name == "cases" else ()
            part = output_of(name, vars(arguments), extra)
            if extra:
                with open(found) as file:
                    draw(json.load(file))
        with open(RESULTS) as file:
            text = file.read()
        write(RESULTS, replaced(text, name, part))


if __name__ == "__main__":
    main()
