# SPDX-License-Identifier: GPL-2.0-or-later
# Scenarios of media, namespaces and health: see scenarios-lib.sh.
away() { ! [ -b $d ]; }
no_reset() { ! said 'will reset|resetting|controller is down|Removing|Disabling'; }
quiet_off() { host faults off >/dev/null; }
smart() { nvme smart-log $c | tr -d ',%' | sed -n "s/^$1[[:space:]]*: *\([0-9xa-f]*\).*/\1/Ip"; }
warns() { case $(smart critical_warning) in 0|0x0|0x00|'') return 1 ;; esac; }

# ---- the medium

scenario stale-read
quiet_off
t "$now: blocks are written" w 3584
host faults stale-read >/dev/null
sleep 1
cp /tmp/a /tmp/old
dd if=/dev/urandom of=/tmp/a bs=4096 count=1 2>/dev/null
t "$now: new ones are written" w 3584
tf "$now: they do not come back" same 3584
t "$now: the old ones do" cmp /tmp/old /tmp/x
t "$now: and nothing said so" quiet
quiet_off
t "$now: the new ones are there" same 3584
over

scenario corrupt-at-rest
t "$now: blocks are written" w 3072
sleep 1
tf "$now: they are not the same" same 3072
cp /tmp/x /tmp/y
t "$now: they stay so" r 3072
t "$now: what they are does not change" cmp /tmp/x /tmp/y
t "$now: and nothing said so" quiet
quiet_off
tf "$now: it is on the medium" same 3072
t "$now: they are written again" w 3072
t "$now: they are right" same 3072
over

scenario torn-at-rest
quiet_off
dd if=/dev/zero of=$d bs=4096 count=1 seek=3328 oflag=direct conv=notrunc 2>/dev/null
host faults torn-at-rest >/dev/null
t "$now: the write succeeds" w 3328
tf "$now: it is not all there" same 3328
t "$now: the begin is" cmp -n 1024 /tmp/a /tmp/x
t "$now: the rest is what it was" cmp -n 3072 /tmp/x /dev/zero 1024
t "$now: and nothing said so" quiet
over

scenario media-error-range
before=$(smart media_errors)
tf "$now: the blocks cannot be read" r 3840
t "$now: a medium error" said 'medium error|Unrecovered Read'
t "$now: their neighbours can" r 3839
t "$now: and those behind" r 3872
t "$now: they can be written" w 3850
t "$now: SMART counts it" [ "$(smart media_errors)" -gt "$before" ]
t "$now: the error log has it" sh -c "nvme error-log $c | grep -E 'lba[[:space:]]*: *(0x)?(30720|7800)'"
t "$now: no reset" no_reset
quiet_off
t "$now: what was written is there" same 3850
over

# ---- the namespace

scenario namespace-vanishes-and-returns
t "$now: the disk is gone" wait_for 6 away
t "$now: it is back" wait_for 20 there
t "$now: no reset" no_reset
t "$now: the verdict is passed" wait_for 5 verdict passed
over

scenario namespace-detached-under-io
tf "$now: writes fail" timeout 60 dd if=/dev/zero of=$d bs=64k count=200 oflag=direct conv=notrunc
t "$now: the disk is gone" wait_for 20 away
t "$now: no reset" no_reset
t "$now: the verdict is good" good
quiet_off
t "$now: it is back" wait_for 20 there
over

# ---- health

scenario read-only-end-of-life
tf "$now: it cannot be written" w 7
t "$now: it can be read" r 7
t "$now: SMART warns" warns
t "$now: no spare" [ "$(smart available_spare)" = 0 ]
t "$now: all is used" [ "$(smart percentage_used)" -ge 100 ]
t "$now: no reset" no_reset
quiet_off
tf "$now: no warning any more" warns
t "$now: I/O afterwards" wait_for 10 works

scenario temperature-ramp
kelvin() { nvme smart-log $c -o json | sed -n 's/.*"temperature" *: *\([0-9]*\).*/\1/p'; }
warm() { [ "$(kelvin)" -ge $1 ]; }
tf "$now: it is not hot at once" warm 380
t "$now: it is getting warmer" wait_for 10 warm 330
t "$now: it is hot" wait_for 10 warm 380
t "$now: SMART warns" warns
quiet_off
tf "$now: and cool again" warm 330
over

scenario ageing
used() { [ "$(smart percentage_used)" -ge $1 ]; }
t "$now: it grows old" wait_for 20 used 30
t "$now: and older" wait_for 30 used 120
t "$now: SMART warns" warns
t "$now: it has been on for years" [ "$(smart power_on_hours)" -ge 50000 ]
quiet_off
tf "$now: and is new again" used 1
over
t "no kernel bug" sh -c "! dmesg | grep -E 'BUG:|WARNING:|Oops|blocked for'"
