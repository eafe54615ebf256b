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

# A namespace comes to a controller that runs, and leaves it under load.
hot=
if [ -n "$GUEST_HOT_BUS" ]; then
    more() { [ "$(count)" = $((GUEST_NAMESPACES + 1)) ]; }
    old=$(ls -d /dev/nvme*n[0-9]*)
    plug_ns() {
        host device_add driver="$GUEST_DEVICE-ns" id=hotns bus=$GUEST_HOT_BUS drive=hot nsid=200 &&
            wait_for 10 more
    }
    for i in 1 2; do
        t "a namespace is plugged in, time $i" plug_ns
        hot=$(ls -d /dev/nvme*n[0-9]* | grep -vxF "$old")
        verify "verify: the new namespace $hot" "$hot" --size=4m
        fio --eta=never --name=w --filename="$hot" --direct=1 --ioengine=libaio \
            --iodepth=64 --rw=randwrite --bs=16k --time_based --runtime=20 >/dev/null 2>&1 &
        sleep 0.3
        t "and unplugged under load" host device_del id=hotns
        t "QEMU lets it go" host event DEVICE_DELETED
        t "the guest sees that it has gone" wait_for 10 all_there
        wait
    done
    verify "verify: its neighbour afterwards" "$(echo "$old" | head -n 1)" --size=4m
fi
clean_log "${hot:+I/O error, dev nvme}"
