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

def _rules(lab, n, **more):
    """A file with n rules that no command of the job matches."""
    name = os.path.join(lab.scratch, "rules-%s.json" % "-".join(sorted(more)))
    with open(name, "w") as f:
        json.dump({"rules": [{
            "name": "r%d" % i, "do": {"status": "internal"}, **more}
            for i in range(n)]}, f)
    return "faults=" + name


# What the fault layer costs: (name, properties by lab, limit in percent of
# the module without its hooks; None: for information).
FAULTS = (
    ("no rules", lambda lab: "", 1),
    ("100 rules that are not armed",
     lambda lab: _rules(lab, 100, armed=False), 3),
    ("100 armed rules of another command",
     lambda lab: _rules(lab, 100, match={"opcode": "io:write"}), 3),
    ("100 armed rules of this command, other blocks",
     lambda lab: _rules(lab, 100, match={"opcode": "io:read",
                                         "lba": 1 << 40}), None),
)

CASES = (("stock", plan.STOCK, "null"), ("envme", plan.ENVME, "null"),
         ("envme", plan.ENVME, "mem"))
LINE = re.compile(r"\s*([\d,]+)\s*(?:\([\s\d.]+%\))?\s+\S+?:(\S+)(?: \[(.*)\])?$")


def _count(lab, subject, backend, job, ms, props=""):
    """({function: (own, with callees)}, I/Os)."""
    out = os.path.join(lab.folder, "callgrind.out")
    for name in os.listdir(lab.folder):
        if name.startswith("callgrind.out"):
            os.unlink(os.path.join(lab.folder, name))
    qemu = lab.qemu
    lab.qemu = ["valgrind", "-q", "--tool=callgrind", "--fair-sched=yes",
                "--separate-threads=yes", "--callgrind-out-file=" + out] + qemu
    try:
        got = lab.run(subject.device, backend, props, gen="yield=1", timeout=300, jobs=[
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


def _per_io(lab, a, subject, backend, props=""):
    """({function: (own, with callees, object)}, I/Os): the difference of a
    long and a short run, by what they differ in."""
    job = plan.Job("count", qd=a.qd)
    short, few = _count(lab, subject, backend, job, 1, props)
    long, many = _count(lab, subject, backend, job, a.time * 5, props)
    n = many - few
    counts = {}
    for key, (own, full, dso) in long.items():
        base = short.get(key, (0, 0, dso))
        counts[key] = ((own - base[0]) / n, (full - base[1]) / n, dso)
    return counts, n


def _without_hooks(module):
    """That module built without the points at which rules look."""
    build = os.path.dirname(os.path.abspath(module))
    subprocess.run(["ninja", "-C", build, "envme-no-hooks.so"], check=True,
                   stdout=subprocess.DEVNULL)
    return os.path.join(build, "envme-no-hooks.so")


def faults(lab, a):
    """The cost of the fault layer, per I/O; false: above a limit."""
    def total(props):
        return sum(own for own, _, _ in _per_io(lab, a, plan.ENVME, "mem",
                                                props)[0].values())

    module = lab.module
    try:
        lab.module = _without_hooks(module)
        base = total("")
    finally:
        lab.module = module
    rows = {"without the fault layer": {"instructions": base}}
    print("\nThe fault layer, mem, QD%d: instructions per I/O" % a.qd)
    print("  %8.1f           without it" % base)
    good = True
    for name, props, limit in FAULTS:
        n = total(props(lab))
        more = (n / base - 1) * 100
        over = limit is not None and more > limit
        good = good and not over
        rows[name] = {"instructions": n, "percent": more, "limit": limit}
        print("  %8.1f  %+6.2f %%  %s%s" % (
            n, more, name, "" if limit is None else
            " (at most %d %%)%s" % (limit, ": TOO MUCH" if over else "")))
    with open(os.path.join(lab.folder, "faults.json"), "w") as f:
        json.dump(rows, f, indent=1)
    return good


def run(lab, a, top=40):
    """Prints and saves; per case the difference of a long and a short run."""
    if any("fault" in w for w in a.only):
        return faults(lab, a)
    result = {}
    for name, subject, backend in CASES:
        title = "%s on %s, QD%d" % (name, backend, a.qd)
        counts, n = _per_io(lab, a, subject, backend)
        result[title] = {k: {"own": v[0], "full": v[1], "object": v[2]}
                         for k, v in counts.items() if v[0] >= 0.5 or v[1] >= 5}
        _print(title + ", %d I/Os" % n, counts, top)
    path = os.path.join(lab.folder, "instructions.json")
    with open(path, "w") as f:
        json.dump(result, f, indent=1)
    print("\n" + path)
    return faults(lab, a)
