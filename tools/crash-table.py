#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The crash table, of what tools/explore.sh wrote: crash-table.py FILE... >doc/crash-table.md"""
import json
import sys

PROMISED = {
    "exhaustive": ("power cut at every operation of the medium, in every way that it may leave "
                   "what was not flushed: any prefix of each chunk, a torn write, a half erased "
                   "chunk, a flush or finish half done; the host dies and the drive lives; a chunk "
                   "that cannot be read", "what was flushed is there; each block is one whole "
                   "version, and stays what was seen"),
    "nested": ("power cut at every operation of a recovery from such a cut, and of the recovery "
               "from that", "the same, and no band is lost"),
    "ace": ("power cut, in every way, in every sequence of two requests to two blocks of a new "
            "and of a full device", "the same"),
    "storm": ("power cut during recovery, over and over, without any progress between",
              "the same; the bands that were free are free, all space can be written"),
    "oom": ("each allocation of format and open fails, once or from then on",
            "a refusal with a reason, or read-only with a reason; nothing leaks; it opens later "
            "with everything"),
    "ioerr": ("each operation of the medium fails, once or from then on, in each way: nothing "
              "done, all done, half done, a hole, closed early, read-only, offline, a flipped "
              "bit; in use and in recovery",
              "never other data; what was flushed is there when the errors are over; read-only "
              "or a refusal with a reason. A chunk that is gone, or metadata that stays "
              "unreadable, may bring back an older version (FORMAT.md, 12)"),
    "liar": ("a flush says that all is well and has made nothing durable, once or from then on; "
             "then the power goes, and the drive is honest",
             "each block is a whole version that was once written there, zeros, or an error; or no "
             "device is there any more. What is written afterwards is as safe as ever"),
    "bitflip": ("each bit of the metadata at rest flips, and a bit of each block of data",
                "never damaged data: an error, or where metadata was hit the version before "
                "(FORMAT.md, 12)"),
    "swarm": ("all of these by chance, on all drives and ones made by chance: cuts, cuts in "
              "recovery, errors, slow drives, units that stand still until the power goes",
              "the same as above; answers in bounded time, but of a drive that stands still; what "
              "is read of a block has an order"),
}


def main():
    rows = {}
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                one = json.loads(line)
                row = rows.setdefault(one["mode"], [0, 0, 0, 0, 0])
                for i, key in enumerate(
                        ("points", "recoveries", "blocks_judged", "old_served", "violations")):
                    row[i] += one.get(key, 0)
    print("# Crash table\n")
    print("Made by `tools/crash-table.py` of what `tools/explore.sh` found; testing.md says how. "
          "Held: no violation in\nso many cases. `hostftl-sim explore --mode NAME` runs one class "
          "again.\n")
    print("| class | fault | injected | opened | blocks read and judged | promised | held |")
    print("|---|---|---:|---:|---:|---|---|")
    for mode, (fault, promised) in PROMISED.items():
        if mode not in rows:
            continue
        points, opened, judged, old, violations = rows[mode]
        held = "yes" if violations == 0 else f"NO, {violations} times"
        if old:
            held += f"; an older version {old:,} times"
        print(f"| {mode} | {fault} | {points:,} | {opened:,} | {judged:,} | {promised} | {held} |")


if __name__ == "__main__":
    main()
