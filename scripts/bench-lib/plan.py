# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/bench measures, and what must be reached.

A Group is one backend with the jobs that are run on it, by several Subjects
(a device with its properties). A Row compares two measurements of one round:
metric(a) / metric(b), or what it says.
"""
import dataclasses

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Subject:
    name: str
    device: str                 # nvme or envme
    props: str = ""             # after serial= and the storage
    iothread: bool = False
    gen: str = ""               # arguments of the generator
    optional: bool = False      # a property or feature that may be missing


@dataclasses.dataclass(frozen=True)
class Job:
    name: str
    rw: str = "randread"
    bs: int = 4096
    qd: int = 1
    queues: int = 1


@dataclasses.dataclass(frozen=True)
class Group:
    name: str
    backend: str
    jobs: tuple
    subjects: tuple
    gen: str = ""


STOCK = Subject("stock", "nvme")
ENVME = Subject("envme", "envme")
IO = Subject("envme-iothread", "envme", iothread=True)
MAIN = (STOCK, ENVME, IO)
STOCK_DB = Subject("stock-shadow", "nvme", gen="dbbuf=1", optional=True)
IO_DB = Subject("envme-iothread-shadow", "envme", iothread=True, gen="dbbuf=1",
                optional=True)
IO_WRR = Subject("envme-iothread-wrr", "envme", iothread=True,
                 gen="ams=1,qprio=2", optional=True)
IO_TRAP = Subject("envme-iothread-trapped", "envme", iothread=True,
                  props="mapped-doorbells=off", optional=True)
IO_MAP = Subject("envme-iothread-mapped", "envme", iothread=True,
                 props="mapped-doorbells=on", optional=True)
IO_NOIRQ = Subject("envme-iothread-noirq", "envme", iothread=True, gen="irq=0")

R1 = Job("read-qd1")
R32 = Job("read-qd32", qd=32)
R32_512 = Job("read512-qd32", bs=512, qd=32)
W32 = Job("write-qd32", rw="randwrite", qd=32)
R256 = Job("read-qd256", qd=256)

GROUPS = [
    Group("null", "null", (R1, R32, R32_512, W32, R256), MAIN),
    Group("mem", "mem", (R1, R32, R32_512, W32), (ENVME, IO)),
    Group("file-native", "file-native", (R1, R32), MAIN),
    Group("file-threads", "file-threads", (R1, R32), MAIN),
    Group("file-io_uring", "file-io_uring", (R1, R32), MAIN),
    Group("null-64-queues", "null", (R32,), (IO,), gen="queues=64"),
    Group("null-4-busy", "null",
          (Job("read-4xqd32", qd=32, queues=4),), MAIN, gen="queues=4"),
    Group("null-variants", "null", (R1, R32),
          (STOCK_DB, IO_DB, IO_TRAP, IO_MAP, IO_WRR, IO_NOIRQ)),
]


@dataclasses.dataclass(frozen=True)
class Row:
    """metric of (group, job, subject) over metric of another."""
    name: str
    metric: str
    a: tuple
    b: tuple
    limit: float = None         # None: for information
    at_least: bool = True


def _rows():
    rows = []
    for s, bar in ((IO, True), (ENVME, False)):
        def row(name, metric, group, job, limit, at_least=True, base=None):
            rows.append(Row("%s [%s]" % (name, s.name), metric,
                            (group, job.name, s.name),
                            base or (group, job.name, "stock"),
                            limit if bar else None, at_least))

        row("null-co QD32: IOPS", "iops", "null", R32, 2.5)
        row("null-co QD32: device CPU per I/O", "device_cpu_ns_per_io", "null",
            R32, 0.5, False)
        row("null-co QD1: p50", "p50_ns", "null", R1, 0.25, False)
        row("memdev QD32: IOPS, to stock on null-co", "iops", "mem", R32, 4,
            base=("null", R32.name, "stock"))
        row("memdev 512 B QD32: IOPS, to stock on null-co", "iops", "mem",
            R32_512, 8, base=("null", R32_512.name, "stock"))
        for aio in ("native", "threads", "io_uring"):
            for job in (R1, R32):
                row("tmpfs file, aio=%s, %s: IOPS" % (aio, job.name[5:].upper()),
                    "iops", "file-" + aio, job, 1.5)
    rows.append(Row("64 queues open, 1 busy, to 1 queue: IOPS", "iops",
                    ("null-64-queues", R32.name, IO.name),
                    ("null", R32.name, IO.name), 0.95))
    stock = ("null", R32.name, "stock")
    main = ("null", R32.name, IO.name)
    info = [
        ("null-co QD256: IOPS", "iops", ("null", R256.name, IO.name),
         ("null", R256.name, "stock")),
        ("null-co writes QD32: IOPS", "iops", ("null", W32.name, IO.name),
         ("null", W32.name, "stock")),
        ("null-co QD32: p99", "p99_ns", main, stock),
        ("null-co QD1: p99", "p99_ns", ("null", R1.name, IO.name),
         ("null", R1.name, "stock")),
        ("null-co QD1: p99.9", "p999_ns", ("null", R1.name, IO.name),
         ("null", R1.name, "stock")),
        ("memdev QD1: p50, to stock on null-co", "p50_ns",
         ("mem", R1.name, IO.name), ("null", R1.name, "stock")),
        ("null-co, 4 queues x QD32: IOPS", "iops",
         ("null-4-busy", "read-4xqd32", IO.name),
         ("null-4-busy", "read-4xqd32", "stock")),
        ("shadow doorbells, QD32: IOPS, both with", "iops",
         ("null-variants", R32.name, IO_DB.name),
         ("null-variants", R32.name, STOCK_DB.name)),
        ("shadow doorbells, QD1: p50, both with", "p50_ns",
         ("null-variants", R1.name, IO_DB.name),
         ("null-variants", R1.name, STOCK_DB.name)),
    ]
    for s, what in ((IO_TRAP, "mapped-doorbells=off"),
                    (IO_MAP, "mapped-doorbells=on"),
                    (IO_WRR, "weighted round robin"),
                    (IO_NOIRQ, "no interrupts")):
        for job, metric in ((R32, "iops"), (R32, "device_cpu_ns_per_io"),
                            (R1, "p50_ns")):
            info.append(("%s, to the default: %s %s" % (what, job.name, metric),
                         metric, ("null-variants", job.name, s.name),
                         ("null", job.name, IO.name)))
    rows += [Row(*i) for i in info]
    return rows


ROWS = _rows()

# fio in a guest -----------------------------------------------------------------

GUEST_DEVICES = ("stock", "virtio-iothread", "virtio-vq-mapping", "envme",
                 "envme-iothread")
GUEST_BACKENDS = ("null", "file")
GUEST_JOBS = {                  # name: (iodepth, numjobs)
    "qd1": (1, 1),
    "qd32": (32, 1),
    "4xqd32": (32, 4),
}


def guest_rows():
    rows = []
    for backend in GUEST_BACKENDS:
        for job in GUEST_JOBS:
            at = ("guest-" + backend, job)
            name = "guest, %s, %s: " % (
                {"null": "null-co", "file": "tmpfs file"}[backend], job.upper())
            # Under TCG the defaults are the fastest way.
            for s, bar in (("envme", True), ("envme-iothread", False)):
                tag = " [%s]" % s
                rows += [
                    Row(name + "IOPS, to stock" + tag, "iops", at + (s,),
                        at + ("stock",), 1.1 if bar else None),
                    Row(name + "IOPS, to virtio-blk with IOThread" + tag, "iops",
                        at + (s,), at + ("virtio-iothread",), 1.0 if bar else None),
                    Row(name + "CPU outside vCPUs per I/O, to stock" + tag,
                        "device_cpu_ns_per_io", at + (s,), at + ("stock",),
                        0.5 if bar else None, False),
                ]
            rows.append(Row(name + "IOPS, to virtio-blk with iothread-vq-mapping",
                            "iops", at + ("envme",),
                            at + ("virtio-vq-mapping",)))
    return rows
