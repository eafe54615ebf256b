# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs jobs, as many at a time as there are cores, and adds up what they report.

A job is a command.  A set-up job (a build) counts only when it fails; its
exit status 77 says that what it makes cannot be had, so that the tests that
need it are skipped.  Any other job reports in TAP on its stdout, or is one
`meson test` run whose log is read.  A job that fails without saying which
test it was, that reports no test at all, or whose plan and tests differ in
number, is a failure too.
"""
import dataclasses
import os
import re
import signal
import subprocess
import sys
import threading
import time

from tap import Tally, read_meson, read_tap

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CORES = int(os.environ.get("ENVME_JOBS") or os.cpu_count() or 1)
# In the environment of all that a job starts, however it is detached.
MARK = "ENVME_TEST_JOB"


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
