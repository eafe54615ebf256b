# SPDX-License-Identifier: GPL-2.0-or-later
"""The suites: which jobs each has, and what these need."""
import os
import sys

from runner import CORES, TOP, Job

LOGS = os.path.join(TOP, "build", "test-logs")
ME = [sys.executable, "-B", os.path.join(TOP, "scripts/test-lib/main.py")]


def script(name, *args):
    return [os.path.join(TOP, "scripts", name), *args]


def meson_job(suite, build, name, *more):
    """`meson test` of one suite in the directory that the job BUILD made."""
    env = {"ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1",
           "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
           "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:"
                           "suppressions=" + os.path.join(TOP, "tests/host/tsan.supp")}
    return Job(name, ["meson", "test", "-C", "{%s}" % build, "--no-rebuild",
                      "--logbase", name, "--suite", suite, "-t", "3",
                      "--num-processes", "1", *more],
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


def powercut_job():
    """ext4 and SQLite in guests, through power losses."""
    return Job("powercut", [os.path.join(TOP, "tests/guest/power-cut")],
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
    werror = os.path.join(TOP, "build-werror")
    return {
        "lint": [
            Job("lint", ME + ["--lint"]),
            Job("envme-faults", [sys.executable, os.path.join(
                TOP, "scripts", "test-lib", "faults_test.py")]),
            meson_job("lint", "pure", "coverage"),
            Job("warnings-gcc", ME + ["--build-test", "no warnings from gcc",
                                      "--all", "--werror",
                                      "--dir", werror],
                needs=("headers",)),
            Job("warnings-clang", ME + ["--build-test",
                                        "no warnings from clang",
                                        "--all", "--werror", "--cc", "clang"],
                needs=("headers",)),
        ],
        "unit": [meson_job("unit", "pure", "unit"),
                 meson_job("unit", "pure-asan", "unit-asan")],
        "host": [meson_job("host", "pure", "host"),
                 meson_job("host", "pure-asan", "host-asan"),
                 meson_job("host", "pure-tsan", "host-tsan", "--no-suite",
                           "inline")],
        "qtest": [qtest_job("qtest", "qemu", "module", 1200),
                  qtest_job("qtest-asan", "qemu", "module-asan", 2400)],
        "guest": [guest_job("guest")],
        "powercut": [powercut_job()],
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
