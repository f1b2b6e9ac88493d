#!/usr/bin/env python3
"""What the kit costs a service.

    bench/kit.py EXAMPLES GOLOG [ROUNDS]

EXAMPLES is the folder of the kit's built examples, GOLOG the built command of bench/golog:

    cargo build --release -p shakedown-kit --examples      # target/release/examples
    cd bench/golog && go build -o /tmp/golog .

Instructions are counted by callgrind: two runs of different length, so that starting is not in it.
They are the same each time, and are the bar. Nanoseconds of processor time stand beside them, as
medians of interleaved rounds (5); so does the log line of zap and slog. Fails if a bar is missed, and where
valgrind is missing: what was not counted did not hold.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

# The log line's part of the peers' time, in the same rounds.
ZAP, SLOG = 0.6, 0.35
DUMP_TASKS, DUMP_MS = 10_000, 100
# Runs under callgrind; the difference is what is counted.
SHORT, LONG = 20_000, 60_000
# Of one run for nanoseconds.
TIMED = 300_000

# name: the way, the way without it, and the most instructions: what was counted when this was
# written, and a tenth for what compilers change. Whoever adds to a cost is to notice.
COSTS = {
    "log line with ids": ("costs log-line", None, 5831),
    "spawn, run and join": ("costs spawn-kit", "costs spawn-tokio", 1055),
    "poll of a task": ("costs poll-kit", "costs poll-tokio", 260),
    "deadline layer, no deadline": ("costs layer-idle", "costs layer-none", 2220),
    "deadline layer, grpc-timeout": ("costs layer-held", "costs layer-none-held", 2484),
    "allocation and release, off": ("profiler_costs wrapped", "profiler_costs plain", 22),
    "allocation and release, sampled": ("profiler_costs sampled", "profiler_costs plain", 40),
}


def output(command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)


def instructions(examples, way):
    program, word = way.split()

    def count(times):
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        done = output([*command, examples / program, word, times])
        return int(re.search(r"Collected : (\d+)", done.stderr).group(1))

    return (count(LONG) - count(SHORT)) / (LONG - SHORT)


def nanoseconds(command):
    """Processor time of one of TIMED: on a busy machine the clock on the wall says nothing."""
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench/kit.py: {command} ended with {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1e9 / TIMED


def dumps(examples, times):
    """Processor time of a program that dumps so often, the times that it printed, and stacks seen."""
    command = [str(examples / "costs"), "dump", str(DUMP_TASKS), str(times)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lines = [line.split() for line in process.stdout]
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench/kit.py: {command} ended with {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1e3, [float(took) for took, _ in lines], lines[-1][1]


def main():
    examples, golog = Path(sys.argv[1]), sys.argv[2]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    if not shutil.which("valgrind"):
        sys.exit("bench/kit.py: valgrind is missing, so nothing can be counted: apt-get install valgrind")
    missed = []

    def bar(holds, what):
        if not holds:
            missed.append(what)
        return "" if holds else " MISSED"

    ways = sorted({way for row in COSTS.values() for way in row[:2] if way})
    counted = {way: instructions(examples, way) for way in ways}
    timed = {way: [] for way in ways}
    peers = {"zap": [], "slog": []}
    for _ in range(rounds):
        for way in ways:
            program, word = way.split()
            timed[way].append(nanoseconds([examples / program, word, TIMED]))
        for peer, times in peers.items():
            times.append(nanoseconds([golog, peer, TIMED]))
    time = {way: statistics.median(times) for way, times in timed.items()}
    print(f"| cost | instructions | bar | ns of CPU, median of {rounds} |")
    print("|---|---|---|---|")
    for name, (way, without, most) in COSTS.items():
        cost = counted[way] - (counted[without] if without else 0)
        nanos = time[way] - (time[without] if without else 0)
        print(f"| {name} | {cost:,.0f}{bar(cost <= most, name)} | {most:,} | {nanos:.0f} |")
    print()
    print("| log line with ids | ns of CPU | ours of it | bar |")
    print("|---|---|---|---|")
    ours = time["costs log-line"]
    print(f"| ours | {ours:.0f} | | |")
    for peer, most in (("zap", ZAP), ("slog", SLOG)):
        theirs = statistics.median(peers[peer])
        part = ours / theirs
        print(f"| {peer} | {theirs:.0f} | {part:.2f}{bar(part <= most, peer)} | {most} |")
    print()
    first, more = dumps(examples, 1), dumps(examples, 11)
    # The first one reads the names of all addresses, which is done once. Nothing but the machine
    # makes a dump slower than its best.
    cpu, best = (more[0] - first[0]) / 10, min(more[1])
    print(f"dump of {DUMP_TASKS:,} tasks: captured in {best:.0f} ms{bar(best < DUMP_MS, 'dump')} at best"
          f" (bar {DUMP_MS}), {cpu:.0f} ms of CPU with the words for it; {more[2]} with a stack")
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
