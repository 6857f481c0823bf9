"""Symbolic sizes: integer expressions over the unknown sizes of the inputs.

A size is a Python int where it is known, else a `Dim`: a sum of products of atoms, kept in a
canonical form, so that equal expressions compare equal: `(n + 1) - 1 == n`, `(4 * n) // 4 == n`.
Atoms are `Size` (an unknown size of an input), `FloorDiv`, `Max` and `Broadcast`. Sizes are
non-negative integers, and a division that cancels is taken to be exact (as reshape needs it).
"""
import itertools

from .errors import ShapeError

__all__ = ["Dim", "Size", "FloorDiv", "Max", "Broadcast", "maximum", "minimum", "broadcast",
           "checked_broadcast", "ceil_div", "floor_div", "product", "evaluate", "substitute",
           "as_size", "known_equal", "known_different", "sizes_in"]

_serial = itertools.count()


class Dim:
    """An integer expression: the sum of `coefficient * product of atoms` over `terms`."""

    __slots__ = ("terms", "_hash")

    def __init__(self, terms):
        self.terms = terms      # sorted tuple of (sorted tuple of atoms, non-zero coefficient)
        self._hash = hash(terms)

    def __eq__(self, other):
        return isinstance(other, Dim) and self._hash == other._hash and self.terms == other.terms

    def __hash__(self):
        return self._hash

    def __add__(self, other):
        return _build(_terms(self) + _terms(other))

    def __mul__(self, other):
        return _build([(tuple(sorted(a + b, key=_order)), p * q)
                       for a, p in _terms(self) for b, q in _terms(other)])

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + other * -1

    def __rsub__(self, other):
        return self * -1 + other

    def __floordiv__(self, other):
        return floor_div(self, other)

    def __rfloordiv__(self, other):
        return floor_div(other, self)

    def __mod__(self, other):
        return self - floor_div(self, other) * other

    __radd__, __rmul__ = __add__, __mul__

    def __repr__(self):
        def one(atoms, coefficient):
            names = "*".join(repr(a) for a in atoms)
            if not names:
                return str(coefficient)
            return names if coefficient == 1 else "%d*%s" % (coefficient, names)
        return " + ".join(one(a, c) for a, c in self.terms)

    def __bool__(self):
        raise ShapeError("[dims] the size %r is known only when the function is called; "
                         "it cannot decide a Python condition." % (self,))

    __index__ = None  # an unknown size is no Python integer


class Atom:
    """What a Dim is a polynomial of; frozen, compared by `key`."""

    __slots__ = ("key", "_hash")

    def __init__(self, *key):
        self.key = (type(self).__name__,) + key
        self._hash = hash(self.key)

    def __eq__(self, other):
        return isinstance(other, Atom) and self._hash == other._hash and self.key == other.key

    def __hash__(self):
        return self._hash

    @property
    def operands(self):
        return self.key[1:]

    def __repr__(self):
        return "%s(%s)" % (self.key[0].lower(), ", ".join(map(repr, self.operands)))


class Size(Atom):
    """An unknown size of an input, such as its batch. Made by `Size.new`, unique."""

    __slots__ = ("name",)

    def __init__(self, name, serial):
        super().__init__(serial)
        self.name = name

    @classmethod
    def new(cls, name):
        """A fresh unknown, as a Dim."""
        return Dim((((cls(name, next(_serial)),), 1),))

    def __repr__(self):
        return self.name


class FloorDiv(Atom):
    """floor(a / b) where nothing cancels."""
    __slots__ = ()


class Max(Atom):
    """The larger of two sizes."""
    __slots__ = ()


class Broadcast(Atom):
    """The size at which two meet by NumPy's rule: equal, or one of them is 1; else an error."""
    __slots__ = ()


def _order(atom):
    return repr(atom.key)


def _terms(value):
    if isinstance(value, Dim):
        return value.terms
    value = int(value)
    return (((), value),) if value else ()


def _build(terms):
    """The canonical form of a list of terms: an int if nothing is unknown."""
    total = {}
    for atoms, coefficient in terms:
        total[atoms] = total.get(atoms, 0) + coefficient
    kept = [(a, c) for a, c in total.items() if c]
    if not kept:
        return 0
    if len(kept) == 1 and not kept[0][0]:
        return kept[0][1]
    kept.sort(key=lambda term: (-len(term[0]), [_order(a) for a in term[0]]))
    return Dim(tuple(kept))


def _atom(atom):
    return Dim((((atom,), 1),))


def _divide_atoms(atoms, divisor):
    """The atoms left after dividing one product by another, or None."""
    left = list(atoms)
    for atom in divisor:
        if atom not in left:
            return None
        left.remove(atom)
    return tuple(left)


def floor_div(a, b):
    """floor(a / b); what divides exactly is cancelled: (4*n*m) // (2*n) -> 2*m."""
    if not isinstance(a, Dim) and not isinstance(b, Dim):
        if b == 0:
            raise ShapeError("[dims] a size cannot be divided by zero; %d // 0 was asked for." % a)
        return a // b
    if a == b:
        return 1
    divisor = _terms(b)
    if len(divisor) != 1:
        return _atom(FloorDiv(a, b))
    (divisor_atoms, divisor_factor), = divisor
    exact, rest = [], []
    for atoms, coefficient in _terms(a):
        left = _divide_atoms(atoms, divisor_atoms)
        if left is not None and coefficient % divisor_factor == 0:
            exact.append((left, coefficient // divisor_factor))
        else:
            rest.append((atoms, coefficient))
    if not rest:
        return _build(exact)
    rest = _build(rest)
    if not isinstance(rest, Dim) and not isinstance(b, Dim):
        return _build(exact) + rest // b      # (8*n + 3) // 4 -> 2*n
    return _build(exact) + _atom(FloorDiv(rest, b))


def ceil_div(a, b):
    """ceil(a / b)."""
    return floor_div(a + b - 1, b)


def maximum(a, b):
    """The larger of two sizes."""
    if _is_count(a - b):
        return a
    if _is_count(b - a):
        return b
    return _atom(Max(*sorted((a, b), key=repr)))


def _is_count(value):
    """Whether an expression is 0 or more whatever the inputs are, as far as is easily seen."""
    return all(coefficient > 0 and all(map(_is_count_atom, atoms))
               for atoms, coefficient in _terms(value))


def _is_count_atom(atom):
    if isinstance(atom, Max):
        return any(map(_is_count, atom.operands))
    return isinstance(atom, Size) or all(map(_is_count, atom.operands))


def minimum(a, b):
    """The smaller of two sizes."""
    return -maximum(-a, -b)


def broadcast(a, b):
    """The size of two axes that meet by NumPy's rule, or None if they never can."""
    if a == b or _is_one(b):
        return a
    if _is_one(a):
        return b
    if known_different(a, b):
        return None
    for size in (a, b):
        if not isinstance(size, Dim):
            return size      # the other is the same, or 1, or an error: see checked_broadcast
    return checked_broadcast(a, b)


def checked_broadcast(a, b):
    """The size of two axes that meet, as an expression that is an error where they cannot."""
    # The rule does not care for order or repetition, so neither does the expression.
    first, *others = sorted(_meeting(a) | _meeting(b), key=repr)
    for other in others:
        first = _atom(Broadcast(first, other))
    return first


def _meeting(size):
    """The sizes that meet in an expression, as a set: itself unless it is a Broadcast."""
    if isinstance(size, Dim) and len(size.terms) == 1:
        (atoms, coefficient), = size.terms
        if coefficient == 1 and len(atoms) == 1 and isinstance(atoms[0], Broadcast):
            return set().union(*map(_meeting, atoms[0].operands))
    return {size}


def _is_one(size):
    return not isinstance(size, Dim) and size == 1


def product(sizes):
    """The product of sizes; 1 for none."""
    result = 1
    for size in sizes:
        result = result * size
    return result


def known_equal(a, b):
    """Whether two sizes are equal whatever the inputs are."""
    return a == b


def known_different(a, b):
    """Whether two sizes differ whatever the inputs are."""
    difference = a - b
    return not isinstance(difference, Dim) and difference != 0


def as_size(value):
    """The `Size` that a Dim consists of alone, or None."""
    if isinstance(value, Dim) and len(value.terms) == 1:
        (atoms, coefficient), = value.terms
        if coefficient == 1 and len(atoms) == 1 and isinstance(atoms[0], Size):
            return atoms[0]
    return None


def sizes_in(value):
    """The unknown input sizes that an expression depends on, as a set of `Size`."""
    found = set()
    for atoms, _ in _terms(value):
        for atom in atoms:
            if isinstance(atom, Size):
                found.add(atom)
            else:
                for operand in atom.operands:
                    found |= sizes_in(operand)
    return found


def substitute(value, sizes):
    """The expression with some unknown sizes replaced: {Size: int or Dim}."""
    if not isinstance(value, Dim) or not any(atom in sizes for atom in sizes_in(value)):
        return value
    total = 0
    for atoms, coefficient in value.terms:
        term = coefficient
        for atom in atoms:
            term = term * _substitute_atom(atom, sizes)
        total = total + term
    return total


def _substitute_atom(atom, sizes):
    if isinstance(atom, Size):
        return sizes.get(atom, _atom(atom))
    a, b = (substitute(operand, sizes) for operand in atom.operands)
    if isinstance(atom, FloorDiv):
        return floor_div(a, b)
    if isinstance(atom, Max):
        return maximum(a, b)
    size = broadcast(a, b)
    if size is None:
        raise ShapeError("[broadcast] sizes must be equal or one of them 1; %r and %r were given."
                         % (a, b))
    return size


def evaluate(value, sizes):
    """The integer that an expression has for `sizes`, a dict from Size to int."""
    if not isinstance(value, Dim):
        return value
    total = 0
    for atoms, coefficient in value.terms:
        for atom in atoms:
            coefficient *= _evaluate_atom(atom, sizes)
        total += coefficient
    return total


def _evaluate_atom(atom, sizes):
    if isinstance(atom, Size):
        return sizes[atom]
    a, b = (evaluate(operand, sizes) for operand in atom.operands)
    if isinstance(atom, FloorDiv):
        if b == 0:
            raise ShapeError("[dims] a size cannot be divided by zero; %r has a divisor of 0."
                             % (atom,))
        return a // b
    if isinstance(atom, Max):
        return max(a, b)
    if a != b and a != 1 and b != 1:
        raise ShapeError("[broadcast] sizes must be equal or one of them 1; %d and %d were given."
                         % (a, b))
    return b if a == 1 else a
