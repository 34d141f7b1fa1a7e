#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a command line that makes no sense, and an operation that fails, end with: the exit code, one
# message in the one form, and nothing done.
set -euo pipefail
: "${HOSTFTL:?}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
failed=0

# expect CODE TEXT ARGS...: the exit code, and a message that begins as ours do and has TEXT.
expect() {
    local code=$1 text=$2 got=0 said
    shift 2
    said=$(timeout 20 "$HOSTFTL" "$@" 2>&1 >/dev/null </dev/null) || got=$?
    if [ "$got" -ne "$code" ]; then
        echo "FAILED: hostftl $*: exit code $got, not $code: $said"
        failed=1
    fi
    if [ -n "$text" ] && ! grep -qF -- "$text" <<<"$said"; then
        echo "FAILED: hostftl $*: no \"$text\" in: $said"
        failed=1
    fi
    if [ "$code" -ne 0 ] && ! grep -qE '^(hostftl: |Usage: )' <<<"$said"; then
        echo "FAILED: hostftl $*: another form: $said"
        failed=1
    fi
}

expect 16 "Usage: hostftl VERB"
expect 0 "" --help
expect 0 "" --version
expect 0 "" help
expect 0 "" help emu create
expect 0 "" emu create --help
expect 0 "" serve '-?'
expect 16 "did you mean 'hostftl format'?" fromat
expect 16 "did you mean 'hostftl emu create'?" emu craete
expect 16 "no such verb" frobnicate
expect 16 "no such verb" emu
expect 16 "no such option: --frob" info --frob drive
expect 16 "needs a value: --size" emu create drive --kind zoned --size
expect 16 "takes no value: --force=1" format --force=1 drive
expect 16 "no such output format: xml" info -o xml drive
expect 16 "which device?" info
expect 16 "which device?" serve --nbd unix:s
expect 16 "one device at a time: b" info a b
expect 16 "which kind of drive?" emu create drive
expect 16 "no such kind of drive: flash" emu create --kind flash drive
for size in 1Gx 1GB 1.5G -1 99999999999999999999 '' 0; do
    expect 16 "" emu create --kind zoned --size "$size" drive
done
expect 16 "must be more than 0: --zone-size" emu create --kind zoned --zone-size 0 drive
expect 16 "not a size: --volatile=-1" emu create --kind zoned --volatile -1 drive
expect 16 "2^32 blocks or more: --zone-size" emu create --kind zoned --zone-size 16P drive
expect 16 "not a number: 5000000000" emu create --kind zoned --zones 5000000000 drive
expect 16 "must be at least 1: --zones" emu create --kind zoned --zones 0 drive
expect 16 "only an ocssd drive has this: --pus" emu create --kind zoned --pus 4 drive
expect 16 "only a zoned drive has this: --zone-size" emu create --kind ocssd --zone-size 1M drive
expect 16 "not a whole number of blocks" emu create --kind zoned --zone-size 1000 drive
expect 16 "no such state of a chunk" emu zones --state wet drive
expect 16 "not a percentage" format --op 0 drive
expect 16 "not a percentage" format --op 12.55 drive
expect 16 "write 0.1 to 900" format --op 900.1 drive
expect 16 "write 1 to 256" format --columns 257 drive
expect 16 "a name has" format --name "$(printf 'x%.0s' {1..32})" drive
expect 16 "a name has no spaces" format --name 'a#b' drive
expect 16 "not a number of columns" format --columns 0 drive
expect 16 "not a number of blocks" format --blocks 0 drive
expect 16 "not a size" format --capacity 4097 drive
expect 16 "not both" format --op 7 --capacity 4M drive
expect 16 "twice" format --blocks 10 --capacity 4M drive
expect 16 "where is it to be served?" serve drive
expect 16 "write unix:PATH" serve --nbd tcp:127.0.0.1 drive
expect 16 "takes no value: --no-restart=1" serve --nbd unix:s --no-restart=1 drive
expect 16 "no such option: --no-restart" emu serve-raw --nbd unix:s --no-restart drive
expect 16 "not a place for a socket: --rpc" serve --nbd unix:s --rpc '' drive
expect 16 "which device?" stats
expect 16 "which device?" ctl
expect 16 "which method?" ctl drive
expect 16 "write NAME=VALUE" ctl drive flush now
expect 16 "write NAME=VALUE" ctl drive flush =now
expect 16 "one device at a time: c" stats a 5 c
expect 16 "not a number of seconds: b" stats --watch a b
expect 16 "not a number of seconds: 0" stats --watch a 0
expect 16 "SECONDS are for --watch" stats a 5
expect 16 "no such way to verify" serve --nbd unix:s --verify never drive
expect 16 "no such way to verify" serve --nbd unix:s --verify cached: drive
expect 16 "no such way to verify" serve --nbd unix:s --verify cached:0 drive
expect 16 "no such way to verify" bench --verify cached:1GB --medium mem:64M
[ -z "$(ls)" ] || { echo "FAILED: something was made: $(ls)"; failed=1; }

expect 1 "drive" info drive
expect 1 "no such file or device: drive" stats drive
expect 1 "drive" ctl drive version
expect 1 "drive" format drive
expect 1 "drive" emu info drive
expect 1 "" emu create --kind zoned --size 64M nowhere/drive
expect 1 "neither their blocks nor a size" emu create --kind ocssd --chunks 9 drive
mkdir folder && mkfifo pipe && ln -s nowhere dangling
expect 1 "a folder, not a drive" format folder
expect 1 "neither an ordinary file nor a block device" format pipe
for there in folder pipe dangling; do
    expect 1 "name another path" emu create --kind zoned --size 64M --force "$there"
done
rm -r folder pipe dangling
expect 0 "" emu create --kind zoned --size 64M -q drive
[ "$("$HOSTFTL" emu create --kind zoned --size 64M -q other)" = "" ] ||
    { echo "FAILED: -q is not quiet"; failed=1; }
expect 1 "--force" emu create --kind zoned --size 64M drive
expect 0 "" emu create --kind zoned --size 64M --force drive
expect 1 "drive" info drive
expect 1 "drive" serve --nbd unix:s drive
[ ! -e s ] || { echo "FAILED: a socket is left"; failed=1; }
truncate -s 64M ext4.img && PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -L precious ext4.img
sum=$(sha256sum <ext4.img)
expect 1 'ext4 ("precious")' format ext4.img
expect 1 "with flat: before the path, and --force" format ext4.img
expect 1 "--force replaces it" format flat:ext4.img
expect 1 "" format --force ext4.img
[ "$sum" = "$(sha256sum <ext4.img)" ] || { echo "FAILED: format wrote to a file system"; failed=1; }
expect 1 "no-such" info no-such

# Advice is given once, and only where it helps.
[ "$("$HOSTFTL" info drive 2>&1 | grep -o 'hostftl format' | wc -l)" -eq 1 ] ||
    { echo "FAILED: not the advice once: $("$HOSTFTL" info drive 2>&1)"; failed=1; }
said=$(trap '' XFSZ && ulimit -f 64 && "$HOSTFTL" emu create --kind zoned big 2>&1) || true
[[ $said == *"File too large" ]] ||
    { echo "FAILED: a file that may not be that long: $said"; failed=1; }

# However little of a drive's file is left, it is no other version's.
for bytes in 4 7 8 9 4095; do
    head -c "$bytes" drive >short
    expect 1 "it ends at byte $bytes, inside its header" info short
done
rm short

# When the making of a drive is interrupted, nothing is left of it. (2 million chunks take a while.)
big=(emu create -q --kind ocssd --groups 1 --pus 64 --chunks 32768 --chunk-blocks 96 --no-fsync)
mkdir making
for seconds in 0.01 0.03 0.05 0.07 0.09 0.11; do
    for signal in INT TERM; do
        timeout -s "$signal" "$seconds" "$HOSTFTL" "${big[@]}" making/big || true
        rm -f making/big
        [ -z "$(ls making)" ] || { echo "FAILED: left by $signal: $(ls making)"; failed=1; }
    done
    : >making/big
    timeout -s TERM "$seconds" "$HOSTFTL" "${big[@]}" --force making/big || true
    [ "$(ls making)" = big ] || { echo "FAILED: left beside it: $(ls making)"; failed=1; }
    rm -f making/big
done
rmdir making

# What is refused is not touched.
"$HOSTFTL" format -q other
sum=$(sha256sum <other)
expect 1 "there is a hostftl device" format other
expect 1 "" format --force --columns 200 other
expect 0 "" format --force --dry-run -q other
[ "$sum" = "$(sha256sum <other)" ] || { echo "FAILED: a refusal wrote to the drive"; failed=1; }

# A path may be long, one letter, or have bytes that no terminal and no JSON takes.
long=$(printf 'x%.0s' {1..200})/$(printf 'y%.0s' {1..200})/drive
for verb in info format "emu info" "emu zones" "serve --nbd unix:s" "emu serve-raw --nbd unix:s" \
    "emu create --kind zoned"; do
    read -ra words <<<"$verb"
    expect 1 "$long: " "${words[@]}" "$long"
    expect 1 "No such file or directory" "${words[@]}" "$long"
done
cp drive e
expect 1 "hostftl: info: e: no hostftl device" info e
odd=$'new\nline \xff\xfe.img'
cp e "$odd"
expect 1 'new\x0aline ' info "$odd"
"$HOSTFTL" format -q "$odd"
for verb in info "emu info" "emu zones"; do
    read -ra words <<<"$verb"
    [ "$("$HOSTFTL" "${words[@]}" -o json "$odd" | jq .data.path)" = '"new\nline ��.img"' ] ||
        { echo "FAILED: $verb -o json of a name that is not UTF-8"; failed=1; }
done
# until_true COMMAND...: within a time that no machine needs.
until_true() {
    local tries
    for ((tries = 0; tries < 400; tries++)); do
        ! "$@" || return 0
        sleep 0.05
    done
    return 1
}
# nbdkit does not load a plugin with a sanitizer in it.
if [ "$HFTL_SANITIZE" = none ]; then
    "$HOSTFTL" serve -o json --nbd unix:s "$odd" >served 2>/dev/null &
    server=$!
    until_true test -s served || true
    kill "$server" 2>/dev/null || true
    wait "$server" || true
    [ "$(jq .data.drive served)" = '"new\nline ��.img"' ] ||
        { echo "FAILED: serve -o json of a name that is not UTF-8"; failed=1; }
fi

[ "$("$HOSTFTL" fromat -o json 2>/dev/null | jq -r .error.status)" = INVALID ] ||
    { echo "FAILED: no JSON about a verb that does not exist"; failed=1; }

got=0
"$HOSTFTL" emu info drive >/dev/full 2>/dev/null || got=$?
[ "$got" -eq 1 ] || { echo "FAILED: a full disk behind the output: exit code $got"; failed=1; }

got=0
"$HOSTFTL" emu info e >&- 2>/dev/null || got=$?
[ "$got" -eq 1 ] || { echo "FAILED: a closed output: exit code $got"; failed=1; }
# A daemon of which nobody can be told is none.
if [ "${HFTL_SANITIZE:-none}" = none ]; then
    got=0
    said=$(timeout 60 "$HOSTFTL" serve --daemon --nbd unix:s other 2>&1 >/dev/full) || got=$?
    [[ $got -eq 1 && $said == *"it was stopped"* && ! -e s ]] ||
        { echo "FAILED: --daemon >/dev/full: exit code $got: $said"; failed=1; }
    expect 0 "" info other
fi

# A server needs none of the three.
if [ "$HFTL_SANITIZE" = none ]; then
    "$HOSTFTL" serve -q --nbd unix:s other <&- >&- 2>&- &
    server=$!
    until_true test -S s ||
        { echo "FAILED: no server when started with closed descriptors"; failed=1; }
    kill "$server" 2>/dev/null || true
    wait "$server" || true
fi

[ "$failed" -eq 0 ] && echo "exit codes and messages are as documented"
exit "$failed"
