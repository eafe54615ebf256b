# SPDX-License-Identifier: GPL-2.0-or-later
"""fio inside one guest that has every device, which take turns."""
import os
import re
import time

import plan
import vm

# Positions in fio's terse output, version 3.
ERROR, READ_IOPS, READ_MS, READ_PCT = 4, 7, 8, 17

CPUCLOCK_SCHED = 2              # Linux: which clock of a process an id names

SCRIPT = """
find_nvme() {
    for d in /sys/block/nvme*n1; do
        grep -q "^$1 *$" "$d/device/serial" && echo "/dev/${d##*/}"
    done
}
find_virtio() {
    for d in /sys/block/vd*; do
        [ "$(cat "$d/serial")" = "$1" ] && echo "/dev/${d##*/}"
    done
}
one() { # ROUND BACKEND JOB DEPTH JOBS SUBJECT
    host mark begin >/dev/null
    line=$(fio --name=f --filename="$(cat /tmp/dev-$2-$6)" --direct=1 \\
        --ioengine=libaio --rw=randread --bs=4k --iodepth=$4 --numjobs=$5 \\
        --group_reporting --time_based --runtime=$SECONDS_EACH --norandommap \\
        --clocksource=clock_gettime --randrepeat=0 --random_generator=tausworthe64 \\
        --lat_percentiles=1 --percentile_list=50:99:99.9 --output-format=terse --terse-version=3 \\
        2>/dev/null | tail -n 1)
    host mark end >/dev/null
    echo "R $1 $2 $3 $6 $line"
}
ok=1
echo "clock: $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
for b in $BACKENDS; do
    for s in $DEVICES; do
        id=$(echo $b-$s | cut -c1-20)
        case $s in
        virtio*) dev=$(find_virtio $id) ;;
        *) dev=$(find_nvme $id) ;;
        esac
        t "$b-$s is there" test -b "$dev" || ok=0
        echo "$dev" >/tmp/dev-$b-$s
        d=/sys/block/${dev##*/}
        echo none >$d/queue/scheduler 2>/dev/null
        echo "D $b $s $dev $(ls $d/mq | wc -l)"
    done
done
[ $ok = 1 ] || exit 1
r=0
while [ $r -lt $ROUNDS ]; do
    for b in $BACKENDS; do
        for j in $JOBS; do
            set -- $(echo $j | tr : ' ')
            for s in $(turn $r $DEVICES); do
                one $r $b $1 $2 $3 $s
            done
        done
    done
    r=$((r + 1))
done
"""

TURN = """
# turn N WORD...: the words, beginning with the one after N others.
turn() {
    local n=$(($1 % ($# - 1)))
    shift
    while [ $n -gt 0 ]; do
        set -- "$@" "$1"
        shift
        n=$((n - 1))
    done
    echo "$@"
}
"""


def arguments(lab):
    """All devices, each with a backend of its own."""
    args = ["-plugin", lab.module]
    threads = 0
    for backend in plan.GUEST_BACKENDS:
        for subject in plan.GUEST_DEVICES:
            node = "%s-%s" % (backend, subject)
            if backend == "null":
                args += ["-blockdev", "null-co,node-name=%s,read-zeroes=on,size=%d"
                         % (node, 1 << 30)]
            else:
                path = os.path.join(lab.scratch, node + ".raw")
                if not os.path.exists(path):
                    os.link(lab.file(), path)
                # One file under five names, and all of them only read.
                direct = lab.direct()
                args += ["-blockdev", "file,node-name=%s-f,filename=%s,aio=%s,"
                         "cache.direct=%s,locking=off" % (
                             node, path, "native" if direct == "on" else "threads",
                             direct),
                         "-blockdev", "raw,node-name=%s,file=%s-f,cache.direct=%s"
                         % (node, node, direct)]
            names = []
            for _ in range({"virtio-iothread": 1, "virtio-vq-mapping": 2,
                            "envme-iothread": 1}.get(subject, 0)):
                names.append("io%d" % threads)
                threads += 1
                args += ["-object", "iothread,id=" + names[-1]]
            args += ["-device", device(subject, node, names)]
    return args


def device(subject, node, threads):
    # Neither kind has room for more in its serial number.
    serial = node[:20]
    if subject == "virtio-vq-mapping":
        return ('{"driver":"virtio-blk-pci","drive":"%s","serial":"%s",'
                '"iothread-vq-mapping":[%s]}' % (node, serial, ",".join(
                    '{"iothread":"%s"}' % t for t in threads)))
    driver = {"stock": "nvme", "virtio-iothread": "virtio-blk-pci"}.get(
        subject, "envme")
    return ",".join([driver, "drive=" + node, "serial=" + serial] +
                    ["iothread=" + t for t in threads])


class Cpu:
    """CPU time of QEMU's threads but the vCPUs, between two marks."""

    def __init__(self, guest):
        self.guest, self.vcpus, self.begin, self.last = guest, None, None, None

    def _now(self):
        if self.vcpus is None:
            ok, cpus = self.guest.qmp.command("query-cpus-fast")
            self.vcpus = {c["thread-id"] for c in cpus} if ok else set()
        # The clock of all its threads, those that have ended too, less those of
        # the vCPUs, which live as long as it does.
        pid = self.guest.process.pid
        total = time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED)
        for tid in self.vcpus:
            with open("/proc/%d/task/%d/schedstat" % (pid, tid)) as f:
                total -= int(f.read().split()[0])
        return total

    def mark(self, words):
        if words == ["begin"]:
            self.begin = self._now()
        else:
            self.last = self._now() - self.begin
        return "ok"


def parse(line, cpu):
    """(key, round, measurement) of a line of results."""
    words = line.split(" ", 5)
    n, backend, job, subject = int(words[1]), *words[2:5]
    f = words[5].split(";")
    if int(f[ERROR]):
        raise ValueError("fio ended with error %s" % f[ERROR])
    iops, ms = float(f[READ_IOPS]), float(f[READ_MS])
    ios = iops * ms / 1000
    got = {"iops": iops, "ios": ios, "device_cpu_ns_per_io": cpu / max(ios, 1)}
    for field in f[READ_PCT:READ_PCT + 20]:
        m = re.fullmatch(r"([0-9.]+)%=([0-9]+)", field)
        if m and float(m.group(1)) in (50, 99, 99.9):
            got["p%s_ns" % m.group(1).rstrip("0").rstrip(".").replace(".", "")] = \
                int(m.group(2)) * 1000
    return "guest-%s/%s/%s" % (backend, job, subject), n, got


def measure(lab, a, result, keys):
    """Boots the guest; adds its rounds to the result. keys: what is wanted."""
    seconds = 1 if a.quick else 2
    backends = [b for b in plan.GUEST_BACKENDS if any(k[0] == "guest-" + b for k in keys)]
    jobs = {j: v for j, v in plan.GUEST_JOBS.items() if any(k[1] == j for k in keys)}
    devices = [d for d in plan.GUEST_DEVICES if any(k[2] == d for k in keys)]
    head = TURN + "".join("%s='%s'\n" % kv for kv in (
        ("ROUNDS", a.rounds), ("SECONDS_EACH", seconds),
        ("DEVICES", " ".join(devices)), ("BACKENDS", " ".join(backends)),
        ("JOBS", " ".join("%s:%d:%d" % ((k,) + v)
                          for k, v in jobs.items()))))
    runs = a.rounds * len(devices) * len(backends) * len(jobs)
    accel = "kvm" if a.accel == "kvm" else "tcg,thread=multi"
    guest = vm.Guest(
        lab.qemu, vm.image("cloud-new"), head + SCRIPT, arguments(lab), accel=accel,
        cpu="host" if a.accel == "kvm" else "max", smp=2, mem=512,
        modules="nvme,virtio_pci,virtio_blk",
        append="tsc=reliable clocksource=tsc", log_dir=lab.folder, name="guest",
        timeout=60 + runs * (seconds + 8))
    cpu = Cpu(guest)
    guest.answers["mark"] = cpu.mark
    done = []

    def line(text):
        if text.startswith("R "):
            done.append(parse(text, cpu.last))
            vm.say("guest: %d of %d" % (len(done), runs)) \
                if len(done) % 30 == 1 else None

    guest.on_line = line
    try:
        good = guest.run()
    except ValueError as e:
        good, guest.error = False, str(e)
    if not good:
        bad = [c[1] + ": " + c[2] for c in guest.checks if c[0] == "not ok"]
        result["failed"].append("guest: " + (guest.error or "; ".join(bad) or
                                             "its script failed"))
        vm.say("\n".join(guest.tail(8)))
    for n in range(a.rounds):
        measured = {key: got for key, r, got in done if r == n}
        if n < len(result["rounds"]):
            result["rounds"][n].update(measured)
        else:
            result["rounds"].append(measured)
