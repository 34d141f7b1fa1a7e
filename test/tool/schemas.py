#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds what verbs print with -o json to the schemas in doc/schema, and to the human form."""

import copy
import json
import os
import signal
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("python3-jsonschema is not installed")
    sys.exit(77)

HOSTFTL = os.environ["HOSTFTL"]
SCHEMAS = os.path.join(os.environ["HFTL_SOURCE"], "doc", "schema")


def schema(name):
    with open(os.path.join(SCHEMAS, name + ".json")) as file:
        loaded = json.load(file)
    jsonschema.Draft7Validator.check_schema(loaded)
    return loaded


def run(code, *args):
    done = subprocess.run([HOSTFTL, *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    return done


def hold(name, code, *args):
    """Runs a verb with -o json; its last envelope must be as the schema says, others progress."""
    done = run(code, *args, "-o", "json")
    decoder = json.JSONDecoder()
    text, envelopes = done.stdout.strip(), []
    while text:
        envelope, end = decoder.raw_decode(text)
        envelopes.append(envelope)
        text = text[end:].lstrip()
    for envelope in envelopes[:-1]:
        jsonschema.validate(envelope, schema("progress"))
    jsonschema.validate(envelopes[-1], schema(name))
    assert envelopes[-1]["hostftl"]["verb"] == " ".join(args[:2 if args[0] == "emu" else 1])
    return envelopes[-1], done.stderr


def same_facts(data, human):
    """As many facts in the human form as in JSON: a line each, and a line for a section's name."""
    count = sum(1 + (len(v) if isinstance(v, dict) else 0) for v in data.values())
    assert count == len(human.splitlines()), (count, human)


def refuses(name, envelope):
    """A check that cannot fail is none: a wrong type, a lost member, a stranger are seen."""
    key = "data" if "data" in envelope else "error"
    member = next(iter(envelope[key]))
    for spoil in (lambda e: e[key].update({member: []}), lambda e: e[key].pop(member),
                  lambda e: e[key].update(stranger=1), lambda e: e["hostftl"].update(schema=2)):
        spoilt = copy.deepcopy(envelope)
        spoil(spoilt)
        try:
            jsonschema.validate(spoilt, schema(name))
        except jsonschema.ValidationError:
            continue
        raise AssertionError(f"the schema {name} takes {spoilt}")


def emulated_drives():
    made, _ = hold("emu-info", 0, "emu", "create", "zoned.img", "--kind", "zoned", "--size", "64M",
                   "--seed", "7", "--bad-chunks", "2")
    refuses("emu-info", made)
    assert made["data"]["seed"] == 7 and made["data"]["chunks"]["offline"] == 2, made
    hold("emu-info", 0, "emu", "create", "ocssd.img", "--kind", "ocssd", "--size", "64M")
    shown, _ = hold("emu-info", 0, "emu", "info", "zoned.img")
    assert shown["data"] == made["data"]
    same_facts(shown["data"], run(0, "emu", "info", "zoned.img").stdout)
    zones, _ = hold("emu-zones", 0, "emu", "zones", "zoned.img")
    refuses("emu-zones", zones)
    lines = run(0, "emu", "zones", "zoned.img").stdout.splitlines()
    assert len(zones["data"]["chunks"]) == len(lines) - 1 == sum(made["data"]["chunks"].values())
    zones, _ = hold("emu-zones", 0, "emu", "zones", "zoned.img", "--state", "offline")
    assert len(zones["data"]["chunks"]) == 2


def errors():
    for code, args in ((1, ("info", "none.img")), (16, ("info",)), (16, ("format", "--op", "x")),
                       (1, ("emu", "info", "none.img")), (16, ("emu", "create", "--frob")),
                       (1, ("info", "zoned.img")), (1, ("serve", "zoned.img", "--nbd", "unix:s"))):
        envelope, said = hold("error", code, *args)
        refuses("error", envelope)
        assert (envelope["error"]["path"] is None) == (code == 16), envelope
        assert said.endswith(envelope["error"]["message"] + "\n"), (said, envelope)


def devices():
    tried, _ = hold("format", 0, "format", "zoned.img", "--dry-run")
    hold("error", 1, "info", "zoned.img")  # nothing was written
    for drive in ("zoned.img", "ocssd.img"):
        made, _ = hold("format", 0, "format", drive, "--name", "test")
        refuses("format", made)
        shown, _ = hold("info", 0, "info", drive)
        refuses("info", shown)
        same_facts(shown["data"], run(0, "info", drive).stdout)
        assert shown["data"]["name"] == "test" and shown["data"]["id"] == made["data"]["id"]
        assert shown["data"]["blocks"] == made["data"]["blocks"] > 0
        error, _ = hold("error", 1, "format", drive)
        assert error["error"]["status"] == "EXISTS"
        hold("format", 0, "format", drive, "--force")
    zoned, _ = hold("info", 0, "info", "zoned.img")
    assert zoned["data"]["blocks"] == tried["data"]["blocks"]


def checking():
    hold("format", 0, "format", "zoned.img", "--force", "--name", "test")
    fine, _ = hold("check", 0, "check", "zoned.img")
    refuses("check", fine)
    assert fine["data"]["clean"] and fine["data"]["errors"] == 0, fine
    with open("zoned.img", "rb") as drive:
        image = bytearray(drive.read())
    first = image.find(b"HFTLSUPR")
    image[first + 100] ^= 1
    with open("damaged.img", "wb") as drive:
        drive.write(image)
    damaged, _ = hold("check", 4, "check", "damaged.img")
    refuses("check", damaged)
    assert damaged["data"]["errors"] > 0, damaged
    assert any(f["what"] == "superblock" for f in damaged["data"]["findings"]), damaged
    error, _ = hold("error", 8, "check", "none.img")
    assert error["error"]["status"] == "ABSENT", error


def serving(verb, *drive):
    if os.environ.get("HFTL_SANITIZE", "none") != "none":
        print("not served: nbdkit itself is built without the sanitizers")
        return
    ready, _ = hold("serve", 0, *verb, *drive, "--nbd", "unix:s", "--daemon")
    refuses("serve", ready)
    try:
        mode = os.stat(ready["data"]["socket"]).st_mode & 0o7777
        assert mode == 0o600, oct(mode)
        error, _ = hold("error", 1, *verb, *drive, "--nbd", "unix:other")
        assert error["error"]["status"] == "BUSY", error
    finally:
        pid = ready["data"]["pid"]
        os.kill(pid, signal.SIGTERM)
        subprocess.run(["timeout", "20", "tail", f"--pid={pid}", "-f", "/dev/null"], check=False)


def managing():
    if os.environ.get("HFTL_SANITIZE", "none") != "none":
        return
    error, _ = hold("error", 1, "stats", "zoned.img")
    assert error["error"]["status"] == "ABSENT" and "hostftl serve" in error["error"]["message"]
    error, _ = hold("error", 1, "ctl", "none.img", "version")
    assert error["error"]["status"] == "ABSENT", error
    ready, _ = hold("serve", 0, "serve", "zoned.img", "--nbd", "unix:s", "--rpc", "r", "--daemon")
    try:
        hold("error", 1, "stats", "zoned.img")  # it is not at the usual place
        shown, _ = hold("stats", 0, "stats", "zoned.img", "--rpc", "r")
        refuses("stats", shown)
        assert shown["data"]["stats"]["waf"] is None
        human = run(0, "stats", "zoned.img", "--rpc", "r").stdout
        assert "nothing was written yet" in human and "start" in human, human
        called, _ = hold("ctl", 0, "ctl", "zoned.img", "version", "--rpc", "r")
        refuses("ctl", called)
        assert "stats" in called["data"]["result"]["methods"]
        for method in called["data"]["result"]["methods"]:
            if not method.endswith(".set"):
                hold("ctl", 0, "ctl", "--rpc", "r", "zoned.img", method)
        set_to, _ = hold("ctl", 0, "ctl", "--rpc", "r", "zoned.img", "limits.set",
                         'low={"percent": 40}')
        assert set_to["data"]["result"]["low"]["percent"] == 40
        error, _ = hold("error", 1, "ctl", "zoned.img", "policy.set", "policy=best", "--rpc", "r")
        assert error["error"]["status"] == "INVALID", error
        watching = subprocess.Popen([HOSTFTL, "stats", "--rpc", "r", "zoned.img", "--watch"],
                                    stdout=subprocess.PIPE, text=True)
        for _ in range(2):
            jsonschema.validate(json.loads(watching.stdout.readline()), schema("stats"))
    finally:
        os.kill(ready["data"]["pid"], signal.SIGTERM)
        subprocess.run(["timeout", "20", "tail", f"--pid={ready['data']['pid']}", "-f",
                        "/dev/null"], check=False)
    assert watching.wait(timeout=20) == 1  # it ends with the server
    assert not os.path.exists("r")


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        emulated_drives()
        errors()
        serving(("emu", "serve-raw"), "zoned.img")
        devices()
        checking()
        serving(("serve",), "zoned.img")
        managing()
        os.chdir("/")
    print("every envelope is as its schema says")


main()
