"""The command `symk`, also `python -m symk`."""
import argparse
import sys

from . import __version__

__all__ = ["main"]


def main(arguments=None):
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="symk", description=(
        "The Keras API on a symbolic graph compiler with its own C++ runtime and kernels."))
    parser.add_argument("--version", action="version", version="symk " + __version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    demo = commands.add_parser("demo", help="train, save, load and deploy a network for digits")
    demo.add_argument("--out", default="symk_demo", metavar="DIR",
                      help="folder for the files (default: %(default)s)")
    demo.add_argument("--epochs", type=int, default=15, help="default: %(default)s")
    demo.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    commands.add_parser("info", help="say how symk is built and what this machine has")
    options = parser.parse_args(arguments)
    return _demo(options) if options.command == "demo" else _info()


def _demo(options):
    from .demo import run  # the other commands need no model
    run(options.out, options.epochs, options.seed)
    return 0


def _info():
    from .compile.native import core
    native = core()
    print("symk %s" % __version__)
    print("instruction set %s, %d threads, %d kernels"
          % (native.isa(), native.threads(), len(native.kernels())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
