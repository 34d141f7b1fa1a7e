#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A served device at which nobody looks costs next to nothing, also right after it was overwritten
# at random: cleaning ends when there is enough room, nothing polls, nothing is written.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need jq
need_libnbd
image=$folder/d.img
for_seconds=10 allowed_permille=5

cat >"$folder/overwrite.py" <<'PYTHON'
import nbd, random, sys
h = nbd.NBD()
h.connect_uri(sys.argv[1])
size = h.get_size() // 65536
random.seed(7)
for n in list(range(size)) + [random.randrange(size) for _ in range(size)]:
    h.pwrite(random.randbytes(65536), n * 65536)
for _ in range(4000):
    h.pwrite(random.randbytes(4096), random.randrange(size * 16) * 4096)
h.flush()
PYTHON

# Ticks of processor time that all of them had.
ticks() {
    local pid sum=0 fields
    for pid in "$server" "$(engine)"; do
        read -ra fields < <(sed 's/^.*) //' "/proc/$pid/stat")
        sum=$((sum + fields[11] + fields[12]))
    done
    echo "$sum"
}

writes() { timeout 20 "$hostftl" emu info -o json "$image" | jq .data.counters.blocks_written; }

# Nothing was written to the drive for two seconds.
is_quiet() {
    local before
    before=$(writes)
    sleep 2
    [ "$before" = "$(writes)" ]
}

for kind in ocssd zoned; do
    drive "$image" --kind "$kind" --size 128M --no-fsync
    serve "$image"
    timeout 120 "$python" "$folder/overwrite.py" "$uri" || fail "overwriting"
    wait_for 60 is_quiet || fail "$kind: something is written though nobody writes"
    written=$(writes)
    before=$(ticks)
    [ "$before" -gt 0 ] || fail "nobody's time is looked at"
    sleep "$for_seconds"
    used=$(($(ticks) - before))
    [ "$written" = "$(writes)" ] || fail "$kind: something was written while nobody wrote"
    permille=$((used * 1000 / ($(getconf CLK_TCK) * for_seconds)))
    [ "$permille" -lt "$allowed_permille" ] || fail "$kind: $permille permille of a processor, idle"
    echo "$kind: $used ticks in $for_seconds s"
    stop_server
    rm -f "$image"
done
