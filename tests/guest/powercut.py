# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests/guest/power-cut does: drives, what is written on each, where
its power is cut, how it lies, and what has to come of that."""
import dataclasses
import hashlib
import json
import os
import typing

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
MIB = 32                # each drive
LIE_STATES = 12         # of each drive that lies
ROUNDS = 400            # transactions; more than there is time for

# FUA: bit 30 of CDW12, byte 51 of the entry.
FUA = "00" * 51 + "40"
FLUSHES = {"opcode": "flush"}
# Those without FUA: what asks for FUA comes right after a Flush.
WRITES = {"opcode": "io:write", "sqe": "00" * 52, "mask": FUA}
FUA_WRITES = {"opcode": "write", "sqe": FUA, "mask": FUA}


def flush_lies():
    """The rules of the scenario that users have."""
    with open(os.path.join(TOP, "faults", "flush-lies.json")) as f:
        return json.load(f)["rules"]


def fua_lies():
    return [{"name": "fua-lies", "match": FUA_WRITES,
             "do": {"sqe": {"patch": {"offset": 51, "xor": 0x40}}}}]


@dataclasses.dataclass
class Drive:
    """A drive, its writer and its power cut."""
    name: str
    work: str                   # of WORKS
    nth: int                    # the match at which power is cut ...
    match: dict = dataclasses.field(default_factory=lambda: FLUSHES)
    # Only those with so many bytes to lose are counted; None: all of them.
    enough: typing.Optional[int] = None
    lies: typing.Callable = list
    power: dict = dataclasses.field(default_factory=dict)
    # None: every state has to be sound. Else some have to be wrong, and what
    # is wrong begins like this.
    wrong: typing.Optional[str] = None
    what: str = ""              # for a person; "": one of many points

    def rules(self, folder, states, seed):
        """A cut before a Flush, where there is most to lose. The command
        itself has no effect, and nobody hears of it."""
        match = self.match
        if self.enough:
            match = dict(match, unflushed=[self.enough, 1 << 40])
        cut = {"name": "cut", "match": match, "when": {"nth": self.nth},
               "do": {"power": dict(self.power, enumerate=states, seed=seed,
                                    dir=folder, then="stop"),
                      "skip": True, "completion": "lost"}}
        return {"rules": self.lies() + [cut]}


# "blocks" and "fua" are one step of "fs" each: between two of them nothing
# else asks for a Flush, so what the lie loses does not depend on timing.
WORKS = {"fs": "ext4", "wal": "SQLite with a WAL",
         "rollback": "SQLite with a rollback journal",
         "blocks": "blocks written over directly", "fua": "O_DSYNC"}
# A moment at which the cache holds this much has enough states, on a machine of
# whatever speed: each block of 4 KiB is kept or lost.
ENOUGH = 28 << 10
HONEST = [
    Drive("fs1", "fs", 6, enough=ENOUGH),
    Drive("fs2", "fs", 12, enough=ENOUGH),
    Drive("fs3", "fs", 18, enough=ENOUGH),
    Drive("fs4", "fs", 20, WRITES, ENOUGH),
    Drive("wal1", "wal", 8, enough=ENOUGH),
    Drive("wal2", "wal", 20, enough=ENOUGH),
    Drive("wal3", "wal", 5, WRITES, ENOUGH),
    Drive("roll1", "rollback", 8, enough=ENOUGH),
    Drive("roll2", "rollback", 20, enough=ENOUGH),
    # The journal is flushed before more is written.
    Drive("roll3", "rollback", 30, WRITES, 12 << 10),
]
TEAR = {"tear-size": 512}
SPECIAL = [
    Drive("lie-fs", "fs", 40, lies=flush_lies, wrong="",
          what="a Flush that lies"),
    Drive("lie-wal", "wal", 40, lies=flush_lies, wrong="",
          what="a Flush that lies"),
    Drive("lie-roll", "rollback", 40, lies=flush_lies, wrong="",
          what="a Flush that lies"),
    Drive("lie-fua", "fua", 40, FUA_WRITES, lies=fua_lies, wrong="lost: block",
          what="FUA that lies"),
    Drive("tear", "blocks", 20, power=TEAR, wrong="torn: block",
          what="torn below the atomic unit"),
    # These trust no drive to write more than a sector as a whole.
    Drive("tear-wal", "wal", 33, power=TEAR,
          what="torn below the atomic unit"),
    Drive("tear-roll", "rollback", 42, power=TEAR,
          what="torn below the atomic unit"),
]
# The promise of the drives: 4 KiB are written as a whole.
ATOMIC = "atomic.awun=7,atomic.awupf=7"

# ---- SQLite -----------------------------------------------------------------

# With a journal that is deleted, FULL promises less: the file can come back.
JOURNAL = {
    "wal": "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=24;\n",
    "rollback": "PRAGMA journal_mode=TRUNCATE;\n",
}
SCHEMA = """
CREATE TABLE log(n INTEGER PRIMARY KEY, sum TEXT, data TEXT);
CREATE TABLE account(id INTEGER PRIMARY KEY, v INTEGER);
"""


def sql_make(work):
    rows = ",".join("(%d, 0)" % i for i in range(16))
    return (".output /dev/null\n" + JOURNAL[work] + SCHEMA +
            "INSERT INTO account VALUES %s;\n" % rows)


def sql_data(n):
    """Text of some length that begins with its number."""
    text, part = "%08d" % n, str(n).encode()
    while len(text) < 500 + n * 977 % 9000:
        part = hashlib.sha256(part).hexdigest().encode()
        text += part.decode()
    return text


def sql_write(work, tag):
    """Transactions, each of which says so when it is over."""
    out = [".output /dev/null", JOURNAL[work] + "PRAGMA synchronous=FULL;",
           ".output stdout"]
    for n in range(1, ROUNDS + 1):
        data = sql_data(n)
        out.append(
            "BEGIN; INSERT INTO log VALUES (%d, '%s', '%s');" % (
                n, hashlib.sha3_256(data.encode()).hexdigest(), data))
        out.append("UPDATE account SET v = v - %d WHERE id = %d;" % (n, n % 16))
        out.append("UPDATE account SET v = v + %d WHERE id = %d; COMMIT;" % (
            n, (n * 7 + 3) % 16))
        out.append(".print S %s %d" % (tag, n))
    return "\n".join(out) + "\n"


# Each line that this prints and that is not "ok" says what is wrong, but for
# the "end". LAST: the last transaction that was said to be over.
SQL_LOOK = """PRAGMA integrity_check;
SELECT CASE WHEN count(*) < LAST THEN
 'lost: ' || count(*) || ' transactions of LAST' ELSE 'ok' END FROM log;
SELECT CASE WHEN max(n) <> count(*) THEN 'holes' ELSE 'ok' END FROM log;
SELECT 'bad: row ' || n FROM log WHERE sum <> lower(hex(sha3(data, 256)))
 OR substr(data, 1, 8) <> printf('%08d', n);
SELECT 'bad: account ' || id FROM account WHERE v <>
 coalesce((SELECT sum(n) FROM log WHERE (n * 7 + 3) % 16 = id), 0) -
 coalesce((SELECT sum(n) FROM log WHERE n % 16 = id), 0);
SELECT CASE WHEN count(*) <> 16 THEN 'bad: accounts' ELSE 'ok' END
 FROM account;
.print end
"""

# ---- in the guest -----------------------------------------------------------

# DRIVES: "NAME WORK" of each, in the order of their controllers.
WRITE = r"""
i=0
echo "$DRIVES" >/tmp/drives
while read -r name work; do
    dev=/dev/$(basename "$(grep -lx "$name *" /sys/class/nvme/*/serial |
        cut -d/ -f5)")n1
    wait_for 20 present "$dev" || exit 1
    # A small journal, so that it comes round.
    mkfs.ext4 -q -F -b 4096 -J size=4 "$dev" || exit 1
    mkdir -p "/mnt/$name"
    mount -t ext4 "$dev" "/mnt/$name" || exit 1
    case $work in
    fs | blocks | fua) crash-fs make "/mnt/$name" || exit 1 ;;
    *) sqlite3 -batch -bail "/mnt/$name/db" <"/sql/make-$work" || exit 1 ;;
    esac
done </tmp/drives
# What was made so far is there, lie or not.
sync
host arm || exit 1
while read -r name work; do
    case $work in
    fs | blocks | fua) crash-fs write "/mnt/$name" "$name" "$work" & ;;
    *) sqlite3 -batch -bail "/mnt/$name/db" <"/sql/$name" & ;;
    esac
done </tmp/drives
while :; do
    sleep 0.5
    [ "$(host left)" = 0 ] && host quit
done
"""

# /states: "NSID WORK LAST" a line. For each a line "R NSID ok", or what is
# wrong.
LOOK = r"""
look_work() {
    case $1 in
    fs | blocks | fua)
        crash-fs check /mnt/s "$2" "$1" 2>&1
        rc=$?
        [ $rc -le 1 ] || echo "status $rc" ;;
    *)
        out=$(sed "s/LAST/$2/g" /sql/look |
            sqlite3 -batch -bail /mnt/s/db 2>&1 | grep -vx ok)
        [ "$out" = end ] || echo "${out%end}" ;;
    esac
}
look() {
    eval "dev=/dev/\$disk_$1"
    present "$dev" || { echo "R $1 no device"; return; }
    if ! mount -t ext4 "$dev" /mnt/s 2>/tmp/err; then
        echo "R $1 not mounted: $(tr '\n' ' ' </tmp/err)"
        return
    fi
    look_work "$2" "$3" >/tmp/why
    umount /mnt/s
    e2fsck -fn "$dev" >/tmp/fsck 2>&1 ||
        { echo "e2fsck:"; cat /tmp/fsck; } >>/tmp/why
    if [ -s /tmp/why ]; then
        echo "R $1 $(head -n 8 /tmp/why | tr '\n' ';')"
    else
        echo "R $1 ok"
    fi
}
all_there() { [ "$(cat /sys/block/nvme*/nsid | wc -l)" = "$(wc -l </states)" ]; }
wait_for 60 all_there
# Linux numbers the disks as it finds them.
for f in /sys/block/nvme*/nsid; do
    read -r nsid <"$f"
    f=${f#/sys/block/}
    eval "disk_$nsid=${f%/nsid}"
done
mkdir -p /mnt/s
while read -r nsid work last; do
    look "$nsid" "$work" "$last" </dev/null
done </states
dmesg | sed -n 's/.*EXT4-fs error (device \([^)]*\)): /\1 /p' |
while read -r disk why; do
    echo "K $(cat "/sys/block/$disk/nsid") $why"
done
exit 0
"""


def guest_files(drives, program):
    """What the guests find in their file system."""
    files = {"usr/bin/crash-fs": program, "sql/look": SQL_LOOK.encode()}
    for work in JOURNAL:
        files["sql/make-" + work] = sql_make(work).encode()
    for d in drives:
        if d.work in JOURNAL:
            files["sql/" + d.name] = sql_write(d.work, d.name).encode()
    return files
