"""Ctrl-C and SIGTERM: one line, the shell's exit code, and nothing of ours that lives on."""

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["Interrupted", "answering"]

_WORDS = {signal.SIGINT: "Interrupted", signal.SIGTERM: "Terminated"}
# Seconds to unwind: to close files and take temporary ones away. Then the process ends all the
# same, whatever its main thread is busy with.
_GRACE = 0.8
_ROUNDS = 20  # looks for children that were started meanwhile


class Interrupted(BaseException):
    """A signal asks the process to end. No KeyboardInterrupt: the parser answers those itself."""


def answering(work: Callable[[], int], again: str) -> int:
    """Return the exit code of `work`; a signal ends the process with code 130 or 143.

    Parameters
    ----------
    work : callable
        Called in this thread, the main one. A signal is raised in it as `Interrupted`.
    again : str
        How to go on: what the line on stderr says after "Interrupted.".
    """
    stop = _Stop(again)
    try:
        stop.listen()
        code = work()
        stop.over = True
    except Interrupted:
        stop.end()
    return code


class _Stop:
    """What is done about a signal: by the main thread, or by another where that is too busy."""

    def __init__(self, again: str) -> None:
        self.over = False  # the work is done: a signal comes too late
        self._again = again
        self._signal: signal.Signals | None = None
        self._telling = threading.Lock()
        self._told = False

    def listen(self) -> None:
        """Answer signals from now on."""
        bell, ring = os.pipe()
        os.set_blocking(ring, False)
        for number in _WORDS:
            # Who starts us with a signal ignored, as nohup does, wants it to stay so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._raise)
                # Registered first and so run last: what comes after it is nobody's to interrupt.
                atexit.register(signal.signal, number, signal.SIG_IGN)
        signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(bell,), daemon=True).start()

    def _raise(self, number: int, _: object) -> None:
        if self._signal is None and not self.over:
            self._signal = signal.Signals(number)
            raise Interrupted

    def _watch(self, bell: int) -> None:
        """Wait for a signal, and end the process where the main thread has not in time."""
        number = 0
        while number not in _WORDS:
            number = ord(os.read(bell, 1))
        # What threads and finalizers say of being interrupted is of no use to anyone.
        sys.unraisablehook = _say_nothing
        threading.excepthook = _say_nothing
        warnings.simplefilter("ignore")
        _end_children()
        time.sleep(_GRACE)
        self._signal = self._signal or signal.Signals(number)
        self._tell()
        os._exit(128 + number)

    def end(self) -> None:
        """End the process, unwound as it is; not by Python's own way, which may take seconds."""
        assert self._signal is not None
        self._tell()
        atexit._run_exitfuncs()
        os._exit(128 + self._signal)

    def _tell(self) -> None:
        """End the processes that work for this one, and print the line; nothing comes after it."""
        _end_children()
        assert self._signal is not None
        with self._telling, contextlib.suppress(OSError):
            if not self._told:
                # A progress bar may stand there, with the cursor hidden.
                clean = "\r\x1b[2K\x1b[?25h" if sys.stderr.isatty() else ""
                words = f"{_WORDS[self._signal]}. {self._again}"
                os.write(2, f"{clean}equipoise: {words}\n".encode())
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            self._told = True


def _end_children() -> None:
    """Send SIGTERM to every process under this one.

    Python's resource trackers take none: they clear up and go when the others are gone.
    """
    ended: set[int] = set()
    for _ in range(_ROUNDS):
        found = _descendants(os.getpid()) - ended
        if not found:
            return
        for child in found:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGTERM)
        ended |= found


def _descendants(ancestor: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for child, parent in _processes():
        children.setdefault(parent, []).append(child)
    found: set[int] = set()
    left = [ancestor]
    while left:
        mine = children.pop(left.pop(), [])
        found.update(mine)
        left.extend(mine)
    return found


def _processes() -> Iterator[tuple[int, int]]:
    """Give every process there is, and its parent."""
    if not Path("/proc/self/stat").exists():
        import subprocess  # slow to import

        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True)
        for line in listed.stdout.splitlines():
            child, parent = map(int, line.split())
            yield child, parent
        return
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):  # no process, or one that is gone by now
            fields = (entry / "stat").read_text("latin-1").rpartition(")")[2].split()
            yield int(entry.name), int(fields[1])


def _say_nothing(error: object) -> None:
    """Keep an error of a thread or finalizer to itself."""
