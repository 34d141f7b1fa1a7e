#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The nbdkit plugin on emulated drives of both kinds, behind the guard: everything in
# test/front/nbd.sh, and that SIGTERM leaves a clean device.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need nbdkit nbdinfo nbdcopy qemu-img qemu-io fio jq
plugin=$build/nbdkit-hostftl-plugin.so
[ -f "$plugin" ] || skip "$plugin is not built"
[ "${HFTL_SANITIZE:-none}" = none ] || skip "nbdkit itself is not built with the sanitizer"
export HFTL_GUARD=1

for kind in zoned ocssd; do
    image=$folder/$kind.img
    drive "$image" --kind $kind --size 96M
    mkdir "$folder/$kind"
    sh "$source_folder/test/front/nbd.sh" "$plugin" "$image" "$folder/$kind" || fail "$kind"
    [ "$("$hostftl" info -o json "$image" | jq .data.clean)" = true ] || fail "$kind: not clean"
done
