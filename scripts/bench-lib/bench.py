# SPDX-License-Identifier: GPL-2.0-or-later
"""The work of scripts/bench, once python3 is there."""
import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "guest-lib")]
import gen      # noqa: E402
import plan     # noqa: E402
import report   # noqa: E402
import vm       # noqa: E402


def output_of(*command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, cwd=TOP,
                              stderr=subprocess.DEVNULL).stdout.decode().strip()
    except OSError:
        return ""


def machine(qemu, accel):
    """What the numbers belong to."""
    model = platform.machine()
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {
        "cpu": model, "cpus": len(os.sched_getaffinity(0)),
        "kernel": platform.release(), "accel": accel,
        "qemu": output_of(*qemu, "-version").splitlines()[0],
        "envme": output_of("git", "describe", "--always", "--dirty"),
        "load_before": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    }


def wanted(a, rows):
    """Those that --only leaves."""
    return [r for r in rows
            if not a.only or any(w in r.name or w == r.a[0] for w in a.only)]


def chosen(a):
    """Groups and rows that --only leaves, and the groups that these need."""
    rows = [] if a.guest_only else wanted(a, plan.ROWS)
    keys = {key for r in rows for key in (r.a, r.b)}
    work = []
    for g in plan.GROUPS:
        for s in g.subjects:
            jobs = [j for j in g.jobs if (g.name, j.name, s.name) in keys]
            if jobs:
                work.append((g, s, jobs))
    return rows, work


def measure(lab, work, a, result):
    """The rounds of the generator."""
    for n in range(a.rounds):
        measured = {}
        # The order turns, so that nobody is always the first.
        order = work[n % len(work):] + work[:n % len(work)] if work else []
        for i, (g, s, jobs) in enumerate(order):
            key = g.name + "/" + s.name
            if key in result["missing"]:
                continue
            progress("round %d of %d: %s" % (n + 1, a.rounds, key), i, len(order))
            try:
                got = lab.run(
                    s.device, g.backend, s.props, s.iothread,
                    ",".join(w for w in (g.gen, s.gen) if w),
                    [gen.job_text(j, a.warm, a.time) for j in jobs])
            except gen.RunError as e:
                result["missing"][key] = str(e)
                if isinstance(e, gen.Unavailable):
                    result["notes"].append("NOTE: no %s: %s" % (key, e))
                elif not s.optional:
                    result["failed"].append("%s: %s" % (key, e))
                continue
            for job in got["jobs"]:
                measured["%s/%s/%s" % (g.name, job["name"], s.name)] = job
        result["rounds"].append(measured)
    progress(None)


def progress(text, i=0, n=0):
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + ("%s (%d of %d)" % (text, i + 1, n)
                                       if text else ""))
        sys.stderr.flush()
    elif text and i == 0:
        vm.say(text.split(":")[0] + " ...")


def head_of(result):
    m = result["machine"]
    return ["envme %s against %s" % (m["envme"], m["qemu"]),
            "%s, %d CPUs, Linux %s, accel %s" % (
                m["cpu"], m["cpus"], m["kernel"], m["accel"]),
            "%s; load before %.2f, after %.2f; %d rounds of %d ms" % (
                m["date"], m["load_before"], m.get("load_after", 0),
                len(result["rounds"]), result["time_ms"])] + result["notes"]


def publish(result, rows, folder):
    done = report.evaluate(result, rows)
    result["rows"] = done
    text = report.table(done, head_of(result))
    for name, data in (("result.json", json.dumps(result, indent=1) + "\n"),
                       ("table.txt", text),
                       ("chart.svg", report.chart(done, head_of(result)))):
        with open(os.path.join(folder, name), "w") as f:
            f.write(data)
    print(text + "\n" + folder)


def options():
    p = argparse.ArgumentParser(prog="scripts/bench", add_help=False)
    p.add_argument("--quick", action="store_true")
    p.add_argument("--rounds", type=int)
    p.add_argument("--time", type=int)
    p.add_argument("--only", action="append", default=[])
    p.add_argument("--no-guest", action="store_true")
    p.add_argument("--guest-only", action="store_true")
    p.add_argument("--accel", default="tcg")
    p.add_argument("--out")
    p.add_argument("--scratch", default="/dev/shm")
    p.add_argument("--list", action="store_true")
    p.add_argument("--redraw")
    p.add_argument("--instructions", action="store_true")
    p.add_argument("--qd", type=int, default=32)
    a = p.parse_args()
    a.rounds = a.rounds or (3 if a.quick else 5)
    a.time = a.time or (250 if a.quick else 1000)
    a.warm = max(a.time // 5, 50)
    if a.only:
        a.memory = any("memory" in w for w in a.only)
        a.no_guest = a.no_guest or not wanted(a, plan.guest_rows())
    else:
        a.memory = not a.guest_only
    return a


def redraw(path):
    with open(path) as f:
        result = json.load(f)
    rows = plan.ROWS + plan.guest_rows()
    publish(result, rows, os.path.dirname(os.path.abspath(path)))
    return 0


def tools():
    """QEMU, envme.so and the generator."""
    qemu, module = vm.qemu("build"), vm.module()
    perf = os.environ.get("ENVME_PERF_MODULE") or os.path.join(
        os.path.dirname(module), "tests", "perf", "envme-perf.so")
    if not os.path.exists(perf):
        sys.exit("scripts/bench: there is no %s" % perf)
    return qemu, module, perf


def notes_of(a, m):
    notes = []
    if a.quick or a.rounds < 5:
        notes.append("NOTE: a quick run; it proves nothing about speed")
    if m["cpus"] < 2:
        notes.append("NOTE: one CPU: generator and device take it from each other")
    if m["load_before"] > 0.3:
        notes.append("NOTE: the machine was not quiet")
    return notes


def main():
    a = options()
    if a.redraw:
        return redraw(a.redraw)
    rows, work = chosen(a)
    if a.list:
        print("\n".join(r.name for r in rows + plan.guest_rows()))
        return 0
    qemu, module, perf = tools()
    m = machine(qemu, a.accel)
    result = {"machine": m, "time_ms": a.time, "notes": notes_of(a, m),
              "rounds": [], "missing": {}, "failed": []}
    folder = os.path.abspath(a.out or os.path.join(TOP, "build", "bench"))
    os.makedirs(folder, exist_ok=True)
    if not a.instructions:
        for note in result["notes"]:
            vm.say(note)
    with tempfile.TemporaryDirectory(dir=a.scratch, prefix="envme-bench-") as scratch:
        lab = gen.Lab(qemu, module, perf, folder, scratch, a.accel)
        if a.instructions:
            import instr
            failed = instr.run(lab, a)
            for text in failed:
                vm.say("scripts/bench: FAILED " + text)
            return 1 if failed else 0
        measure(lab, work, a, result)
        if a.memory:
            try:
                result["memory"] = gen.memory(lab)
            except gen.RunError as e:
                result["failed"].append("memory: %s" % e)
        if not a.no_guest:
            import guestfio
            guest = wanted(a, plan.guest_rows())
            rows += guest
            guestfio.measure(lab, a, result, {k for r in guest for k in (r.a, r.b)})
    m["load_after"] = os.getloadavg()[0]
    publish(result, rows, folder)
    for text in result["failed"]:
        vm.say("scripts/bench: FAILED " + text)
    return 1 if result["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
