# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the suites' jobs, as many at a time as there are cores, and adds up
what they report.  scripts/test starts it; `testrun.py --self-test` tests it.

A job is a command.  A set-up job (a build) counts only when it fails; its
exit status 77 says that what it makes cannot be had, so that the tests that
need it are skipped.  Any other job reports in TAP on its stdout, or is one `meson test` run whose log is
read.  A job that fails without saying which test it was, that reports no test
at all, or whose plan and tests differ in number, is a failure too.
"""
import dataclasses
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
LOGS = os.path.join(TOP, "build", "test-logs")
CORES = int(os.environ.get("ENVME_JOBS") or os.cpu_count() or 1)

RESULT = re.compile(r"(not ok|ok)\b[ \t]*(\d+)?[ \t]*(?:- )?(.*)")
DIRECTIVE = re.compile(r"(.*?)\s*(?<!\\)#\s*(skip|todo)\S*\s*(.*)", re.I)
PLAN = re.compile(r"1\.\.(\d+)\s*(?:#\s*skip\S*\s*(.*))?", re.I)


@dataclasses.dataclass
class Tally:
    """What a job's tests did.  Failures and skips are (name, text)."""
    passed: int = 0
    failures: list = dataclasses.field(default_factory=list)
    skips: list = dataclasses.field(default_factory=list)

    def add(self, other):
        self.passed += other.passed
        self.failures += other.failures
        self.skips += other.skips

    def count(self):
        return self.passed + len(self.failures) + len(self.skips)


def read_tap(text, status, name):
    """Adds up TAP.  Nested (indented) results belong to their parent."""
    tally, plan, bail, recent, last_failed = Tally(), None, None, [], None
    for line in text.splitlines():
        match = PLAN.fullmatch(line.strip())
        if match and not line[:1].isspace():
            plan = int(match.group(1))
            if plan == 0:
                tally.skips.append((name, match.group(2) or "nothing to test"))
            continue
        if line.startswith("Bail out!"):
            bail = line
        match = RESULT.match(line)
        if not match:
            if line.startswith("#") and last_failed is not None:
                # What it says about the test that it has just reported.
                title, why = tally.failures[last_failed]
                tally.failures[last_failed] = (title, f"{why}\n{line}")
            else:
                recent = (recent + [line])[-30:]
            continue
        last_failed = None
        verdict, _, title = match.groups()
        hint = DIRECTIVE.fullmatch(title)
        title = f"{name}: {(hint.group(1) if hint else title).strip()}"
        if hint and (hint.group(2).lower() == "skip" or verdict == "not ok"):
            tally.skips.append((title, hint.group(3)))
        elif verdict == "ok":
            tally.passed += 1
        else:
            last_failed = len(tally.failures)
            tally.failures.append((title, "\n".join(recent)))
        recent = []
    why = None
    if bail:
        why = bail
    elif plan and plan != tally.count():
        why = f"announced {plan} tests, reported {tally.count()}"
    elif tally.count() == 0:
        why = "reported no test"
    elif status != 0 and not tally.failures:
        why = "all its tests passed, but it failed"
    if why:
        if status != 0:
            why += f" (status {status})"
        tally.failures.append((name, why + "\n" + "\n".join(recent)))
    return tally


def read_meson(log, status, name):
    """Adds up the log (lines of JSON) of one `meson test` run."""
    tally = Tally()
    try:
        with open(log, encoding="utf-8", errors="replace") as f:
            runs = [json.loads(line) for line in f if line.strip()]
    except OSError:
        runs = []
    for run in runs:
        title = f"{name}: {run['name'].split(' / ')[-1]}"
        out, err = run.get("stdout") or "", run.get("stderr") or ""
        result, code = run["result"], run.get("returncode", 0)
        if re.search(r"^(not )?ok\b|^1\.\.\d", out, re.M):
            part = read_tap(out, code, title)
            if not part.failures and result not in ("OK", "SKIP"):
                part.failures.append((title, f"meson says {result}"))
        else:
            part = Tally()
            if result == "OK":
                part.passed = 1
            elif result == "SKIP":
                part.skips.append((title, ""))
            else:
                part.failures.append((title, f"meson says {result}\n{out}"))
        # A sanitizer speaks on stderr; put it beside what failed.
        part.failures = [(t, why + "\n" + err[-6000:])
                         for t, why in part.failures]
        tally.add(part)
    if status != 0 and not tally.failures:
        tally.failures.append((name, f"meson test failed (status {status})"))
    elif not tally.count():
        tally.failures.append((name, "no test was run"))
    return tally


@dataclasses.dataclass
class Job:
    name: str
    command: list           # words; see Runner.fill
    needs: tuple = ()
    setup: bool = False     # a build: counts only when it fails
    meson: str = ""         # the log that a `meson test` run leaves
    env: dict = dataclasses.field(default_factory=dict)
    slots: int = 1          # cores that it is planned with
    limit: int = 1200       # seconds; then it is killed


class Runner:
    def __init__(self, jobs, logs):
        self.jobs = {j.name: j for j in jobs}
        self.logs = logs
        self.tally = Tally()
        self.said = {}          # last line of stdout of each finished job
        self.bad = {}           # set-up jobs that failed -> their status
        self.running = {}
        self.last_said = 0
        self.start = time.monotonic()
        self.lock = threading.Condition()
        os.makedirs(logs, exist_ok=True)

    def say(self, text):
        self.last_said = time.monotonic() - self.start
        text = f"[{self.last_said:5.0f} s] {text}"
        print(f"{text:78}" if sys.stdout.isatty() else text, flush=True)

    def runnable(self, waiting):
        """The next job that can start; jobs are listed by importance."""
        free = CORES - sum(min(j.slots, CORES) for j in self.running.values())
        for job in waiting:
            if all(n in self.said or n in self.bad for n in job.needs) and \
                    min(job.slots, CORES) <= free:
                return job
        return None

    def run(self):
        waiting, threads = list(self.jobs.values()), []
        with self.lock:
            while waiting or self.running:
                job = self.runnable(waiting)
                if not job:
                    self.lock.wait(1)
                    self.show_running()
                    continue
                waiting.remove(job)
                broken = [n for n in job.needs if n in self.bad]
                if broken:
                    self.leave_out(job, broken[0])
                    continue
                self.running[job.name] = job
                thread = threading.Thread(target=self.run_job, args=(job,))
                thread.start()
                threads.append(thread)
        for thread in threads:
            thread.join()

    def leave_out(self, job, broken):
        """Its tests did not run: that is no pass."""
        status = self.bad[job.name] = self.bad[broken]
        if status == 77:
            if not job.setup:
                self.tally.skips.append((job.name, f"{broken} is not to be had"))
        else:
            self.tally.failures.append(
                (job.name, f"not run, because {broken} failed"))

    def show_running(self):
        """What is going on: a live line on a terminal, else one now and then."""
        now = time.monotonic() - self.start
        text = f"[{now:5.0f} s] ... " + ", ".join(self.running)
        if sys.stdout.isatty():
            print(f"\r{text[:78]:78}\r", end="", flush=True)
        elif now - self.last_said >= 30:
            self.last_said = now
            print(text, flush=True)

    def fill(self, word):
        """Puts in what other jobs said: {job}, or {job:dir} of that path."""
        def value(match):
            said = self.said[match.group(1)]
            return os.path.dirname(said) if match.group(2) else said
        return re.sub(r"\{([^{}:]+)(:dir)?\}", value, word)

    def run_job(self, job):
        try:
            self.run_job_inner(job)
        except Exception as e:  # pylint: disable=broad-except
            with self.lock:
                self.tally.failures.append((job.name, f"could not run: {e!r}"))
                self.bad[job.name] = -1
        finally:
            with self.lock:
                del self.running[job.name]
                self.lock.notify_all()

    def run_job_inner(self, job):
        command = [self.fill(word) for word in job.command]
        env = {name: self.fill(value) for name, value in job.env.items()}
        out_path = os.path.join(self.logs, job.name + ".out")
        err_path = os.path.join(self.logs, job.name + ".err")
        meson_log = self.fill(job.meson)
        if meson_log and os.path.exists(meson_log):
            os.remove(meson_log)    # the last run's results are not this one's
        began = time.monotonic()
        with open(out_path, "w") as out, open(err_path, "w") as err:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                     stdout=out, stderr=err, cwd=TOP,
                                     env={**os.environ, **env,
                                          MARK: self.mark(job)},
                                     start_new_session=True)
            late = ""
            try:
                status = child.wait(job.limit)
            except subprocess.TimeoutExpired:
                late = f"killed after {job.limit} s"
                end_processes(self.mark(job))
                status = child.wait()
            # Whatever it left running must not disturb the others.
            end_processes(self.mark(job))
        took = time.monotonic() - began
        text = read(out_path)
        if job.setup:
            tally = Tally()
            if status not in (0, 77):
                tally.failures.append(
                    (job.name, late or f"failed (status {status})"))
        elif job.meson:
            tally = read_meson(meson_log, status, job.name)
        else:
            tally = read_tap(text, status, job.name)
        if late and not job.setup:
            tally.failures.append((job.name, late))
        if tally.failures:
            # What it said on stderr explains a failure that nothing else does.
            title, why = tally.failures[-1]
            if title == job.name or not why.strip():
                why = f"{why}\n{read(err_path)[-3000:]}"
                tally.failures[-1] = (title, why)
        with self.lock:
            self.tally.add(tally)
            if job.setup and status != 0:
                self.bad[job.name] = status
            else:
                self.said[job.name] = (text.rstrip().splitlines() or [""])[-1]
            self.say(self.summary(job, tally, took))
            for title, _ in tally.failures:
                self.say(f"  FAILED {title}")

    def summary(self, job, tally, took):
        if job.setup:
            if tally.failures:
                word = "failed"
            else:
                word = "ready" if job.name in self.said else "not to be had"
            return f"{job.name}: {word} ({took:.0f} s)"
        return (f"{job.name}: {tally.passed} passed, "
                f"{len(tally.failures)} failed, {len(tally.skips)} skipped "
                f"({took:.0f} s)")

    @staticmethod
    def mark(job):
        return f"{os.getpid()}/{job.name}"

    def stop(self):
        for job in list(self.running.values()):
            end_processes(self.mark(job))

    def report(self):
        for title, why in self.tally.skips:
            print(f"skipped: {title}" + (f" ({why})" if why else ""))
        for title, why in self.tally.failures:
            print(f"\nFAILED: {title}")
            for line in why.strip().splitlines()[-25:]:
                print("  | " + line)
        if self.tally.failures:
            print(f"\nThe logs are in {os.path.relpath(self.logs)}.")
        print(f"{self.tally.passed} passed, {len(self.tally.failures)} failed, "
              f"{len(self.tally.skips)} skipped", flush=True)
        return 1 if self.tally.failures or not self.tally.passed else 0


# In the environment of all that a job starts, however it is detached.
MARK = "ENVME_TEST_JOB"


def end_processes(mark):
    """Ends what is left of a job: asked first, so that it may clean up."""
    wanted = f"{MARK}={mark}".encode()
    for sig, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        until = time.monotonic() + seconds
        asked = set()
        while time.monotonic() < until:
            left = [pid for pid in map(int, filter(str.isdigit,
                                                   os.listdir("/proc")))
                    if has_mark(pid, wanted)]
            if not left:
                return
            for pid in set(left) - asked:
                asked.add(pid)
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
            time.sleep(0.05)


def has_mark(pid, wanted):
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            return wanted in f.read().split(b"\0")
    except OSError:
        return False        # gone, or not ours


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


# --- the suites -----------------------------------------------------------------

def script(name, *args):
    return [os.path.join(HERE, name), *args]


def meson_job(suite, build, name):
    """`meson test` of one suite in the directory that the job BUILD made."""
    env = {"ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1",
           "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
           "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}
    return Job(name, ["meson", "test", "-C", "{%s}" % build, "--no-rebuild",
                      "--logbase", name, "--suite", suite, "-t", "3",
                      "--num-processes", "1"],
               needs=(build,), env=env,
               meson="{%s}/meson-logs/%s.json" % (build, name))


def qtest_job(name, qemu, module, limit, *more, foreign=None):
    """tests/qtest/run with a QEMU and the module and programs for it; and
    with a module for another QEMU, which has to be refused."""
    needs = (qemu, module)
    if foreign:
        needs += (foreign,)
        more += ("--foreign", "{%s}" % foreign)
    return Job(name, [os.path.join(TOP, "tests/qtest/run"),
                      "--qemu", "{%s}" % qemu, "--module", "{%s}" % module,
                      "--programs", "{%s:dir}/tests/qtest" % module, *more],
               needs=needs, slots=CORES, limit=limit,
               env={"ENVME_QTEST_LOGS": os.path.join(LOGS, name)})


def guest_job(name, *more):
    return Job(name, [os.path.join(TOP, "tests/guest/run"), *more],
               needs=("qemu", "module"), slots=CORES, limit=2400,
               env={"ENVME_MODULE": "{module}"})


def shared_jobs():
    """What several suites need; the long ones first."""
    def build(name, *args, needs=()):
        return Job(name, script("build", *args), needs=needs, setup=True)

    return [
        Job("qemu", script("get-qemu", "--build"), setup=True),
        Job("qemu-10.2", script("get-qemu", "--build", "--version", "10.2"),
            setup=True),
        build("pure", "--pure"),
        build("pure-asan", "--pure", "--sanitize"),
        build("pure-tsan", "--pure", "--sanitize=thread"),
        Job("headers", script("get-qemu", "--headers"), setup=True),
        build("module", "--full", needs=("qemu",)),
        build("module-asan", "--full", "--sanitize", needs=("qemu",)),
        build("module-10.2", "--full", "--version", "10.2",
              needs=("qemu-10.2",)),
    ]


def suites():
    me = [sys.executable, "-B", os.path.abspath(__file__)]
    werror = os.path.join(TOP, "build-werror")
    return {
        "lint": [
            Job("lint", me + ["--lint"]),
            Job("warnings-gcc", me + ["--build-test", "no warnings from gcc",
                                      "--all", "--werror",
                                      "--dir", werror],
                needs=("headers",)),
            Job("warnings-clang", me + ["--build-test",
                                        "no warnings from clang",
                                        "--all", "--werror", "--cc", "clang"],
                needs=("headers",)),
        ],
        "unit": [meson_job("unit", "pure", "unit"),
                 meson_job("unit", "pure-asan", "unit-asan")],
        "host": [meson_job("host", "pure", "host"),
                 meson_job("host", "pure-asan", "host-asan"),
                 meson_job("host", "pure-tsan", "host-tsan")],
        "qtest": [qtest_job("qtest", "qemu", "module", 1200),
                  qtest_job("qtest-asan", "qemu", "module-asan", 2400)],
        "guest": [guest_job("guest")],
        "stock": [guest_job("stock", "--stock")],
        "drift": [qtest_job("drift", "qemu-10.2", "module-10.2", 900,
                            "--smoke", foreign="module")],
    }


def chosen_jobs(names):
    table, shared = suites(), {j.name: j for j in shared_jobs()}
    own = [job for name in names for job in table[name]]
    wanted, queue = set(), [n for job in own for n in job.needs]
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted.add(name)
            queue += shared[name].needs
    return [j for j in shared.values() if j.name in wanted] + own


# --- jobs that are small enough to live here --------------------------------------

def tap(number, passed, title, text):
    print(f"{'ok' if passed else 'not ok'} {number} - {title}")
    if not passed:
        print(text.rstrip(), file=sys.stderr)
    sys.stdout.flush()


def lint():
    """The checks that need no compiler."""
    shell, python = [], []
    for folder in ("scripts", ".ci", "tests"):
        for path, _, files in os.walk(os.path.join(TOP, folder)):
            for name in sorted(os.path.join(path, f) for f in files):
                with open(name, "rb") as f:
                    first = f.readline()
                if b"bash" in first or name.endswith("lib.sh"):
                    shell.append(name)
                elif b"python3" in first or name.endswith(".py"):
                    python.append(name)
    parse = "import ast,sys\nfor f in sys.argv[1:]: ast.parse(open(f).read(), f)"
    checks = [
        ("includes follow the layers", script("check-layers")),
        ("check-layers fails where it must", script("check-layers",
                                                    "--self-test")),
        ("this runner counts what it must", [sys.executable, "-B", __file__,
                                             "--self-test"]),
        ("bash can read its scripts",
         ["bash", "-c", 'for f; do bash -n "$f" || exit 1; done', "x", *shell]),
        ("python can read its scripts",
         [sys.executable, "-c", parse, *python]),
    ]
    for number, (title, command) in enumerate(checks, 1):
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, check=False)
        tap(number, done.returncode == 0, title, done.stdout)
    print(f"1..{len(checks)}")
    return 0


def build_test(title, *args):
    done = subprocess.run(script("build", *args), stdout=subprocess.DEVNULL,
                          check=False)
    tap(1, done.returncode == 0, title, "see the compiler's output above")
    print("1..1")
    return 0


# (TAP, exit status, what it must add up to: passed, failed, skipped)
TAP_CASES = [
    ("ok 1 - a\nok 2 - b\n1..2\n", 0, (2, 0, 0)),
    ("1..2\nok 1 /x/a\nok 2 /x/b\n", 0, (2, 0, 0)),
    ("ok 1 - a\nnot ok 2 - b\n1..2\n", 1, (1, 1, 0)),
    ("ok 1 - a\nnot ok 2 - b\n1..2\n", 0, (1, 1, 0)),
    ("ok 1 - a # SKIP no kvm\nok 2 - b\n1..2\n", 0, (1, 0, 1)),
    ("not ok 1 - a # TODO later\n1..1\n", 0, (0, 0, 1)),
    ("ok 1 - a # TODO done\n1..1\n", 0, (1, 0, 0)),
    ("1..0 # SKIP not here\n", 0, (0, 0, 1)),
    ("", 0, (0, 1, 0)),                         # said nothing
    ("1..3\nok 1 - a\n", 139, (1, 1, 0)),       # crashed on the way
    ("1..3\nok 1 - a\nok 2 - b\n", 0, (2, 1, 0)),
    ("ok 1 - a\n1..1\n", 1, (1, 1, 0)),         # passed, yet failed
    ("ok 1 - a\nBail out! no disk\n", 1, (1, 1, 0)),
    ("    not ok 1 - inner\nok 1 - outer\n1..1\n", 0, (1, 0, 0)),
    ("okay then\nok\n1..1\n", 0, (1, 0, 0)),
    ("ok 1 - issue \\#7\n1..1\n", 0, (1, 0, 0)),
]

# (command, Job's other fields, what the run adds up to, its exit status)
JOB_CASES = [
    ("echo ok 1 - a; echo 1..1", {}, (1, 0, 0), 0),
    ("echo not ok 1 - a; echo 1..1", {}, (0, 1, 0), 1),
    ("echo ok 1 - a; echo 1..1; kill -SEGV $$", {}, (1, 1, 0), 1),
    # Killed: once for what it did not say, once for being late.
    ("echo ok 1 - a; exec sleep 30", {"limit": 1}, (1, 2, 0), 1),
    ("echo ok 1 - a; echo 1..1; setsid sleep 30 & exec sleep 30",
     {"limit": 1}, (1, 2, 0), 1),
    ("true", {"setup": True}, (0, 0, 0), 1),    # no test at all is no pass
    ("exit 3", {"setup": True}, (0, 1, 0), 1),
    ("exit 0", {"meson": "/nonexistent"}, (0, 1, 0), 1),
    ("echo 1..0 '# SKIP none'", {}, (0, 0, 1), 1),
]


def self_test():
    import contextlib   # pylint: disable=import-outside-toplevel
    import io           # pylint: disable=import-outside-toplevel
    import tempfile     # pylint: disable=import-outside-toplevel
    wrong = []

    def expect(what, got, want):
        if got != want:
            wrong.append(f"{what!r}: {got}, not {want}")

    def counts(t):
        return t.passed, len(t.failures), len(t.skips)

    for text, status, want in TAP_CASES:
        expect(text, counts(read_tap(text, status, "x")), want)
    with tempfile.TemporaryDirectory() as tmp, \
            contextlib.redirect_stdout(io.StringIO()) as said:
        log = os.path.join(tmp, "log.json")
        runs = [("OK", 0, "ok 1 a\nok 2 b\n1..2\n"), ("OK", 0, ""),
                ("SKIP", 77, ""), ("FAIL", 1, "ok 1 a\nnot ok 2 b\n1..2\n"),
                ("TIMEOUT", -9, "1..2\nok 1 a\n"), ("FAIL", 1, "")]
        with open(log, "w") as f:
            for result, code, out in runs:
                f.write(json.dumps({"name": "n", "result": result,
                                    "returncode": code, "stdout": out}) + "\n")
        expect("a meson log", counts(read_meson(log, 1, "x")), (5, 3, 1))
        for command, fields, want, status in JOB_CASES:
            runner = Runner([Job("j", ["sh", "-c", command], **fields)], tmp)
            runner.run()
            expect(command, (counts(runner.tally), runner.report()),
                   (want, status))
        # A job gets the last line of those that it needs, or does not run.
        runner = Runner([
            Job("made", ["sh", "-c", "echo a; echo /b/c"], setup=True),
            Job("uses", ["sh", "-c", "test {made:dir}{made} = /b/b/c && "
                         "echo ok 1 && echo 1..1"], needs=("made",)),
            Job("broken", ["false"], setup=True),
            Job("hopeless", ["sh", "-c", "echo ok 1"], needs=("broken",)),
            Job("absent", ["sh", "-c", "exit 77"], setup=True),
            Job("between", ["true"], needs=("absent",), setup=True),
            Job("left out", ["sh", "-c", "echo ok 1"], needs=("between",)),
        ], tmp)
        runner.run()
        expect("jobs that need others", counts(runner.tally), (1, 2, 1))
        runner.report()
    last = said.getvalue().splitlines()[-1]
    expect("the last line", last, "1 passed, 2 failed, 1 skipped")
    for line in wrong:
        print("self-test:", line)
    return 1 if wrong else 0


def main():
    args = sys.argv[1:]
    if args == ["--self-test"]:
        return self_test()
    if args == ["--lint"]:
        return lint()
    if args[:1] == ["--build-test"]:
        return build_test(*args[1:])
    names = list(suites())
    if args == ["--list"]:
        print("\n".join(names))
        return 0
    for name in args:
        if name not in names:
            print(f"test: there is no suite '{name}': {', '.join(names)}",
                  file=sys.stderr)
            return 2
    # Two runs would write the same build directories and logs.
    os.makedirs(LOGS, exist_ok=True)
    lock = open(os.path.join(LOGS, ".lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waiting for another run of scripts/test here ...", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    runner = Runner(chosen_jobs([n for n in names if n in (args or names)]),
                    LOGS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        runner.run()
    finally:
        runner.stop()
    return runner.report()


if __name__ == "__main__":
    sys.exit(main())
