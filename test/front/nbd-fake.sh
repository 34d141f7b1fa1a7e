#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The nbdkit plugin on the fake engine: everything in nbd.sh that is the front's.
set -eu
if [ "${HFTL_SANITIZE:-none}" != none ]; then
    echo "skipped: nbdkit itself is not built with the sanitizer"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
truncate -s 64M "$scratch/drive"
plugin=$HFTL_BUILD/test/front/nbdkit-hostftl-fake-plugin.so
sh "$(dirname "$0")/nbd.sh" "$plugin" "$scratch/drive" "$scratch"
