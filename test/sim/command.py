#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The command line of hostftl-sim: nonsense is refused (2) with a sentence, nothing is silently
left out, and what is printed as JSON says how to have it again."""

import json
import os
import re
import subprocess
import time

SIM = os.path.join(os.environ["HFTL_BUILD"], "hostftl-sim")
BEYOND = str(2**64)

# verb, options: refused. Below each verb numbers that are none, or none that it can do.
REFUSED = [
    # not this verb's, or this mode's
    "swarm --story flush", "swarm --mode ace", "swarm --op 3", "swarm --variant 1",
    "swarm --case 1.2", "swarm --length 3", "swarm --depth 1", "swarm --ways 1",
    "swarm --blocks 1", "swarm --cuts 1", "model --story flush", "model --mode oom",
    "model --op 3", "model --variant 3", "model --runs 2", "model --off deep",
    "explore --op 3", "explore --variant 3", "explore --runs 2", "explore --off deep",
    "explore --acts 3", "explore --skip 3", "mutants --op 3", "mutants --variant 3",
    "mutants --runs 3", "mutants --violations 3", "mutants --verbose", "mutants --mode ace",
    "mutants --skip 1", "--mode ace", "--case 1", "--runs 1", "--skip 1", "--acts 9",
    "--off deep", "--length 3", "--blocks 2",
    "explore --mode ace --story flush", "explore --mode oom --length 3",
    "explore --mode bitflip --length 3", "explore --mode storm --length 3",
    "explore --mode exhaustive --depth 2", "explore --mode oom --ways 3",
    "explore --mode liar --ways 3", "explore --mode nested --blocks 3",
    "explore --mode nested --cuts 3", "--latency never", "model --latency never",
    # beyond what there is
    "explore --mode ace --blocks 1000", "explore --mode ace --blocks 33",
    "explore --mode ace --length 9", "explore --mode nested --depth 7",
    "swarm --acts 4001", "model --acts 2001", "swarm --skip 400", "swarm --acts 9 --skip 9",
    "--variant 9", "--variant 4294967295", "--op 9223372036854775808",
    "swarm --tuning victims=5", "swarm --tuning blocks=257", "swarm --tuning percent=101",
    "explore --case " + ".".join("1" * 17), "explore --case " + BEYOND,
    "explore --case 99999999", "explore --mode storm --cuts 9 --case 1",
    "--op 9223372036854775807 --story flush --geometry tiny --budget 5",
    # in no time nothing is found
    "--budget 1e-300", "explore --budget 1e-300",
    # no such thing
    "swarm swarm", "explore swarm", "nothing", "--story nothing", "--geometry nothing",
    "explore --mode nothing", "--latency nothing", "--judge nobody", "--tuning nothing",
    "swarm --off torn", "--mutant nothing", "mutants --mutant nothing", "-o xml", "--nothing",
    # no list, no path, no tuning
    "swarm --skip x", "swarm --skip 9-3", "swarm --skip 1,", "swarm --skip 1--3",
    "swarm --skip -3", "swarm --skip=", "model --skip 1;2", "explore --case 1..2",
    "explore --case .1", "explore --case 1.", "explore --case=", "--tuning=",
    "--tuning victims=-1", "--tuning policy=", "--tuning ==", "--tuning paused=1",
] + [f"{option} {text}" if text else f"{option}="
     for option in ("--seed", "--op", "--variant", "--budget", "--violations", "swarm --runs",
                    "swarm --acts", "explore --length", "explore --mode nested --depth",
                    "explore --ways", "explore --mode ace --blocks",
                    "explore --mode storm --cuts")
     for text in ("", "x", "-1", "0x", "3x", BEYOND, "nan")
     if not (option == "--budget" and text == BEYOND)
] + [f"{option} 0"
     for option in ("--budget", "--violations", "swarm --runs", "swarm --acts",
                    "explore --length", "explore --mode nested --depth", "explore --ways",
                    "explore --mode ace --blocks", "explore --mode storm --cuts")]

# What is odd and makes sense: (words, exit status).
TAKEN = [
    "explore --mode ace --blocks 32 --length 8 --budget 0.3",
    "explore --mode exhaustive --length 4294967295 --ways 1 --budget 0.3",
    "explore --mode storm --cuts 9 --case 0", "explore --mode storm --cuts 1",
    "swarm --runs 1 --seed 0xffffffffffffffff", "swarm --runs 1 --seed 18446744073709551615",
    "swarm --runs 1 --acts 4000 --skip 0-3999 --seed 0", "swarm --budget 1e-300",
    "swarm --seed 5 --skip 1,3-9", "swarm --runs 1 --off cut-torn,deep --violations 1",
    "swarm --runs 1 --tuning victims=4,blocks=256,policy=fifo,percent=0,start=100000,paused",
    "model --acts 2000 --skip 0-1990", "--op 100 --story flush --geometry tiny --variant 0",
    "--list",
]


def sim(words, **more):
    return subprocess.run([SIM, *words.split()], capture_output=True, text=True, timeout=100,
                          stdin=subprocess.DEVNULL, check=False, **more)


def nonsense_is_refused_with_a_sentence():
    for words in REFUSED:
        done = sim(words)
        assert done.returncode == 2, (words, done.returncode, done.stdout, done.stderr)
        assert done.stderr.strip() and "violation:" not in done.stderr, (words, done.stderr)
        assert "must hold" not in done.stderr, (words, done.stderr)


def what_makes_sense_is_done():
    for words in TAKEN:
        done = sim(words)
        assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)


def output_that_cannot_be_written_is_told():
    for words in ("--list", "swarm --runs 1", "swarm --runs 1 -o json"):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([SIM, *words.split()], stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=100, check=False)
        assert done.returncode == 2 and "cannot be written" in done.stderr, (words, done)


def one_line(words):
    done = sim(words + " -o json")
    assert done.returncode == 0, (words, done)
    lines = done.stdout.splitlines()
    assert len(lines) == 1, (words, done.stdout)
    return json.loads(lines[0]), done.stderr


def a_swarm_without_a_seed_takes_another_each_time_and_says_so():
    seeds = set()
    for words in ("swarm --runs 1", "swarm --runs 1 -o json") * 2:
        done = sim(words)
        said = [line.split()[1] for line in (done.stdout + done.stderr).splitlines()
                if line.startswith("seed ")]
        assert said and len(set(said)) == 1, (words, done)
        if "json" in words:
            assert json.loads(done.stdout)["seed"] == said[0], (words, done)
        seeds.add(said[0])
    assert len(seeds) == 4, seeds


def json_of_a_swarm_says_what_its_lines_say():
    seed = "0xfedcba9876543210"
    told, said = one_line(f"swarm --seed {seed} --runs 3")
    lines = sim(f"swarm --seed {seed} --runs 3").stdout
    assert told["seed"] == seed and f"seed {seed}\n" in lines, (told, lines)
    assert f"hash {told['hash']}\n" in lines, (told, lines)
    assert f"blocks judged {told['blocks_judged']}," in lines, (told, lines)
    assert told["violations"] == 0 and told["first"] == told["replay"] == "", told
    assert "seed" not in said, said


def json_of_all_has_the_seed():
    for words in ("--story flush --geometry tiny --op 100", "model --acts 20 --skip 1",
                  "explore --length 1 --story flush", "swarm --runs 1"):
        told, _ = one_line(f"{words} --seed 0xffffffffffffffff")
        assert told["seed"] == "0xffffffffffffffff", (words, told)
        assert {"first", "replay", "violations"} <= set(told), (words, told)


def a_tuning_that_was_asked_for_is_had_in_each_run():
    """Otherwise half of the runs have the defaults, and the two are the same."""
    for seed in range(1, 9):
        words = f"swarm --runs 1 --seed {seed} --off fill"
        one = sim(words + " --tuning blocks=1").stdout.splitlines()[1]
        other = sim(words + " --tuning blocks=1,percent=0,start=9,paused").stdout.splitlines()[1]
        assert one != other, (seed, one)


def who_is_stopped_says_what_was_done():
    for words, count in (("swarm --runs 999999", "runs"), ("model --budget 999", "lists"),
                         ("explore --mode nested --length 60", "points")):
        for pause in (1, 5, 25): # on a busy machine it has not begun sooner
            with subprocess.Popen([SIM, *words.split(), "-o", "json"], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True) as running:
                time.sleep(pause)
                running.terminate()
                said = running.communicate(timeout=60)[0]
            if running.returncode == 0:
                break
        told = json.loads(said)
        assert running.returncode == 0 and told[count] > 0, (words, running.returncode, told)
        assert not told.get("complete"), told


def the_page_names_what_help_names():
    page = os.path.join(os.environ["HFTL_SOURCE"], "doc", "man", "hostftl-sim.1.scd")
    with open(page, encoding="utf-8") as lines:
        defined = [line for line in lines if line.startswith("*-")]
    paged = set(re.findall(r"-(\w), (--[a-z]+)\*?(?:=(\S*))?", " ".join(defined)
                           .replace("*=", "=").replace("*", "").replace("_", "")))
    helped = set(re.findall(r"^ +-(\w), (--[a-z]+)(?:=(\w+))?", sim("--help").stdout, re.M))
    strip = {(letter, name, value.rstrip(",").lower()) for letter, name, value in paged}
    # "json" is the only FORMAT; --help and --usage of argp are everybody's.
    want = {(letter, name, "json" if name == "--output" else value.lower())
            for letter, name, value in helped if name not in ("--usage", "--version")}
    assert strip == want and len(want) > 20, (strip ^ want)


def mutants_say_each_as_it_is_tried():
    """Skipped in a build without them, as mutants.sh."""
    name = "flush-does-not-wait"
    done = sim(f"mutants --mutant {name} --budget 2 -o json")
    if done.returncode == 77:
        assert done.stdout == "" and "no mutants" in done.stderr, done
        return
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line.get("name") for line in lines] == ["none", name, None], lines
    assert lines[1]["caught"] and lines[1]["replay"], lines
    assert lines[2] == {"sound": True, "mutants": 1, "survivors": 0}, lines
    # Stopped after the first, it has said it.
    with subprocess.Popen([SIM, *"mutants --budget 2 -o json".split()],
                          stdout=subprocess.PIPE, text=True) as stopped:
        first = json.loads(stopped.stdout.readline())
        stopped.kill()
    assert first["name"] == "none", first
    # A violation, as JSON and as a line, in the same words.
    done = sim(f"swarm --seed 1 --mutant {name} --violations 1 -o json")
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["violations"] == 1, done
    assert f"violation: {told['first']}\n    replay: {told['replay']}\n" in done.stderr, done
    words = told["replay"].split()[1:] + ["--mutant", name]
    assert sim(" ".join(words)).returncode == 1, told


def main():
    for test in (nonsense_is_refused_with_a_sentence, what_makes_sense_is_done,
                 output_that_cannot_be_written_is_told,
                 a_swarm_without_a_seed_takes_another_each_time_and_says_so,
                 json_of_a_swarm_says_what_its_lines_say, json_of_all_has_the_seed,
                 a_tuning_that_was_asked_for_is_had_in_each_run,
                 who_is_stopped_says_what_was_done, the_page_names_what_help_names,
                 mutants_say_each_as_it_is_tried):
        test()
        print(f"passed: {test.__name__}")


if __name__ == "__main__":
    main()
