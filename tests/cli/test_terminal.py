"""What a person sees: on a terminal of some width, with NO_COLOR, and through a pipe."""

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios

import pytest
import typer

from equipoise.cli import app, run, show

COMMANDS = sorted(typer.main.get_command(app).commands)
_COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _on_a_terminal(*arguments, columns=80, **environment):
    """Run the command line on a terminal of its own; return all that it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    hidden = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
    clean = {name: value for name, value in os.environ.items() if name not in hidden}
    with subprocess.Popen(
        [sys.executable, "-m", "equipoise", *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**clean, "TERM": "xterm-256color", **environment},
    ) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            written += part
    os.close(ours)
    return process.returncode, written.decode()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_that_parses(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run([command, "--help"]) == 0
    text = capsys.readouterr().out
    examples = re.findall(rf"^\s*(equipoise {command}.*)$", text, re.MULTILINE)
    assert examples, text
    for example in examples:
        words = shlex.split(example.split(">")[0])
        typer.main.get_command(app).commands[command].make_context(command, words[2:])


def test_colours_are_for_terminals_alone(photos, tmp_path):
    flipped = ["upsample", photos, "--techniques", "flip", "--jobs", "1", "--out"]
    code, text = _on_a_terminal(*flipped, tmp_path / "coloured")
    assert code == 0
    assert _COLOUR.search(text)
    code, text = _on_a_terminal(*flipped, tmp_path / "plain", NO_COLOR="1")
    assert code == 0
    assert not _COLOUR.search(text)
    assert "80/80" in text
    assert "left" in text
    command = [sys.executable, "-m", "equipoise", "recipes"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""


def test_a_narrow_terminal_breaks_no_name():
    code, text = _on_a_terminal("techniques", columns=80)
    lines = _ESCAPE.sub("", text).splitlines()
    assert code == 0
    assert max(map(len, lines)) <= 80
    assert {"vertical_flip", "gaussian_noise"} <= {
        line.split()[0] for line in lines if line.strip()
    }
    assert "(In a wider terminal also: family.)" in text


def test_a_pipe_gets_a_line_for_each_row(capsys):
    show.grid(("name", "what", "n"), [("one", "word " * 60, 1), ("two", "", 22)], words=("what",))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("one   word word")
    assert lines[1].rstrip().endswith(" 1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["comparee"], "Did you mean 'compare'?"),
        (["compare", "photos", "--sedes", "3"], "Did you mean --seeds?"),
        (["compare", "photos"], "Missing option '--out'. See equipoise compare --help."),
        (["nonsense"], "See equipoise --help."),
        (["audit", "digit"], "Did you mean 'digits'?"),
    ],
)
def test_a_slip_of_the_pen(arguments, words, capsys):
    assert run(arguments) == 2
    assert words in capsys.readouterr().err


def test_a_misspelt_folder(photos, capsys):
    assert run(["audit", str(photos) + "s"]) == 2
    assert f"Did you mean '{photos}'?" in capsys.readouterr().err


def test_completion():
    asked = {
        "_EQUIPOISE_COMPLETE": "complete_bash",
        "COMP_WORDS": "equipoise sea",
        "COMP_CWORD": "1",
    }
    command = [sys.executable, "-c", "from equipoise.cli import app; app(prog_name='equipoise')"]
    done = subprocess.run(command, env={**os.environ, **asked}, capture_output=True, text=True)
    assert done.stdout.split() == ["search"]
