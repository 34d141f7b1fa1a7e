#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# tools/explore.sh, with a program in the place of hostftl-sim that finds something in one search
# and dies in another: called again it does these two, and no search has two lines.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "resume: $*"; exit 1; }

cat >"$folder/hostftl-sim" <<'END'
#!/bin/sh
echo "$*" >>"${0%/*}/asked"
case $* in
    *"storm --geometry tiny -o"*) echo '{"mode":"storm","points":7,"violations":1}'; exit 1 ;;
    *"storm --geometry tiny-oob"*) exit 134 ;;
    *swarm*) echo '{"mode":"swarm","points":2,"violations":0}' ;;
    *) echo '{"mode":"oom","points":3,"violations":0}' ;;
esac
END
chmod +x "$folder/hostftl-sim"

for call in 1 2 3; do
    : >"$folder/asked"
    status=0
    "$HFTL_SOURCE/tools/explore.sh" "$folder" short >"$folder/said" 2>&1 || status=$?
    [ "$status" -eq 1 ] || fail "call $call: exit status $status where something was found"
    asked=$(wc -l <"$folder/asked") lines=$(wc -l <"$folder/explore-short.json")
    echo "call $call: $asked searches, $lines lines"
    [ "$call" -gt 1 ] || all=$asked
    [ "$asked" -eq $((call == 1 ? all : 2)) ] || fail "what ended well is searched again"
    [ "$lines" -eq $((all - 1)) ] || fail "$lines lines of $all searches, of which one has none"
    [ "$(sort -u "$folder/explore-short.json" | wc -l)" -eq "$lines" ] || fail "a search twice"
    grep -q 'exit status 134' "$folder/said" || fail "one that died is not told"
done
[ "$all" -ge 10 ] || fail "$all searches"
"$HFTL_SOURCE/tools/crash-table.py" "$folder/explore-short.json" >"$folder/table"
grep -q '^| storm .*| 7 |.*NO, 1 times' "$folder/table" || fail "the table counts another way"

# Another program: everything anew.
echo '# another' >>"$folder/hostftl-sim"
: >"$folder/asked"
"$HFTL_SOURCE/tools/explore.sh" "$folder" short >/dev/null 2>&1 || true
[ "$(wc -l <"$folder/asked")" -eq "$all" ] || fail "of another program what ended well is left out"
