#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes C of a page: embed.py NAME OUT.c PAGE [@WORD@=FILE]...

Each @WORD@ of the page is replaced by what its file has. The result is an array NAME and its length
NAME_bytes, in a file that the compiler takes.
"""

import sys


def main():
    name, out, page, *parts = sys.argv[1:]
    with open(page, "rb") as file:
        text = file.read()
    for part in parts:
        word, path = part.split("=", 1)
        with open(path, "rb") as file:
            inside = file.read()
        if text.count(word.encode()) != 1:
            sys.exit(f"embed: {page}: {word} is there {text.count(word.encode())} times")
        if b"</script" in inside or b"</style" in inside:
            sys.exit(f"embed: {path}: ends the element that it is to be in")
        text = text.replace(word.encode(), inside)
    with open(out, "w", encoding="ascii") as file:
        file.write(f"#include <stddef.h>\n\nextern const unsigned char {name}[];\n"
                   f"extern const size_t {name}_bytes;\n\nconst unsigned char {name}[] = {{\n")
        for i in range(0, len(text), 20):
            file.write(",".join(map(str, text[i:i + 20])) + ",\n")
        file.write(f"}};\nconst size_t {name}_bytes = sizeof {name};\n")


main()
