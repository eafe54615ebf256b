# SPDX-License-Identifier: GPL-2.0-or-later
"""closure.py FROM TO PROGRAM...: copy programs and the libraries they load.

FROM is a tree of unpacked packages, of any architecture; the ELF files are
read here, so that neither ldd nor the foreign machine is needed.
"""
import os
import shutil
import struct
import sys

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB = 1, 5


def elf_needs(path):
    """(interpreter, [sonames]) of a 64-bit little-endian ELF file."""
    with open(path, "rb") as f:
        d = f.read()
    if d[:6] != b"\x7fELF\x02\x01":
        return None, []
    phoff, = struct.unpack_from("<Q", d, 0x20)
    size, count = struct.unpack_from("<HH", d, 0x36)
    loads, dynamic, interp = [], None, None
    for i in range(count):
        kind, _, off, vaddr, _, filesz = struct.unpack_from(
            "<IIQQQQ", d, phoff + i * size)
        if kind == PT_LOAD:
            loads.append((vaddr, off, filesz))
        elif kind == PT_DYNAMIC:
            dynamic = (off, filesz)
        elif kind == PT_INTERP:
            interp = d[off:off + filesz].rstrip(b"\0").decode()
    if not dynamic:
        return interp, []
    tags = [struct.unpack_from("<qQ", d, dynamic[0] + o)
            for o in range(0, dynamic[1], 16)]
    addr = dict(tags)[DT_STRTAB]
    base = next(off + addr - v for v, off, n in loads if v <= addr < v + n)
    names = [d[base + v:d.index(b"\0", base + v)].decode()
             for t, v in tags if t == DT_NEEDED]
    return interp, names


def index(top):
    """Every file name in the tree and where it is."""
    found = {}
    for here, _, names in os.walk(top):
        for name in names:
            found.setdefault(name, []).append(os.path.join(here, name))
    return found


def main(top, out, programs):
    found = index(top)

    def path_of(name, folders):
        for path in sorted(found.get(name, [])):
            rel = os.path.relpath(path, top)
            if any(rel.startswith(f) for f in folders):
                return path
        sys.exit("closure.py: no package holds '%s'" % name)

    done, todo = set(), []
    for name in programs:
        src = path_of(name, ("bin/", "sbin/", "usr/bin/", "usr/sbin/"))
        shutil.copy2(src, os.path.join(out, "usr/bin", name))
        todo.append(src)
    while todo:
        interp, names = elf_needs(todo.pop())
        for name in names + ([interp] if interp else []):
            if name in done:
                continue
            done.add(name)
            base = os.path.basename(name)
            src = path_of(base, ("lib", "usr/lib"))
            # The loader goes where the programs say; libraries beside it.
            dst = os.path.join(out, name.lstrip("/") if "/" in name else
                               "usr/lib/" + name)
            os.makedirs(os.path.dirname(dst), exist_ok=True)
            if not os.path.exists(dst):
                shutil.copy2(os.path.realpath(src), dst)
            todo.append(os.path.realpath(src))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
