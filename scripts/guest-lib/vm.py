# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot a Linux guest, talk to its script and to QEMU, bounded in time.

The guest's script writes lines on its console (see guest.sh): checks, and
requests that this side answers, most of them by QMP. QEMU gets its sockets
as inherited file descriptors, so a run leaves nothing in the file system.
"""
import base64
import collections
import json
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cpio  # noqa: E402

Image = collections.namedtuple("Image", "kind version kernel user modules")


class GuestError(Exception):
    """The guest hung, QEMU died, or the protocol was broken."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def script(name):
    """The path of one of the project's scripts."""
    here = os.path.dirname(os.path.abspath(__file__))
    return os.path.join(os.path.dirname(here), name)


def image(kind):
    """The kernel and programs of one kind, made if need be."""
    out = subprocess.run([script("guest-image"), "--kernel", kind],
                         stdout=subprocess.PIPE, check=True).stdout
    return Image(*out.decode().split())


def qemu(kind):
    """How to call QEMU: the distribution's binary ("stock", and "aarch64" for
    that machine), our own build ("build"), or whatever ENVME_QEMU says."""
    if os.environ.get("ENVME_QEMU") and kind != "aarch64":
        return shlex.split(os.environ["ENVME_QEMU"])
    command = {"stock": ["stock-qemu"], "aarch64": ["stock-qemu", "aarch64"],
               "build": ["get-qemu", "--build"]}[kind]
    out = subprocess.run([script(command[0])] + command[1:],
                         stdout=subprocess.PIPE, check=True).stdout
    path = out.decode().splitlines()[-1]
    if os.path.isdir(path):
        path = os.path.join(path, "build", "qemu-system-x86_64")
    return [path]


def module(sanitize=False):
    """The path of envme.so, built if need be."""
    if os.environ.get("ENVME_MODULE"):
        return os.environ["ENVME_MODULE"]
    command = [script("build")] + (["--sanitize"] if sanitize else [])
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return out.decode().splitlines()[-1]


def cache_dir():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(
        os.environ.get("HOME", "/tmp"), ".cache")
    return os.environ.get("ENVME_CACHE") or os.path.join(home, "envme")


class Qmp:
    """A QMP client over a connected socket."""

    def __init__(self, sock):
        self.sock, self.buf = sock, b""
        self.patience = 20      # seconds, for an answer
        self.events, self.ready = collections.deque(maxlen=1000), []

    def _read(self, timeout):
        """Take in what is there; False when nothing came in time."""
        if not select.select([self.sock], [], [], timeout)[0]:
            return False
        data = self.sock.recv(65536)
        if not data:
            raise GuestError("QEMU closed its QMP socket")
        self.buf += data
        *lines, self.buf = self.buf.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "event" in message:
                self.events.append(message)
            elif "QMP" not in message:
                self.ready.append(message)
        return True

    def poll(self):
        """Take in events that arrived on their own."""
        self._read(0)

    def command(self, name, args=None, timeout=None):
        """Run a command: (True, return value) or (False, error text)."""
        request = {"execute": name}
        if args:
            request["arguments"] = args
        self.sock.sendall(json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + (timeout or self.patience)
        while not self.ready:
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise GuestError("QMP command '%s' was not answered" % name)
        answer = self.ready.pop(0)
        if "error" in answer:
            return False, answer["error"]["desc"]
        return True, answer["return"]

    def wait_event(self, name, timeout=20):
        """Wait for an event and forget it and those before it."""
        deadline = time.monotonic() + timeout
        while True:
            while self.events:
                event = self.events.popleft()
                if event["event"] == name:
                    return event
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                return None


def value_of(text):
    """An argument of a QMP command as a guest's script writes it."""
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", text):
        return int(text, 0)
    if text[:1] in "[{":
        return json.loads(text)
    return text[1:] if text[:1] == "'" else text


class Guest:
    """One boot. run() returns when the script has ended or time is up."""

    TTY = {"x86": ("ttyS0", "ttyS1"), "arm": ("ttyAMA0", "ttyAMA1")}

    def __init__(self, qemu, image, run_sh, args=(), *, machine="q35",
                 accel="tcg,thread=multi", cpu="max", smp=1, mem=384,
                 modules="nvme", append="", files=None, log_dir, name,
                 timeout=60, env=None, reboot=False):
        self.name, self.timeout, self.log_dir = name, timeout, log_dir
        self.checks, self.files, self.status = [], {}, None
        self.answers = {"event": self._answer_event, "sleep": self._answer_sleep,
                        "qmp": self._answer_qmp, "autocont": self._answer_autocont,
                        "pause": self._answer_pause, "quit": self._answer_quit,
                        "property": self._answer_property,
                        "faults": self._answer_faults,
                        "verdict": self._answer_verdict,
                        "hits": self._answer_hits,
                        "stops": lambda words: str(self.stops)}
        self.autocont, self.stops = False, 0
        self.go_on = False      # whenever something has stopped the machine
        self.on_line = self.on_tick = None
        os.makedirs(log_dir, exist_ok=True)
        self.initrd = self._path("initrd")
        self.klog = self._path("kernel.log")
        with open(script("guest-lib/guest.sh"), "rb") as f:
            contents = {"run.sh": b". /usr/lib/guest/guest.sh\n" +
                        run_sh.encode(), "usr/lib/guest/guest.sh": f.read()}
        for path, data in (files or {}).items():
            contents[path] = data
        with open(self.initrd, "wb") as out:
            for part in (image.user, image.modules):
                with open(part, "rb") as f:
                    out.write(f.read())
            out.write(cpio.files(contents))
        arch = "arm" if image.kind.startswith("arm") else "x86"
        tty, kernel_tty = self.TTY[arch]
        # Where the host is busy the kernel's check of its timer fails.
        cmdline = ("no_timer_check console=%s guest.tty=%s guest.modules=%s panic=-1 "
                   "oops=panic iomem=relaxed %s" % (kernel_tty, tty, modules, append)).strip()
        self.command = list(qemu) + [
            "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", machine, "-accel", accel, "-cpu", cpu,
            "-smp", str(smp), "-m", str(mem), "-kernel", image.kernel,
            "-initrd", self.initrd, "-append", cmdline]
        if not reboot:
            self.command.append("-no-reboot")
        self.args, self.env = list(args), env

    def _path(self, suffix):
        return os.path.join(self.log_dir, "%s.%s" % (self.name, suffix))

    def run(self):
        console, con_child = socket.socketpair()
        monitor, mon_child = socket.socketpair()
        command = self.command + [
            "-chardev", "socket,id=guestcon,fd=%d" % con_child.fileno(),
            "-serial", "chardev:guestcon", "-serial", "file:" + self.klog,
            "-chardev", "socket,id=guestmon,fd=%d" % mon_child.fileno(),
            "-mon", "chardev=guestmon,mode=control"] + self.args
        with open(self._path("command"), "w") as f:
            f.write(shlex.join(command) + "\n")
        self.log = open(self._path("log"), "w", errors="replace")
        stderr = open(self._path("stderr"), "wb")
        start = time.monotonic()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
            pass_fds=(con_child.fileno(), mon_child.fileno()), env=self.env)
        con_child.close()
        mon_child.close()
        try:
            self.qmp = Qmp(monitor)
            self.qmp.command("qmp_capabilities")
            self._loop(console, start + self.timeout)
        except (GuestError, ConnectionError) as e:
            self._failed(e)
        finally:
            self._end()
            stderr.close()
            self.log.close()
            os.unlink(self.initrd)
            console.close()
            monitor.close()
        self.seconds = time.monotonic() - start
        return self.status == 0

    def _failed(self, e):
        """Say why: QEMU's own words are better than a closed socket."""
        time.sleep(0.1)
        rc = self.process.poll()
        why = str(e)
        if rc is not None:
            why = "QEMU ended with %s" % (
                "signal %s" % signal.Signals(-rc).name if rc < 0
                else "status %d" % rc)
        self.error = why
        self.log.write("-- %s\n" % why)

    error = None

    def _loop(self, console, deadline):
        buf = b""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise GuestError("the guest did not finish in %d s" % self.timeout)
            ready = select.select([console, self.qmp.sock], [], [],
                                  min(left, 1))[0]
            if not ready and self.on_tick:
                self.on_tick()
            if not ready and self.go_on:
                self.qmp.command("cont")
            if self.qmp.sock in ready:
                self.qmp.poll()
                self._look_for_stop()
            if console in ready:
                data = console.recv(65536)
                if not data:
                    raise GuestError("the guest's console closed before the "
                                     "script ended")
                buf += data
                *lines, buf = buf.split(b"\n")
                for line in lines:
                    self._line(line.decode(errors="replace").rstrip("\r"),
                               console)
                    if self.status is not None:
                        return

    def _look_for_stop(self):
        """KVM that cannot run the kernel pauses the machine, for ever."""
        if not any(e["event"] == "STOP" for e in self.qmp.events):
            return
        ok, st = self.qmp.command("query-status")
        if ok and st["status"] == "paused" and self.go_on:
            self.qmp.events.clear()
            self.qmp.command("cont")
        if ok and st["status"] == "internal-error":
            raise GuestError("the accelerator cannot run this kernel")
        if ok and st["status"] == "io-error" and self.autocont:
            self.stops += 1
            self.qmp.events.clear()
            self.qmp.command("cont")

    _file = None

    def _line(self, line, console):
        if self._file:
            name, parts = self._file
            if line == "E " + name:
                self.files[name] = base64.b64decode("".join(parts))
                self._file = None
            else:
                parts.append(line)
            return
        self.log.write(line + "\n")
        self.log.flush()
        kind, _, rest = line.partition(" ")
        if kind == "T":
            self._check(rest)
        elif kind == "H":
            answer = self._answer(rest)
            self.log.write("-- %s\n" % answer)
            if self.process.poll() is None:
                console.sendall(answer[:3500].encode() + b"\n")
        elif kind == "F":
            self._file = (rest, [])
        elif kind == "X":
            self.status = int(rest)
        elif self.on_line:
            self.on_line(line)

    def _check(self, rest):
        for word in ("ok", "not ok", "skip"):
            if rest.startswith(word + " "):
                name, _, why = rest[len(word) + 1:].partition(" -- ")
                self.checks.append((word, name, why))
                if self.on_line:
                    self.on_line("%s %s" % (word, name))
                return
        raise GuestError("a line that is no check: T %s" % rest)

    def _answer(self, request):
        words = shlex.split(request)
        try:
            if words[0] in self.answers:
                return self.answers[words[0]](words[1:])
            return self._answer_qmp(words)
        except (ValueError, OSError) as e:
            return "error %s" % e

    def _answer_qmp(self, words):
        args = {}
        for word in words[1:]:
            key, _, text = word.partition("=")
            args[key] = value_of(text)
        ok, answer = self.qmp.command(words[0], args)
        if not ok:
            return "error %s" % answer.replace("\n", " ")
        if isinstance(answer, str):
            return answer.replace("\r", "").replace("\n", "; ") or "ok"
        return json.dumps(answer) if answer else "ok"

    def _answer_event(self, words):
        event = self.qmp.wait_event(words[0])
        return "ok" if event else "error no event %s" % words[0]

    def _answer_autocont(self, words):
        """From now on, go on when a failing drive stops the machine."""
        self.autocont = True
        return "ok"

    def _answer_pause(self, words):
        """Stop the machine for some seconds."""
        self.qmp.command("stop")
        time.sleep(float(words[0]))
        return self._answer_qmp(["cont"])

    def _answer_property(self, words):
        """What a property of a device is: its name, the property's."""
        ok, answer = self.qmp.command("qom-get", {
            "path": "/machine/peripheral/" + words[0], "property": words[1]})
        return str(answer) if ok else "error %s" % answer

    # The rules of the device c0: scripts/envme-faults does the same by hand.
    FAULTS = "/machine/peripheral/c0"

    def _answer_faults(self, words):
        """Load a scenario of faults/, or none at all."""
        rules = {}
        if words[0] != "off":
            name = os.path.join(script(".."), "faults", words[0] + ".json")
            with open(name) as f:
                rules = json.load(f)
        ok, answer = self.qmp.command("qom-set", {
            "path": self.FAULTS, "property": "faults", "value": rules})
        return "ok" if ok else "error %s" % answer

    def _report(self):
        ok, answer = self.qmp.command("qom-get", {
            "path": self.FAULTS, "property": "faults-report"})
        if not ok:
            raise ValueError(answer)
        return answer

    def _answer_verdict(self, words):
        return self._report()["verdict"]

    def _answer_hits(self, words):
        """How often the rule of that name has fired."""
        for rule in self._report()["rules"]:
            if rule["name"] == words[0]:
                return str(rule["hits"])
        return "error there is no rule %s" % words[0]

    def _answer_quit(self, words):
        """End QEMU in the middle of whatever happens; the script ends there."""
        self.qmp.sock.sendall(b'{"execute": "quit"}\n')
        self.process.wait(self.qmp.patience)
        if self.process.returncode:
            raise GuestError("quit")
        self.checks.append(("ok", "QEMU quits with I/O in flight", ""))
        self.status = 0
        return "ok"

    def _answer_sleep(self, words):
        time.sleep(float(words[0]))
        return "ok"

    def _end(self):
        """Leave no process behind: wait, then quit, then kill."""
        if self.error is None:
            try:
                self.process.wait(15)
                if self.process.returncode != 0:
                    self.status = None
                    self._failed(GuestError(""))
                return
            except subprocess.TimeoutExpired:
                self.status = None
                self._failed(GuestError("the guest ended its script but QEMU "
                                        "did not exit"))
        self.process.kill()
        self.process.wait()

    def stderr(self):
        """What QEMU said, as lines."""
        with open(self._path("stderr"), errors="replace") as f:
            return f.read().splitlines()

    def tail(self, lines=25):
        """The ends of all logs, for a person who has to find out why."""
        out = []
        for title, path in (("script", self._path("log")),
                            ("kernel", self.klog),
                            ("QEMU", self._path("stderr"))):
            try:
                with open(path, errors="replace") as f:
                    text = f.read().splitlines()[-lines:]
            except OSError:
                text = []
            if text:
                out.append("--- %s (%s)" % (title, path))
                out += text
        return out


def kvm_reason(qemu, img, log_dir):
    """None if KVM runs an ordinary kernel, else one sentence that says why not.

    Found out by booting one, because /dev/kvm may open, and even run firmware,
    where a kernel cannot run. The answer holds until the host boots again.
    """
    if os.uname().machine != "x86_64" or img.kind.startswith("arm"):
        return "the guest is of another architecture"
    if not os.path.exists("/dev/kvm"):
        return "there is no /dev/kvm"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm is not open to this user"
    with open("/proc/sys/kernel/random/boot_id") as f:
        boot = f.read().strip()
    memo = os.path.join(cache_dir(), "guest", "kvm-" + boot)
    try:
        with open(memo) as f:
            return f.read().strip() or None
    except OSError:
        pass
    guest = Guest(qemu, img, "true\n", accel="kvm", cpu="host",
                  log_dir=log_dir, name="kvm", timeout=15)
    why = None if guest.run() else \
        "/dev/kvm is there but could not boot a kernel (%s)" % (
            guest.error or "its script failed")
    os.makedirs(os.path.dirname(memo), exist_ok=True)
    with open(memo, "w") as f:
        f.write(why or "")
    return why
