"""Processes by their id: who is alive, who belongs to whom, and ending them."""

import os
import pathlib
import signal

from waiting import eventually


def is_alive(pid: int) -> bool:
    """True unless the process is gone, or a zombie that this process has only to wait for."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    state, parent = stat.rpartition(")")[2].split()[:2]
    return state not in "ZX" or int(parent) != os.getpid()


def children(pid: int) -> list[int]:
    """The children of a process, of all its threads."""
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, path.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def kill_tree(pid: int, within: float = 10) -> None:
    """kill -9 for a process and its children, without a chance to say goodbye."""
    pids = [pid, *children(pid)]
    for each in pids:
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            pass
    eventually(lambda: not any(map(is_alive, pids)), within, f"processes {pids} are still there")


def mentioning(text: str) -> list[int]:
    """Living processes with this in their command line."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in path.read_bytes() and is_alive(int(path.parent.name)):
                found.append(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found
