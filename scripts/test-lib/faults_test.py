# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/envme-faults, with a QEMU that only pretends; prints TAP."""
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import socket
import sys
import tempfile
import threading
import xml.etree.ElementTree as ET

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.dont_write_bytecode = True


def tool():
    path = os.path.join(TOP, "scripts", "envme-faults")
    loader = importlib.machinery.SourceFileLoader("envme_faults", path)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("envme_faults", loader))
    loader.exec_module(module)
    return module


TOOL = tool()


def run(*args, stdin=""):
    """Exit status, stdout, stderr."""
    out, err, old = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.StringIO(stdin)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = TOOL.main(list(args))
    finally:
        sys.stdin = old
    return status, out.getvalue(), err.getvalue()


def rule(name, verdict=None, hits=1, **more):
    r = {"name": name, "armed": True, "matches": 3, "hits": hits, **more}
    return r | ({"verdict": verdict} if verdict else {})


def report(*rules):
    return json.dumps({"active": True, "ns": 1500000000, "verdict": "x",
                       "rules": rules})


class FakeQemu:
    """Answers QMP on a socket: what was asked is in .asked."""

    def __init__(self, folder, answers):
        self.path = os.path.join(folder, "qmp")
        self.asked, self.answers = [], answers
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        self.sock.listen(1)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        conn = self.sock.accept()[0]
        stream = conn.makefile("rwb")

        def say(what):
            stream.write(json.dumps(what).encode() + b"\n")
            stream.flush()
        say({"QMP": {}})
        for line in stream:
            request = json.loads(line)
            self.asked.append(request)
            say({"event": "NOISE"})
            say({"return": {}} if request["execute"] == "qmp_capabilities"
                else self.answers.pop(0))
        conn.close()


def test_good():
    status, out, _ = run("report", "-", stdin=report(
        rule("a"), rule("b", "passed")))
    assert status == 0, status
    assert out.splitlines()[1:] == ["ok 1 - a (1 of 3 matches)",
                                    "ok 2 - b (1 of 3 matches)", "1..2"], out


def test_bad():
    for verdict, why in (("failed", "the host did not: reset"),
                         ("open", "time is not over"),
                         ("unmet", "never fired")):
        status, out, _ = run("report", "-", stdin=report(
            rule("a"), rule("b", verdict, why="the host did not: reset",
                            first={"ns": 5, "qid": 1, "sqe": "00"})))
        assert status == 1, verdict
        assert "not ok 2 - b" in out and why in out, out
        assert "first: {qid: 1, ns: 5, sqe: 00}" in out, out


def test_junit():
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "junit.xml")
        status, out, _ = run("report", "-", "--junit", path, "--name", "n<1>",
                             stdin=report(rule("a&b"), rule("c", "failed",
                                                            why='"<x>"')))
        suite = ET.parse(path).getroot()
        assert status == 1 and "not ok 2" in out
    assert suite.get("name") == "n<1>" and suite.get("time") == "1.500"
    assert suite.get("tests") == "2" and suite.get("failures") == "1"
    assert [c.get("name") for c in suite] == ["a&b", "c"]
    assert suite[1].find("failure").get("message") == '"<x>"'
    assert suite[0].find("failure") is None


def test_no_report():
    assert run("report", "-", stdin="{}")[0] == 2
    assert run("report", "-", stdin="nonsense")[0] == 2
    assert run("report", "/nonexistent")[0] == 2
    status, _, err = run("report")
    assert status == 2 and "--qmp" in err, err


def test_qmp():
    with tempfile.TemporaryDirectory() as d:
        q = FakeQemu(d, [{"return": json.loads(report(rule("a", "open")))}])
        status, out, _ = run("report", "--qmp", q.path, "--device", "c0")
        assert status == 1 and "not ok 1 - a" in out
        assert q.asked[1] == {"execute": "qom-get", "arguments": {
            "path": "/machine/peripheral/c0", "property": "faults-report"}}


def test_arm():
    for args, prop, value in ((["arm"], "faults-active", True),
                              (["disarm"], "faults-active", False),
                              (["arm", "r"], "faults-arm", "r"),
                              (["disarm", "r"], "faults-disarm", "r")):
        with tempfile.TemporaryDirectory() as d:
            q = FakeQemu(d, [{"return": {}}])
            assert run(*args, "--qmp", q.path, "--device", "/m/c")[0] == 0
            assert q.asked[1]["arguments"] == {
                "path": "/m/c", "property": prop, "value": value}


def test_load():
    name = os.path.join(TOP, "faults", "lost-completion.json")
    with tempfile.TemporaryDirectory() as d:
        q = FakeQemu(d, [{"error": {"desc": "faults: rule 'x': no"}}])
        status, _, err = run("load", name, "--qmp", q.path, "--device", "c0")
        assert status == 2 and "rule 'x': no" in err, err
        assert q.asked[1]["arguments"]["value"]["rules"][0]["name"] == "lost"


def test_check():
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "r.json")
        for text, want in (('{"rules": [{"name": "a",}]}', "r.json:1:"),
                           ('{"rules": [], "rules": []}', "twice"),
                           ('[]', "an object"), ('{"rules": 3}', "a list")):
            with open(path, "w") as f:
                f.write(text)
            status, _, err = run("check", path)
            assert status == 1 and want in err, (text, err)
    files = os.path.join(TOP, "faults")
    status, _, err = run("check", *(os.path.join(files, f)
                                    for f in sorted(os.listdir(files))))
    assert status == 0, err


def test_replay():
    rules = {"seed": 9, "rules": [
        {"name": "p", "match": {"opcode": "read"},
         "when": {"probability": 0.1, "from": "1s", "every": 2, "times": 9},
         "do": {"status": 6}},
        {"name": "silent", "do": {"skip": True}},
        {"name": "no", "match": {"opcode": "format"}, "forbid": "no"}]}
    events = [{"event": "hit", "rule": "p", "match": 3, "ns": 1},
              {"event": "met", "rule": "p", "match": 3, "ns": 2},
              {"event": "hit", "rule": "p", "match": 17, "ns": 3}]
    with tempfile.TemporaryDirectory() as d:
        names = [os.path.join(d, n) for n in ("e", "r")]
        with open(names[1], "w") as f:
            json.dump(rules, f)

        def of(list_of):
            with open(names[0], "w") as f:
                f.write("".join(json.dumps(e) + "\n" for e in list_of))
            return run("replay", *names)
        status, out, _ = of(events)
        assert status == 0
        got = json.loads(out)
        assert got["seed"] == 9
        assert [(r["name"], r.get("when")) for r in got["rules"]] == [
            ("p", {"from": "1s", "nth": 3}), ("p #2", {"from": "1s", "nth": 17}),
            ("no", None)], got
        assert all(r["do"] == {"status": 6} for r in got["rules"][:2])
        status, _, err = of([{"event": "hit", "rule": "x", "match": 1}])
        assert status == 2 and "'x'" in err
        rules["rules"][0]["armed"] = False
        with open(names[1], "w") as f:
            json.dump(rules, f)
        assert of(events[:1])[0] == 0
        status, _, err = of(events)
        assert status == 2 and "by an action" in err
        rules["rules"][0]["armed"] = True
        with open(names[1], "w") as f:
            json.dump(rules, f)
        status, _, err = of([events[2], events[0]])
        assert status == 2 and "armed more than once" in err


def main():
    bad = 0
    tests = [(n[5:], f) for n, f in sorted(globals().items())
             if n.startswith("test_")]
    for number, (name, fn) in enumerate(tests, 1):
        try:
            fn()
            print(f"ok {number} - envme-faults {name}")
        except Exception as e:  # pylint: disable=broad-except
            bad += 1
            print(f"not ok {number} - envme-faults {name}\n# {e!r}")
    print(f"1..{len(tests)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
