#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The management socket of the real plugin, asked in earnest and by clients that mean it no good:
the protocol, the file of the socket, and that nothing a client does hurts the device or others."""

import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

if os.environ.get("HFTL_SANITIZE", "none") != "none":
    print("nbdkit itself is built without the sanitizers")
    sys.exit(77)

HOSTFTL = os.environ["HOSTFTL"]
PLUGIN = os.environ["HFTL_PLUGIN"]
RPC = "drive.img.rpc"


class Client:
    """A connection that speaks lines."""

    def __init__(self, path=RPC):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(20)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        return self.file.readline()

    def ask(self, text):
        self.send(text + "\n")
        return json.loads(self.line())

    def call(self, method, params=None):
        request = {"jsonrpc": "2.0", "id": 1, "method": method}
        if params is not None:
            request["params"] = params
        answer = self.ask(json.dumps(request))
        assert answer["jsonrpc"] == "2.0" and answer["id"] == 1, answer
        return answer

    def result(self, method, **params):
        answer = self.call(method, params)
        assert "result" in answer, (method, params, answer)
        return answer["result"]

    def close(self):
        self.file.close()
        self.socket.close()


class Server:
    """nbdkit with the plugin, by itself."""

    def __init__(self, *config):
        for name in ("nbd.sock", "log"):
            if os.path.exists(name):
                os.unlink(name)
        self.log = open("log", "w+")
        # setpriv: it dies with this script, however that ends
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "nbdkit", "-f", "-U", "nbd.sock", PLUGIN,
             "drive=drive.img", *config],
            stderr=self.log)

    def wait_ready(self, path=RPC):
        for _ in range(400):
            if path is None and os.path.exists("nbd.sock"):
                return self
            try:
                Client(path).close()
                return self
            except (OSError, TypeError):
                time.sleep(0.05)
            assert self.process.poll() is None, self.said()
        raise AssertionError("no socket")

    def said(self):
        self.log.flush()
        with open("log") as log:
            return log.read()

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(timeout=60)
        self.log.close()
        return code


def code(answer, expected, status=None):
    assert answer.get("error", {}).get("code") == expected, (answer, expected)
    assert answer["error"]["message"] and "result" not in answer, answer
    if status:
        assert answer["error"]["data"]["status"] == status, answer


def methods_answer():
    c = Client()
    names = c.result("version")["methods"]
    for name in names:
        if not name.endswith(".set"):
            c.result(name)
    assert c.result("check") == {"ok": True, "why": ""}
    assert c.result("info")["name"] == "default"
    assert c.result("latency", verb="flush").keys() == {"flush"}
    assert c.result("latency", verb="flush")["flush"]["count"] >= 1
    before = c.result("limits.get")
    after = c.result("limits.set", start={"bands_free": 8})
    assert after["start"] == {"bands_free": 8, "percent": before["start"]["percent"]}
    assert after["high"] == before["high"]
    assert c.result("policy.set", policy="fifo")["policy"] == "fifo"
    assert c.result("cleaning.pause")["paused"] is True
    assert c.result("policy.get") == {"policy": "fifo", "paused": True}
    assert c.result("cleaning.resume")["paused"] is False
    c.close()


def traces():
    c = Client()
    assert c.result("trace.set") == {"points": []}
    assert c.result("trace.set", points=["flush_accept", "flush_end"])["points"] == \
        ["flush_accept", "flush_end"]
    for _ in range(5):
        c.result("flush")
    got = c.result("trace.read", count=3)
    assert len(got["records"]) == 3 and got["lost"] == 0
    assert {r["point"] for r in got["records"]} <= {"flush_accept", "flush_end"}
    rest = c.result("trace.read", next=got["next"], lost=got["lost"])
    assert len(rest["records"]) == 7, rest
    assert c.result("stats")["trace"] == {"recorded": 10, "overwritten": 0}
    assert len(c.result("trace.set", points="all")["points"]) > 21
    counted = c.result("stats")["trace"]
    while counted["overwritten"] == 0:  # more than the device keeps
        c.result("flush")
        counted = c.result("stats")["trace"]
    assert c.result("trace.read", count=1)["lost"] >= counted["overwritten"] > 0, counted
    assert c.result("trace.set", points="none") == {"points": []}
    code(c.call("trace.set", {"points": ["nonsense"]}), -32602)
    code(c.call("trace.set", {"points": 7}), -32602)
    code(c.call("trace.read", {"count": 513}), -32602)
    code(c.call("trace.read", {"next": -1}), -32602)
    far = c.result("trace.read", next=2**62)
    assert far["records"] == []
    c.close()


def mistakes_have_their_codes():
    c = Client()
    code(c.ask("garbage"), -32700)
    code(c.ask(""), -32700)
    code(c.ask("[" * 60000), -32700)
    code(c.ask('{"a":' * 10000), -32700)
    code(c.ask('{"jsonrpc":"2.0","id":1,"method":"version","method":"flush"}'), -32700)
    for bad in ("1", '"x"', "null", "{}", '{"jsonrpc":"1.0","id":1,"method":"version"}',
                '{"jsonrpc":"2.0","id":1}', '{"jsonrpc":"2.0","id":{},"method":"version"}',
                '{"jsonrpc":"2.0","id":1,"method":7}', "[]",
                json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "version"}] * 65)):
        code(c.ask(bad), -32600)
    code(c.call("nothing"), -32601)
    code(c.call("Version\n\u001b"), -32601)
    code(c.call("check", {"deep": 1}), -32602)
    code(c.call("check", [1]), -32602)
    code(c.call("policy.set", {"policy": "best"}), -32602, "INVALID")
    code(c.call("policy.set"), -32602)
    code(c.call("latency", {"verb": "sing"}), -32602)
    for limit in (7, {}, {"bands_free": "x"}, {"percent": 101}, {"bands_free": -1},
                  {"bands_free": 2**40}, {"bands_fre": 1}):
        answer = c.call("limits.set", {"start": limit})
        if limit != {}:
            code(answer, -32602, "INVALID")
    c.send(b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}\n')
    code(json.loads(c.line()), -32700)
    c.send(b'{"jsonrpc":"2.0","id":1,\0"method":"version"}\n')
    code(json.loads(c.line()), -32700)
    assert c.ask('{"jsonrpc":"2.0","id":"a\\"b","method":"check"}')["id"] == 'a"b'
    assert c.ask('{"jsonrpc":"2.0","id":null,"method":"check"}')["id"] is None
    c.close()


def batches():
    c = Client()
    one = {"jsonrpc": "2.0", "method": "check"}
    answers = c.ask(json.dumps([dict(one, id=1), one, 7, dict(one, id=2, method="no")]))
    assert [a.get("id") for a in answers] == [1, None, 2], answers
    assert "result" in answers[0]
    code(answers[1], -32600)
    code(answers[2], -32601)
    c.send(json.dumps([one, one]) + "\n" + json.dumps(one) + "\n")  # notifications: no answer
    assert c.result("check")["ok"]
    c.result("trace.set", points="all")
    for _ in range(300):
        c.result("flush")
    c.result("trace.set", points="none")
    many = [{"jsonrpc": "2.0", "id": i, "method": "trace.read", "params": {"count": 512}}
            for i in range(64)]
    c.send(json.dumps(many) + "\n")
    line = c.line()
    assert len(line) <= 1 << 20, len(line)
    answers = json.loads(line)
    assert len(answers) == 64 and "result" in answers[0]
    code(answers[63], -32600)
    c.close()


def lines_in_pieces_and_too_long(server):
    slow, other = Client(), Client()
    request = b'{"jsonrpc":"2.0","id":5,"method":"check"}\n'
    for byte in request[:20]:
        slow.send(bytes([byte]))
        assert other.result("check")["ok"]
    slow.send(request[20:] + request + request[:9])
    assert json.loads(slow.line())["id"] == 5 and json.loads(slow.line())["id"] == 5
    slow.close()
    before = server.memory_kib()
    for _ in range(20):
        long = Client()
        try:
            long.send(b"x" * (1 << 20))
        except OSError:
            pass  # the server ended the connection
        try:
            code(json.loads(long.line()), -32600)
            assert long.line() == b""
        except ConnectionError:
            pass
        long.close()
    assert other.result("check")["ok"]
    assert server.memory_kib() - before < 4096, "it grows"
    other.close()


def readers_that_do_not_read(server):
    other, idle = Client(), []
    request = b'{"jsonrpc":"2.0","id":5,"method":"trace.read","params":{"count":512}}\n'
    for _ in range(8):
        c = Client()
        c.socket.settimeout(0.2)
        try:
            for _ in range(3000):
                c.send(request * 20)
        except OSError:
            pass  # it does not take more: the answers are not taken
        idle.append(c)
        assert other.result("check")["ok"]
    assert server.memory_kib() < 200 * 1024
    for c in idle:
        c.close()
    other.close()


def others_are_answered_while_one_waits_for_the_drive():
    """A drive that takes its time to flush: who flushes waits, others do not."""
    subprocess.run([HOSTFTL, "emu", "create", "-q", "--kind", "zoned", "--size", "64M", "slow.img"],
                   check=True)
    subprocess.run([HOSTFTL, "format", "-q", "slow.img"], check=True)
    server = subprocess.Popen(["nbdkit", "-f", "-U", "slow.sock", PLUGIN,
                               "drive=delay,flush=150ms:slow.img", "rpc=slow.rpc"])
    try:
        deadline = time.monotonic() + 20
        while not os.path.exists("slow.rpc"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        flushing = [Client("slow.rpc") for _ in range(18)]  # more than may wait
        for c in flushing:
            try:
                c.send('{"jsonrpc": "2.0", "id": 1, "method": "flush"}\n')
            except OSError:
                pass  # another one has its place
        other, begin = Client("slow.rpc"), time.monotonic()
        for _ in range(50):
            assert other.result("stats")["user"]["blocks_written"] == 0
            assert "methods" in other.result("version")
        assert time.monotonic() - begin < 1, "they waited for the flush"
        assert json.loads(flushing[0].line())["result"] == {}
        assert json.loads(flushing[1].line())["result"] == {}
        assert other.result("flush.bands") == {}  # its turn comes too
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


def crowds():
    crowd = [Client() for _ in range(100)]  # the eldest make place for the youngest
    assert crowd[-1].result("check")["ok"]
    assert crowd[0].file.read() == b""
    for c in crowd:
        c.close()


def noise(server):
    """Whatever comes, by a seed; the device answers others all the while."""
    rng = random.Random(7)
    good = [b'{"jsonrpc":"2.0","id":1,"method":"%s"}' % m.encode()
            for m in ("info", "stats", "bands", "latency", "trace.read", "limits.set")]
    other = Client()
    for _ in range(400):
        c = Client()
        data = bytearray(rng.choice(good) if rng.random() < 0.7 else rng.randbytes(200))
        for _ in range(rng.randrange(4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            c.send(bytes(data) + b"\n" * rng.randrange(3))
            c.socket.settimeout(0.02)
            if rng.random() < 0.3:
                c.line()
        except OSError:
            pass
        c.close()
    assert other.result("check")["ok"]
    assert server.process.poll() is None
    other.close()


def the_file_of_the_socket():
    info = os.stat(RPC)
    assert stat.S_ISSOCK(info.st_mode) and info.st_mode & 0o777 == 0o600, oct(info.st_mode)


def refused(server, text):
    assert server.process.wait(timeout=30) != 0
    assert text in server.said(), server.said()
    server.log.close()


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        subprocess.run([HOSTFTL, "emu", "create", "-q", "drive.img", "--kind", "zoned", "--size",
                        "64M"], check=True)
        subprocess.run([HOSTFTL, "format", "-q", "drive.img"], check=True)

        server = Server().wait_ready()
        the_file_of_the_socket()
        methods_answer()
        traces()
        mistakes_have_their_codes()
        batches()
        lines_in_pieces_and_too_long(server)
        readers_that_do_not_read(server)
        crowds()
        others_are_answered_while_one_waits_for_the_drive()
        noise(server)
        assert server.stop() == 0 and not os.path.exists(RPC)

        server = Server().wait_ready()
        assert server.stop(signal.SIGKILL) != 0 and os.path.exists(RPC)
        server = Server().wait_ready()  # what the dead one left is no hindrance
        waiting = Client()  # nor is a client who stays
        assert server.stop() == 0 and not os.path.exists(RPC)
        waiting.close()

        with open(RPC, "w") as file:
            file.write("mine")
        server = Server().wait_ready(None)  # served without; and what stands there is left alone
        time.sleep(0.5)
        assert "no management socket" in server.said(), server.said()
        assert server.stop() == 0
        with open(RPC) as file:
            assert file.read() == "mine"
        refused(Server(f"rpc={RPC}"), "is no socket")
        os.unlink(RPC)

        server = Server("rpc=none").wait_ready(None)
        time.sleep(0.5)
        assert not os.path.exists(RPC) and server.stop() == 0
        server = Server("rpc=other.sock").wait_ready("other.sock")
        assert not os.path.exists(RPC)
        listener = Client("other.sock")
        os.unlink("other.sock")
        with open("other.sock", "w"):  # somebody's own: not ours to remove
            pass
        assert server.stop() == 0 and os.path.exists("other.sock")
        listener.close()
        refused(Server("rpc=" + "x" * 200), "the path of a socket may have 107 bytes")
        taken = socket.socket(socket.AF_UNIX)
        taken.bind("taken.sock")
        taken.listen(1)
        refused(Server("rpc=taken.sock"), "somebody listens there")
        os.chdir("/")
    print("the management socket is as documented, whoever talks to it")


main()
