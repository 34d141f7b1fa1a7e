#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Has spin search all states of the models (models/*.pml), and of each variant that a model's head
# lists under PLANTED: the model must hold, each variant must fail.
#   models.sh FOLDER [MODEL...]        FOLDER: for what is made on the way, and the trails
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: models.sh FOLDER [MODEL...]" >&2; exit 2; }
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
models=("$@")
[ ${#models[@]} -gt 0 ] || models=(superblock flush relocation)

# search MODEL [VARIANT]: sets $errors and $states; no end of the search is a failure of its own.
search() {
    local at=$folder/$1${2:+-$2}
    rm -rf "$at" && mkdir -p "$at" && cd "$at"
    cp "$top/models/$1.pml" .
    spin -a ${2:+-D"$2"} "$1.pml" >spin.log 2>&1 || { cat spin.log >&2; return 1; }
    gcc -O2 -w -DSAFETY -DCOLLAPSE -DVECTORSZ=1024 -DMEMLIM=2000 -o pan pan.c
    timeout 240 ./pan -E -m100000 >pan.log 2>&1 || { tail -n 20 pan.log >&2; return 1; }
    errors=$(sed -n 's/.*depth reached.*errors: *//p' pan.log)
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)
    if [ -z "$errors" ] || grep -q -e 'max search depth too small' -e 'out of memory' pan.log; then
        echo "$at: the search did not end" >&2
        return 1
    fi
}

failed=0
for model in "${models[@]}"; do
    search "$model"
    if [ "$errors" -eq 0 ]; then
        echo "$model: holds in all of $states states"
    else
        failed=1
        echo "$model: FAILS; see it with: cd $folder/$model && spin -t -p -g $model.pml"
    fi
    variants=$(sed -n '/^ \* PLANTED/,/^ \*\//s/^ \*   \([A-Z_]\{4,\}\) .*/\1/p' \
        "$top/models/$model.pml")
    [ -n "$variants" ] || { echo "$model: nothing planted"; failed=1; }
    for variant in $variants; do
        search "$model" "$variant"
        if [ "$errors" -gt 0 ]; then
            echo "    $variant is caught"
        else
            failed=1
            echo "    $variant SURVIVES in $states states"
        fi
    done
done
exit "$failed"
