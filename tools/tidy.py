#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks the rules of the tree that a program can check, and prints each finding.

    tidy.py [--build FOLDER] [--rules]

A finding is `file:line: rule: message`. The rules are the functions named rule_... below; the first
line of each says what it asks. `tools/tidy-exceptions.txt` excuses a file from a rule: one
`rule path reason` a line, where the reason is a sentence, or names the decision (doc/adr) that
argues for it. An exception that excuses nothing is a finding itself.
Exit status: 0 nothing found, 1 findings, 2 could not check.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
EXCEPTIONS = "tools/tidy-exceptions.txt"

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 800
NESTING_MAX = 3
INDENT = 4

# Who may include whom (doc/adr and the headers say why). "hostftl" is include/hostftl.
SEES = {
    "include": {"hostftl"},
    "examples": {"hostftl"},
    "base": {"hostftl/types.h", "base"},
    "format": {"hostftl", "base", "format"},
    "core": {"hostftl", "base", "format", "core"},
    "lifecycle": {"hostftl", "base", "format", "core", "lifecycle"},
    "media": {"hostftl/types.h", "hostftl/media.h", "base", "media"},
    "front": {"hostftl", "base", "format", "core", "lifecycle", "media", "front"},
    "tool": {"hostftl", "base", "format", "core", "lifecycle", "media", "tool"},
}
ROOMS = {"hostftl", "sim", "test", "bench", "fuzz"} | set(SEES) - {"include"}

# Rooms without an operating system: the only headers from outside that they may include.
PLAIN = {"inttypes.h", "limits.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "string.h"}
OUTSIDE = {
    "include": PLAIN,
    "base": PLAIN | {"errno.h", "immintrin.h", "isa-l.h", "stdatomic.h", "stdio.h", "stdlib.h"},
    "format": PLAIN,
    "core": PLAIN,
}

# Words that say "later", put together here so that this file does not contain them.
LATER = ["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]
MACHINE_PATHS = ["wo" + "rk", "fa" + "rm"]

# Files that cannot, or by custom do not, carry a comment with a licence.
NO_LICENCE_LINE = {".md", ".json", ".bin", ".img", ".svg", ".png"}
NO_LICENCE_NAMES = {"LICENSE", ".gitignore"}


class Source:
    """A file of the tree: its path from the top, its text, its room."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)
        data = (TOP / path).read_bytes()
        self.binary = b"\0" in data
        self.text = "" if self.binary else data.decode("utf-8", "replace")
        self.lines = self.text.splitlines()
        self.is_c = path.endswith((".c", ".h"))
        # Code without comments, strings and character constants, line for line.
        self.code = blank_out(self.text).splitlines() if self.is_c else []

    @property
    def room(self):
        parts = self.path.split("/")
        return parts[1] if parts[0] == "src" and len(parts) > 2 else parts[0]


def blank_out(text):
    """Replaces what is not code by spaces; keeps the lines."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


def tree():
    """All files that are, or are about to be, in the repository."""
    listed = subprocess.run(
        ["git", "-C", str(TOP), "ls-files", "-co", "--exclude-standard"],
        capture_output=True, text=True, check=True).stdout.splitlines()
    return [Source(p) for p in sorted(set(listed)) if (TOP / p).is_file()]


def functions(source):
    """(first line, last line) of each function body, counted from 1, braces included.

    The formatting rule makes this simple: only a function has its brace in the first column.
    """
    start = None
    for number, line in enumerate(source.code, 1):
        if line.rstrip() == "{":
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number
            start = None


def rule_rooms(sources, _build):
    """A room includes only what it may see; core and format see no operating system."""
    for s in sources:
        if not s.is_c:
            continue
        for number, line in enumerate(s.lines, 1):
            found = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if found:
                yield from check_include(s, number, *found.groups())


def check_include(s, number, quote, header):
    folder = header.split("/")[0]
    inside = folder in ROOMS and "/" in header
    if quote == '"' and not inside:
        yield s.path, number, f'"{header}": name the room, as in "base/{header}"'
    elif quote == "<" and inside and folder != "hostftl":
        yield s.path, number, f"<{header}>: our own headers take quotation marks"
    elif s.room not in SEES:
        return
    elif inside and folder not in SEES[s.room] and header not in SEES[s.room]:
        yield s.path, number, f"{s.room} may not see {header}"
    elif not inside and header not in OUTSIDE.get(s.room, {header}):
        yield s.path, number, f"{s.room} may not see <{header}>"


def rule_symbols(_sources, build):
    """The library exports hftl_ names only."""
    library = build / "libhostftl.so"
    if not library.exists():
        yield str(library), 0, "is not built: run make"
        return
    listed = subprocess.run(["nm", "-D", "--defined-only", str(library)],
                            capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        kind, name = line.split()[-2:]
        if kind != "A" and not name.startswith("hftl_"):
            yield "src/libhostftl.map", 0, f"libhostftl.so exports {name}"


def rule_function_size(sources, _build):
    """A function has at most 60 lines."""
    for s in sources:
        for first, last in functions(s):
            if last - first + 1 > FUNCTION_LINES_MAX:
                yield s.path, first, f"a function of {last - first + 1} lines"


def rule_file_size(sources, _build):
    """A file of code has at most 800 lines."""
    for s in sources:
        if (s.is_c or s.path.endswith((".py", ".sh"))) and len(s.lines) > FILE_LINES_MAX:
            yield s.path, FILE_LINES_MAX + 1, f"{len(s.lines)} lines"


def rule_nesting(sources, _build):
    """Control statements nest at most three deep (their indentation tells)."""
    control = re.compile(r"( *)(?:\} )?(?:if|else|for|while|do|switch)\b")
    for s in sources:
        macros = macro_lines(s)
        for first, last in functions(s):
            for number in range(first, last):
                found = control.match(s.code[number - 1])
                if found and number not in macros and len(found[1]) > NESTING_MAX * INDENT:
                    yield s.path, number, f"nested {len(found[1]) // INDENT} deep"


def macro_lines(s):
    """The numbers of all lines that belong to a preprocessor directive."""
    numbers, inside = set(), False
    for number, line in enumerate(s.lines, 1):
        inside = inside or line.lstrip().startswith("#")
        if inside:
            numbers.add(number)
        inside = inside and line.endswith("\\")
    return numbers


def rule_columns(sources, _build):
    """A line has at most 100 columns, no tab where C or a script is, and no space at its end."""
    for s in sources:
        if not (s.is_c or s.path.endswith((".py", ".sh", "meson.build", ".map"))):
            continue
        for number, line in enumerate(s.lines, 1):
            if len(line) > COLUMNS_MAX:
                yield s.path, number, f"{len(line)} columns"
            if "\t" in line:
                yield s.path, number, "a tab"
            if line != line.rstrip():
                yield s.path, number, "a space at the end"


def rule_format(sources, _build):
    """clang-format has nothing to change."""
    files = [s.path for s in sources if s.is_c]
    if not files:
        return
    half = (len(files) + 1) // 2
    running = [subprocess.Popen(["clang-format", "--dry-run", *part], cwd=TOP, text=True,
                                stderr=subprocess.PIPE)
               for part in (files[:half], files[half:]) if part]
    seen = set()
    for process in running:
        for line in process.communicate()[1].splitlines():
            found = re.match(r"(\S+?):(\d+):\d+: (?:warning|error): ", line)
            if found and found.groups() not in seen:
                seen.add(found.groups())
                yield found[1], int(found[2]), "not as clang-format would have it"
        if process.returncode != 0:
            yield ".clang-format", 0, "clang-format failed"


def rule_licence(sources, _build):
    """Each file that can carry a comment has its SPDX line among the first three."""
    for s in sources:
        if s.binary or not s.text or s.name in NO_LICENCE_NAMES:
            continue
        if os.path.splitext(s.name)[1] in NO_LICENCE_LINE:
            continue
        if not any("SPDX-License-Identifier: BSD-3-Clause" in line for line in s.lines[:3]):
            yield s.path, 1, "no SPDX line"


def rule_allocation(sources, _build):
    """The core allocates through the world that it is given, never by itself."""
    call = re.compile(r"\b(malloc|calloc|realloc|reallocarray|aligned_alloc|alloca|strdup|free)"
                      r"\s*\(")
    for s in sources:
        if not s.path.startswith("src/core/"):
            continue
        for number, line in enumerate(s.code, 1):
            found = call.search(line)
            # A member of a struct may have such a name: world->free(...).
            if found and not re.search(r"(->|\.)\s*$", line[:found.start()]):
                yield s.path, number, f"{found[1]}() in the core"


def rule_words(sources, _build):
    """Nothing says "later", and nothing names a path of somebody's machine."""
    later = re.compile(r"\b(" + "|".join(LATER) + r")\b")
    path = re.compile(r"(?<![\w.])/(" + "|".join(MACHINE_PATHS) + r")/")
    for s in sources:
        for number, line in enumerate(s.lines, 1):
            found = later.search(line) or path.search(line)
            if found:
                yield s.path, number, f"the word {found[0]}"


RULES = {name[5:].replace("_", "-"): rule
         for name, rule in list(globals().items()) if name.startswith("rule_")}


def exceptions():
    """{(rule, path): line number} of the exceptions file."""
    excused = {}
    file = TOP / EXCEPTIONS
    for number, line in enumerate(file.read_text().splitlines() if file.exists() else [], 1):
        words = line.split("#")[0].split(None, 2)
        if words:
            if len(words) < 3 or words[0] not in RULES:
                sys.exit(f"{EXCEPTIONS}:{number}: not `rule path reason`")
            excused[words[0], words[1]] = number
    return excused


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=TOP / "build", metavar="FOLDER")
    parser.add_argument("--rules", action="store_true", help="list the rules")
    options = parser.parse_args()
    if options.rules:
        for name, rule in RULES.items():
            print(f"{name:15} {rule.__doc__}")
        return 0

    sources, excused = tree(), exceptions()
    used, found = set(), []
    for name, rule in RULES.items():
        for path, number, message in rule(sources, options.build):
            if (name, path) in excused:
                used.add((name, path))
            else:
                found.append((path, number, f"{name}: {message}"))
    for key in sorted(set(excused) - used):
        found.append((EXCEPTIONS, excused[key], f"exceptions: {' '.join(key)} excuses nothing"))

    for path, number, message in sorted(found):
        print(f"{path}:{number}: {message}")
    print(f"tidy: {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, subprocess.CalledProcessError) as trouble:
        print(f"tidy: {trouble}", file=sys.stderr)
        sys.exit(2)
