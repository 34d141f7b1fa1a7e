# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# lib.bash - what the tests of the whole system share; sourced, not run.
#
#   a test is in a folder of its own ($folder), and whatever it leaves running or mounted is taken
#   down when it ends, in the order umount, losetup -d, fusermount3 -u, server. What a test that was
#   killed left mounted is taken down by the next that mounts something: mkfs.btrfs looks at every
#   mount of the machine, and fails at one whose server is gone
#
# The build is the folder BUILD or HFTL_BUILD (default build). Exit status 77: could not run, and
# the last line printed says why.
set -euo pipefail

source_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(realpath -m "${BUILD:-${HFTL_BUILD:-$source_folder/build}}") # tests change folders
hostftl=$(realpath -m "${HOSTFTL:-$build/hostftl}")
python=/usr/bin/python3 # the one that Debian's python3-libnbd is for
PATH=$PATH:/usr/sbin:/sbin
name=$(basename "$0" .sh)
folder=$(mktemp -d "${TMPDIR:-/tmp}/hostftl-$name-XXXXXX")
echo $$ >"$folder/owner"
socket=$folder/socket
uri="nbd+unix:///?socket=$socket"
server=0 fuse=0 loop='' mounted=''

skip() {
    echo "$*"
    exit 77
}

fail() {
    echo "FAILED: $*" >&2
    if [ -s "$folder/server.log" ]; then
        echo "--- the end of the server's messages:" >&2
        tail -n 20 "$folder/server.log" >&2
    fi
    exit 1
}

# need PROGRAM...: all are there, or the test is skipped.
need() {
    [ -x "$hostftl" ] || skip "$hostftl is not built"
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
}

need_libnbd() {
    "$python" -c 'import nbd' 2>/dev/null || skip "python3-libnbd is not installed"
}

# Of tests that are gone without their clean_up: the folder names its owner. A loop device that is
# detached goes with the last mount that is on it.
take_down_leftovers() {
    local left owner where device
    for left in "${TMPDIR:-/tmp}"/hostftl-*-??????; do
        owner=$(cat "$left/owner" 2>/dev/null) || continue
        [ ! -e "/proc/$owner" ] || continue
        for device in $(losetup -nlO NAME,BACK-FILE | grep -F " $left/" | cut -d ' ' -f 1); do
            timeout 20 losetup -d "$device" || return
        done
        for where in mnt nbd; do
            ! grep -q " $left/$where " /proc/mounts || timeout 20 umount -l "$left/$where" || return
        done
        echo "note: took down what $left had mounted, its test was killed"
        rm -rf "$left"
    done
}

# Whether a file system can be put on top: root, FUSE and a loop device.
need_file_systems() {
    need nbdfuse losetup fusermount3 mount umount mkfs.ext4 e2fsck
    [ "$(id -u)" -eq 0 ] || skip "needs root, for loop devices and mount"
    [ -c /dev/fuse ] || skip "there is no /dev/fuse"
    losetup --find >/dev/null 2>&1 || skip "there is no free loop device"
    take_down_leftovers || fail "what a test that was killed had mounted cannot be taken down"
}

# wait_for SECONDS COMMAND...: until it succeeds. False when it never did.
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.05
    done
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# drive FILE OPTIONS...: an emulated drive with a device on it.
drive() {
    local file=$1
    shift
    timeout 30 "$hostftl" emu create -q "$file" "$@" || fail "emu create $*"
    timeout 60 "$hostftl" format -q "$file" || fail "format $file"
}

# serve DRIVE OPTIONS...: returns when it is ready.
serve() {
    : >"$folder/ready"
    "$hostftl" serve --nbd "unix:$socket" "$@" >"$folder/ready" 2>>"$folder/server.log" &
    server=$!
    wait_for 60 is_ready || fail "the server was not ready within 60 seconds"
    [ -s "$folder/ready" ] || fail "the server ended before it was ready"
}

is_ready() { [ -s "$folder/ready" ] || gone "$server"; }

# Asks the server to end; it must within 60 seconds, without an error.
stop_server() {
    local code=0 pid=$server
    kill -TERM "$pid" 2>/dev/null || fail "the server was gone already"
    wait_for 60 gone "$pid" || fail "the server did not end within 60 seconds"
    wait "$pid" || code=$?
    server=0
    [ "$code" -eq 0 ] || fail "the server ended with $code"
}

# The process that has the device: the one that was started, or the nbdkit that it watches over.
engine() {
    local child
    child=$(cat "/proc/$server/task/$server/children" 2>/dev/null) || true
    [ -n "$child" ] && echo "${child%% *}" || echo "$server"
}

# A power cut as far as a process can have one: SIGKILL for the engine. Who watches over it is
# stopped before, so that it neither starts it again nor, going first, lets it end in order.
kill_server() {
    local pid
    pid=$(engine)
    disown "$server"
    kill -STOP "$server" 2>/dev/null || fail "the server was gone before it was killed"
    kill -KILL "$pid" 2>/dev/null || fail "the engine was gone before it was killed"
    kill -KILL "$server" 2>/dev/null || true
    wait_for 20 gone "$pid" || fail "the engine outlived SIGKILL"
    wait_for 20 gone "$server" || fail "the server outlived SIGKILL"
    server=0
}

# attach: the device as a block device, $loop.
attach() {
    mkdir -p "$folder/nbd"
    nbdfuse "$folder/nbd/disk" "$uri" 2>>"$folder/fuse.log" &
    fuse=$!
    disown "$fuse" # it aborts when the server is killed, and bash would say so
    wait_for 20 test -s "$folder/nbd/disk" || fail "nbdfuse showed no file"
    loop=$(timeout 20 losetup --find --show --direct-io=on --sector-size 4096 "$folder/nbd/disk") ||
        fail "losetup"
}

mount_disk() {
    mkdir -p "$folder/mnt"
    timeout 60 mount "$loop" "$folder/mnt" || fail "mount"
    mounted=$folder/mnt
}

unmount_disk() {
    [ -n "$mounted" ] || return 0
    timeout 60 umount "$mounted" 2>/dev/null || timeout 20 umount -l "$mounted" 2>/dev/null || true
    mounted=''
}

detach() {
    unmount_disk
    if [ -n "$loop" ]; then
        timeout 20 losetup -d "$loop" || true
        wait_for 20 loop_is_free || true
        loop=''
    fi
    if [ "$fuse" -ne 0 ]; then
        wait_for 10 fuse_let_go || timeout 10 fusermount3 -uz "$folder/nbd" 2>/dev/null || true
        wait_for 10 gone "$fuse" || kill -KILL "$fuse" 2>/dev/null || true
        fuse=0
    fi
}

loop_is_free() { ! losetup "$loop" >/dev/null 2>&1; }
fuse_let_go() { fusermount3 -u "$folder/nbd" 2>/dev/null || gone "$fuse"; }

# Whatever state it is in.
take_down() {
    [ "$server" -eq 0 ] || kill -KILL "$(engine)" "$server" 2>/dev/null
}

clean_up() {
    local code=$?
    trap - EXIT
    set +e
    # A server that hangs must not hang the test: without it, what is mounted on it fails at once.
    [ "$server" -eq 0 ] || disown "$server" 2>/dev/null
    [ "$code" -eq 0 ] || take_down
    detach
    take_down
    if declare -F more_cleaning >/dev/null; then
        more_cleaning
    fi
    rm -rf "$folder"
    exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
