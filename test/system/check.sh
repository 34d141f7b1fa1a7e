#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# check and dump as a person uses them: a drive that is in use, one whose server was killed, a
# damaged one, none at all; exit codes, JSON held to its schemas, and never a byte changed.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need jq nbdinfo
need_libnbd
"$python" -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not installed"
cd "$folder"

# ends CODE ARGS...: hostftl ARGS ends with it; what it says is in ./said.
ends() {
    local code=$1 got=0
    shift
    timeout 60 "$hostftl" "$@" >said 2>&1 </dev/null || got=$?
    [ "$got" -eq "$code" ] || fail "hostftl $*: exit code $got, not $code: $(tail -n 3 said)"
}

# unchanged FILE COMMAND...
unchanged() {
    local file=$1 before
    shift
    before=$(sha256sum <"$file")
    "$@"
    [ "$(sha256sum <"$file")" = "$before" ] || fail "$* changed $file"
}

# held SCHEMA: each envelope of ./said is as it says.
held() {
    "$python" - "$source_folder/doc/schema/$1.json" said <<'PYTHON' || fail "not as $1.json says"
import json, sys
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
text, count = open(sys.argv[2]).read().strip(), 0
while text:
    envelope, end = json.JSONDecoder().raw_decode(text)
    text, count = text[end:].lstrip(), count + 1
    if "progress" in envelope:
        continue
    jsonschema.validate(envelope, schema)
    envelope["stranger"] = 1
    try:
        jsonschema.validate(envelope, schema)
    except jsonschema.ValidationError:
        continue
    sys.exit("the schema takes strangers")
sys.exit(count == 0)
PYTHON
}

# Writes, trims and flushes for a while, until SECONDS passed or the server is gone.
cat >load.py <<'PYTHON'
import nbd, random, sys, time
h = nbd.NBD()
h.connect_uri(sys.argv[1])
blocks, end = h.get_size() // 4096, time.time() + float(sys.argv[2])
random.seed(int(sys.argv[3]))
try:
    while time.time() < end:
        n = random.randint(1, 16)
        at = random.randrange(blocks - 300)
        if random.random() < 0.1:
            h.trim(random.randint(1, 300) * 4096, at * 4096)
        else:
            h.pwrite(random.randbytes(4096) * n, at * 4096)
        if random.random() < 0.05:
            h.flush()
except nbd.Error:
    pass
PYTHON

flip() {
    "$python" - "$1" "$2" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    byte = f.read(1)[0]
    f.seek(int(sys.argv[2]))
    f.write(bytes([byte ^ 1]))
PYTHON
}

for kind in zoned ocssd; do
    d=$kind.img
    drive "$d" --kind "$kind" --size 64M
    ends 0 check "$d"
    serve "$d"
    timeout 30 "$python" load.py "$uri" 3 1 || fail "load"
    ends 8 check "$d"
    grep -q "in use" said || fail "it does not say that the drive is in use: $(cat said)"
    ends 1 dump "$d"
    stop_server

    unchanged "$d" ends 0 check "$d"
    grep -q "closed cleanly; .* 0 errors" said || fail "after a clean close: $(cat said)"
    unchanged "$d" ends 0 check -q "$d"
    [ ! -s said ] || fail "check -q is not quiet: $(cat said)"
    unchanged "$d" ends 0 check -o json "$d"
    held check
    jq -e '.data | .errors == 0 and .blocks_proven == .blocks_mapped and .blocks_mapped > 1000' \
        said >/dev/null || fail "check -o json: $(cat said)"

    # Every block that was written is shown, and decodes.
    unchanged "$d" ends 0 dump --all -o json "$d"
    held dump
    written=$("$hostftl" emu zones -o json "$d" | jq '[.data.chunks[].wp] | add')
    shown=$(jq -s '[.[] | select(.item.position != null)] | length' said)
    supers=$("$hostftl" emu zones -o json "$d" | jq --argjson a "$(jq -s -c \
        '[.[] | select(.item.what == "superblock") | .item.chunk] | unique' said)" \
        '[.data.chunks[] | select(.chunk as $c | $a | index($c)) | .wp] | add')
    window=$("$hostftl" info -o json "$d" | jq '.data.medium.mw_cunits * 8')
    [ $((written - supers - shown)) -le "$window" ] ||
        fail "$written blocks are written, $supers of superblocks, and $shown shown"
    jq -se '[.[] | select(.item.ok == false)] == []' said >/dev/null ||
        fail "undecodable: $(jq -c 'select(.item.ok == false) | .item' said | head -n 3)"
    jq -se '[.[] | select(.item) | .item.what] | unique | contains(["band", "data", "head",
        "superblock", "tail", "trim page"])' said >/dev/null || fail "kinds are missing"

    # A block of a user's: found by dump, damaged, named by check.
    lba=$(jq -s '[.[] | select(.item.text // "" | contains("by the tail, current")) | .item
        | select(.what == "data")][5].lba' said)
    ends 0 dump --lba "$lba" -o json "$d"
    place=$(jq -r 'select(.item.text // "" | contains("current")) | .item |
        "\(.chunk):\(.offset)"' said)
    ends 0 dump --block "$place" "$d"
    grep -q "data lba $lba .*current" said || fail "dump --block $place: $(cat said)"
    serve "$d"
    timeout 20 "$python" -c 'import nbd, sys
h = nbd.NBD(); h.connect_uri(sys.argv[1])
h.pwrite(b"WHERE IS THIS BLOCK?" + bytes(4076), int(sys.argv[2]) * 4096); h.flush()' \
        "$uri" "$lba" || fail "writing lba $lba"
    stop_server
    flip "$d" "$(grep -obUaF 'WHERE IS THIS BLOCK?' "$d" | head -n 1 | cut -d: -f1)"
    unchanged "$d" ends 4 check "$d"
    grep -q "error: chunk .*lba $lba cannot be read" said || fail "it is not named: $(cat said)"
    unchanged "$d" ends 4 check -o json "$d"
    held check
    jq -e --argjson lba "$lba" '.data | .errors == 1 and .findings[0].lba == $lba' said \
        >/dev/null || fail "check -o json of a damaged drive: $(cat said)"
    ends 0 dump --lba "$lba" "$d"
    grep -q "BAD data" said || fail "dump does not say that it is bad: $(cat said)"

    # Killed while it was written: nothing is wrong, and notes say what happened.
    rm "$d"
    drive "$d" --kind "$kind" --size 64M
    for seed in 1 2; do
        serve "$d"
        timeout 30 "$python" load.py "$uri" 60 "$seed" &
        load=$!
        sleep 1.5
        kill_server
        wait "$load" || true
        unchanged "$d" ends 0 check "$d"
        unchanged "$d" ends 0 check -v "$d"
        grep -q "^note: .*not closed cleanly" said || fail "no note: $(cat said)"
        unchanged "$d" ends 0 dump --all "$d"
    done
done

# Neither a drive nor a device; a command line that makes no sense.
ends 8 check absent.img
head -c 1M /dev/zero >zeros.img
ends 8 check zeros.img
timeout 30 "$hostftl" emu create -q empty.img --kind zoned --size 64M
ends 8 check empty.img
ends 8 check -o json empty.img
ends 1 dump empty.img
ends 16 check
ends 16 check --limit x zoned.img
ends 16 dump --lba 1 --trims zoned.img
ends 16 dump --block 5 zoned.img
ends 1 dump --band 100000 zoned.img

# Without any superblock a head says what the device is.
while read -r at; do
    flip zoned.img "$at"
done < <(grep -obUaF HFTLSUPR zoned.img | cut -d: -f1)
ends 8 check zoned.img
ends 0 dump --bands zoned.img
grep -q "a head says what the device is" said || fail "no rescue from heads: $(head -n 3 said)"
grep -q "band: band .* stream" said || fail "no bands: $(head -n 3 said)"
echo "check and dump: in use, clean, damaged, killed, absent"
