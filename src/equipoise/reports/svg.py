"""Matplotlib figures as SVG that lives in a page: its fonts, its colours, its dark mode."""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from equipoise.studies.charts import COLOURS

__all__ = ["ACCENT", "INK", "LINE", "MUTED", "PAPER", "WARM", "inline", "to_svg"]

# The colours of the light page (style.css). On the page each becomes its variable, so that dark
# mode repaints the plots; a file of its own keeps them.
INK, MUTED, LINE, PAPER, ACCENT, WARM = COLOURS.values()
_VARIABLES = {colour: f"var(--{name})" for name, colour in COLOURS.items()}
_TAG = re.compile(r"<[^>]*>")
_DROPPED = re.compile(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
# What the page says once in its style, names of groups that nothing refers to, and no rotation.
_NEEDLESS = re.compile(r' id="[^"]*_[0-9]+"|font-family: [^;"]*; | transform="rotate\(-0 [^"]*"')
_FINE = re.compile(r"(\d\.\d\d)\d+")
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "equipoise",
    "font.family": ["DejaVu Sans"],
}


def to_svg(figure: Figure) -> str:
    """Return a figure as the text of an SVG file."""
    FigureCanvasSVG(figure)
    file = io.StringIO()
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        # The reader's browser has fonts for scripts that matplotlib's own lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(file, format="svg", transparent=True, dpi=144, metadata={"Date": None})
    return file.getvalue()


def inline(text: str, name: str, description: str) -> Markup:
    """Return an SVG file's text for use inside a page.

    Parameters
    ----------
    text : str
        What `to_svg` returned, or a chart's, which fills whatever width it is given.
    name : str
        Unlike that of any other plot of the page: it keeps their ids apart.
    description : str
        The text for those who do not see the plot.
    """
    body = _DROPPED.sub("", text[text.index("<svg") :])
    # Only tags are touched: text that the user chose, such as class names, stays as it is.
    body = _TAG.sub(_repaint(name), body)
    body = re.sub(r">\s*\n\s*<", "><", body).replace("<g/>", "")
    view = re.search(r'viewBox="[^"]*"', body)
    height = re.search(r'height="[^"]*"', body)
    box = view[0] if view else f"{height[0] if height else ''} data-fills"
    head = f'<svg class="plot" role="img" aria-label="{escape(description)}" {box}>'
    # Matplotlib escapes text and attributes, and the label is escaped here.
    return Markup(head + body[body.index(">") + 1 :].strip())


def _repaint(name: str) -> Callable[[re.Match[str]], str]:
    def repaint(match: re.Match[str]) -> str:
        tag = _NEEDLESS.sub("", match[0]).replace("\n", " ")
        for colour, variable in _VARIABLES.items():
            tag = tag.replace(colour, variable)
        tag = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", tag)
        return _FINE.sub(r"\1", tag)

    return repaint
