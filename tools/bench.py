#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Measures the layer against its bars, and keeps what was measured.

    bench.py BUILD [--part NAME]... [--compare] [--results FILE] [--quick]

BUILD is the folder of a release build. The parts are the functions named part_... below; without
--part all of them run. Each bar is printed with what was measured and whether it holds; all of them
are appended to bench/results/bars.csv with the machine described. --compare prints beside them what
was measured the time before. --quick runs once where figures of time want several runs.
Exit status: 0 all bars hold, 1 at least one does not (or, with --compare, got worse), 2 could not
measure.
"""

import argparse
import csv
import json
import math
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
RESULTS = TOP / "bench" / "results" / "bars.csv"
COLUMNS = ["run", "version", "bar", "measured", "limit", "unit", "holds", "note", "processor",
           "processors", "kernel", "compiler", "buildtype"]
KINDS = ("ocssd", "zoned")

# Without this glibc copies by `rep movsb`, of which callgrind counts each byte as an instruction.
# The same for `rep stosb`, which fills.
COUNTABLE = {"GLIBC_TUNABLES": "glibc.cpu.x86_rep_movsb_threshold=1000000000:"
                               "glibc.cpu.x86_rep_stosb_threshold=1000000000"}

# Memory stays with a process that had it once: servers are not charged with getting it anew. Arenas
# of threads other than the first give it back all the same, so there is one.
KEPT = {"GLIBC_TUNABLES": "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=8589934592:"
                          "glibc.malloc.arena_max=1"}

# Uniform random writes: OP in percent, WAF in theory (theory_of), and by how much it may be
# exceeded.
WAF_BARS = ((7, 7.82, 1.08), (15, 4.02, 1.04), (28, 2.48, 1.03))
WAF_AT_25 = 2.69
# 1000 bands or more, of 256 blocks or more.
LARGER_BANDS = {"ocssd": "mem:4G,kind=ocssd,groups=1,pus=2,chunk-blocks=256",
                "zoned": "mem:4G,kind=zoned,chunk-blocks=128"}
MANY_BANDS = {"ocssd": "mem:1G,kind=ocssd,groups=1,pus=2,chunk-blocks=128",
              "zoned": "mem:1G,kind=zoned,chunk-blocks=64"}


class Bench:
    """One run of this program: where the build is, and what was measured."""

    def __init__(self, options):
        self.build = Path(options.build).resolve()
        self.hostftl = self.build / "hostftl"
        self.runs = 1 if options.quick else 3
        self.bars = []

    def bar(self, name, measured, limit, unit, note="", least=False):
        """least: the limit is what has to be reached, not what must not be exceeded."""
        holds = measured is not None and (measured >= limit if least else measured <= limit)
        self.bars.append({"bar": name, "measured": measured, "limit": limit, "unit": unit,
                          "holds": holds, "note": note})
        shown = "nothing" if measured is None else f"{measured:.3f}"
        print(f"{'holds' if holds else 'FAILS':6} {name:44} {shown:>12} "
              f"{'>=' if least else '<='} {limit:<10.4g} {unit:24} {note}", flush=True)

    def measure(self, *words):
        """What `hostftl bench` says."""
        done = run([self.hostftl, "bench", "-o", "json", *words], timeout=1800)
        envelope = done.stdout.strip().splitlines()
        return json.loads("\n".join(envelope[last_object(envelope):]))["data"]


def last_object(lines):
    """Progress comes before the result, each a JSON object that begins in the first column."""
    return max(i for i, line in enumerate(lines) if line.startswith("{"))


def run(command, timeout=600, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=timeout, check=False, **more)
    if done.returncode != 0:
        raise CannotMeasure(f"{' '.join(map(str, command))}: exit status {done.returncode}: "
                            f"{done.stderr.strip()[-500:]}")
    return done


class CannotMeasure(Exception):
    pass


def need(program, package):
    if shutil.which(program) is None:
        raise CannotMeasure(f"{program} is not there: package {package}")


# ---- instructions -------------------------------------------------------------------------------

INSTRUCTION_BARS = (("write", "floor_write", 600, "fresh 4 KiB write"),
                    ("read", "floor_read", 450, "mapped 4 KiB read"),
                    ("move", "floor_move", 450, "relocated block"),
                    ("long_write", "floor_write", 200, "128 KiB write, a block"))


def count_instructions(bench, kind, folder):
    """Instructions a block, by part of bench/instructions.c."""
    out = Path(folder) / f"callgrind-{kind}"
    done = run(["valgrind", "--tool=callgrind", "--collect-atstart=no",
                f"--callgrind-out-file={out}", bench.build / "bench" / "bench-instructions",
                f"mem:64M,kind={kind}"], env={**os.environ, **COUNTABLE})
    counts = {}
    for number, line in enumerate(done.stdout.split("\n")[:-1], 1):
        name, blocks = line.split()
        text = Path(f"{out}.{number}").read_text(encoding="utf-8")
        if f"Client Request: {name}\n" not in text:
            raise CannotMeasure(f"{out}.{number} is not of {name}")
        total = int(re.search(r"^totals: (\d+)$", text, re.M).group(1))
        counts[name] = total / int(blocks)
    return counts


def part_instructions(bench):
    """Instructions above the floor, by callgrind: they repeat to a hundredth."""
    need("valgrind", "valgrind")
    if not (bench.build / "bench" / "bench-instructions").exists():
        raise CannotMeasure("bench-instructions was not built: package valgrind has its header")
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            counts = count_instructions(bench, kind, folder)
            for name, floor, limit, text in INSTRUCTION_BARS:
                bench.bar(f"{text} ({kind})", counts[name] - counts[floor], limit,
                          "instructions over floor",
                          f"{counts[name]:.0f} - {counts[floor]:.0f}")


# ---- time ---------------------------------------------------------------------------------------

TIME_BARS = (("fresh-random-write", 1.6, "fresh random write"),
             ("random-read", 1.6, "mapped random read"),
             ("random-write", 2.0 * WAF_AT_25, "steady random write, OP 25 %"))


def part_time(bench):
    """Processor time of a block in floors, both measured in the same process."""
    for kind in KINDS:
        for workload, limit, text in TIME_BARS:
            told = bench.measure("--medium", MANY_BANDS[kind], "--workload", workload, "--op", "25",
                                 "--qd", "32", "--runs", bench.runs, "--count", "262144")
            ours = told["metrics"]["cpu_per_floor"]
            floor = told["floor"]
            ns = told["metrics"]["thread_ns_per_operation"]["median"]
            note = (f"{ours['lowest']:.2f} to {ours['highest']:.2f}; {ns:.0f} ns, floor "
                    + "/".join(f"{floor[k]:.0f}" for k in ("fresh_ns", "write_ns", "read_ns")))
            if workload == "random-write":
                note += f"; OP {told['op_effective_permille'] / 10} %, " \
                        f"WAF {told['metrics']['waf']['median']:.2f}"
            bench.bar(f"{text} ({kind})", ours["median"], limit, "floors", note)


# ---- WAF ----------------------------------------------------------------------------------------

def theory_of(op):
    """WAF of uniform random writes in many large bands, the eldest cleaned first.

    P. Desnoyers, "Analytic modeling of SSD write performance", SYSTOR 2012: a / (a + W(-a e^-a)), a
    being 1 + OP and W Lambert's function, whose main branch Newton's method finds here.
    """
    a = 1 + op / 100
    w = -0.5
    for _ in range(100):
        w -= (w * math.exp(w) + a * math.exp(-a)) / (math.exp(w) * (w + 1))
    return a / (a + w)


def part_waf(bench):
    """WAF of uniform random writes in 1000 bands or more: a count, the same at each run."""
    for op, theory, factor, kind in ((*bar, kind) for kind in KINDS for bar in WAF_BARS):
        told = bench.measure("--medium", LARGER_BANDS[kind], "--op", op, "--count", "786432",
                             "--runs", "1")
        effective = told["op_effective_permille"] / 10
        note = f"{told['bands']} bands of {told['band_blocks']}, OP {effective} %"
        waf = told["metrics"]["waf"]["median"]
        if told["bands"] < 1000 or told["band_blocks"] < 256:
            raise CannotMeasure(f"too few bands: {note}")
        if not told["precondition"]["steady"]:
            waf, note = None, note + ", not steady"
        if abs(effective - op) > 0.2:
            note += (f": so little is not to be had; WAF {waf:.2f} there, "
                     f"{waf / theory_of(effective):.3f} of theory")
            waf = None
        bench.bar(f"WAF at {op} % OP ({kind})", waf, theory * factor, "blocks a block", note)


# ---- memory -------------------------------------------------------------------------------------

def peaks_of(programs, kind):
    """Exported blocks, and the most bytes, of each of two sizes."""
    said = [int(n) for n in run([programs / "bench-memory", kind]).stdout.split()]
    return said[0::2], said[1::2]


def part_memory(bench):
    """The most memory that a device takes: what a block costs, and what is constant."""
    for kind, limit, text in (("ocssd", 4.5, "memory, OOB"),
                              ("zoned", 8.7, "memory, verify always without OOB")):
        blocks, peaks = peaks_of(bench.build / "bench", kind)
        slope = (peaks[1] - peaks[0]) / (blocks[1] - blocks[0])
        constant = peaks[0] - slope * blocks[0]
        bench.bar(f"{text} ({kind})", slope, limit, "bytes a block",
                  f"and {constant / 2**20:.1f} MiB constant")


# ---- opening ------------------------------------------------------------------------------------

OPENING_GIB = (64, 256, 1024)
HOLLOW_BYTES = 12 << 30  # what the largest takes at most: metadata of a terabyte, map, checksums
OPEN_BAND_MS = 2**30 / 1e6  # after a cut the user's open band is read whole as well
TAIL_BYTES = 16 * 4096 / 4032  # of a block: its identity, and its part of a tail block's beginning


def part_opening(bench):
    """The processor time of an opening, beside reading all tails at 1 GB/s; bands of 1 GiB, zoned.

    The drive is in memory and nobody else is in the process, so the time by the clock is this
    where the machine is not shared; that is in the note.
    """
    sizes = OPENING_GIB
    if memory_left() < HOLLOW_BYTES:
        sizes = sizes[:-1]
        print(f"       {OPENING_GIB[-1]} GiB is not measured: that takes {HOLLOW_BYTES >> 30} GiB "
              "of memory", flush=True)
    said = run([bench.build / "bench" / "bench-opening", "--opens", 2 * bench.runs - 1,
                *sizes]).stdout.splitlines()
    lines = [line.split() for line in said]
    for gib, how in dict.fromkeys((line[0], line[1]) for line in lines):
        same = [line for line in lines if line[:2] == [gib, how]]
        blocks, reads, read_bytes = (int(same[0][i]) for i in (2, 5, 6))
        ms, cpu = (sorted(float(line[i]) for line in same) for i in (3, 4))
        bar = blocks * TAIL_BYTES / 1e6
        note = (f"{statistics.median(cpu) * 1e6 / blocks:.1f} ns a block; processor {cpu[0]:.0f} "
                f"to {cpu[-1]:.0f} ms, clock {ms[0]:.0f} to {ms[-1]:.0f} ms; {reads} reads of "
                f"{read_bytes / 1e6:.0f} MB")
        limit = 1 if how == "clean" else 1 + OPEN_BAND_MS / bar
        bench.bar(f"opening, {gib} GiB, {how}", statistics.median(cpu) / bar, limit,
                  "of its tails at 1 GB/s", note)
    told_of_random_opening(bench)


def memory_left():
    """Bytes that programs may take without swapping."""
    told = Path("/proc/meminfo").read_text(encoding="ascii")
    return int(re.search(r"^MemAvailable:\s+(\d+) kB$", told, re.MULTILINE).group(1)) << 10


def told_of_random_opening(bench):
    """A figure without a bar: 64 GiB written in no order, of its tails at 1 GB/s."""
    said = run([bench.build / "bench" / "bench-opening", "--random", "--opens", 2 * bench.runs - 1,
                OPENING_GIB[0]]).stdout.splitlines()
    clean = [line.split() for line in said if " clean " in line]
    blocks = int(clean[0][2])
    cpu = sorted(float(line[4]) for line in clean)
    middle = statistics.median(cpu)
    print(f"       opening, {OPENING_GIB[0]} GiB written at random, clean "
          f"{middle / (blocks * TAIL_BYTES / 1e6):.3f} of its tails at 1 GB/s  "
          f"{middle * 1e6 / blocks:.1f} ns a block; processor {cpu[0]:.0f} to {cpu[-1]:.0f} ms",
          flush=True)


# ---- smoothness ---------------------------------------------------------------------------------

def part_smooth(bench):
    """How even writes and reads are while cleaning is due, on slow drives in virtual time."""
    drives = (*KINDS, *(f"{kind}-suspending" for kind in KINDS))
    done = run([bench.build / "bench" / "bench-smooth", "-o", "json", *drives], timeout=1800)
    for told in json.loads(done.stdout):
        if told["limit"] == 0:  # a figure
            print(f"       {told['bar']} ({told['kind']}) {told['measured']:.3f} {told['unit']}  "
                  f"{told['note']}", flush=True)
            continue
        bench.bar(f"{told['bar']} ({told['kind']})", told["measured"], told["limit"], told["unit"],
                  told["note"], least=told["least"])


# ---- NBD ----------------------------------------------------------------------------------------

# Random I/O over so many MiB of a drive of 512, of which the device exports 420. What is cleaned is
# nearly empty with 256 of them, and mostly valid with 360.
NBD_CASES = (("randwrite", 256, "NBD randwrite, QD 32"),
             ("randread", 256, "NBD randread, QD 32"),
             ("randwrite", 360, "NBD randwrite, QD 32, much cleaning"))
IDLE_SECONDS = 5
IDLE_WAITS_MAX = 60  # of a second each, until cleaning has ended


def pins():
    """Commands in front of server and client, alike for both servers: a processor each."""
    processors = sorted(os.sched_getaffinity(0))
    if shutil.which("taskset") is None or len(processors) < 2:
        return [], []
    return tuple(["taskset", "-c", str(processors[i])] for i in (0, 1))


class Server:
    """A server on a socket, while in use."""

    def __init__(self, command, socket):
        self.command = [str(word) for word in [*pins()[0], *command]]
        self.socket = socket

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env={**os.environ, **KEPT})
        for _ in range(600):
            if self.socket.exists():
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.__exit__()
        raise CannotMeasure(f"{' '.join(self.command)}: did not come up")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=60)

    def busy_us(self):
        """Processor time of the process and its children so far, threads that ended too."""
        top = self.process.pid
        children = Path(f"/proc/{top}/task/{top}/children").read_text(encoding="ascii").split()
        ticks = 0
        for pid in (top, *children):
            words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
            ticks += int(words[11]) + int(words[12])
        return ticks * 1e6 / os.sysconf("SC_CLK_TCK")

    def fio(self, rw, mib, *until):
        """Operations a second, and the server's processor time of each in microseconds.

        The places are others at each call. What is overwritten in the order in which it was written
        needs no cleaning, so with the same places each time there would be none.
        """
        before = self.busy_us()
        done = run([*pins()[1], "fio", "--name=b", "--ioengine=nbd",
                    f"--uri=nbd+unix:///?socket={self.socket}", f"--rw={rw}", "--bs=4k",
                    "--iodepth=32", f"--size={mib}M", "--norandommap", "--output-format=json",
                    "--randrepeat=0", *(until or ("--time_based", "--runtime=1"))],
                   cwd=self.socket.parent)
        text = done.stdout
        job = json.loads(text[text.index("{"):])["jobs"][0]
        job = job["read" if rw == "randread" else "write"]
        return job["iops"], (self.busy_us() - before) / job["total_ios"]


def count_written(bench, rpc):
    """Blocks written by the user and to the medium, so far."""
    done = run([bench.hostftl, "stats", "-o", "json", "--rpc", rpc, rpc.with_name("d.img")])
    stats = json.loads(done.stdout)["data"]["stats"]
    return stats["user"]["blocks_written"], stats["written"]["total"]["blocks"]


def compare_servers(bench, ours, theirs, case):
    rw, mib, name = case
    rpc = ours.socket.with_name("rpc")
    for server in (ours, theirs):  # so that pages are there, and as much is valid as will be later
        server.fio("randwrite", mib, f"--io_size={3 * mib}M")
        server.fio(rw, mib)
    pairs = []
    before = count_written(bench, rpc)
    for i in range(5 * bench.runs):
        order = (ours, theirs) if i % 2 == 0 else (theirs, ours)
        told = {server: server.fio(rw, mib) for server in order}
        pairs.append((*told[ours], *told[theirs]))
    shares = [pair[0] / pair[2] for pair in pairs]
    rate, us, their_rate, their_us = (statistics.median(column) for column in zip(*pairs))
    note = (f"{min(shares):.2f} to {max(shares):.2f}; {rate:.0f} of {their_rate:.0f} a second; "
            f"processor {us:.1f} and {their_us:.1f} us each")
    user, medium = (b - a for a, b in zip(before, count_written(bench, rpc)))
    if user > 0:
        note += f"; WAF {medium / user:.2f}"
    bench.bar(name, statistics.median(shares), 0.7, "of nbdkit memory", note, least=True)


def measure_idle(bench, server, name):
    """The server's share of a processor when nobody asks for anything; cleaning ends first."""
    for waited in range(IDLE_WAITS_MAX):
        before = server.busy_us()
        time.sleep(1)
        if server.busy_us() - before < 0.005e6:
            break
    before = server.busy_us()
    time.sleep(IDLE_SECONDS)
    share = (server.busy_us() - before) / (IDLE_SECONDS * 1e6)
    bench.bar(name, share, 0.005, "of a processor", f"after {waited} s at work")


def part_nbd(bench):
    """What is left of nbdkit's speed: random I/O at depth 32, beside its memory plugin.

    Both are in memory: all that is written goes into the overlay around the drive.
    """
    need("fio", "fio")
    need("nbdkit", "nbdkit")
    if " nbd" not in run(["fio", "--enghelp"]).stdout.replace("\t", " "):
        raise CannotMeasure("this fio has no engine nbd")
    if not pins()[0]:
        print("       nothing is pinned: no taskset, or one processor only")
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        drive, ours, theirs = (Path(folder) / name for name in ("d.img", "ours", "theirs"))
        run([bench.hostftl, "emu", "create", "-q", "--kind", "ocssd", "--size", "512M",
             "--no-fsync", drive])
        run([bench.hostftl, "format", "-q", drive])
        with Server([bench.hostftl, "serve", "--nbd", f"unix:{ours}", "--media",
                     f"overlay:emu:{drive}", "--rpc", drive.with_name("rpc")], ours) as ours, \
                Server(["nbdkit", "-f", "-U", theirs, "memory", "384M"], theirs) as theirs:
            measure_idle(bench, ours, "NBD idle")
            for case in NBD_CASES:
                compare_servers(bench, ours, theirs, case)
            measure_idle(bench, ours, "NBD idle, after writes")


# ---- what is kept -------------------------------------------------------------------------------

def describe_machine(bench):
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*: (.*)$", text, re.M)
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True,
                              check=False).stdout.split("\n")[0]
    version = subprocess.run(["git", "-C", str(TOP), "describe", "--always", "--dirty"],
                             capture_output=True, text=True, check=False).stdout.strip()
    told = json.loads(run(["meson", "introspect", "--buildoptions", bench.build]).stdout)
    buildtype = next(o["value"] for o in told if o["name"] == "buildtype")
    return {"version": version or "unknown", "processor": model.group(1) if model else "unknown",
            "processors": str(os.cpu_count()), "kernel": platform.release(), "compiler": compiler,
            "buildtype": buildtype}


def read_results(path):
    if not path.exists():
        return []
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    return list(csv.DictReader(lines))


def append_results(path, bench, machine):
    rows = read_results(path)
    number = max((int(row["run"]) for row in rows), default=0) + 1
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not rows:
            file.write("# SPDX-License-Identifier: BSD-3-Clause\n")
            writer.writeheader()
        for bar in bench.bars:
            shown = "" if bar["measured"] is None else f"{bar['measured']:.4f}"
            writer.writerow({**bar, **machine, "run": number, "measured": shown,
                             "limit": f"{bar['limit']:.4f}",
                             "holds": "yes" if bar["holds"] else "no"})


# By how much a figure may differ from the last without being worse: counts by nothing much, figures
# of time by what a shared machine does to them.
SLACK = {"instructions over floor": 1.01, "blocks a block": 1.01, "bytes a block": 1.01,
         "floors": 1.10, "of nbdkit memory": 1.15, "of a processor": 100,
         "of its tails at 1 GB/s": 1.3, "ms": 1.02, "of that without cleaning": 1.02,
         "off the mean": 1.1, "of idle": 1.02}
# More of these is better.
LEAST = {"of nbdkit memory", "of idle"}


def compare(bench, rows):
    """Prints each bar beside the last run's; returns whether one got worse."""
    if not rows:
        print("Nothing was measured before.")
        return False
    worse = False
    print(f"\n{'':44} {'before':>12} {'now':>12} {'now/before':>11}")
    for bar in bench.bars:
        old = [r for r in rows if r["bar"] == bar["bar"] and r["measured"]]
        if not old or bar["measured"] is None:
            worse = worse or bool(old)  # it was to be had before
            print(f"{bar['bar']:44} {'-':>12} {'-':>12}")
            continue
        before = float(old[-1]["measured"])
        now = bar["measured"]
        ratio = now / before if before else 1
        fewer, more = (now, before) if bar["unit"] in LEAST else (before, now)
        # From nothing, a limit is the only measure of what is much.
        bad = more > fewer * SLACK[bar["unit"]] and (before != 0 or not bar["holds"])
        worse = worse or bad
        print(f"{bar['bar']:44} {before:12.3f} {bar['measured']:12.3f} {ratio:11.3f}"
              f"{'  worse' if bad else ''}")
    return worse


PARTS = {name[5:]: part for name, part in globals().items() if name.startswith("part_")}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build")
    parser.add_argument("--part", action="append", choices=sorted(PARTS), default=[])
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


def main():
    options = parse()
    bench = Bench(options)
    could_not = 0
    try:
        machine = describe_machine(bench)
    except (CannotMeasure, subprocess.SubprocessError, OSError, ValueError,
            StopIteration) as why:
        print(f"bench: {why}", file=sys.stderr)
        return 2
    if machine["buildtype"] != "release":
        print(f"bench: warning: {bench.build} is not a release build", file=sys.stderr)
    print(f"On {machine['processor']}, {machine['processors']} processors, Linux "
          f"{machine['kernel']}, {machine['compiler']}")
    for name in options.part or PARTS:
        print(f"\n{name}: {PARTS[name].__doc__.splitlines()[0]}")
        try:
            PARTS[name](bench)
        except (CannotMeasure, subprocess.SubprocessError, OSError, ValueError, LookupError,
                ArithmeticError, AttributeError) as why:  # what programs say may be anything
            print(f"bench: {name}: {type(why).__name__}: {why}", file=sys.stderr)
            could_not += 1
    before = read_results(options.results)
    append_results(options.results, bench, machine)
    fails = sum(not bar["holds"] for bar in bench.bars)
    print(f"\n{len(bench.bars) - fails} bars hold, {fails} fail; kept in {options.results}")
    worse = options.compare and compare(bench, before)
    if could_not > 0:
        return 2
    return 1 if worse or (fails > 0 and not options.compare) else 0


if __name__ == "__main__":
    sys.exit(main())
