# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that the runner counts what it must."""
import contextlib
import io
import json
import os
import tempfile

from runner import Job, Runner
from tap import read_meson, read_tap

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
