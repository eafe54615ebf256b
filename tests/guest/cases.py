# SPDX-License-Identifier: GPL-2.0-or-later
"""The guests that tests/guest/run boots: one Case is one boot.

Case.build(lab) returns QEMU's arguments; lab makes the files, the NBD server
and the names of the devices (tests/guest/run). The longest boots come first,
because several run at once.
"""
import dataclasses
import os
import subprocess
import tempfile
import typing

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@dataclasses.dataclass
class Case:
    name: str
    script: str
    build: typing.Callable
    kernel: str = "cloud-new"
    machine: str = "q35"
    cpu: str = "max"
    accel: str = "tcg,thread=multi"
    smp: int = 1
    mem: int = 384
    modules: str = "nvme"
    append: str = ""
    timeout: int = 120
    reboot: bool = False       # the guest resets the machine on purpose
    stock: bool = False        # part of --stock too
    vars: dict = dataclasses.field(default_factory=dict)    # for the script
    files: typing.Callable = dict      # path in the guest: its bytes


# With a thread for each processor QEMU's TCG has races of its own when BARs
# come and go, as at resets: an assertion in iotlb_to_section(), and timers that
# are lost for ever. QEMU's own nvme shows both. So boots with several processors
# that reset the function again and again run them on one thread; the lanes
# of the controller still have theirs.
ONE_THREAD = "tcg,thread=single"
IOMMU = "intel_iommu=on iommu.passthrough=0 iommu.strict=1"


def one_raw(lab):
    return lab.drive("d0", lab.raw(64)) + lab.ctrl("c0", drive="d0")


def one_qcow2_iothread(lab):
    return (lab.iothread("io0") + lab.drive("d0", lab.qcow2(64), format="qcow2") +
            lab.ctrl("c0", drive="d0", iothread="io0"))


def one_paced(lab):
    """A drive with service times, a channel queue and few commands at once."""
    return (lab.iothread("io0") + lab.drive("d0", lab.raw(64)) +
            lab.ctrl("c0", **{"drive": "d0", "iothread": "io0",
                              "profile": "tlc", "max-inflight": 8,
                              "latency.seed": 7}))


def one_cmb(**props):
    def build(lab):
        return (lab.iothread("io0") + lab.drive("d0", lab.raw(64)) +
                lab.ctrl("c0", drive="d0", cmb_size_mb=16, **props))
    return build


def one_4k(lab):
    return lab.drive("d0", lab.raw(64)) + lab.ctrl(
        "c0", drive="d0", logical_block_size=4096, physical_block_size=4096)


def doorbells(lab):
    """Each way to ring, on vCPUs and the main loop, one and four threads; on small
    rings, so that they wrap all the time."""
    args = []
    for n in range(4):
        args += lab.iothread("io%d" % n)
    for way, props, served in (
            ("trapped", {"mapped-doorbells": "off", "dbcs": "off"}, (0, 1, 4)),
            ("shadow", {"mapped-doorbells": "off"}, (0, 1, 4)),
            # So that a slow guest rings often enough.
            ("mapped", {"mapped-doorbells": "on", "dbcs": "off", "mapped-rate": 100},
             (0, 1, 4)),
            ("each", {"vcpu-gather": 1}, (0,)),
            ("main", {"dbcs": "off", "vcpu-turns": "off"}, (0,))):
        for threads in served:
            mem = "%s%d" % (way, threads)
            lanes = {"iothreads": ":".join("io%d" % n for n in range(threads))}
            # Two have enough commands at a time for coalescing.
            mqes = 31 if (way, threads) in (("each", 0), ("trapped", 1)) else 7
            args += lab.memory(mem, 16) + lab.ctrl(
                "%s-%d" % (way, threads), memdev=mem, mqes=mqes, **props,
                **(lanes if threads else {}))
    return args


def one_memdev(lab):
    return lab.memory("m0", 64) + lab.ctrl("c0", memdev="m0")


def one_memdev_iothread(lab):
    return (lab.iothread("io0") + lab.memory("m0", 64) +
            lab.ctrl("c0", memdev="m0", iothread="io0"))


def two_lanes(lab):
    """The I/O queues are served by two threads."""
    return (lab.iothread("io0") + lab.iothread("io1") +
            lab.drive("d0", lab.raw(64), aio="native", cache="none") +
            lab.ctrl("c0", drive="d0", iothreads="io0:io1"))


def behind_iommu(inner):
    return lambda lab: ["-device", "intel-iommu,intremap=on"] + inner(lab)


def backends(lab):
    """Each kind of storage on a controller of its own."""
    args = lab.iothread("io0") + lab.iothread("io1")
    args += lab.drive("d0", lab.raw(16), aio="native", cache="none")
    args += lab.ctrl("raw-native", drive="d0")
    args += lab.drive("d1", lab.raw(16), aio="io_uring", cache="none")
    args += lab.ctrl("raw-uring-io0", drive="d1", iothread="io0")
    args += lab.drive("d2", lab.qcow2(16), format="qcow2", discard="unmap")
    args += lab.ctrl("qcow2", drive="d2")
    args += lab.drive("d3", lab.raw(16), aio="threads")
    args += lab.ctrl("raw-threads-io1", drive="d3", iothread="io1")
    for name, props in (("nbd", {}), ("nbd-io0", {"iothread": "io0"})):
        args += ["-blockdev", "driver=nbd,node-name=%s,export=disk,server.type=unix,"
                 "server.path=%s" % (name, lab.nbd(16))]
        args += lab.ctrl(name, drive=name, **props)
    args += lab.memory("m0", 16) + lab.ctrl("mem", memdev="m0")
    args += lab.drive("d6", lab.qcow2(16), format="qcow2")
    args += lab.ctrl("qcow2-io0-io1", drive="d6", iothreads="io0:io1")
    args += lab.memory("m1", 16) + lab.ctrl("mem-io1", memdev="m1", iothread="io1")
    return args


def namespaces(lab):
    """One controller with four namespaces, one lane of its own."""
    args = lab.iothread("io0") + lab.ctrl("several", iothread="io0")
    args += lab.drive("d1", lab.raw(16)) + lab.ns(drive="d1", bus="several", nsid=1)
    args += lab.drive("d2", lab.qcow2(16), format="qcow2")
    args += lab.ns(drive="d2", bus="several", nsid=2, logical_block_size=4096,
                   physical_block_size=4096)
    args += lab.memory("m3", 16) + lab.ns(memdev="m3", bus="several", nsid=7)
    args += lab.drive("d4", lab.raw(16))
    args += lab.ns(drive="d4", bus="several", nsid=9)
    args += lab.drive("d5", lab.raw(16)) + lab.ctrl(
        "c4k", drive="d5", logical_block_size=4096, physical_block_size=4096)
    return args + lab.node("hot", 16)


def live(lab):
    """Like two_lanes, with a node that grows and one on a qcow2 image."""
    return (lab.iothread("io0") + lab.iothread("io1") + lab.node("h0", 64) +
            lab.ctrl("c0", drive="h0", iothreads="io0:io1") +
            lab.drive("d1", lab.qcow2(64), format="qcow2") +
            lab.ctrl("c1", drive="d1", iothread="io0"))


def hotplug(lab):
    return (lab.iothread("io0") +
            ["-device", "pcie-root-port,id=rp1,chassis=1,slot=1"] +
            lab.node("h0", 64))


# Type, block, metadata, extended or not, guard: as protected() makes them.
PROTECTED = ((1, 512, 8, 0, 0), (2, 512, 8, 0, 0), (3, 512, 8, 0, 0), (1, 512, 8, 1, 0),
             (2, 512, 8, 1, 0), (3, 512, 8, 1, 0), (1, 4096, 64, 0, 0),
             (1, 4096, 16, 0, 2), (2, 4096, 16, 1, 2))


def protected(lab):
    """A namespace for each kind of protection information."""
    args = lab.iothread("io0") + lab.ctrl("c0", iothread="io0")
    for n, (kind, block, ms, ext, guard) in enumerate(PROTECTED, 1):
        args += lab.drive("d%d" % n, lab.raw(24)) + lab.ns(
            drive="d%d" % n, bus="c0", nsid=n, logical_block_size=block,
            physical_block_size=block, ms=ms, mset=ext, pi=kind, pif=guard)
    return args


def faults(lab):
    def failing(node, *rules):
        text = "driver=blkdebug,node-name=%s,image.driver=file,image.filename=%s" % (
            node, lab.raw(64))
        for n, (kind, errno, sector, once) in enumerate(rules):
            text += "".join(",inject-error.%d.%s=%s" % (n, k, v) for k, v in (
                ("event", "none"), ("iotype", kind), ("errno", errno),
                ("sector", sector), ("once", once)))
        return ["-blockdev", text]

    args = lab.drive("d0", lab.raw(64), readonly="on") + lab.ctrl("c0", drive="d0")
    args += failing("e1", ("read", 5, 2048, "off"), ("write", 5, 4096, "off"))
    args += lab.ctrl("c1", drive="e1", werror="report", rerror="report")
    args += failing("e2", ("write", 28, 4096, "off"))
    args += lab.ctrl("c2", drive="e2", werror="report")
    args += failing("e3", ("write", 28, 4096, "on"))
    args += lab.ctrl("c3", drive="e3", werror="stop")
    return args


def inject(lab):
    """The guest may ask for faults, too."""
    return lab.drive("d0", lab.raw(64)) + lab.ctrl("c0", drive="d0",
                                                   **{"fault-injection": "on"})


def guarded(lab):
    """Protection information apart from the data, which the kernel checks."""
    return (lab.ctrl("c0") + lab.drive("d1", lab.raw(16)) +
            lab.ns(drive="d1", bus="c0", nsid=1, ms=8, pi=1))


def behind_port(lab):
    """In a slot with PCIe's own hot-plug, which ACPI's would take away."""
    return (["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
             "-device", "pcie-root-port,id=rp1,chassis=1,slot=1"] +
            lab.drive("d0", lab.raw(64)) + lab.ctrl("c0", drive="d0", bus="rp1"))


def firmware():
    """An image for nvme fw-download."""
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run([os.path.join(TOP, "scripts", "make-firmware"), "WALK-2.0",
                        f.name], check=True)
        return {"usr/share/fw.img": f.read()}


CASES = [
    Case("busmaster", "busmaster.sh", two_lanes, smp=4),
    Case("busmaster-memdev-6.1", "busmaster.sh", one_memdev, kernel="cloud-6.1"),
    Case("uio-new", "userspace.sh", one_raw, kernel="full-new", smp=2, mem=512),
    Case("uio-6.1-iothread", "userspace.sh", one_memdev_iothread, kernel="full-6.1",
         smp=2, mem=512),
    Case("vfio-new", "userspace.sh", behind_iommu(one_raw), kernel="full-new", smp=2,
         mem=512, append=IOMMU),
    Case("scenarios", "scenarios-lib.sh scenarios.sh", inject, smp=2,
         accel=ONE_THREAD, timeout=420,
         append="nvme_core.io_timeout=2 nvme_core.admin_timeout=2 "
         "nvme_core.shutdown_timeout=2"),
    Case("scenarios-6.1", "scenarios-lib.sh scenarios.sh", inject,
         kernel="cloud-6.1", smp=2,
         accel=ONE_THREAD, timeout=420,
         append="nvme_core.io_timeout=2 nvme_core.admin_timeout=2 "
         "nvme_core.shutdown_timeout=2"),
    Case("scenarios-pi", "scenarios-pi.sh", guarded),
    Case("scenarios-data", "scenarios-lib.sh scenarios-data.sh", inject, smp=2,
         accel=ONE_THREAD, timeout=300,
         append="nvme_core.io_timeout=2 nvme_core.admin_timeout=2"),
    Case("scenarios-data-6.1", "scenarios-lib.sh scenarios-data.sh", inject,
         kernel="cloud-6.1", smp=2, accel=ONE_THREAD, timeout=300,
         append="nvme_core.io_timeout=2 nvme_core.admin_timeout=2"),
    Case("bus", "scenarios-lib.sh bus.sh", behind_port, smp=2, accel=ONE_THREAD, timeout=420,
         append="nvme_core.io_timeout=2 nvme_core.admin_timeout=2"),
    Case("bus-6.1", "scenarios-lib.sh bus.sh", behind_port, kernel="cloud-6.1", smp=2,
         accel=ONE_THREAD, timeout=420,
         append="nvme_core.io_timeout=2 nvme_core.admin_timeout=2"),
    Case("backends-1cpu", "backends.sh", backends, vars={"GUEST_NAMESPACES": 9}),
    Case("backends-4cpu-6.1", "backends.sh", backends, kernel="cloud-6.1", smp=4,
         vars={"GUEST_NAMESPACES": 9}),
    Case("namespaces", "backends.sh", namespaces, smp=4,
         vars={"GUEST_NAMESPACES": 5, "GUEST_HOT_BUS": "several"}),
    Case("doorbells", "doorbells.sh", doorbells, smp=2, timeout=300, mem=512,
         vars={"GUEST_NAMESPACES": 11}),
    Case("resets", "resets.sh", one_raw, smp=2, accel=ONE_THREAD),
    Case("resets-iothread-6.1", "resets.sh", one_qcow2_iothread, smp=4,
         kernel="cloud-6.1", accel=ONE_THREAD),
    Case("resets-lanes", "resets.sh", two_lanes, smp=4, accel=ONE_THREAD),
    Case("hotplug", "hotplug.sh", hotplug, stock=True, vars={"HOTPLUG_PROPS": ""}),
    Case("hotplug-iothread-6.1", "hotplug.sh", hotplug, kernel="cloud-6.1",
         vars={"HOTPLUG_PROPS": "iothread=io0"}),
    Case("basic-6.1", "basic.sh", one_raw, kernel="cloud-6.1"),
    Case("basic-paced", "basic.sh", one_paced),
    # Debian's 6.1 has no peer to peer memory, and so no use for the buffer.
    Case("cmb", "cmb.sh", one_cmb(iothread="io0"), smp=2, accel=ONE_THREAD,
         timeout=240, vars={"GUEST_CMB_BYTES": 16 << 20}),
    Case("cmb-legacy", "cmb.sh", one_cmb(**{"legacy-cmb": "on"}), smp=2,
         accel=ONE_THREAD, timeout=240, vars={"GUEST_CMB_BYTES": 16 << 20}),
    Case("ns-manage", "ns-manage.sh", one_raw),
    Case("pi", "pi.sh", protected, vars={"GUEST_PI": " ".join(
        "%d:%d:%d:%d:%d" % (n, *p[:4]) for n, p in enumerate(PROTECTED, 1))}),
    Case("nvme-cli", "nvme-cli.sh", one_raw, files=firmware, timeout=240),
    Case("basic-new", "basic.sh", one_qcow2_iothread, smp=4, stock=True,
         accel=ONE_THREAD),
    Case("basic-4096-i440fx", "basic.sh", one_4k, machine="pc"),
    Case("basic-iommu-memdev", "basic.sh", behind_iommu(one_memdev_iothread), append=IOMMU),
    Case("aarch64", "basic.sh", one_qcow2_iothread, kernel="arm64", stock=True,
         machine="virt,gic-version=3", cpu="max,pauth-impdef=on", smp=2),
    Case("faults", "faults.sh", faults),
    Case("live", "live.sh", live, smp=4),
    Case("reboot", "reboot.sh", one_raw, reboot=True),
]
