#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goes through all of the small worlds, and some of the larger ones:
#
#     explore.sh FOLDER [short|long|campaign]
#
# Each search is a line of JSON in FOLDER/explore-short.json (or -long), of which crash-table.py
# makes its table. A search that ended well in an earlier call is not run again where the program
# is the same, so that a long one goes on where it was stopped; one that did not is, and its new
# line takes the place of the old one. Exit status 0: no violations.
set -euo pipefail

folder=${1-} length=${2:-short}
[ $# -ge 1 ] && [[ " short long campaign " == *" $length "* ]] ||
    { echo "usage: explore.sh FOLDER [short|long|campaign]" >&2; exit 2; }
sim=$folder/hostftl-sim out=$folder/explore-$length.json
[ -x "$sim" ] || { echo "explore.sh: there is no $sim" >&2; exit 2; }
sum=$(sha256sum "$sim" | cut -c1-16)
done=$folder/explore-$length.done
touch "$out" "$done"
if ! grep -qx "program $sum" "$done"; then
    : >"$out"
    echo "program $sum" >"$done"
fi
status=0

search() {
    grep -qxF -- "$*" "$done" && return
    local line failed=0 mark="\"search\":\"$*\"}"
    line=$("$sim" "$@" -o json) || failed=$?
    if [ -n "$line" ]; then
        grep -vF -- "$mark" "$out" >"$out.new" || true
        line=${line%\}},$mark
        echo "$line" >>"$out.new"
        mv "$out.new" "$out"
        cut -c1-160 <<<"$line"
    fi
    if [ "$failed" -eq 0 ]; then
        echo "$*" >>"$done"
    else
        echo "exit status $failed: hostftl-sim $*" >&2
        status=1 # the others are searched all the same
    fi
}

explore() { search explore --mode "$@"; }

if [ "$length" = short ]; then
    explore exhaustive --geometry tiny --length 12
    explore exhaustive --geometry tiny-oob --length 6
    explore nested --geometry tiny --story flush --length 4
    explore ace --geometry tiny
    for drive in tiny tiny-oob; do
        explore oom --geometry $drive
        explore ioerr --geometry $drive
        explore bitflip --geometry $drive
        explore storm --geometry $drive
        explore liar --geometry $drive
    done
    search swarm --runs 2000 --seed "${HFTL_SEED:-20}"
elif [ "$length" = campaign ]; then # every drive, every story; half an hour
    stories="fill trim flush fua clean95 clean100 bands reopen circular journal same empty format"
    drives=$("$sim" --list | sed -n '/^geometries/,/^variants/s/^    \([^ ]*\).*/\1/p')
    for drive in $drives; do
        explore exhaustive --geometry "$drive" --budget 25
    done
    for story in $stories; do
        explore nested --geometry tiny --story "$story" --length 4 --budget 25
        explore nested --geometry tiny-oob --story "$story" --length 4 --budget 25
    done
    for drive in $drives; do
        explore storm --geometry "$drive" --budget 60
    done
    for drive in tiny tiny-oob; do
        explore oom --geometry "$drive"
        explore ioerr --geometry "$drive"
        explore bitflip --geometry "$drive"
        explore ace --geometry "$drive"
        explore liar --geometry "$drive"
    done
    search swarm --runs 60000 --seed "${HFTL_SEED:-20}"
else
    for drive in tiny tiny-oob; do
        explore exhaustive --geometry $drive --length 60
        explore ace --geometry $drive --length 3
        for story in fill trim flush fua clean100 bands reopen circular journal same empty format
        do
            explore nested --geometry $drive --story $story
        done
        explore nested --geometry $drive --story flush --length 2 --depth 3
        explore storm --geometry $drive --cuts 100000
    done
    for seed in 2 3 4 5; do
        for drive in tiny tiny-oob oc oc-3pu oc-bare bare-slices zoned zoned-2 zoned-cached flat
        do
            explore oom --geometry $drive --seed $seed
            explore ioerr --geometry $drive --seed $seed --budget 1200
            explore bitflip --geometry $drive --seed $seed --budget 1200
            explore storm --geometry $drive --seed $seed
            explore liar --geometry $drive --seed $seed --budget 1200
        done
    done
    for seed in $(seq 100 199); do
        search swarm --runs 20000 --seed "$seed"
    done
fi
exit "$status"
