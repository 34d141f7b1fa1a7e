#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Devices of odd shape, filled to the last block and overwritten ten times at random: never "no
# space", every block what was written last, also after a restart. The smallest drive is among them.
# shellcheck source-path=SCRIPTDIR source=lib.bash
. "$(dirname "$0")/lib.bash"
need_libnbd

cat >"$folder/fill.py" <<'PYTHON'
"""fill.py URI STATE write|check: the content of a block is a function of its lba and generation."""
import array, nbd, os, random, struct, sys
uri, state, what = sys.argv[1:]
h = nbd.NBD()
h.connect_uri(uri)
blocks = h.get_size() // 4096
random.seed(11)

def block(lba, generation):
    return b"\0" * 4096 if generation == 0 else struct.pack("<QQ", lba, generation) * 256

def check(generations):
    for lba in range(0, blocks, 64):
        n = min(64, blocks - lba)
        data = h.pread(n * 4096, lba * 4096)
        for i in range(n):
            if data[i * 4096:(i + 1) * 4096] != block(lba + i, generations[lba + i]):
                seen = struct.unpack_from("<QQ", data, i * 4096)
                sys.exit(f"block {lba + i}: {generations[lba + i]} was written, {seen} is there")

if what == "check":
    generations = array.array("Q", open(state, "rb").read())
    check(generations)
    sys.exit(0)

generations = array.array("Q", [0]) * blocks
generation = 0
def write(lba, n):
    global generation
    generation += 1
    h.pwrite(b"".join(block(lba + i, generation) for i in range(n)), lba * 4096)
    for i in range(n):
        generations[lba + i] = generation

for lba in range(0, blocks, 32):
    write(lba, min(32, blocks - lba))
h.flush()
for turn in range(10):
    written = 0
    while written < blocks:
        n = random.choice((1, 1, 1, 2, 8))
        lba = random.randrange(blocks - n + 1)
        write(lba, n)
        written += n
    if turn % 3 == 0:
        h.flush()
        check(generations)
for _ in range(20):
    n = random.randrange(1, 50)
    lba = random.randrange(blocks - n)
    h.trim(n * 4096, lba * 4096)
    for i in range(n):
        generations[lba + i] = 0
h.flush()
check(generations)
with open(state, "wb") as out:
    out.write(generations.tobytes())
print(blocks)
PYTHON

try() {
    local image=$folder/drive.img blocks
    drive "$image" "$@"
    serve "$image"
    blocks=$(timeout 200 "$python" "$folder/fill.py" "$uri" "$folder/state" write) || fail "$*"
    stop_server
    serve "$image"
    timeout 60 "$python" "$folder/fill.py" "$uri" "$folder/state" check ||
        fail "$*: after a restart"
    kill_server
    serve "$image"
    timeout 60 "$python" "$folder/fill.py" "$uri" "$folder/state" check || fail "$*: after SIGKILL"
    stop_server
    rm "$image"
    echo "$*: $blocks blocks, overwritten ten times: all right"
}

try --kind zoned --size 16M
try --kind ocssd --groups 1 --pus 3 --chunks 21 --chunk-blocks 120 --ws-min 4 --ws-opt 24 \
    --mw-cunits 24 --bad-chunks 3 --oob 16
try --kind zoned --zones 43 --zone-size 1M --zone-capacity 772K --max-open 7 --max-active 9 \
    --short-chunks 2
