"""The command `symk`, also `python -m symk`."""
import argparse
import sys

from . import __version__
from .deploy import places

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
    run = commands.add_parser("run", help="run a script that imports keras, answered by symk")
    run.add_argument("--keras", type=int, choices=(1, 2),
                     help="the version whose meaning names have; the script says by default")
    run.add_argument("--backend", choices=("tensorflow", "theano"), help="what K.backend() says")
    run.add_argument("--dim-ordering", choices=("tf", "th"), help="the order of image axes")
    run.add_argument("script")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="of the script")
    convert = commands.add_parser("convert", help="rewrite an old model file as one of Keras 2.3")
    convert.add_argument("source", metavar="OLD")
    convert.add_argument("target", metavar="NEW")
    _add_export(commands)
    config = commands.add_parser("config", help="say where the C library and its headers are")
    for place in places.PLACES:
        config.add_argument("--" + place, dest="places", action="append_const", const=place)
    inspect = commands.add_parser("inspect", help="say what is in a file of a model or of weights")
    inspect.add_argument("file")
    _add_serve(commands)
    options = parser.parse_args(arguments)
    return _COMMANDS[options.command](options)


def _add_export(commands):
    """The arguments of `symk export`."""
    export = commands.add_parser("export", help="compile a model file into one that runs anywhere")
    export.add_argument("source", metavar="MODEL", help="MODEL.h5 of Keras, or MODEL.onnx")
    export.add_argument("target", metavar="TARGET", help="the file, by custom NAME.symk")
    export.add_argument("--train", action="store_true", help="with the training step")
    export.add_argument("--function", dest="functions", action="append", default=[],
                        metavar="NAME=[FROM:]TO", help=(
                            "one more function, over the same weights: from what the layer FROM "
                            "gives to what TO gives; without FROM from the inputs of the model, "
                            "without TO to its outputs"))
    export.add_argument("--metadata", action="append", default=[], metavar="KEY=TEXT",
                        help="a text that the file carries along")
    export.add_argument("--weights", choices=("float32", "float16", "int8"), default="float32",
                        help="how weights are stored (default: %(default)s)")
    form = export.add_mutually_exclusive_group()
    form.add_argument("--onnx", action="store_true", help="write an ONNX file, of one function")
    form.add_argument("--standalone", action="store_true",
                      help="write a folder with a C++ project that holds the model")


def _add_serve(commands):
    """The arguments of `symk serve`."""
    serve = commands.add_parser("serve", help="answer requests for exported models over HTTP")
    serve.add_argument("paths", nargs="+", metavar="PATH", help=(
        "a file of `symk export`, a folder of versions NAME/3/model.symk, or a folder of such "
        "folders; also as NAME=PATH"))
    serve.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this machine")
    serve.add_argument("--port", type=int, default=8501, help="default: %(default)s")
    serve.add_argument("--keep", type=int, default=1, metavar="N",
                       help="how many versions of a model answer (default: %(default)s)")
    serve.add_argument("--kernels", action="append", default=[], metavar="FILE",
                       help="a shared object with kernels of custom ops")
    for name, kind, what in _LIMITS:
        serve.add_argument("--" + name, type=kind, help=what)


def _demo(options):
    from .demo import run  # the other commands need no model
    run(options.out, options.epochs, options.seed)
    return 0


def _info(options):
    from .compile.native import core
    native = core()
    print("symk %s" % __version__)
    print("instruction set %s, %d threads, %d kernels"
          % (native.isa(), native.threads(), len(native.kernels())))
    return 0


def _run(options):
    from .compat.run import run
    return run(options.script, options.arguments, options.keras, options.backend,
               options.dim_ordering)


def _convert(options):
    from .compat.convert import convert
    return _said(lambda: convert(options.source, options.target))


def _export(options):
    from . import deploy
    if options.onnx and (options.train or options.functions or options.weights != "float32"):
        raise SystemExit("symk export: --train, --function and --weights are not for ONNX files; "
                         "leave them out")

    def write():
        what = _exported(options)
        metadata = dict(_pairs(options.metadata, "--metadata", "KEY=TEXT"))
        if options.onnx:
            deploy.to_onnx(what["predict"], options.target, metadata)
        else:
            write_it = deploy.standalone if options.standalone else deploy.export
            write_it(what, options.target, metadata, train=options.train, weights=options.weights)
        yield "%s: written" % options.target

    return _said(write)


def _exported(options):
    """{name: model or function} of what is to be written."""
    from . import deploy, models
    if options.source.endswith(".onnx"):
        if options.train or options.functions:
            raise SystemExit("symk export: --train and --function are for files of Keras; leave "
                             "them out")
        return {"predict": deploy.from_onnx(options.source)}
    model = models.load_model(options.source, compile=options.train)
    what = {"predict": model}
    for name, layers in _pairs(options.functions, "--function", "NAME=[FROM:]TO"):
        if not layers.strip(":"):
            raise SystemExit("symk export: --function must name a layer; %r does not" % layers)
        if name in what:
            raise SystemExit("symk export: each function must have a name of its own; %r is there "
                             "twice" % name)
        begin, _, end = layers.rpartition(":")
        what[name] = models.Part(model, begin or None, end or None)
    return what


def _pairs(given, option, form):
    """(name, text) of each NAME=TEXT."""
    for text in given:
        name, equals, rest = text.partition("=")
        if not (name and equals):
            raise SystemExit("symk export: %s must be %s; %r was given" % (option, form, text))
        yield name, rest


def _config(options):
    for place in options.places or places.PLACES:
        found = places.PLACES[place]()
        print(found if options.places else "%-12s %s" % (place, found))
    return 0


def _inspect(options):
    from .compat.convert import described
    return _said(lambda: described(options.file))


def _serve(options):
    from .serve import Limits, serve
    given = {name.replace("-", "_"): getattr(options, name.replace("-", "_"))
             for name, _, _ in _LIMITS}
    limits = Limits()._replace(**{name: value for name, value in given.items()
                                  if value is not None})
    return _said(lambda: serve(options.paths, options.host, options.port, options.keep,
                               options.kernels, limits) or ())


def _said(lines):
    """Prints lines; what goes wrong with a file is one line, and the status 1."""
    try:
        for line in lines():
            print(line)
    except (OSError, ValueError, TypeError, KeyError, ImportError, RuntimeError,
            MemoryError) as error:
        print("symk: %s" % error, file=sys.stderr)
        return 1
    return 0


_COMMANDS = {"demo": _demo, "info": _info, "run": _run, "convert": _convert, "inspect": _inspect,
             "export": _export, "config": _config, "serve": _serve}
# The limits of `symk serve`: name, type, and what it says.
_LIMITS = (
    ("body-bytes", int, "of a request at most (default: 32 MiB)"),
    ("elements", int, "of the inputs of a request at most (default: 4194304)"),
    ("timeout-s", float, "until a request is answered (default: 30)"),
    ("batch-rows", int, "rows that are run together at most (default: 32; 1 for no batches)"),
    ("batch-delay-s", float, "how long a request may wait for others while a runner is free "
                             "(default: 0)"),
    ("waiting-rows", int, "rows that may wait; more are refused (default: 1024)"),
    ("runners", int, "runs of a model at a time (default: 2)"),
    ("poll-s", float, "between looks for new versions (default: 1)"))


if __name__ == "__main__":
    sys.exit(main())
