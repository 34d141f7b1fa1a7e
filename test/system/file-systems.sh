#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# ext4, xfs and btrfs, on both kinds of drive: files are as they were after a clean restart and,
# those that were synced, after the server was killed while files were being written; fsck finds
# nothing; discards arrive.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need_file_systems
need sha256sum fstrim jq xfs_repair btrfs

make_fs() {
    case $1 in
        ext4) timeout 120 mkfs.ext4 -q "$2" ;;
        xfs) timeout 120 mkfs.xfs -q "$2" ;;
        btrfs) timeout 120 mkfs.btrfs -q -m dup "$2" ;;
    esac
}

check_fs() {
    case $1 in
        ext4) timeout 120 e2fsck -fn "$2" ;;
        xfs) timeout 120 xfs_repair -n "$2" ;;
        btrfs) timeout 120 btrfs check --readonly "$2" ;;
    esac
}

# some_files FOLDER COUNT: of up to 256 KiB, all different.
some_files() {
    mkdir -p "$1"
    local i
    for ((i = 0; i < $2; i++)); do
        head -c $((RANDOM * 8 + i)) /dev/urandom >"$1/$i"
    done
}

hash_files() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

# Writes files until it is stopped or fails.
keep_writing() {
    local i
    for ((i = 0; ; i++)); do
        head -c 65536 /dev/urandom >"$folder/mnt/busy-$((i % 50))" || return 0
        [ $((i % 10)) -ne 0 ] || sync -f "$folder/mnt" || return 0
    done
}

try() {
    local fs=$1 kind="$1 on $2" image=$folder/$1-$2.img writer
    drive "$image" --kind "$2" --size 512M "${@:3}"
    serve "$image"
    attach
    make_fs "$fs" "$loop" >"$folder/mkfs" 2>&1 || { cat "$folder/mkfs"; fail "$kind: mkfs"; }
    mount_disk
    some_files "$folder/mnt/first" 100
    hash_files "$folder/mnt/first" >"$folder/first.sum"
    detach
    stop_server
    [ "$("$hostftl" info -o json "$image" | jq .data.clean)" = true ] || fail "$kind: not clean"

    serve "$image"
    attach
    mount_disk
    hash_files "$folder/mnt/first" | cmp - "$folder/first.sum" ||
        fail "$kind: after a clean restart"
    some_files "$folder/mnt/second" 50
    rm -r "$folder/mnt/first"
    timeout 60 sync -f "$folder/mnt" || fail "$kind: sync"
    hash_files "$folder/mnt/second" >"$folder/second.sum"
    keep_writing 2>/dev/null &
    writer=$!
    sleep 2
    kill_server
    wait_for 60 gone "$writer" || { kill "$writer"; echo "note: the writer was still waiting"; }
    wait "$writer" 2>/dev/null || true
    detach
    [ "$("$hostftl" info -o json "$image" | jq .data.clean)" = false ] ||
        fail "$kind: clean after SIGKILL"

    serve "$image"
    attach
    mount_disk
    hash_files "$folder/mnt/second" | cmp - "$folder/second.sum" || fail "$kind: after SIGKILL"
    [ ! -e "$folder/mnt/first" ] || fail "$kind: what was removed and synced is back"
    timeout 60 fstrim "$folder/mnt" || fail "$kind: fstrim"
    hash_files "$folder/mnt/second" | cmp - "$folder/second.sum" || fail "$kind: after fstrim"
    unmount_disk
    check_fs "$fs" "$loop" >"$folder/fsck" 2>&1 ||
        { cat "$folder/fsck"; fail "$kind: fsck"; }
    detach
    stop_server
    rm "$image"
    echo "$kind: 150 files, a clean restart, a SIGKILL: as they were"
}

for fs in ext4 xfs btrfs; do
    grep -qw "$fs" /proc/filesystems || modprobe "$fs" 2>/dev/null ||
        { echo "$fs: not in this kernel, not tried"; continue; }
    try "$fs" zoned
    try "$fs" ocssd --oob 16
done
