"""A disk that remembers what a power cut would leave, played from a recording of system calls.

``record`` runs a real process under strace. ``Replay`` performs what it did on a model that holds,
beside the contents that programs see, those that were synced: file contents by fsync, fdatasync
and syncfs of the file, names by the same of their folder. A sync covers what was there when it
began, and counts when it has ended.
"""

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CALLS = (
    "openat,write,pwrite64,ftruncate,rename,unlink,mkdir,fsync,fdatasync,syncfs,"
    # None of these is expected; the replay fails if one comes.
    "creat,open,writev,pwritev,pwritev2,truncate,renameat,renameat2,unlinkat,mkdirat,link,linkat,"
    "symlink,rmdir,copy_file_range,sendfile,fallocate,sync,sync_file_range,msync"
)
_LINE = re.compile(r"(\d+) +(<\.\.\. )?(\w+)(?: resumed>|\()(.*)", re.DOTALL)
_RESULT = re.compile(r"\) += (-?\d+)")
_HEX = re.compile(r"\\x([0-9a-f]{2})")

Settle = Callable[[], None]


def strace(*options: str) -> list[str]:
    """Return how to run a command under strace, which is installed if need be."""
    if shutil.which("strace") is None and shutil.which("apt-get") is not None:
        subprocess.run(["apt-get", "install", "-y", "-q", "strace"], check=False, timeout=200)
    if shutil.which("strace") is None:
        pytest.skip("NOT PROVEN: strace is missing, and apt-get cannot install it")
    return ["strace", "-f", "--seccomp-bpf", *options]


def record(trace: Path, module: str, *args: str) -> None:
    """Run a module in a process of its own; write all that it does with files to ``trace``."""
    recorder = strace("-y", "-xx", "-s", "1000000", "-o", str(trace), "-e", f"trace={CALLS}")
    subprocess.run(
        [*recorder, sys.executable, "-B", "-m", module, *args],
        check=True,
        cwd=ROOT,
        timeout=120,
        stdout=subprocess.PIPE,
    )


@dataclass(eq=False)
class File:
    """A file's content as programs see it, and as it was synced."""

    content: bytearray = field(default_factory=bytearray)
    synced: bytes = b""


class Disk:
    """Files and folders below one root, which was there before."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.files: dict[str, File] = {}
        self.folders = {self.root}
        self.synced: dict[str, dict[str, File | None]] = {}  # folder → name → file; None: folder
        self._ticks = itertools.count()
        self._newest: dict[object, int] = {}  # file or folder → when its synced state was taken

    def snapshot(self, path: str) -> Settle:
        """Return what makes durable what a file or folder holds now."""
        if path in self.folders:
            entries = self._entries()[path]
            return self._settle(path, lambda: self.synced.update({path: entries}))
        file = self.files[path]
        content = bytes(file.content)
        return self._settle(file, lambda: setattr(file, "synced", content))

    def snapshot_all(self) -> Settle:
        """Return what makes everything durable that is there now."""
        parts = [self.snapshot(path) for path in (*self.files, *self.folders)]

        def settle() -> None:
            for part in parts:
                part()

        return settle

    def _settle(self, what: object, settle: Settle) -> Settle:
        """Skip it if a sync that began later has ended before."""
        tick = next(self._ticks)

        def settle_unless_older() -> None:
            if self._newest.get(what, -1) < tick:
                self._newest[what] = tick
                settle()

        return settle_unless_older

    def left(self) -> dict[str, bytes]:
        """Return the files, by path, that a power cut now would leave."""
        found: dict[str, bytes] = {}
        folders = [self.root]
        while folders:
            folder = folders.pop()
            for name, file in self.synced.get(folder, {}).items():
                if file is None:
                    folders.append(f"{folder}/{name}")
                else:
                    found[f"{folder}/{name}"[len(self.root) + 1 :]] = file.synced
        return found

    def _entries(self) -> dict[str, dict[str, File | None]]:
        entries: dict[str, dict[str, File | None]] = {folder: {} for folder in self.folders}
        for path in (*self.files, *self.folders - {self.root}):
            folder, _, name = path.rpartition("/")
            entries[folder][name] = self.files.get(path)
        return entries


@dataclass
class Replay:
    """Performs a recording on a disk; stops wherever the process wrote to its stdout."""

    disk: Disk
    under_way: dict[str, str] = field(default_factory=dict)  # thread → arguments so far
    syncs: dict[str, Settle] = field(default_factory=dict)
    hasty: list[str] = field(default_factory=list)  # renamed before their content was synced

    def play(self, trace: Path) -> Iterator[str]:
        """Yield each line of the process at the moment before it is written."""
        with trace.open(encoding="ascii") as lines:
            for line in lines:
                match = _LINE.match(line)
                if match is None:  # a signal, an exit
                    continue
                thread, resumed, call, rest = match.groups()
                if not resumed:
                    self.under_way[thread] = rest.split(" <unfinished")[0]
                    yield from self._begin(thread, call, self.under_way[thread])
                if "<unfinished" in rest:
                    continue
                whole = self.under_way.pop(thread) + rest if resumed else rest
                self._end(thread, call, whole)

    def _begin(self, thread: str, call: str, text: str) -> Iterator[str]:
        if call == "write" and text.startswith("1<"):
            yield _arguments(text)[1]
        elif call == "syncfs":
            self.syncs[thread] = self.disk.snapshot_all()
        elif call in {"fsync", "fdatasync"}:
            self.syncs[thread] = self.disk.snapshot(_opened(_arguments(text)[0]))

    def _end(self, thread: str, call: str, text: str) -> None:
        result = _RESULT.search(text)
        assert result is not None, f"cannot read {call}({text[:200]}"
        args = _arguments(text)
        if int(result[1]) < 0 or not self._is_ours(args):
            return
        if call in {"fsync", "fdatasync", "syncfs"}:
            self.syncs.pop(thread)()
        else:
            assert hasattr(self, f"_{call}"), f"{call} is not part of the model"
            getattr(self, f"_{call}")(*args)

    def _is_ours(self, args: list[str]) -> bool:
        return any(self.disk.root in arg for arg in args[:2])

    def _openat(self, _at: str, path: str, flags: str, _mode: str = "") -> None:
        if path not in self.disk.folders and "O_CREAT" in flags:
            self.disk.files.setdefault(path, File())
        if "O_TRUNC" in flags:
            self.disk.files[path].content.clear()

    def _write(self, file: str, data: str, _length: str) -> None:
        self.disk.files[_opened(file)].content += data.encode("latin-1")

    def _pwrite64(self, file: str, data: str, length: str, offset: str) -> None:
        content, start = self.disk.files[_opened(file)].content, int(offset)
        content.extend(bytes(max(0, start - len(content))))
        content[start : start + int(length)] = data.encode("latin-1")

    def _ftruncate(self, file: str, length: str) -> None:
        content = self.disk.files[_opened(file)].content
        del content[int(length) :]
        content.extend(bytes(max(0, int(length) - len(content))))

    def _rename(self, old: str, new: str) -> None:
        file = self.disk.files[new] = self.disk.files.pop(old)
        if file.synced != file.content:
            self.hasty.append(new)

    def _unlink(self, path: str) -> None:
        del self.disk.files[path]

    def _mkdir(self, path: str, _mode: str) -> None:
        self.disk.folders.add(path)


def _arguments(text: str) -> list[str]:
    """Split arguments and undo the escapes; bytes become the characters of the same number."""
    return [
        bytes.fromhex(part[1:-1].replace("\\x", "")).decode("latin-1")
        if part.startswith('"')
        else _HEX.sub(lambda code: chr(int(code[1], 16)), part)
        for part in _RESULT.split(text)[0].removesuffix(" ").split(", ")
    ]


def _opened(descriptor: str) -> str:
    """Return the path in ``7</path>``."""
    return descriptor.partition("<")[2].rpartition(">")[0]
