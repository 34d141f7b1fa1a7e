#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two devices on one emulated drive, served at once by two processes: fio verifies on both, what
# overlaps is refused with its reason, SIGKILL of one server does not disturb the other, and the
# first recovers while the second goes on. Of many formats at once, exactly one wins.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need jq fio
fio --enghelp 2>/dev/null | grep -qw nbd || skip "this fio has no engine nbd"
cd "$folder" # fio leaves files where it runs
declare -A pids=()

uri_of() { echo "nbd+unix:///?socket=$folder/$1.sock"; }

# serve_one NAME: in the background, with nobody who would start it again.
serve_one() {
    local answer
    answer=$(timeout 60 "$hostftl" serve "d.img#$1" --nbd "unix:$folder/$1.sock" --daemon \
        --no-restart --log "$folder/$1.log" -o json) || fail "serve $1: $(cat "$1.log")"
    pids[$1]=$(jq .data.pid <<<"$answer")
}

stop_one() {
    kill -TERM "${pids[$1]}" || fail "the server of $1 is gone"
    wait_for 60 gone "${pids[$1]}" || fail "the server of $1 does not end"
    unset "pids[$1]"
}

kill_one() {
    kill -KILL "${pids[$1]}" || fail "the server of $1 is gone"
    wait_for 20 gone "${pids[$1]}" || fail "the server of $1 outlived SIGKILL"
    unset "pids[$1]"
    rm -f "$1.sock"
}

more_cleaning() {
    local name
    for name in "${!pids[@]}"; do
        kill -KILL "${pids[$name]}" 2>/dev/null
    done
}

# verify NAME OPTIONS...: fio on the device; the end of what it says goes to NAME.fio.
verify() {
    local name=$1
    shift
    timeout 200 fio --name="$name" --ioengine=nbd --uri="$(uri_of "$name")" --bs=4k --iodepth=16 \
        --verify=crc32c --verify_fatal=1 --verify_state_save=0 --serialize_overlap=1 --randseed=7 \
        --output="$name.fio" "$@" 2>>"$name.fio.log"
}

# Writes and verifies b again and again, until the file "enough" is there.
keep_verifying() {
    local seed=0
    while [ ! -e enough ]; do
        seed=$((seed + 1))
        verify b --rw=randwrite --size=32M --randseed="$seed" || return 1
    done
    [ "$seed" -gt 1 ]
}

# refused WORDS COMMAND...: fails, and says so in these words.
refused() {
    local words=$1 code=0
    shift
    timeout 60 "$hostftl" "$@" >/dev/null 2>refusal || code=$?
    [ "$code" -eq 1 ] || fail "$*: exit code $code instead of 1"
    grep -q -- "$words" refusal || fail "$*: no \"$words\" in: $(cat refusal)"
}

is_clean() { [ "$(timeout 20 "$hostftl" info -o json "d.img#$1" | jq .data.clean)" = true ]; }

timeout 60 "$hostftl" emu create -q --kind ocssd --size 512M --groups 2 --pus 4 d.img
timeout 60 "$hostftl" format -q --pus 0-3 --name a d.img
timeout 60 "$hostftl" format -q --pus 4-7 --name b d.img
refused 'there is a hostftl device "a" already, on parallel units 0-3' \
    format --pus 2-3 --name c d.img
refused 'part of it is never destroyed' format --pus 2-5 --name c --force d.img
refused 'named "b" already' format --pus 0-3 --name b --force d.img
refused 'the drive has 0-7' format --pus 6-9 --name c d.img
refused 'several devices share the drive, name one as DRIVE#NAME: a, b' \
    serve d.img --nbd "unix:$folder/c.sock"
refused "no device 'c' there; there is: a, b" info d.img#c
echo "two devices: made, and what would overlap is refused"

serve_one a
serve_one b
[ "$(timeout 20 "$hostftl" info -o json d.img | jq -c '[.data.devices[] | [.name, .pid]]')" = \
    "[[\"a\",${pids[a]}],[\"b\",${pids[b]}]]" ] || fail "info does not list who serves what"
held=$(timeout 20 "$hostftl" emu info -o json d.img | jq -c '[.data.holders[].pu_first]')
[ "$held" = "[0,4]" ] ||
    fail "emu info does not list the holders"
verify a --rw=randwrite --size=64M &
fio_a=$!
verify b --rw=randwrite --size=64M &
fio_b=$!
refused "its parallel units 0-3 are in use by process ${pids[a]}" \
    serve d.img#a --nbd "unix:$folder/c.sock"
refused "its parallel units 4-7 are in use by process ${pids[b]}" \
    format --pus 4-7 --name c --force d.img
refused 'in use by process' format --force d.img
refused 'in use' emu serve-raw d.img --nbd "unix:$folder/c.sock"
refused 'in use' emu create --kind ocssd --size 64M --force d.img
timeout 20 "$hostftl" emu zones d.img >zones || fail "emu zones while in use"
wait "$fio_a" || fail "a: fio: $(tail -n 5 a.fio a.fio.log)"
wait "$fio_b" || fail "b: fio: $(tail -n 5 b.fio b.fio.log)"
echo "two servers: verified at once, the third refused"

# What fio flushed at its end must be there after the kill; b is written all the time.
verify a --rw=write --bs=64k --size=48M --end_fsync=1 --do_verify=0 || fail "a: fio before the kill"
for round in 1 2 3; do
    rm -f enough
    keep_verifying &
    fio_b=$!
    timeout 60 fio --name=load --ioengine=nbd --uri="$(uri_of a)" --rw=randwrite --bs=4k \
        --offset=56M --size=32M --iodepth=16 --time_based --runtime=30 --output=/dev/null \
        2>/dev/null &
    load=$!
    sleep 1
    kill_one a
    wait "$load" 2>/dev/null || true
    serve_one a # recovers, while b goes on
    verify a --rw=write --bs=64k --size=48M --verify_only ||
        fail "round $round: a: what was flushed: $(tail -n 5 a.fio a.fio.log)"
    sleep 1
    touch enough
    wait "$fio_b" || fail "round $round: b was disturbed: $(tail -n 5 b.fio b.fio.log)"
done
stop_one a
stop_one b
is_clean a || fail "a: not clean"
is_clean b || fail "b: not clean"
timeout 60 "$hostftl" bench -q --workload random-read --runs 1 --count 100 --precondition none \
    "d.img#b" || fail "bench of one of two devices"
echo "three SIGKILLs of one server: the other not disturbed, what was flushed is there"

# Of formats that overlap, exactly one; of those with one name on different units, exactly one.
# formats WORDS...: one a word, "PUS=NAME", all at once on a new drive.
formats() {
    local word running=()
    rm -f r.img won.*
    timeout 60 "$hostftl" emu create -q --kind ocssd --size 64M --groups 2 --pus 4 --no-fsync r.img
    for word in "$@"; do
        timeout 60 "$hostftl" format -q --pus "${word%=*}" --name "${word#*=}" r.img 2>/dev/null \
            >"won.$word" && echo "$word" >"won.$word" || rm -f "won.$word" &
        running+=($!)
    done
    wait "${running[@]}" || true
    find . -name 'won.*' -size +0 | wc -l
}
for round in 1 2 3 4 5 6; do
    [ "$(formats 0-3=a 2-5=b 3-7=c 3-3=d 0-7=e)" -eq 1 ] || fail "overlapping formats: $(ls won.*)"
    [ "$(formats 0-1=a 2-3=a 4-5=a 6-7=a)" -eq 1 ] || fail "formats with one name: $(ls won.*)"
    [ "$(formats 0-1=a 2-3=b 4-5=c 6-7=d)" -eq 4 ] || fail "disjoint formats: $(ls won.*)"
done
echo "formats at once: one of those that overlap, one of those of a name, all of the others"
