# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/test starts, and the small jobs of the suite lint."""
import fcntl
import os
import signal
import subprocess
import sys

from runner import TOP, Runner
from selftest import self_test
from suites import LOGS, ME, chosen_jobs, script, suites


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
        ("this runner counts what it must", ME + ["--self-test"]),
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
