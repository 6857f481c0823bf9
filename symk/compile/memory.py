"""The map of the arena, as text and as a drawing: what lies where, from which step to which."""
from html import escape

__all__ = ["text", "to_svg"]

_TOTALS = ("arena", "unshared", "constant", "shared", "packed", "kept")

# Pixels of the drawing.
_WIDTH, _HEIGHT, _LEFT, _TOP = 960, 480, 70, 40
_LETTER = 6.5
_COLOURS = ("#8dbbe0", "#f2c48d", "#a9d6a0", "#e3a6a6", "#c4b3e0", "#d9cf8f", "#9fd3cf", "#dcb0cf")


def text(memory):
    """The arena after the last call: totals, then one line per buffer."""
    lines = ["%-10s %12d bytes" % (name, memory[name + "_bytes"]) for name in _TOTALS]
    lines += ["%10d  %10d bytes  steps %4d..%-4d  %s"
              % (row["offset"], row["bytes"], row["first_step"], row["last_step"], row["name"])
              for row in memory["map"]]
    return "\n".join(lines)


def to_svg(memory, plan):
    """The same as SVG: steps to the right, bytes upwards, one box per buffer."""
    steps, arena = max(len(plan.steps), 1), max(memory["arena_bytes"], 1)
    height = _TOP + _HEIGHT + 40
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family='
             '"sans-serif" font-size="11">' % (_LEFT + _WIDTH + 20, height),
             '<rect width="100%" height="100%" fill="white"/>',
             _label(_LEFT, 20, "arena of %d bytes; %d if no memory were used twice"
                    % (memory["arena_bytes"], memory["unshared_bytes"])),
             _label(_LEFT, _TOP + _HEIGHT + 25, "steps 0..%d" % (steps - 1)),
             _label(5, _TOP + 10, _amount(arena)), _label(5, _TOP + _HEIGHT, "0")]
    parts += [_box(row, steps, arena, plan) for row in memory["map"]]
    return "\n".join(parts + ["</svg>"])


def _box(row, steps, arena, plan):
    """One buffer: its life is its width, its bytes are its height."""
    first, last = min(row["first_step"], steps - 1), min(row["last_step"], steps - 1)
    x, width = _LEFT + _WIDTH * first / steps, _WIDTH * (last - first + 1) / steps
    tall = _HEIGHT * row["bytes"] / arena
    y = _TOP + _HEIGHT - _HEIGHT * row["offset"] / arena - tall
    maker = plan.steps[first].origin if plan.steps else ""
    colour = _COLOURS[sum(maker.encode()) % len(_COLOURS)]
    title = "%s, %d bytes, steps %d..%d. Made in %s" % (
        row["name"], row["bytes"], row["first_step"], row["last_step"], maker or "no layer")
    name = row["name"] if tall > 12 and width > _LETTER * len(row["name"]) else ""
    return ('<g><title>%s</title><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" '
            'stroke="#555" stroke-width="0.5"/>%s</g>'
            % (escape(title, quote=False), x, y, width, tall, colour,
               _label(x + 3, y + tall / 2 + 4, name) if name else ""))


def _label(x, y, text):
    return '<text x="%.1f" y="%.1f">%s</text>' % (x, y, escape(text, quote=False))


def _amount(count):
    """A number of bytes for people."""
    for unit in ("bytes", "KB", "MB"):
        if count < 10000:
            return "%.4g %s" % (count, unit)
        count /= 1024
    return "%.4g GB" % count
