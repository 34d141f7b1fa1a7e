#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The page of hostftl bench --report is one file, loads nothing, has what was measured, and a
browser draws it."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HOSTFTL = os.environ["HOSTFTL"]
CHROMIUM = shutil.which("chromium")


def bench(code, *args):
    done = subprocess.run([HOSTFTL, "bench", "-o", "json", "--medium", "mem:32M,kind=zoned",
                           "--count", "3000", "--runs", "2", *args], capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    text = done.stdout[done.stdout.rindex("\n{") + 1:] if "\n{" in done.stdout else done.stdout
    return json.loads(text)


def data_of(page):
    return re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1]


def has_what_programs_are_told():
    told = bench(0, "--report", "r.html", "--workload", "mixed")["data"]
    with open("r.html", encoding="utf-8") as file:
        page = file.read()
    assert json.loads(data_of(page)) == told
    assert "@" + "DATA@" not in page and "@UPLOT" not in page
    return told, page


def loads_nothing(page):
    assert "default-src 'none'" in page
    outside = re.compile(r"""(?:src|href)\s*=|url\(|@import|\bfetch\(|XMLHttpRequest""")
    assert not outside.search(page), outside.search(page)
    assert outside.search('<script src="x">') and outside.search("background: url(x)")


def says_at_once_that_it_cannot_be_made():
    error = bench(1, "--report", "no/such/folder/r.html")["error"]
    assert error["path"] == "no/such/folder/r.html", error


def draw(path):
    """The page after its scripts ran, as the browser has it."""
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=profile",
         "--virtual-time-budget=10000", "--dump-dom", "file://" + os.path.abspath(path)],
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    state = re.search(r'<body data-state="([^"]*)"', done.stdout)
    return state[1] if state else None, done.stdout


def is_drawn_by_a_browser(told):
    state, dom = draw("r.html")
    assert state == "drawn", state
    # Requests a second needs steps, of which so short a run has none.
    assert dom.count("<canvas") == 2, dom.count("<canvas")
    for name in ("Latency", "WAF before the runs", "What is written to the medium",
                 "Processor time and the floor", "All figures", "Where and how"):
        assert f"<h2>{name}</h2>" in dom, name
    shown = re.search(r'data-metric="operations_per_second">([\d,]+)<', dom)[1]
    assert int(shown.replace(",", "")) == round(told["metrics"]["operations_per_second"]["median"])


def is_drawn_for_every_workload():
    for name in ("fresh-random-write", "sequential-read", "trim-mix", "fsync"):
        bench(0, "--report", "w.html", "--workload", name)
        state, dom = draw("w.html")
        assert state == "drawn" and "<canvas" in dom, (name, state)


def would_be_seen_not_to_be_drawn(told, page):
    spoilt = {**told, "runs": [{**run, "latency": {}} for run in told["runs"]]}
    with open("spoilt.html", "w", encoding="utf-8") as file:
        file.write(page.replace(data_of(page), json.dumps(spoilt).replace("<", "\\u003c")))
    state, _ = draw("spoilt.html")
    assert state is not None and state.startswith("failed"), state


def does_not_end_where_a_name_says_so():
    """What is in names is data, whatever it looks like."""
    name = "trace=</script><h1 id=x>.txt:mem:32M,kind=zoned"
    os.mkdir("<")  # the trace's file is in it
    bench(0, "--report", "n.html", "--workload", "random-read", "--medium", name)
    with open("n.html", encoding="utf-8") as file:
        page = file.read()
    assert "<h1 id=x>" not in page
    if CHROMIUM is not None:
        state, dom = draw("n.html")
        assert state == "drawn" and html.escape(name) in dom.replace("&quot;", '"'), state


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        told, page = has_what_programs_are_told()
        loads_nothing(page)
        says_at_once_that_it_cannot_be_made()
        does_not_end_where_a_name_says_so()
        if CHROMIUM is not None:
            is_drawn_by_a_browser(told)
            is_drawn_for_every_workload()
            would_be_seen_not_to_be_drawn(told, page)
        os.chdir("/")
    if CHROMIUM is None:
        print("no browser draws the page: chromium is not installed")
        sys.exit(77)


main()
