#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A drive that fails, and nobody who reads what the server says of it: the server goes on."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

if os.environ.get("HFTL_SANITIZE", "none") != "none":
    print("nbdkit itself is built without the sanitizers")
    sys.exit(77)
try:
    import nbd
except ImportError:
    print("no python3-libnbd here")
    sys.exit(77)

HOSTFTL = os.environ["HOSTFTL"]
PLUGIN = os.environ["HFTL_PLUGIN"]
READS = 4000  # each says more than 40 bytes: a pipe takes 64 KiB
DRIVE = "fault=read,nth=200,onwards:drive.img"


def serve(stderr):
    # setpriv: it dies with this script, however that ends
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "nbdkit", "-f", "-U", "nbd.sock", PLUGIN,
         f"drive={DRIVE}", "rpc=none"], stderr=stderr)
    for _ in range(400):
        if os.path.exists("nbd.sock"):
            return process
        assert process.poll() is None, "no server"
        time.sleep(0.05)
    raise AssertionError("no socket")


def fail_reads(failed):
    client = nbd.NBD()
    client.connect_unix("nbd.sock")
    client.pwrite(b"x" * 65536, 0)
    client.flush()
    for _ in range(READS):
        try:
            client.pread(4096, 0)
        except nbd.Error as error:
            assert error.errno == "EIO", error
            failed.append(1)
    client.pwrite(b"y" * 4096, 1 << 20)  # writes still work
    client.shutdown()


def main():
    signal.alarm(200)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for words in (["emu", "create", "-q", "--kind", "zoned", "--size", "64M", "drive.img"],
                      ["format", "-q", "drive.img"]):
            subprocess.run([HOSTFTL, *words], check=True, stdout=subprocess.DEVNULL)
        ours, servers = os.pipe()
        process = serve(servers)
        os.close(servers)
        failed = []
        client = threading.Thread(target=fail_reads, args=(failed,), daemon=True)
        client.start()
        client.join(60)
        assert not client.is_alive(), f"the server stands still after {len(failed)} failed reads"
        assert len(failed) > READS // 2, len(failed)

        said = os.read(ours, 1 << 20)  # now there is room, and the next one tells what is missing
        assert b"read at 0: " in said, said[:300]
        more = []
        client = threading.Thread(target=fail_reads, args=(more,), daemon=True)
        client.start()
        while b"messages are left out here: nobody was reading" not in said:
            said += os.read(ours, 1 << 16)
        client.join(60)
        assert not client.is_alive()
        process.terminate()
        threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(ours, 4096), b"")],
                         daemon=True).start()
        process.wait(timeout=60)
        os.chdir("/")
    print(f"{len(failed)} reads failed unheard, and the server went on")


main()
