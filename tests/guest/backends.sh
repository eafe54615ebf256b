# SPDX-License-Identifier: GPL-2.0-or-later
# Many controllers with different storage behind them, one after the other and
# then all at once.
count() { ls -d /dev/nvme*n[0-9]* 2>/dev/null | wc -l; }
all_there() { [ "$(count)" = "$GUEST_NAMESPACES" ]; }
t "$GUEST_NAMESPACES namespaces appear" wait_for 15 all_there
jobs=
for c in /sys/class/nvme/nvme*; do
    serial=$(tr -d ' ' <$c/serial)
    name=$(basename $c)
    for d in /dev/${name}n*; do
        what="$serial ${d#/dev/} ($(blockdev --getss $d)-byte blocks)"
        verify "verify: $what" $d --size=4m
        jobs="$jobs --name=${d#/dev/} --filename=$d"
    done
done
t "verify: all of them at once" fio --eta=never --direct=1 --ioengine=libaio --iodepth=8 \
    --rw=randwrite --bs=4k --size=4m --verify=crc32c --verify_fatal=1 \
    --verify_dump=0 --output=/tmp/fio.out $jobs
clean_log
