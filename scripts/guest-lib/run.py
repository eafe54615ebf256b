# SPDX-License-Identifier: GPL-2.0-or-later
"""The work of scripts/run, once python3 is there."""
import argparse
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

UNITS = (("latency_ns", 1e-3), ("latency_us", 1.0), ("latency_ms", 1e3))


def micro(us):
    """A time for people."""
    if us < 1000:
        return "%.0f us" % us
    return "%.1f ms" % (us / 1e3) if us < 1e6 else "%.1f s" % (us / 1e6)


def histogram(job):
    """fio's latency bins as (upper limit in us, percent), without the empty ends."""
    bins = []
    for key, scale in UNITS:
        for limit, percent in job[key].items():
            top = float(limit[2:]) * 10 if limit[:2] == ">=" else float(limit)
            bins.append((top * scale, percent))
    bins.sort()
    while bins and bins[0][1] < 0.05:
        bins.pop(0)
    while bins and bins[-1][1] < 0.05:
        bins.pop()
    return bins


def print_job(title, direction, job, bars):
    d = job[direction]
    pct = d["clat_ns"].get("percentile", {})
    print("%s: %.0f IOPS, %.1f MB/s, %d operations, %d errors" % (
        title, d["iops"], d["bw_bytes"] / 1e6, d["total_ios"], job["error"]))
    if pct:
        print("  latency  " + "   ".join(
            "p%s %s" % (("%.2f" % float(p)).rstrip("0").rstrip("."),
                        micro(pct[p] / 1e3))
            for p in ("50.000000", "90.000000", "99.000000", "99.900000")
            if p in pct))
    if not bars:
        return
    bins = histogram(job)
    most = max((p for _, p in bins), default=0)
    for limit, percent in bins:
        print("  <= %8s %5.1f%% %s" % (
            micro(limit), percent, "#" * round(40 * percent / most)))


def summary(guest):
    """What happened, in numbers; True when nothing went wrong."""
    print("\nSummary (%s)" % ("KVM" if guest.kvm else "TCG: an emulated processor, so "
                             "the numbers compare with each other only"))
    # fio bins the latencies of a job's writes and reads together.
    for name, title, direction, bars in (
            ("fio.out", "random writes", "write", False),
            ("fio.out", "verifying reads", "read", False),
            ("fio-read.out", "random reads", "read", True)):
        if guest.files.get(name):
            report = json.loads(guest.files[name])
            print_job(title, direction, report["jobs"][0], bars)
    bad = [c for c in guest.checks if c[0] == "not ok"]
    for _, name, why in bad:
        print("FAILED: %s: %s" % (name, why))
    if guest.error:
        print("FAILED: %s" % guest.error)
        print("\n".join("  " + line for line in guest.tail()))
    good = sum(c[0] == "ok" for c in guest.checks)
    print("%d checks passed, %d failed; logs: %s" % (
        good, len(bad) + (guest.error is not None), guest.log_dir))
    return good > 0 and not bad and guest.error is None and guest.status == 0


def storage(a, device):
    """QEMU's arguments for the controller and what is behind it."""
    props = "serial=envme-run,id=nvme0" if device == "envme" else "serial=run"
    args = []
    if a.iothread:
        args += ["-object", "iothread,id=io0"]
        props += ",iothread=io0"
    if a.file or device == "nvme":
        path = a.file or os.path.join(a.logs, "disk.raw")
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.truncate(a.size << 20)
        with open(path, "rb") as f:
            kind = "qcow2" if f.read(4) == b"QFI\xfb" else "raw"
        args += ["-drive", "if=none,id=d0,format=%s,file=%s" % (kind, path)]
        props += ",drive=d0"
    else:
        args += ["-object", "memory-backend-ram,id=m0,size=%dM" % a.size]
        props += ",memdev=m0"
    return args + ["-device", "%s,%s" % (device, props)]


def interactive(qemu, img, accel, cpu, extra):
    """Replace this process by QEMU, with the terminal as the guest's."""
    with open(vm.script("guest-lib/guest.sh"), "rb") as f:
        files = {"usr/lib/guest/guest.sh": f.read()}
    initrd = os.memfd_create("initrd", 0)
    for part in (img.user, img.modules):
        with open(part, "rb") as f:
            os.write(initrd, f.read())
    os.write(initrd, vm.cpio.files(files))
    os.set_inheritable(initrd, True)
    command = qemu + ["-nodefaults", "-no-user-config", "-display", "none",
                      "-no-reboot", "-machine", "q35", "-accel", accel, "-cpu", cpu,
                      "-m", "512", "-kernel", img.kernel, "-initrd",
                      "/proc/self/fd/%d" % initrd, "-append",
                      "console=ttyS0 quiet guest.tty=ttyS0 guest.modules=nvme "
                      "guest.shell iomem=relaxed panic=-1",
                      "-serial", "mon:stdio"] + extra
    sys.stdout.flush()
    os.execvp(command[0], command)


class Ticker:
    """A count of seconds on a terminal while the guest is silent."""

    def __init__(self):
        self.since, self.shown = time.monotonic(), False

    def tick(self):
        silent = time.monotonic() - self.since
        if silent >= 2 and sys.stdout.isatty():
            print("\r  ... %d s " % silent, end="", flush=True)
            self.shown = True

    def line(self, line):
        if self.shown:
            print("\r            \r", end="")
        self.since, self.shown = time.monotonic(), False
        show(line)


def show(line):
    if line.startswith("S "):
        print("\n== " + line[2:], flush=True)
    elif line.startswith("not ok"):
        print("  FAILED " + line[7:], flush=True)
    elif line.startswith("ok"):
        print("  ok: " + line[3:], flush=True)
    elif not line.startswith("skip"):
        print("  " + line, flush=True)


def main():
    p = argparse.ArgumentParser(prog="scripts/run", add_help=False, allow_abbrev=False)
    p.add_argument("--shell", action="store_true")
    p.add_argument("--kernel", default="cloud-new")
    p.add_argument("--file")
    p.add_argument("--size", type=int, default=256, metavar="MIB")
    p.add_argument("--iothread", action="store_true")
    p.add_argument("--tcg", action="store_true")
    a, extra = p.parse_known_args()
    device = os.environ.get("ENVME_DEVICE", "envme")
    start = time.monotonic()
    try:
        qemu = vm.qemu("stock")
        plugin = [] if device == "nvme" else ["-plugin", vm.module()]
        img = vm.image(a.kernel)
    except vm.subprocess.CalledProcessError as e:
        vm.say("scripts/run: %s failed (status %d)" % (
            os.path.relpath(e.cmd[0]), e.returncode))
        return 1
    a.logs = os.path.join(vm.cache_dir(), "log", "run")
    os.makedirs(a.logs, exist_ok=True)
    accel, cpu = "tcg,thread=multi", "max"
    if not a.tcg:
        why = vm.kvm_reason(qemu, img, a.logs)
        if why:
            vm.say("No KVM: %s; using TCG, which is slower." % why)
        else:
            accel, cpu = "kvm", "host"
    args = plugin + storage(a, device) + extra
    if a.shell:
        interactive(qemu, img, accel, cpu, args)
    print("Linux %s on %s" % (img.version, qemu[0]), flush=True)
    with open(vm.script("guest-lib/tour.sh")) as f:
        guest = vm.Guest(qemu, img, f.read(), args, accel=accel, cpu=cpu, mem=512,
                         log_dir=a.logs, name="run", timeout=120)
    ticker = Ticker()
    guest.on_line, guest.on_tick, guest.kvm = ticker.line, ticker.tick, accel == "kvm"
    print("booting the guest", flush=True)
    guest.run()
    good = summary(guest)
    vm.say("%.0f s in all" % (time.monotonic() - start))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
