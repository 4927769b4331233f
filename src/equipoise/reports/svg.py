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

__all__ = ["ACCENT", "INK", "LINE", "MUTED", "PAPER", "WARM", "inline", "visible"]

# The colours of the light page (style.css). On the page each becomes its variable, so that dark
# mode repaints the plots; a file of its own keeps them. Blue and vermillion are Okabe and Ito's,
# darkened until they read as text: apart for every kind of colour vision, and in grey.
INK, MUTED, LINE, PAPER = "#1d1f23", "#5b616a", "#d9dade", "#fefefd"
ACCENT, WARM = "#00609c", "#b84a00"
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    PAPER: "var(--paper)",
    ACCENT: "var(--accent)",
    WARM: "var(--warm)",
}
_TAG = re.compile(r"<[^>]*>")
_DROPPED = re.compile(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_FINE = re.compile(r"(\d\.\d\d)\d+")
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "equipoise",
    "font.family": ["DejaVu Sans"],
}


def visible(text: str, width: int = 24) -> str:
    """Return a name fit for a plot: one line, printable, cut to `width` characters."""
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return text if len(text) <= width else f"{text[: width - 1]}…"


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
        What `to_svg` returned.
    name : str
        Unlike that of any other plot of the page: it keeps their ids apart.
    description : str
        The text for those who do not see the plot.
    """
    body = _DROPPED.sub("", text[text.index("<svg") :])
    # Only tags are touched: text that the user chose, such as class names, stays as it is.
    body = _TAG.sub(_repaint(name), body)
    view = re.search(r'viewBox="[^"]*"', body)
    box, label = view[0] if view else "", escape(description)
    head = f'<svg class="plot" role="img" aria-label="{label}" {box}>'
    # Matplotlib escapes text and attributes, and `label` is escaped here.
    return Markup(head + body[body.index(">") + 1 :].strip())


def _repaint(name: str) -> Callable[[re.Match[str]], str]:
    def repaint(match: re.Match[str]) -> str:
        tag = match[0]
        for colour, variable in _VARIABLES.items():
            tag = tag.replace(colour, variable)
        tag = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", tag)
        return _FINE.sub(r"\1", tag)

    return repaint
