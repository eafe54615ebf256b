# SPDX-License-Identifier: GPL-2.0-or-later
"""Write a newc cpio archive, the format that Linux unpacks as its initramfs.

Linux unpacks several archives that stand one after the other, so a boot is
user space + modules of one kernel + the files of this one run, and only the
last of them is new each time.

As a program: cpio.py OUT.cpio DIR packs a directory.
"""
import os
import stat
import sys

DIR = stat.S_IFDIR | 0o755
EXE = stat.S_IFREG | 0o755
DEV = stat.S_IFCHR | 0o600


def member(ino, name, mode, data=b"", rdev=(0, 0)):
    """One archive member, header and name and data each padded to 4 bytes."""
    raw = name.encode() + b"\0"
    fields = (ino, mode, 0, 0, 1, 0, len(data), 0, 0,
              rdev[0], rdev[1], len(raw), 0)
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
    head += b"\0" * (-len(head) % 4)
    return head + data + b"\0" * (-len(data) % 4)


def archive(members):
    """members: (name, mode, data[, rdev]) in order, parents first."""
    out = [member(n + 1, *m) for n, m in enumerate(members)]
    out.append(member(0, "TRAILER!!!", 0))
    blob = b"".join(out)
    return blob + b"\0" * (-len(blob) % 512)


def files(contents, mode=EXE):
    """An archive of regular files {path: bytes}, with their folders."""
    made, members = set(), []
    for path, data in sorted(contents.items()):
        path = path.lstrip("/")
        parts = path.split("/")[:-1]
        for i in range(1, len(parts) + 1):
            folder = "/".join(parts[:i])
            if folder not in made:
                made.add(folder)
                members.append((folder, DIR))
        members.append((path, mode, data))
    return archive(members)


def tree(top):
    """An archive of everything below a directory, sorted."""
    members = [("dev", DIR), ("dev/console", DEV, b"", (5, 1)),
               ("dev/null", stat.S_IFCHR | 0o666, b"", (1, 3))]
    for here, dirs, names in os.walk(top):
        dirs.sort()
        links = [d for d in dirs if os.path.islink(os.path.join(here, d))]
        for name in sorted(names + dirs):
            full = os.path.join(here, name)
            rel = os.path.relpath(full, top)
            if rel == "dev":
                continue
            if os.path.islink(full):
                members.append((rel, stat.S_IFLNK | 0o777,
                                os.readlink(full).encode()))
            elif os.path.isdir(full):
                members.append((rel, DIR))
            else:
                with open(full, "rb") as f:
                    mode = stat.S_IFREG | (os.stat(full).st_mode & 0o777)
                    members.append((rel, mode, f.read()))
        dirs[:] = [d for d in dirs if d not in links]
    members.sort(key=lambda m: m[0].split("/"))
    return archive(members)


if __name__ == "__main__":
    with open(sys.argv[1], "wb") as out:
        out.write(tree(sys.argv[2]))
