"""What the columns of tables are called: one list for .csv and Parquet."""

from collections.abc import Mapping, Sequence

from equipoise.errors import InputError, printable, unknown

__all__ = ["LONGEST", "asked_column", "is_sure", "plain", "usual"]

LONGEST = 1024  # characters of a path, class or group; one long text widens a whole column

# By role, the likeliest first.
_USUAL = {
    "path": (
        *("path", "file", "file_name", "filename", "file_path", "filepath", "filepaths"),
        *("image", "image_path", "image_file", "image_name", "img", "img_path", "img_name"),
        *("image_id", "id", "images"),
    ),
    "label": ("label", "labels", "class", "class_name", "target", "category"),
    "group": ("group",),
    "split": ("split", "set", "subset", "data_set", "partition"),
}


def plain(name: str) -> str:
    """Return a column's name without what people write differently."""
    return "_".join(name.strip().lower().replace("-", " ").split())


def is_sure(role: str, column: str, asked: Mapping[str, str] | None) -> bool:
    """Whether a column certainly has its role: a `subset` may be something else than a split."""
    return role != "split" or plain(column) == "split" or role in (asked or {})


def usual(role: str, there: Sequence[str]) -> str | None:
    """Return the column that bears a usual name of a role, the likeliest first."""
    by_name = {plain(name): name for name in reversed(there)}
    return next((by_name[name] for name in _USUAL[role] if name in by_name), None)


def asked_column(
    role: str, asked: Mapping[str, str] | None, there: Sequence[str], source: str
) -> str | None:
    """Return the column that a selection names for a role, or None where it names none.

    Raises
    ------
    InputError
        Where there is no such column.
    """
    wanted = (asked or {}).get(role)
    if wanted is None:
        return None
    exact = [name for name in there if name.strip() == wanted]
    alike = [name for name in there if plain(name) == plain(wanted)]
    if not (exact or alike):
        problem = unknown("column", printable(wanted), [printable(name) for name in there])
        raise InputError(f"{source}: {problem}")
    return (exact or alike)[0]
