# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs QEMU with the load generator (tests/perf) once."""
import json
import os
import shlex
import subprocess

import plan

# cli; hlt; and again, at the reset vector: a processor with nothing to do.
IDLE = bytes([0xfa, 0xf4, 0xeb, 0xfc])
SIZE = 256 * plan.MIB


class RunError(Exception):
    """QEMU or the generator did not do it; says why."""


class Unavailable(RunError):
    """This machine cannot do it, whatever the device; says why."""


class Lab:
    def __init__(self, qemu, module, perf, folder, scratch, accel):
        self.qemu, self.module, self.perf = qemu, module, perf
        self.folder, self.scratch, self.accel = folder, scratch, accel
        self.rom = os.path.join(folder, "idle.rom")
        with open(self.rom, "wb") as f:
            f.write(bytes(0xfff0) + IDLE + bytes(0x10 - len(IDLE)))
        self.data = None
        self.log = open(os.path.join(folder, "commands.log"), "w")

    def file(self):
        """A file of real pages, in memory."""
        if not self.data:
            self.data = os.path.join(self.scratch, "disk.raw")
            block = os.urandom(plan.MIB)
            with open(self.data, "wb") as f:
                for _ in range(SIZE // plan.MIB):
                    f.write(block)
        return self.data

    def direct(self):
        """cache.direct= for the file: tmpfs takes O_DIRECT from Linux 6.6 on."""
        try:
            os.close(os.open(self.file(), os.O_RDONLY | os.O_DIRECT))
            return "on"
        except OSError:
            return "off"

    def backend(self, name, device):
        """QEMU's arguments and the device's property."""
        if name == "null":
            return ["-blockdev", "null-co,node-name=d0,read-zeroes=on,size=%d"
                    % (1 << 30)], "drive=d0"
        if name == "mem":
            return ["-object", "memory-backend-ram,id=m0,prealloc=on,size=%d"
                    % SIZE], "memdev=m0"
        aio, direct = name.split("-", 1)[1], self.direct()
        if aio == "native" and direct == "off":
            raise Unavailable("aio=native needs O_DIRECT, which %s does not have "
                              "(tmpfs has from Linux 6.6 on): see --scratch"
                              % self.scratch)
        return ["-blockdev", "file,node-name=f0,filename=%s,aio=%s,cache.direct=%s"
                % (self.file(), aio, direct), "-blockdev",
                "raw,node-name=d0,file=f0,cache.direct=" + direct], "drive=d0"

    def run(self, device, backend="null", props="", iothread=False, gen="",
            jobs=(), timeout=60, mem=512, ns=""):
        """One run; the generator's result. device None: no controller."""
        out = os.path.join(self.folder, "run.json")
        if os.path.exists(out):
            os.unlink(out)
        words = ["out=" + out] + [w for w in gen.split(",") if w] + list(jobs)
        if device is None and not gen:
            words.append("idle=1")
        storage, prop = self.backend(backend, device)
        command = self.qemu + [
            "-nodefaults", "-no-user-config", "-display", "none", "-machine",
            "q35,usb=off", "-accel", self.accel, "-m", str(mem), "-bios", self.rom,
            "-global", "apic-common.vapic=off", "-plugin", self.module,
            "-plugin", ",".join([self.perf] + words)] + storage
        if iothread:
            command += ["-object", "iothread,id=io0"]
            prop += ",iothread=io0"
        if device:
            apart = prop if ns else ""      # a namespace with properties
            command += ["-device", ",".join(
                w for w in (device, "serial=bench" if "nvme" in device else "",
                            "" if ns else prop, props) if w)]
            if apart:
                command += ["-device", ",".join(("envme-ns", apart, ns))]
        self.log.write(shlex.join(command) + "\n")
        self.log.flush()
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  timeout=timeout)
        except subprocess.TimeoutExpired:
            raise RunError("QEMU did not end in %d s" % timeout) from None
        words = done.stderr.decode(errors="replace").strip().splitlines()
        if done.returncode:
            words = [w for w in words if w.startswith("envme")] + words[-1:]
            raise RunError(words[0] if words else
                           "QEMU ended with status %d" % done.returncode)
        with open(out) as f:
            return json.load(f)


def job_text(job, warm, time):
    return "job=name=%s+rw=%s+bs=%d+qd=%d+queues=%d+warm=%d+time=%d" % (
        job.name, job.rw, job.bs, job.qd, job.queues, warm, time)


def memory(lab):
    """Rows of memory: of an idle controller, and of idle queues."""
    none = lab.run(None)["memory"]["start"]
    ctrl = lab.run("envme")["memory"]
    nqueues = 65535
    many = lab.run("envme", props="max_ioqpairs=%d" % nqueues, mem=2048,
                   gen="queues=%d,entries=2" % nqueues, timeout=300,
                   jobs=["job=name=one+qd=1+time=200"])
    rows = []
    for kind in ("heap", "private_dirty"):
        rows.append({
            "name": "an idle controller with default properties: %s, bytes" % kind,
            "value": ctrl["start"][kind] - none[kind], "limit": 1 << 20})
    # Admin queue and Identify on: only what was allocated.
    rows.append({"name": "an enabled controller with default properties: heap, bytes",
                 "value": ctrl["enabled"]["heap"] - none["heap"], "limit": 1 << 20})
    for kind in ("heap", "private_dirty"):
        rows.append({
            "name": "65,535 queue pairs of 2 entries, 1 used: %s per pair, bytes"
                    % kind,
            "value": (many["memory"]["queues"][kind] -
                      many["memory"]["enabled"][kind]) / nqueues, "limit": 512})
    rows.append({"name": "65,535 queue pairs: I/Os done on the one that is used",
                 "value": many["jobs"][0]["ios"], "limit": 1, "at_least": True})
    return rows
