#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The manual says what the program does; and a difference planted in a copy of it is seen.
set -euo pipefail
: "${HOSTFTL:?}" "${HFTL_SOURCE:?}"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
check=$HFTL_SOURCE/tools/check-docs.sh

"$check"

# plant WHAT FILE SED: the check must fail, and name what was planted.
plant() {
    local what=$1 file=$2 edit=$3 said
    rm -rf "$copy/man" && cp -r "$HFTL_SOURCE/doc/man" "$copy/man"
    sed -i -E "$edit" "$copy/man/$file"
    cmp -s "$copy/man/$file" "$HFTL_SOURCE/doc/man/$file" &&
        { echo "FAILED: nothing was planted: $what"; exit 1; }
    if said=$(HFTL_MAN="$copy/man" "$check" 2>&1); then
        echo "FAILED: not seen: $what"
        exit 1
    fi
    grep -q -- "$what" <<<"$said" || { echo "FAILED: not named: $what: $said"; exit 1; }
}

plant "--dry-run" hostftl-format.1.scd '/^\*--dry-run\*$/d'
plant "--op=NUMBER" hostftl-format.1.scd 's/^\*--op\*=_PERCENT_/*--op*=_NUMBER_/'
plant "--frobnicate" hostftl-serve.1.scd 's/^\*--daemon\*$/*--frobnicate*/'
plant "--seed" hostftl-emu.1.scd '/^\*--seed\*/d'
plant "--no-restart" hostftl-serve.1.scd '/^\*--no-restart\*$/d'
plant "emu zones" hostftl.1.scd '/^\*emu zones\*$/d'
plant "exit code 16" hostftl-info.1.scd '/^\*16\*$/d'
plant "--quiet" hostftl.1.scd '/^\*-q, --quiet\*$/d'
echo "eight planted differences were seen"
