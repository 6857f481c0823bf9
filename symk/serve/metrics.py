"""Counters and histograms in Prometheus' text format."""
import bisect

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

# name -> (kind, what it says, bounds of a histogram)
_TABLE = {
    "symk_requests_total": ("counter", "Requests answered, by status.", None),
    "symk_request_seconds": ("histogram", "Time from a request to its answer.", _SECONDS),
    "symk_run_seconds": ("histogram", "Time of a run of the model.", _SECONDS),
    "symk_batch_rows": ("histogram", "Rows that were run together.", _ROWS),
    "symk_waiting_rows": ("gauge", "Rows that wait for a run.", None),
    "symk_requests_open": ("gauge", "Requests that have no answer yet.", None),
    "symk_model_loads_total": ("counter", "Files loaded, by result.", None),
    "symk_model_version": ("gauge", "1 for each version that answers.", None),
}


class Metrics:
    """Values by name and labels. Used from one thread, that of the event loop."""

    def __init__(self):
        self._values = {name: {} for name in _TABLE}

    def add(self, name, amount=1, **labels):
        """Adds to a counter or gauge."""
        values, key = self._values[name], _key(labels)
        values[key] = values.get(key, 0) + amount

    def set(self, name, value, **labels):
        """Sets a gauge."""
        self._values[name][_key(labels)] = value

    def clear(self, name):
        """Forgets all values of a gauge."""
        self._values[name].clear()

    def observe(self, name, value, **labels):
        """Adds a value to a histogram."""
        bounds = _TABLE[name][2]
        counts = self._values[name].setdefault(_key(labels), [[0] * (len(bounds) + 1), 0.0])
        counts[0][bisect.bisect_left(bounds, value)] += 1
        counts[1] += value

    def text(self):
        """All values, as Prometheus reads them."""
        lines = []
        for name, (kind, about, bounds) in _TABLE.items():
            lines += ["# HELP %s %s" % (name, about), "# TYPE %s %s" % (name, kind)]
            for key, value in sorted(self._values[name].items()):
                lines += ([_line(name, key, value)] if bounds is None
                          else _histogram(name, key, value, bounds))
        return "\n".join(lines) + "\n"


def _key(labels):
    return tuple(sorted((name, str(value)) for name, value in labels.items()))


def _line(name, key, value):
    labels = ",".join('%s="%s"' % (label, _escaped(text)) for label, text in key)
    return "%s%s %s" % (name, "{%s}" % labels if labels else "", value)


def _escaped(text):
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _histogram(name, key, value, bounds):
    counts, total = value
    lines, below = [], 0
    for bound, count in zip([*bounds, "+Inf"], counts):
        below += count
        lines.append(_line(name + "_bucket", (*key, ("le", str(bound))), below))
    return lines + [_line(name + "_sum", key, total), _line(name + "_count", key, below)]
