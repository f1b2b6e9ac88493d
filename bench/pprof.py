#!/usr/bin/env python3
"""The profile engine beside `go tool pprof`: processor time and memory of whole processes.

    bench/pprof.py SHAKEDOWN XTASK FOLDER [ROUNDS] [ROW...]

SHAKEDOWN and XTASK are the built commands (release). FOLDER receives the large profiles, made once
from the two real ones of crates/pprof/tests by `xtask pprof-scale-up`. Each row runs both programs
in turn on the same file, ROUNDS times (5), and compares what they print in that same run: a row
whose bytes differ fails the script. Printed are medians of user and system time, of peak memory
(the kernel's maxrss) and of the wall, and the ratios. ROW names part of a row's name.

The original holds nothing back: -symbolize=none, TZ=UTC, its own scheduler on all cores.
"""

import gzip
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT / "crates/pprof/tests/data/profile"
MB = 1_000_000

# name: real profile, bytes, seed, copies, labelled
LARGE = {
    "cpu1": ("cpu_compile", 1 * MB, 1, 1, True),
    "heap10": ("heap_compile", 10 * MB, 2, 4, False),
    "heap100": ("heap_compile", 100 * MB, 3, 16, False),
    "cpu10": ("cpu_compile", 10 * MB, 4, 4, True),
    "cpu100": ("cpu_compile", 100 * MB, 5, 16, True),
    "heap10b": ("heap_compile", 10 * MB, 6, 4, False),
    **{f"part{i}": ("cpu_compile", 1 * MB, 100 + i, 1, True) for i in range(100)},
}
PARTS = [f"part{i}" for i in range(100)]
PEEK = "-peek=mallocgc$"
# Said to both: the original does not look there by itself.
SOURCES = "-source_path=" + subprocess.check_output(["go", "env", "GOROOT"], text=True).strip() + "/src"

# name of the row, flags, files, least ratio of processor time, least ratio of memory
ROWS = [
    ("top 0.6 MB", ["-top"], ["cpu_compile"], None, None),
    ("top 1 MB labelled CPU", ["-top"], ["cpu1"], None, None),
    ("top 10 MB heap", ["-top"], ["heap10"], 20, 10),
    ("top 100 MB heap", ["-top"], ["heap100"], 20, 10),
    ("top 10 MB labelled CPU", ["-top"], ["cpu10"], 60, 10),
    ("top 100 MB labelled CPU", ["-top"], ["cpu100"], 60, 10),
    ("tree 10 MB heap", ["-tree"], ["heap10"], 8, None),
    ("tree 10 MB labelled CPU", ["-tree"], ["cpu10"], 8, None),
    ("peek 10 MB heap", [PEEK], ["heap10"], 8, None),
    ("list 10 MB heap", ["-list=mallocgc$", SOURCES], ["heap10"], 8, None),
    ("traces 10 MB heap", ["-traces"], ["heap10"], 8, None),
    ("traces 10 MB labelled CPU", ["-traces"], ["cpu10"], 8, None),
    ("tags 10 MB heap", ["-tags"], ["heap10"], 8, None),
    ("tags 10 MB labelled CPU", ["-tags"], ["cpu10"], 8, None),
    ("dot 10 MB heap", ["-dot"], ["heap10"], 8, None),
    ("dot 10 MB labelled CPU", ["-dot"], ["cpu10"], 8, None),
    ("raw 10 MB heap", ["-raw"], ["heap10"], 8, None),
    ("raw 10 MB labelled CPU", ["-raw"], ["cpu10"], 8, None),
    ("focus 10 MB labelled CPU", ["-top", "-focus=typecheck"], ["cpu10"], 8, None),
    ("tagfocus 10 MB labelled CPU", ["-top", "-tagfocus=tenant-1"], ["cpu10"], 8, None),
    ("diff_base 10 MB heap", ["-top", "-diff_base=heap10b"], ["heap10"], 8, None),
    ("merge 100 x 1 MB", ["-proto"], PARTS, 8, None),
]


def files(xtask, folder, names):
    for name in names:
        if name in LARGE and not (folder / f"{name}.pb.gz").exists():
            base, size, seed, copies, labelled = LARGE[name]
            words = [xtask, "pprof-scale-up", REAL / f"{base}.pb.gz", folder / f"{name}.pb.gz", size, seed, copies]
            subprocess.run([str(w) for w in words] + (["labelled"] if labelled else []), check=True, stdout=subprocess.DEVNULL)


def place(folder, name):
    return str((folder if name in LARGE else REAL) / f"{name}.pb.gz")


# Between us and the program, because what forks lends its own peak of memory to what it starts.
LAUNCHER = """
import os, sys, time
began = time.monotonic()
child = os.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, time.monotonic() - began, file=sys.stderr)
"""


class Run:
    """One process to its end: what it printed, what it cost."""

    def __init__(self, words, out):
        environment = {**os.environ, "TZ": "UTC", "PPROF_TMPDIR": tempfile.gettempdir()}
        with open(out, "wb") as stdout:
            launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, *words]
            said = subprocess.run(launcher, stdout=stdout, stderr=subprocess.PIPE, env=environment, text=True, check=True).stderr
        figures = said.splitlines()[-1].split()
        self.code, self.cpu, self.rss, self.wall = int(figures[0]), *map(float, figures[1:])


def printed(path):
    """A digest of what was printed, without compression."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with (gzip.open if packed else open)(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def row(shakedown, original, folder, name, flags, names, rounds):
    words = ["-symbolize=none"]
    for flag in flags:
        head, _, value = flag.partition("=")
        words.append(f"{head}={place(folder, value)}" if head == "-diff_base" else flag)
    words += [place(folder, n) for n in names]
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as scratch:
        a, b = f"{scratch}/a", f"{scratch}/b"
        for _ in range(rounds):
            ours.append(Run([shakedown, "pprof", *words], a))
            theirs.append(Run([original, *words], b))
            if ours[-1].code != 0 or theirs[-1].code != 0:
                return None, f"{name}: exit codes {ours[-1].code} and {theirs[-1].code}"
            if printed(a) != printed(b):
                return None, f"{name}: the two print different bytes"
    median = lambda runs, what: statistics.median(getattr(run, what) for run in runs)
    return [(median(runs, "cpu"), median(runs, "rss"), median(runs, "wall")) for runs in (ours, theirs)], None


def floor(xtask, path, rounds):
    with tempfile.TemporaryDirectory() as scratch:
        return statistics.median(Run([xtask, "gunzip", path], f"{scratch}/a").cpu for _ in range(rounds))


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    shakedown, xtask, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    wanted = sys.argv[5:]
    original = subprocess.run(["go", "tool", "-n", "pprof"], capture_output=True, text=True, check=True).stdout.strip()
    folder.mkdir(parents=True, exist_ok=True)
    failures = []
    print("| report | original CPU s | ours CPU s | ratio | original MB | ours MB | ratio | wall ratio | × gunzip |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, flags, names, least_cpu, least_rss in ROWS:
        if wanted and not any(part in name for part in wanted):
            continue
        files(xtask, folder, names + [f.partition("=")[2] for f in flags if f.startswith("-diff_base=")])
        figures, failure = row(shakedown, original, folder, name, flags, names, rounds)
        if failure:
            failures.append(failure)
            continue
        (cpu, rss, wall), (cpu0, rss0, wall0) = figures
        over = ""
        if name.startswith("top ") and least_cpu:
            over = f"{cpu / floor(xtask, place(folder, names[0]), rounds):.1f}"
        print(f"| {name} | {cpu0:.3f} | {cpu:.3f} | {cpu0 / cpu:.0f} | {rss0:.0f} | {rss:.0f} | {rss0 / rss:.1f} | {wall0 / wall:.0f} | {over} |", flush=True)
        if least_cpu and cpu0 / cpu < least_cpu:
            failures.append(f"{name}: {cpu0 / cpu:.1f} times less processor time, wanted {least_cpu}")
        if least_rss and rss0 / rss < least_rss:
            failures.append(f"{name}: {rss0 / rss:.1f} times less memory, wanted {least_rss}")
        if over and float(over) > 4:
            failures.append(f"{name}: {over} times the processor time of gunzip, wanted 4 at most")
        if name in ("top 0.6 MB", "top 1 MB labelled CPU") and cpu > 0.015:
            failures.append(f"{name}: {cpu * 1000:.1f} ms, wanted 15 at most")
    for failure in failures:
        print(f"MISSED: {failure}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
