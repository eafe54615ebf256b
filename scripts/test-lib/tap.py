# SPDX-License-Identifier: GPL-2.0-or-later
"""Adds up what tests report: TAP, and the log of `meson test`."""
import dataclasses
import json
import re

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
