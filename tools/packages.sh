#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs what is missing of packages.txt. Says nothing and takes no time when all is there.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
mapfile -t wanted < <(sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$top/packages.txt")

if ! command -v dpkg-query >/dev/null; then
    echo "packages: not a Debian system; the build needs what packages.txt names" >&2
    exit 0
fi

# dpkg-query lists what it knows; 'ii' is installed. It fails when it does not know one: not here.
installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${wanted[@]}" 2>/dev/null |
    sed -n 's/^ii *//p' | sort -u || true)
mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) <(echo "$installed"))
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "packages: missing, and neither root nor sudo is there to install them:" >&2
        echo "    apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "packages: installing ${missing[*]}"
if ! { apt update && apt install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "packages: apt-get failed; by hand: apt-get install ${missing[*]}" >&2
    exit 1
fi
