# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions per I/O, counted by callgrind: exact on any busy machine.

Two runs of each case, a short and a long one; what differs is divided by the
I/Os that differ. Counted is QEMU's main thread, where the controller runs
without an IOThread; the kernel's part and waiting do not show, and a string
instruction counts once per byte.
"""
import dataclasses
import json
import os
import re
import subprocess

import gen
import plan

LINE = re.compile(r"\s*([\d,]+)\s*(?:\([\s\d.]+%\))?\s+\S+?:(\S+)(?: \[(.*)\])?$")


@dataclasses.dataclass(frozen=True)
class Case:
    """One column of the cost: what is on, and what it is compared with."""
    name: str
    device: str = "envme"
    backend: str = "mem"
    props: str = ""
    ns: str = ""                # properties of a namespace apart
    gen: str = ""
    rw: str = "randread"
    fill: int = 0               # I/Os that write blocks beforehand
    module: str = ""            # beside envme.so, and built for this
    rules: dict = None          # what 100 fault rules have, each
    base: str = ""              # the case without it
    limit: float = None         # percent more than the base at most
    detail: bool = False        # its functions are listed


CASES = (
    Case("stock, null-co", device="nvme", backend="null", detail=True),
    Case("envme, null-co", backend="null", detail=True),
    Case("envme, memdev", detail=True),
    Case("64 queues open, 1 busy", gen="queues=64", base="envme, memdev", limit=5),
    Case("weighted round robin", gen="ams=1,qprio=2", base="envme, memdev"),
    Case("strict by age", gen="ams=7", base="envme, memdev"),
    Case("max-inflight=4096", props="max-inflight=4096", base="envme, memdev"),
    Case("latency.read=1ns", props="latency.read=1ns", base="envme, memdev"),
    Case("shadow doorbells", gen="dbbuf=1", base="envme, memdev"),
    # At most 32 completions or 1 ms.
    Case("coalescing", gen="aggr=%d" % (10 << 8 | 31), base="envme, memdev"),
    Case("no interrupts", gen="irq=0", base="envme, memdev"),
    Case("memdev, writes of 4 KiB blocks", rw="randwrite",
         ns="logical_block_size=4096"),
    Case("protection information, made by the device", rw="randwrite",
         ns="logical_block_size=4096,ms=8,pi=1",
         base="memdev, writes of 4 KiB blocks"),
    Case("memdev, reads of 4 KiB blocks", ns="logical_block_size=4096"),
    # Blocks that were never written have no tuples to check.
    Case("protection information, read: checked and taken off by the device",
         ns="logical_block_size=4096,ms=8,pi=1", fill=256,
         gen="prchk=7,region=%d" % (256 * 4096),
         base="memdev, reads of 4 KiB blocks"),
    Case("no fault layer", module="envme-no-hooks.so"),
    Case("fault layer, no rules", base="no fault layer", limit=1),
    Case("100 fault rules, not armed", rules={"armed": False},
         base="no fault layer", limit=3),
    Case("100 fault rules of another command",
         rules={"match": {"opcode": "io:write"}}, base="no fault layer", limit=3),
    Case("100 fault rules of other blocks",
         rules={"match": {"opcode": "io:read", "lba": 1 << 40}},
         base="no fault layer"),
)


def _rules(lab, case):
    """The property: a file with 100 rules."""
    name = os.path.join(lab.scratch, "rules.json")
    with open(name, "w") as f:
        json.dump({"rules": [dict(case.rules, name="r%d" % i,
                                  do={"status": "internal"})
                             for i in range(100)]}, f)
    return "faults=" + name


def _module(lab, case):
    """The case's module, built where envme.so was."""
    build = os.path.dirname(os.path.abspath(lab.module))
    subprocess.run(["ninja", "-C", build, case.module], check=True,
                   stdout=subprocess.DEVNULL)
    return os.path.join(build, case.module)


def _count(lab, case, qd, ios):
    """({function: (own, with callees)}, I/Os): qd of them at once, so that
    every turn of the device is like the others."""
    out = os.path.join(lab.folder, "callgrind.out")
    for name in os.listdir(lab.folder):
        if name.startswith("callgrind.out"):
            os.unlink(os.path.join(lab.folder, name))
    qemu, module = lab.qemu, lab.module
    props = _rules(lab, case) if case.rules else case.props
    if case.module:
        lab.module = _module(lab, case)
    lab.qemu = ["valgrind", "-q", "--tool=callgrind", "--fair-sched=yes",
                "--separate-threads=yes", "--callgrind-out-file=" + out] + qemu
    job = "job=name=%s+rw=%s+bs=4096+qd=%d+lump=1+warm=0+time=600000+ios=%d"
    jobs = [job % ("fill", "write", qd, case.fill)] if case.fill else []
    try:
        got = lab.run(
            case.device, case.backend, props, ns=case.ns, timeout=300,
            gen=",".join(w for w in ("yield=1", case.gen) if w),
            jobs=jobs + [job % ("count", case.rw, qd, ios)])
    finally:
        lab.qemu, lab.module = qemu, module
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
    return counts, got["jobs"][-1]["ios"]


def _difference(lab, case, a):
    """({function: (own, with callees, object)} per I/O, I/Os)."""
    short, few = _count(lab, case, a.qd, a.qd * 2)
    long, many = _count(lab, case, a.qd, a.qd * 2 + a.time * 4)
    n = max(many - few, 1)
    counts = {}
    for key, (own, full, dso) in long.items():
        base = short.get(key, (0, 0, dso))
        counts[key] = ((own - base[0]) / n, (full - base[1]) / n, dso)
    return counts, n


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


def _total(case, counts):
    """Of a memdev, what the lane's turns take: all is over within them, and how
    often the main loop went round meanwhile is left out."""
    if case.backend == "mem":
        return counts["envme_lane_run"][1]
    return sum(own for own, _, _ in counts.values())


def chosen(only):
    """The cases that --only leaves, and those they are compared with."""
    names = {c.name for c in CASES if not only or any(w in c.name for w in only)}
    names |= {c.base for c in CASES if c.name in names and c.base}
    return [c for c in CASES if c.name in names]


def table(cases, totals):
    """The table of docs/performance.md."""
    lines = ["| | instructions per I/O | more than without it |", "|---|---|---|"]
    for case in cases:
        if case.name not in totals:
            continue
        more = ""
        if case.base in totals:
            n = totals[case.name] - totals[case.base]
            more = "%+d (%+.1f %%)" % (n, n * 100 / totals[case.base])
            if case.limit is not None:
                more += ", at most %+d %%" % case.limit
        lines.append("| %s | %s | %s |" % (
            case.name, format(round(totals[case.name]), ","), more))
    return "\n".join(lines) + "\n"


def run(lab, a, top=40):
    """Prints and saves; returns what went wrong, a sentence each."""
    result, totals, failed = {}, {}, []
    cases = chosen(a.only)
    for case in cases:
        try:
            counts, n = _difference(lab, case, a)
        except gen.RunError as e:
            failed.append("%s: %s" % (case.name, e))
            continue
        totals[case.name] = _total(case, counts)
        result[case.name] = {
            "qd": a.qd, "ios": n, "total": totals[case.name],
            "functions": {k: {"own": v[0], "full": v[1], "object": v[2]}
                          for k, v in counts.items() if v[0] >= 0.5 or v[1] >= 5}}
        if case.detail:
            _print("%s, QD%d, %d I/Os" % (case.name, a.qd, n), counts, top)
    print("\n" + table(cases, totals))
    for case in cases:
        base = totals.get(case.base)
        if case.limit is not None and base and case.name in totals and \
                totals[case.name] > base * (1 + case.limit / 100):
            failed.append("%s: more than %g %% above %s"
                          % (case.name, case.limit, case.base))
    path = os.path.join(lab.folder, "instructions.json")
    with open(path, "w") as f:
        json.dump(result, f, indent=1)
    print(path)
    return failed
