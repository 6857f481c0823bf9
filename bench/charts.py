"""Two pictures of a run of `python -m bench --json FILE`: ratios to the best peer, the roofline.

Both are SVG texts that need nothing else to be looked at.
"""
import math
from xml.sax.saxutils import escape

__all__ = ["ratios", "roofline"]

FASTER, SLOWER, INK, PALE = "#2a7f62", "#c0504d", "#222222", "#d9d9d9"
FONT = "font-family='Helvetica, Arial, sans-serif'"
ROW, BAR, LABELS, PLOT = 15, 10, 270, 420
MARGIN = 46


class Picture:
    """SVG elements, and the size of what they fill."""

    def __init__(self, width, height):
        self.size = (width, height)
        self.parts = []

    def line(self, x0, y0, x1, y1, colour=PALE, width=1):
        self.parts.append("<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='%s' "
                          "stroke-width='%g'/>" % (x0, y0, x1, y1, colour, width))

    def rectangle(self, x, y, width, height, colour):
        self.parts.append("<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='%s'/>"
                          % (x, y, width, height, colour))

    def dot(self, x, y, colour, title):
        self.parts.append("<circle cx='%.1f' cy='%.1f' r='4' fill='%s' fill-opacity='0.7'>"
                          "<title>%s</title></circle>" % (x, y, colour, escape(title)))

    def text(self, x, y, words, anchor="start", size=10, colour=INK):
        self.parts.append("<text x='%.1f' y='%.1f' text-anchor='%s' font-size='%d' fill='%s' %s>"
                          "%s</text>" % (x, y, anchor, size, colour, FONT, escape(words)))

    def svg(self):
        return ("<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
                "viewBox='0 0 %d %d'>\n<rect width='100%%' height='100%%' fill='white'/>\n%s\n"
                "</svg>\n" % (self.size + self.size + ("\n".join(self.parts),)))


class LogAxis:
    """Positions on a logarithmic axis from `least` to `most` that runs over pixels."""

    def __init__(self, least, most, start, end):
        self.least, self.most, self.start, self.end = least, most, start, end

    def __call__(self, value):
        value = min(max(value, self.least), self.most)
        share = math.log(value / self.least) / math.log(self.most / self.least)
        return self.start + share * (self.end - self.start)


def ratios(results):
    """A bar for each case with a peer: how many times faster symk is than the fastest of them."""
    rows = sorted((r for r in results if "ratio" in r), key=lambda r: -r["ratio"])
    height = MARGIN + ROW * len(rows) + 30
    picture = Picture(LABELS + PLOT + 60, height)
    least = min([0.5] + [r["ratio"] for r in rows])
    axis = LogAxis(least, max([2.0] + [r["ratio"] for r in rows]), LABELS, LABELS + PLOT)
    picture.text(10, 18, "Time of the fastest peer / time of symk, one bar a case", size=13)
    for mark in (0.25, 0.5, 1, 2, 4, 8, 16, 32):
        if axis.least <= mark <= axis.most:
            picture.line(axis(mark), MARGIN - 8, axis(mark), height - 26,
                         INK if mark == 1 else PALE)
            picture.text(axis(mark), height - 12, "%g" % mark, "middle")
    for number, result in enumerate(rows):
        y = MARGIN + ROW * number
        ends = sorted((axis(1), axis(result["ratio"])))
        picture.text(LABELS - 8, y + BAR - 1, result["case"], "end")
        picture.rectangle(ends[0], y, ends[1] - ends[0], BAR,
                          FASTER if result["ratio"] >= 1 else SLOWER)
        picture.text(ends[1] + 4, y + BAR - 1, "%.2f" % result["ratio"])
    return picture.svg()


def roofline(results, machine):
    """Each case at its operations per byte and its operations per second, below the two limits.

    Source: Williams, Waterman, Patterson: Roofline, Communications of the ACM 52 (4), 2009.
    """
    width, height = 720, 420
    picture = Picture(width, height)
    points = [(r["flops"] / r["bytes"], r["flops"] / r["symk_us"] * 1e6, r) for r in results
              if r.get("flops") and r.get("bytes") and r.get("symk_us")]
    intensity = LogAxis(min([0.1] + [p[0] for p in points]), max([100.0] + [p[0] for p in points]),
                        MARGIN + 20, width - 20)
    peak, bandwidth = machine["flops_per_s"], machine["bytes_per_s"]
    speed = LogAxis(min([peak / 100] + [p[1] for p in points]), peak * 1.6, height - MARGIN, 40)
    picture.text(10, 18, "Operations per second over operations per byte (dots: cases of the "
                 "bench; lines: limits measured in the same run)", size=12)
    for mark in (0.01, 0.1, 1, 10, 100, 1000):
        if intensity.least <= mark <= intensity.most:
            picture.line(intensity(mark), 40, intensity(mark), height - MARGIN)
            picture.text(intensity(mark), height - MARGIN + 16, "%g" % mark, "middle")
    for mark in (1e8, 1e9, 1e10, 1e11, 1e12):
        if speed.least <= mark <= speed.most:
            picture.line(intensity.start, speed(mark), width - 20, speed(mark))
            picture.text(intensity.start - 6, speed(mark) + 3, "%g" % (mark / 1e9), "end")
    picture.text(width / 2, height - 10, "operations per byte", "middle", 11)
    picture.text(8, 34, "GFLOP/s", size=11)
    ridge = peak / bandwidth
    first = max(intensity.least, speed.least / bandwidth)
    picture.line(intensity(first), speed(first * bandwidth), intensity(ridge), speed(peak), INK, 2)
    picture.line(intensity(ridge), speed(peak), width - 20, speed(peak), INK, 2)
    picture.text(width - 24, speed(peak) - 6, "%.0f GFLOP/s" % (peak / 1e9), "end")
    picture.text(intensity(first) + 30, speed(first * bandwidth),
                 "%.0f GB/s" % (bandwidth / 1e9))
    for x, y, result in points:
        picture.dot(intensity(x), speed(y), FASTER if result.get("ratio", 1) >= 1 else SLOWER,
                    "%s: %.0f GFLOP/s" % (result["case"], y / 1e9))
    return picture.svg()
