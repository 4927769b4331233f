from equipoise.cli import run
from equipoise.errors import plural


def test_one_is_no_plural():
    assert plural(0, "image") == "0 images"
    assert plural(1, "image") == "1 image"
    assert plural(1200, "class", "classes") == "1,200 classes"


def test_an_audit_of_a_little_says_so(photos, capsys):
    """One of each: a broken file, a picture that stands there twice, one under two classes."""
    (photos / "cat" / "broken.png").write_text("no picture")
    (photos / "cat" / "again.png").write_bytes((photos / "dog" / "0.png").read_bytes())
    assert run(["audit", str(photos)]) == 0
    said = capsys.readouterr().out
    assert "1 picture stands there more than once, such as" in said
    assert "1 picture stands under more than one class, such as" in said
    assert " 1 pictures" not in said
    assert " 1 files" not in said
