# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions per I/O, counted by callgrind: exact on any busy machine.

Two runs of each case, a short and a long one; what differs is divided by the
I/Os that differ. Counted is QEMU's main thread, where the controller runs
without an IOThread; the kernel's part and waiting do not show, and a string
instruction counts once per byte.
"""
import json
import os
import re
import subprocess

import plan

CASES = (("stock", plan.STOCK, "null"), ("envme", plan.ENVME, "null"),
         ("envme", plan.ENVME, "mem"))
LINE = re.compile(r"\s*([\d,]+)\s*(?:\([\s\d.]+%\))?\s+\S+?:(\S+)(?: \[(.*)\])?$")


def _count(lab, subject, backend, job, ms):
    """({function: (own, with callees)}, I/Os)."""
    out = os.path.join(lab.folder, "callgrind.out")
    for name in os.listdir(lab.folder):
        if name.startswith("callgrind.out"):
            os.unlink(os.path.join(lab.folder, name))
    qemu = lab.qemu
    lab.qemu = ["valgrind", "-q", "--tool=callgrind", "--fair-sched=yes",
                "--separate-threads=yes", "--callgrind-out-file=" + out] + qemu
    try:
        got = lab.run(subject.device, backend, gen="yield=1", timeout=300, jobs=[
            "job=name=count+rw=%s+bs=%d+qd=%d+warm=0+time=%d" % (
                job.rw, job.bs, job.qd, ms)])
    finally:
        lab.qemu = qemu
    counts = {}
    for column, extra in ((0, []), (1, ["--inclusive=yes"])):
        text = subprocess.run(
            ["callgrind_annotate", "--threshold=100"] + extra + [out + "-01"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        for line in text.decode().splitlines():
            m = LINE.match(line)
            if m:
                key = m.group(2)
                dso = os.path.basename(m.group(3) or "")
                own, full, where = counts.get(key, (0, 0, dso))
                n = int(m.group(1).replace(",", ""))
                # Several lines for what was inlined: own costs add up.
                counts[key] = (own + n if column == 0 else own,
                               max(full, n) if column else full, where or dso)
    return counts, got["jobs"][0]["ios"]


def _print(title, counts, top):
    total = sum(own for own, _, _ in counts.values())
    print("\n%s: %d instructions per I/O" % (title, total))
    by = {}
    for own, _, dso in counts.values():
        by[dso] = by.get(dso, 0) + own
    print("  " + ", ".join("%s %d" % (k or "(inlined)", v) for k, v in sorted(
        by.items(), key=lambda kv: -kv[1]) if v >= 10))
    print("  %8s %8s  function" % ("own", "with callees"))
    for key, (own, full, dso) in sorted(counts.items(), key=lambda kv: -kv[1][0])[:top]:
        print("  %8.1f %8.1f  %s [%s]" % (own, full, key, dso))


def run(lab, a, top=40):
    """Prints and saves; per case the difference of a long and a short run."""
    result = {}
    job = plan.Job("count", qd=a.qd)
    for name, subject, backend in CASES:
        title = "%s on %s, QD%d" % (name, backend, a.qd)
        short, few = _count(lab, subject, backend, job, 1)
        long, many = _count(lab, subject, backend, job, a.time * 5)
        n = many - few
        counts = {}
        for key, (own, full, dso) in long.items():
            base = short.get(key, (0, 0, dso))
            counts[key] = ((own - base[0]) / n, (full - base[1]) / n, dso)
        result[title] = {k: {"own": v[0], "full": v[1], "object": v[2]}
                         for k, v in counts.items() if v[0] >= 0.5 or v[1] >= 5}
        _print(title + ", %d I/Os" % n, counts, top)
    path = os.path.join(lab.folder, "instructions.json")
    with open(path, "w") as f:
        json.dump(result, f, indent=1)
    print("\n" + path)
