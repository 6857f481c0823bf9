"""Pictures for the examples: curves of training, rows of images. They need matplotlib."""
import numpy as np

try:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
except ImportError:
    pyplot = None


def save_curves(path, history, title):
    """Draws what a History holds, one curve for each of its values."""
    if _missing(path):
        return
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for name, values in sorted(history.history.items()):
        axes.plot(range(1, len(values) + 1), values, label=name)
    axes.set(title=title, xlabel="epoch")
    axes.legend()
    _save(figure, path)


def save_images(path, rows, titles=None):
    """Draws rows of images, each (rows, columns) or (rows, columns, 1)."""
    if _missing(path):
        return
    figure, axes = pyplot.subplots(len(rows), len(rows[0]), squeeze=False,
                                   figsize=(len(rows[0]), 1.2 * len(rows)))
    for line, row in zip(axes, rows):
        for cell, image in zip(line, row):
            cell.imshow(np.squeeze(image), cmap="gray_r")
            cell.axis("off")
    for line, title in zip(axes, titles or ()):
        line[0].set_title(title, loc="left", fontsize=8)
    _save(figure, path)


def save_points(path, points, labels, title):
    """Draws points of a plane in the colours of their labels."""
    if _missing(path):
        return
    figure, axes = pyplot.subplots(figsize=(6, 5))
    drawn = axes.scatter(points[:, 0], points[:, 1], c=labels, cmap="tab10", s=12)
    figure.colorbar(drawn)
    axes.set(title=title)
    _save(figure, path)


def _missing(path):
    if pyplot is None:
        print("%s is not drawn: run `pip install matplotlib`." % path)
    return pyplot is None


def _save(figure, path):
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
    print("Drawn:", path)
