"""How the figures of an evaluation look: colours, fonts, margins, and bytes that are the same for the same input.

No dates, no software names, fixed ids inside SVG, and no global plotting state. Colours are those of Okabe & Ito (2008), which
stay apart for all common kinds of colour blindness. What a colour says is also said by shape or text.
"""

from __future__ import annotations

import io
from typing import Any, Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE, ORANGE, PURPLE, GREY, AGREED, INK = "#0072B2", "#D55E00", "#CC79A7", "#BBBBBB", "#DDDDDD", "#222222"
CLASS_COLOURS = ("#009E73", "#E69F00", "#56B4E9", "#882255", "#999933", "#332288", "#44AA99", "#AA4499")
"""Of classes that state no colour, in the order of their values."""
MARKERS = ("o", "s", "^", "v", "P", "X", "<", ">")
"""Of classes, in the order of their values."""

STYLE: dict[str, Any] = {
    "svg.hashsalt": "minivess",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # where it would be put, without measuring every text of the figure once more
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "text.color": INK,
    "legend.frameon": False,
}


def margins(figure: Figure, *, left: float, right: float, top: float, bottom: float, **between: float) -> None:
    """Margins in inches, fixed: a layout that measures every text draws the figure twice.

    Args:
        figure: to be changed.
        left: as the others, in inches.
        right: see left.
        top: see left.
        bottom: see left.
        between: `wspace` and `hspace`, in shares of an axis.
    """
    width, height = figure.get_size_inches()
    left = min(left, width / 3)
    figure.subplots_adjust(
        left=left / width, right=1 - right / width, top=1 - top / height, bottom=bottom / height, **between
    )


def render(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """The bytes of a figure."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
