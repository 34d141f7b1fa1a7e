#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""make bench judges, keeps and compares what it measured. No figure is judged here."""

import contextlib
import importlib.util
import io
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

SOURCE = Path(os.environ["HFTL_SOURCE"]) / "tools" / "bench.py"
SPEC = importlib.util.spec_from_file_location("bench", SOURCE)
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)
MACHINE = {"version": "v", "processor": "p, 2 GHz", "processors": "2", "kernel": "k",
           "compiler": 'c "12"', "buildtype": "release"}


def make(**bars):
    bench = tool.Bench(SimpleNamespace(build=".", quick=True))
    with contextlib.redirect_stdout(io.StringIO()):
        for name, measured in bars.items():
            bench.bar(name, measured, 100, "instructions over floor")
    return bench


def judges_by_the_limit():
    bench = make(below=99, at=100, above=100.1, nothing=None)
    assert [bar["holds"] for bar in bench.bars] == [True, True, False, False]
    with contextlib.redirect_stdout(io.StringIO()):
        bench.bar("share", 0.69, 0.7, "of nbdkit memory", least=True)
        bench.bar("share", 0.71, 0.7, "of nbdkit memory", least=True)
    assert [bar["holds"] for bar in bench.bars[4:]] == [False, True]


def keeps_each_run(path):
    assert tool.read_results(path) == []
    tool.append_results(path, make(a=1, b=None), MACHINE)
    tool.append_results(path, make(a=2), MACHINE)
    rows = tool.read_results(path)
    assert [(r["run"], r["bar"], r["measured"], r["holds"]) for r in rows] == [
        ("1", "a", "1.0000", "yes"), ("1", "b", "", "no"), ("2", "a", "2.0000", "yes")], rows
    assert rows[0]["processor"] == MACHINE["processor"] and rows[0]["compiler"] == 'c "12"'
    assert path.read_text().startswith("# SPDX")


def sees_what_got_worse(path):
    """Against the last run, which had a = 2."""
    rows = tool.read_results(path)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert not tool.compare(make(a=2.01), rows)
        assert not tool.compare(make(a=1), rows)
        assert not tool.compare(make(b=1, c=5), rows)  # never measured before
        assert tool.compare(make(a=2.03), rows)
        assert said.getvalue().count("worse") == 1
        assert tool.compare(make(a=None), rows)  # no longer to be had
        for before, now, unit, limit, worse in (
                ("0.0000", 0.5, "of a processor", 0.005, True),
                ("0.0000", 0.004, "of a processor", 0.005, False),
                ("0.7000", 0, "of nbdkit memory", 0.7, True),
                ("0.0000", 0.8, "of nbdkit memory", 0.7, False)):
            bench = make()
            bench.bar("x", now, limit, unit, least=unit in tool.LEAST)
            assert tool.compare(bench, [{"bar": "x", "measured": before}]) == worse, (before, now)
    for unit in {"instructions over floor", "floors", "blocks a block", "bytes a block",
                 "of nbdkit memory"}:
        assert unit in tool.SLACK


def goes_on_after_a_part_that_cannot_be_measured(folder):
    """Whatever a part runs into, the others are measured, and the exit status is 2."""
    def trip(_, kind=None):
        raise kind

    def last(bench):
        bench.bar("last", 1, 100, "floors")

    troubles = (FileNotFoundError("gone"), ValueError("no JSON"), KeyError("data"),
                IndexError("no line"), ZeroDivisionError("no user writes"), AttributeError("None"),
                tool.CannotMeasure("no valgrind"))
    parts = {}
    for i, trouble in enumerate(troubles):
        parts[f"t{i}"] = lambda bench, trouble=trouble: trip(bench, trouble)
        parts[f"t{i}"].__doc__ = "Fails."
    parts["last"] = last
    last.__doc__ = "Holds."
    kept = tool.PARTS, tool.parse, tool.describe_machine
    path = Path(folder) / "status.csv"
    tool.PARTS, tool.describe_machine = parts, lambda _: MACHINE
    tool.parse = lambda: SimpleNamespace(build=".", quick=True, part=[], compare=False,
                                         results=path)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            assert tool.main() == 2
    finally:
        tool.PARTS, tool.parse, tool.describe_machine = kept
    assert [row["bar"] for row in tool.read_results(path)] == ["last"]


def knows_the_theory():
    for op, waf, _ in tool.WAF_BARS:
        assert abs(tool.theory_of(op) - waf) < 0.005, (op, tool.theory_of(op))
    assert abs(tool.theory_of(25) - tool.WAF_AT_25) < 0.005


def reads_what_the_programs_say():
    """Without callgrind they measure nothing, but do all of it."""
    programs = Path(os.environ["HFTL_BUILD"]) / "bench"
    for kind in tool.KINDS:
        blocks, peaks = tool.peaks_of(programs, kind)
        assert len(blocks) == len(peaks) == 2 and blocks[0] < blocks[1] and peaks[0] < peaks[1]
    if not (programs / "bench-instructions").exists():
        return  # the header of valgrind is not there
    said = tool.run([programs / "bench-instructions", "mem:32M,kind=ocssd"]).stdout
    parts = dict(line.split() for line in said.splitlines())
    assert all(int(blocks) > 0 for blocks in parts.values()), parts
    for name, floor, _, _ in tool.INSTRUCTION_BARS:
        assert name in parts and floor in parts, parts


def finds_the_result_behind_progress():
    lines = ['{"hostftl": {}, "progress": {}}', "{", ' "data": {', '  "x": 1', " }", "}"]
    assert tool.last_object(lines) == 1


def main():
    judges_by_the_limit()
    finds_the_result_behind_progress()
    knows_the_theory()
    reads_what_the_programs_say()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results" / "bars.csv"
        keeps_each_run(path)
        sees_what_got_worse(path)
        goes_on_after_a_part_that_cannot_be_measured(folder)


main()
