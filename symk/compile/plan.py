"""The Plan: a flat program over buffers, as data. Here it is written to bytes, read, and printed.

The bytes are those of docs/plan_format.md; `csrc/runtime/plan.cpp` reads the same. Numbers stand
for things: a size, a buffer, a constant or a sub-plan is its position in the list of its kind.
"""
import dataclasses
import difflib
import struct
import typing
import zlib

import numpy as np

from ..graph.dtype import size_bytes
from ..graph.errors import GraphError

__all__ = ["Plan", "Buffer", "Step", "SizeRef", "PlanRef", "Writer", "ALIGNMENT", "DTYPE_NAMES",
           "BUFFER_KINDS", "SIZE_KINDS", "encode", "decode", "evaluate_sizes", "text", "diff"]

MAGIC = b"SYMKPLAN"
VERSION = 2
HEADER_BYTES = 32
ALIGNMENT = 64   # bytes: a cache line, and the widest vector
MAX_DEPTH = 16   # of Plans within Plans; the readers recurse

DTYPE_NAMES = ("float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "bool")
BUFFER_KINDS = ("temporary", "input", "constant", "shared", "alias")
SIZE_KINDS = ("constant", "input", "add", "multiply", "floor_divide", "max", "broadcast")


class SizeRef(int):
    """The number of a size, as an attribute: the kernel sees the integer it has at binding."""

    __slots__ = ()


class PlanRef(int):
    """The number of a sub-plan, as an attribute: the body of a loop or one side of a branch."""

    __slots__ = ()


class Buffer(typing.NamedTuple):
    """Dense memory: dtype and kind by name, shape as numbers of sizes; see the format."""

    dtype: str
    kind: str
    shape: tuple
    reference: int = 0


class Step(typing.NamedTuple):
    """One kernel over buffers. Attributes: int, float, str, SizeRef, PlanRef, or a tuple of one of
    the first four."""

    kernel: str
    origin: str
    attributes: dict
    inputs: tuple
    outputs: tuple
    in_place: tuple = ()


@dataclasses.dataclass
class Plan:
    """The whole program; every list is as in docs/plan_format.md. Constants are arrays."""

    metadata: dict = dataclasses.field(default_factory=dict)
    sizes: list = dataclasses.field(default_factory=list)       # (kind, a, b)
    constants: list = dataclasses.field(default_factory=list)   # arrays
    buffers: list = dataclasses.field(default_factory=list)
    inputs: list = dataclasses.field(default_factory=list)      # (name, buffer)
    shared: list = dataclasses.field(default_factory=list)
    outputs: list = dataclasses.field(default_factory=list)
    steps: list = dataclasses.field(default_factory=list)
    updates: list = dataclasses.field(default_factory=list)     # (shared, buffer)
    checks: list = dataclasses.field(default_factory=list)      # (size, size, message)
    plans: list = dataclasses.field(default_factory=list)       # Plans that steps refer to


# --- to bytes ---

class Writer:
    """Collects the bytes of a Plan, or of a file around Plans."""

    def __init__(self):
        self.parts = []

    def pack(self, form, *values):
        self.parts.append(struct.pack("<" + form, *values))

    def string(self, value):
        data = value.encode("utf-8")
        self.pack("I", len(data))
        self.parts.append(data)

    def pair(self, pair):
        self.string(pair[0])
        self.string(pair[1])

    def list(self, items, write):
        self.pack("I", len(items))
        for item in items:
            write(item)

    def numbers(self, form, values):
        self.pack("I%d%s" % (len(values), form), len(values), *values)

    def named(self, items):
        def write(item):
            self.string(item[0])
            self.pack("I", item[1])
        self.list(items, write)

    def attribute(self, item):
        key, value = item
        self.string(key)
        if isinstance(value, tuple):
            self._attribute_list(value)
        elif isinstance(value, SizeRef):
            self.pack("BI", 6, value)
        elif isinstance(value, PlanRef):
            self.pack("BI", 8, value)
        elif isinstance(value, str):
            self.pack("B", 2)
            self.string(value)
        elif isinstance(value, float):
            self.pack("Bd", 1, value)
        else:
            self.pack("Bq", 0, value)

    def _attribute_list(self, values):
        kinds = {type(value) for value in values}
        if kinds == {str}:
            self.pack("B", 5)
            self.list(values, self.string)
        elif kinds == {SizeRef}:
            self.pack("B", 7)
            self.numbers("I", values)
        elif float in kinds:
            self.pack("B", 4)
            self.numbers("d", values)
        else:
            self.pack("B", 3)
            self.numbers("q", values)

    def step(self, step):
        self.string(step.kernel)
        self.string(step.origin)
        self.list(list(step.attributes.items()), self.attribute)
        self.numbers("I", step.inputs)
        self.numbers("I", step.outputs)
        self.list(step.in_place, lambda pair: self.pack("II", *pair))

    def check(self, check):
        self.pack("II", check[0], check[1])
        self.string(check[2])


def _blob(contents):
    """The bytes of the blob that holds these pieces, and (offset, bytes) of each."""
    blob, places = bytearray(), []
    for content in contents:
        places.append((len(blob), len(content)))
        blob += content
        blob += bytes(-len(blob) % ALIGNMENT)
    return bytes(blob), places


def encode(plan):
    """The bytes of a Plan."""
    writer = Writer()
    blob, places = _blob([np.ascontiguousarray(array).tobytes() for array in plan.constants]
                         + [encode(part) for part in plan.plans])
    constants, plans = places[:len(plan.constants)], places[len(plan.constants):]

    def write_place(place):
        writer.pack("QQ", *place)

    def write_buffer(buffer):
        writer.pack("BB", DTYPE_NAMES.index(buffer.dtype), BUFFER_KINDS.index(buffer.kind))
        writer.numbers("I", buffer.shape)
        writer.pack("q", buffer.reference)

    writer.list(list(plan.metadata.items()), writer.pair)
    writer.list(plan.sizes, lambda s: writer.pack("Bqq", SIZE_KINDS.index(s[0]), s[1], s[2]))
    writer.list(constants, write_place)
    writer.list(plan.buffers, write_buffer)
    writer.named(plan.inputs)
    writer.named(plan.shared)
    writer.named(plan.outputs)
    writer.list(plan.steps, writer.step)
    writer.list(plan.updates, lambda update: writer.pack("II", *update))
    writer.list(plan.checks, writer.check)
    writer.list(plans, write_place)
    body = b"".join(writer.parts)
    body += bytes(-(len(body) + HEADER_BYTES) % ALIGNMENT)
    body += struct.pack("<Q56x", len(blob)) + blob
    header = struct.pack("<8sIIQII", MAGIC, VERSION, 0, HEADER_BYTES + len(body),
                         zlib.crc32(body), 0)
    return header + body


# --- from bytes ---

class _Reader:
    """Takes values off the bytes of a Plan; reading past the end is an error."""

    def __init__(self, data, position):
        self.data, self.position = data, position

    def take(self, count):
        if count > len(self.data) - self.position:
            raise _damaged("%d more bytes are required at byte %d; %d are left"
                           % (count, self.position, len(self.data) - self.position))
        self.position += count
        return self.data[self.position - count:self.position]

    def unpack(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def number(self, form):
        return self.unpack(form)[0]

    def string(self):
        try:
            return bytes(self.take(self.number("I"))).decode("utf-8")
        except UnicodeDecodeError:
            raise _damaged("a text before byte %d is not UTF-8" % self.position) from None

    def list(self, read):
        return [read() for _ in range(self.number("I"))]

    def numbers(self, form):
        count = self.number("I")
        data = self.take(count * struct.calcsize("<" + form))
        return struct.unpack("<%d%s" % (count, form), data)

    def choice(self, names, what):
        number = self.number("B")
        if number >= len(names):
            raise _damaged("%s must be below %d at byte %d; it is %d"
                           % (what, len(names), self.position - 1, number))
        return names[number]

    def named(self):
        return self.list(lambda: (self.string(), self.number("I")))

    def attribute(self):
        key = self.string()
        return key, _ATTRIBUTES[self.choice(range(len(_ATTRIBUTES)), "an attribute tag")](self)

    def step(self):
        kernel, origin = self.string(), self.string()
        attributes = dict(self.list(self.attribute))
        return Step(kernel, origin, attributes, self.numbers("I"), self.numbers("I"),
                    tuple(self.list(lambda: self.unpack("II"))))


_ATTRIBUTES = (
    lambda reader: reader.number("q"),
    lambda reader: reader.number("d"),
    lambda reader: reader.string(),
    lambda reader: reader.numbers("q"),
    lambda reader: reader.numbers("d"),
    lambda reader: tuple(reader.list(reader.string)),
    lambda reader: SizeRef(reader.number("I")),
    lambda reader: tuple(map(SizeRef, reader.numbers("I"))),
    lambda reader: PlanRef(reader.number("I")),
)


def _damaged(what):
    return GraphError("[plan] the bytes must be a whole Plan; %s." % what)


def decode(data):
    """The Plan that bytes hold.

    Raises:   GraphError when they are cut off, changed, or of another version.
    """
    return _decode(memoryview(data), depth=0)


def _decode(data, depth):
    if depth > MAX_DEPTH:
        raise _damaged("Plans within Plans go deeper than %d" % MAX_DEPTH)
    if len(data) < HEADER_BYTES or bytes(data[:8]) != MAGIC:
        raise _damaged("%d bytes without the mark %s were given" % (len(data), MAGIC.decode()))
    _, version, _, count, checksum, _ = struct.unpack("<8sIIQII", data[:HEADER_BYTES])
    if version != VERSION:
        raise GraphError("[plan] the version must be %d; it is %d. Export the model again."
                         % (VERSION, version))
    if count != len(data):
        raise _damaged("the header states %d bytes, %d were given" % (count, len(data)))
    if checksum != zlib.crc32(data[HEADER_BYTES:]):
        raise _damaged("the checksum differs: the content was changed")
    return _decode_body(_Reader(data, HEADER_BYTES), depth)


def _decode_body(reader, depth):
    plan = Plan(metadata=dict(reader.list(lambda: (reader.string(), reader.string()))))
    plan.sizes = reader.list(lambda: (reader.choice(SIZE_KINDS, "the kind of a size"),)
                             + reader.unpack("qq"))
    places = reader.list(lambda: reader.unpack("QQ"))
    plan.buffers = reader.list(lambda: Buffer(
        reader.choice(DTYPE_NAMES, "a dtype"), reader.choice(BUFFER_KINDS, "the kind of a buffer"),
        reader.numbers("I"), reader.number("q")))
    plan.inputs, plan.shared, plan.outputs = reader.named(), reader.named(), reader.named()
    plan.steps = reader.list(reader.step)
    plan.updates = reader.list(lambda: reader.unpack("II"))
    plan.checks = reader.list(lambda: reader.unpack("II") + (reader.string(),))
    parts = reader.list(lambda: reader.unpack("QQ"))
    reader.take(-reader.position % ALIGNMENT)
    blob = _Reader(reader.take(reader.unpack("Q56x")[0]), 0)
    plan.constants = _decode_constants(plan, places, blob)
    plan.plans = _decode_plans(parts, blob, depth)
    return plan


def _decode_constants(plan, places, blob):
    """The constants as arrays, with the dtype and shape of the buffers that refer to them."""
    arrays = [None] * len(places)
    for buffer in plan.buffers:
        if buffer.kind != "constant" or not 0 <= buffer.reference < len(places):
            continue
        blob.position, count = places[buffer.reference]
        shape = [plan.sizes[number][1] for number in buffer.shape]
        items = int(np.prod(shape, dtype=np.int64))
        if items * size_bytes(buffer.dtype) != count:
            raise _damaged("constant %d has %d bytes, its shape %s needs %d"
                           % (buffer.reference, count, shape, items * size_bytes(buffer.dtype)))
        array = np.frombuffer(blob.take(count), dtype=buffer.dtype).reshape(shape)
        arrays[buffer.reference] = array
    return arrays


def _decode_plans(places, blob, depth):
    """The sub-plans. Each has bytes of its own, so that a small file cannot hold many Plans."""
    plans, end = [], 0
    for blob.position, count in places:
        if blob.position < end:
            raise _damaged("two sub-plans overlap at byte %d of the blob" % blob.position)
        end = blob.position + count
        plans.append(_decode(blob.take(count), depth + 1))
    return plans


def evaluate_sizes(plan, shapes):
    """The value of each size for inputs of these shapes, as the runtime finds it at binding."""
    rules = {"constant": lambda a, b: a, "input": lambda a, b: shapes[a][b],
             "add": lambda a, b: values[a] + values[b],
             "multiply": lambda a, b: values[a] * values[b],
             "floor_divide": lambda a, b: values[a] // values[b],
             "max": lambda a, b: max(values[a], values[b]),
             "broadcast": lambda a, b: values[b] if values[a] == 1 else values[a]}
    values = []
    for kind, a, b in plan.sizes:
        values.append(rules[kind](a, b))
    return values


# --- to text ---

_SIZE_TEXT = {"add": "(%s + %s)", "multiply": "%s*%s", "floor_divide": "(%s // %s)",
              "max": "max(%s, %s)", "broadcast": "broadcast(%s, %s)"}


def _size_texts(plan):
    """Each size as a text; an input's size is named by the input and the axis."""
    texts = []
    for kind, a, b in plan.sizes:
        if kind == "constant":
            texts.append(str(a))
        elif kind == "input":
            texts.append("%s.%d" % (plan.inputs[a][0], b))
        else:
            texts.append(_SIZE_TEXT[kind] % (texts[a], texts[b]))
    return texts


def _attribute_text(value, sizes):
    if isinstance(value, tuple):
        return "[%s]" % ", ".join(_attribute_text(item, sizes) for item in value)
    if isinstance(value, SizeRef):
        return sizes[value]
    if isinstance(value, PlanRef):
        return "plan %d" % value
    return "%g" % value if isinstance(value, float) else str(value)


def _instructions(attributes, operands):
    """The program of an elementwise step, one formula per instruction."""
    names = list(operands)
    lines, position = [], 0
    for number, (name, arity, dtype) in enumerate(
            zip(attributes["ops"], attributes["arity"], attributes["dtypes"])):
        arguments = attributes["args"][position:position + arity]
        position += arity
        label = "t%d" % number
        lines.append("%s = %s(%s)%s" % (label, name, ", ".join(names[a] for a in arguments),
                                        " " + dtype if name == "cast" else ""))
        names.append(label)
    results = [names[out] for out in attributes["outs"]]
    reductions = attributes.get("reductions", ("",) * len(results))
    lines.append("-> " + ", ".join("%s(%s)" % pair if pair[0] else pair[1]
                                   for pair in zip(reductions, results)))
    return lines


def text(plan):
    """A Plan as text for people: inputs, steps with the shapes they make, updates, outputs.

    The Plans of loops and branches follow, indented.
    """
    sizes = _size_texts(plan)

    def buffer_text(number):
        buffer = plan.buffers[number]
        return "b%d %s(%s)" % (number, buffer.dtype, ", ".join(sizes[s] for s in buffer.shape))

    lines = ["plan %s" % plan.metadata.get("name", "")]
    for title, items in (("input", plan.inputs), ("shared", plan.shared)):
        lines += ["%s %s: %s" % (title, name, buffer_text(buffer)) for name, buffer in items]
    for number, buffer in enumerate(plan.buffers):
        if buffer.kind == "constant":
            array = plan.constants[buffer.reference]
            value = " = %s" % array.reshape(-1)[0] if array.size == 1 else ""
            lines.append("constant: %s%s" % (buffer_text(number), value))
        elif buffer.kind == "alias":
            lines.append("alias: %s of b%d" % (buffer_text(number), buffer.reference))
    for number, step in enumerate(plan.steps):
        lines += _step_text(number, step, sizes, buffer_text)
    lines += ["update %s = b%d" % (plan.shared[shared][0], buffer)
              for shared, buffer in plan.updates]
    lines += ["output %s: %s" % (name, buffer_text(buffer)) for name, buffer in plan.outputs]
    lines += ["check %s == %s: %s" % (sizes[a], sizes[b], message) for a, b, message in plan.checks]
    for number, part in enumerate(plan.plans):
        lines += ["plan %d:" % number] + ["    " + line for line in text(part).splitlines()]
    return "\n".join(lines)


# What `_instructions` shows.
_PROGRAM = ("ops", "dtypes", "arity", "args", "outs", "reductions")


def _step_text(number, step, sizes, buffer_text):
    results = ", ".join(map(buffer_text, step.outputs))
    operands = ["b%d" % number for number in step.inputs]
    fused = "ops" in step.attributes
    attributes = "".join(" %s=%s" % (key, _attribute_text(value, sizes))
                         for key, value in step.attributes.items() if key not in _PROGRAM)
    lines = ["%4d  %s(%s)%s -> %s%s" % (number, step.kernel, ", ".join(operands), attributes,
                                        results, "  # " + step.origin if step.origin else "")]
    if fused:
        # The indices of rows that are added are no operand of the program.
        inside = operands[:-1] if "place" in step.attributes else operands
        lines += ["        " + line for line in _instructions(step.attributes, inside)]
    return lines


def diff(first, second):
    """The lines in which two Plans differ, in unified form; empty when they are the same."""
    return "\n".join(difflib.unified_diff(text(first).splitlines(), text(second).splitlines(),
                                          "first", "second", lineterm="", n=1))
