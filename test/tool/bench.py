#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""hostftl bench counts what was done: requests, blocks, what came through the medium's door. No
figure of time is judged here."""

import copy
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("python3-jsonschema is not installed")
    sys.exit(77)

HOSTFTL = os.environ["HOSTFTL"]
with open(os.path.join(os.environ["HFTL_SOURCE"], "doc", "schema", "bench.json")) as file:
    SCHEMA = json.load(file)
jsonschema.Draft7Validator.check_schema(SCHEMA)

SMALL = ("--medium", "mem:32M,kind=zoned")
WORKLOADS = ("fresh-write", "fresh-random-write", "sequential-write", "sequential-read",
             "random-write", "random-read", "mixed", "trim-mix", "fsync")
COUNT = 1500
FLOOR = {}  # of the bench that is looked at
UNITS = 128  # blocks in write units that may be open when a run begins or ends


def last_envelope(text):
    decoder, envelope, text = json.JSONDecoder(), None, text.strip()
    while text:
        envelope, end = decoder.raw_decode(text)
        text = text[end:].lstrip()
    return envelope


def bench(code, *args):
    done = subprocess.run([HOSTFTL, "bench", "-o", "json", *args], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    envelope = last_envelope(done.stdout)
    if "data" in envelope:
        jsonschema.validate(envelope, SCHEMA)
        return envelope["data"]
    return envelope["error"]


def counts_what_was_done():
    for name in WORKLOADS:
        told = bench(0, *SMALL, "--workload", name, "--count", str(COUNT), "--runs", "2")
        assert told["workload"] == name and len(told["runs"]) == told["run_count"] == 2
        assert told["floor"]["measured"], told["floor"]
        FLOOR.update(told["floor"], fresh="fresh" in name)
        for run in told["runs"]:
            hold_run(name, run)
        hold_ranges(told)


def hold_run(name, run):
    n, metrics = run["counts"], run["metrics"]
    assert n["failed"] == 0 and n["reads"] + n["writes"] + n["trims"] == COUNT, (name, n)
    assert n["user_blocks_written"] == n["writes"] and n["user_blocks_read"] == n["reads"]
    assert n["flushes"] == (n["writes"] if name == "fsync" else 0), (name, n)
    assert (n["reads"] > 0) == (name in ("sequential-read", "random-read", "mixed", "trim-mix"))
    assert (n["trims"] > 0) == (name == "trim-mix")
    assert n["medium_flushes"] > 0  # the run's last flush
    account = sum(n["blocks_written_" + kind] for kind in ("user", "relocation", "meta", "pad"))
    assert n["blocks_written_user"] == n["user_blocks_written"], (name, n)
    assert abs(account - n["medium_blocks_written"]) <= (0 if "fresh" in name else UNITS), n
    if n["writes"]:
        assert metrics["waf"] == n["medium_blocks_written"] / n["writes"], (name, n, metrics)
    else:
        assert metrics["waf"] is None
    for verb in ("read", "write", "trim", "flush"):
        five = [metrics[f"{verb}_{what}_ns"] for what in ("p50", "p99", "p999", "p9999", "max")]
        many = n[verb + ("es" if verb == "flush" else "s")]
        assert (None in five) == (many == 0), (name, five)
        assert None in five or five == sorted(five), (name, five)
        hold_histogram(run["latency"][verb], many, five)
    hold_floors(run)


def hold_histogram(slots, many, five):
    """The percentiles are those of the histogram that is told beside them."""
    assert sum(count for _, count in slots) == many and slots == sorted(slots)
    seen, wanted = 0, [0.5, 0.99, 0.999, 0.9999, 1]
    for nanoseconds, count in slots:
        seen += count
        while wanted and seen >= wanted[0] * many - 1e-6:
            assert five[-len(wanted)] == nanoseconds, (slots, five)
            wanted.pop(0)


def hold_floors(run):
    """Time in floors is what it says: whatever the time was."""
    n, metrics, floor = run["counts"], run["metrics"], FLOOR
    write = floor["fresh_ns" if floor["fresh"] else "write_ns"]
    operations = n["reads"] + n["writes"] + n["trims"] + n["flushes"]
    ours = metrics["thread_ns_per_operation"] * operations / (
        n["user_blocks_written"] * write + n["user_blocks_read"] * floor["read_ns"])
    assert abs(metrics["cpu_per_floor"] / ours - 1) < 1e-6, (metrics, ours)
    assert metrics["thread_ns_per_operation"] <= metrics["cpu_ns_per_operation"] * 1.5


def hold_ranges(told):
    for key, one in told["metrics"].items():
        values = [run["metrics"][key] for run in told["runs"]]
        if None in values:
            assert one["median"] is None
        else:
            assert one == {"median": sum(values) / 2, "lowest": min(values),
                           "highest": max(values)}, (key, one, values)


def repeats_itself_for_a_seed():
    args = (*SMALL, "--count", str(COUNT), "--runs", "1", "--distribution", "zipf", "--qd", "7",
            "--block-size", "16K")
    first, again = (bench(0, *args)["runs"][0]["counts"] for _ in range(2))
    other = bench(0, *args, "--seed", "2")["runs"][0]["counts"]
    assert first == again, (first, again)
    assert other != first
    assert first["user_blocks_written"] <= 4 * COUNT < first["user_blocks_written"] + 4 * COUNT


def says_that_few_bands_cost_more():
    many = "mem:64M,kind=zoned,chunk-blocks=16"
    for medium, few in ((SMALL[1], True), (many, False)):
        done = subprocess.run([HOSTFTL, "bench", "--medium", medium, "--count", "100",
                               "--runs", "1"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert ("bands, and much of its spare space" in done.stderr) == few, done.stderr


def says_whether_it_became_steady():
    told = bench(0, *SMALL, "--count", "1", "--runs", "1")["precondition"]
    assert told["kind"] == "steady" and told["windows"] >= 4 and told["waf"] >= 1, told
    wafs = told["window_wafs"]
    assert len(wafs) == told["windows"] and abs(told["waf"] - sum(wafs[-4:]) / 4) < 1e-9, told
    if told["steady"]:
        assert max(wafs[-4:]) - min(wafs[-4:]) <= 0.05 * sum(wafs[-4:]) / 4, told
    for how in ("none", "fill"):
        told = bench(0, *SMALL, "--count", "1", "--precondition", how)["precondition"]
        assert told == {"kind": how}, told


def says_where_writes_went():
    """Each place once: a new device whose every block was written has nothing left to write to but
    what it wrote, so WAF says whether any was written twice."""
    told = bench(0, *SMALL, "--workload", "fresh-random-write", "--runs", "1")
    assert told["runs"][0]["counts"]["writes"] == told["bytes"] / 4096, told["runs"][0]["counts"]
    assert told["distribution"] == "once" and told["runs"][0]["counts"]["bands_erased"] == 0
    # Most of the writes go to a few places: cleaning finds bands without anything valid.
    uniform, hot = (bench(0, "--medium", "mem:64M,kind=ocssd", "--count", "40000", "--runs", "1",
                          "--distribution", how) for how in ("uniform", "99:1"))
    assert hot["distribution"] == "99:1", hot
    assert hot["metrics"]["waf"]["median"] < 0.8 * uniform["metrics"]["waf"]["median"], hot
    for wrong in ("100:1", "0:10", "10", "a:b", "10:", ":10", "5:100"):
        bench(16, *SMALL, "--distribution", wrong)


def makes_as_much_spare_space_as_is_asked_for():
    for op in (30, 50):
        told = bench(0, "--medium", "mem:64M,chunk-blocks=32", "--op", str(op), "--count", "1",
                     "--runs", "1", "--precondition", "none")
        assert told["op_effective_permille"] == 10 * op, told
        per_block = told["memory_bytes"] / (told["bytes"] / 4096)
        assert abs(told["memory_bytes_per_block"] / per_block - 1) < 1e-6
    bench(16, *SMALL, "--op", "0")
    bench(16, "d", "--op", "20")
    assert bench(0, "--medium", "mem", "--count", "1", "--runs", "1", "--precondition",
                 "none")["medium"].startswith("mem:")


def sha(path):
    with open(path, "rb") as drive:
        return hashlib.sha256(drive.read()).hexdigest()


def destroys_nothing_unasked():
    subprocess.run([HOSTFTL, "emu", "create", "-q", "--kind", "zoned", "--size", "32M", "d"],
                   check=True, timeout=60)
    subprocess.run([HOSTFTL, "format", "-q", "d"], check=True, timeout=60)
    before = sha("d")
    for name in WORKLOADS[2:]:
        if "read" not in name:
            assert bench(1, "d", "--workload", name, "--count", "9")["status"] == "EXISTS"
    assert bench(1, "d", "--workload", "random-read", "--precondition", "fill")["path"] == "d"
    assert bench(1, "--medium", "d", "--count", "9")["status"] == "EXISTS"
    assert bench(16, "d", "--workload", "fresh-write")["path"] is None
    for name in ("random-read", "sequential-read"):
        told = bench(0, "d", "--workload", name, "--count", "500", "--runs", "1")
        assert told["runs"][0]["counts"]["reads"] == 500 and told["precondition"]["kind"] == "none"
    for words in (("d",), ("--medium", "overlay:emu:d", "--force")):  # the drive is no report
        told = bench(1, *words, "--workload", "random-read", "--count", "9", "--report", "d")
        assert told["status"] == "EXISTS" and told["path"] == "d", told
    assert sha("d") == before, "reading alone changed the drive"
    told = bench(0, "d", "--force", "--precondition", "none", "--count", "500", "--runs", "1")
    assert told["runs"][0]["counts"]["writes"] == 500 and sha("d") != before
    bench(0, "--medium", "d", "--force", "--workload", "fresh-write", "--runs", "2")


def replaces_a_report_when_there_is_another():
    def page(code, *words):
        bench(code, *words, "--workload", "fresh-write", "--count", "9", "--runs", "1", "--report",
              "page")
        with open("page", encoding="utf-8") as file:
            return file.read()

    first = page(0, *SMALL)
    with open("page", "a", encoding="utf-8") as file:
        file.write("left over" * 1000)
    second = page(0, *SMALL)
    assert first.startswith("<!DOCTYPE html>") and second.endswith("</html>\n"), second[-99:]
    assert page(1, "--medium", "mem:1M") == second, "lost to a bench that measured nothing"


def ends_in_order_when_interrupted():
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(
                [HOSTFTL, "bench", "-o", "json", "--medium", "d", "--force", "--precondition",
                 "none", "--seconds", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True) as running:
            first = running.stdout.readline()  # the progress of the first run
            assert "milliseconds" in first, first
            running.send_signal(number)
            out, said = running.communicate(timeout=60)
        told = last_envelope(out)
        jsonschema.validate(told, SCHEMA)
        assert running.returncode == 1 and "interrupted" in said, (running.returncode, said)
        assert told["data"]["interrupted"] and told["data"]["runs"][0]["counts"]["writes"] > 0
        info = subprocess.run([HOSTFTL, "info", "-o", "json", "d"], capture_output=True, text=True,
                              check=True, timeout=60)
        assert json.loads(info.stdout)["data"]["clean"]


def counts_failures_and_fails():
    told = bench(1, "--medium", "fault=read,nth=5000,onwards:mem:32M,kind=zoned", "--workload",
                 "random-read", "--count", "20000", "--runs", "1")
    assert 0 < told["runs"][0]["counts"]["failed"] < 20000, told["runs"][0]["counts"]


def has_a_schema_that_can_fail():
    good = {"hostftl": {"version": "0.1.0", "schema": 1, "verb": "bench"},
            "data": bench(0, *SMALL, "--count", "9", "--precondition", "none")}
    jsonschema.validate(good, SCHEMA)
    for spoil in (lambda d: d.update(stranger=1), lambda d: d.pop("seed"),
                  lambda d: d["runs"][0]["counts"].update(writes=-1),
                  lambda d: d["metrics"]["waf"].pop("median")):
        spoilt = copy.deepcopy(good)
        spoil(spoilt["data"])
        try:
            jsonschema.validate(spoilt, SCHEMA)
        except jsonschema.ValidationError:
            continue
        raise AssertionError(f"the schema takes {spoilt}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for test in (counts_what_was_done, repeats_itself_for_a_seed,
                     says_that_few_bands_cost_more, says_whether_it_became_steady,
                     says_where_writes_went, makes_as_much_spare_space_as_is_asked_for,
                     destroys_nothing_unasked, replaces_a_report_when_there_is_another,
                     ends_in_order_when_interrupted, counts_failures_and_fails,
                     has_a_schema_that_can_fail):
            test()
            print(test.__name__)
        os.chdir("/")


main()
