# SPDX-License-Identifier: GPL-2.0-or-later
# Controllers come and go behind a PCIe port; a drive changes its size.
ns=/dev/nvme0n1
plug() {
    host device_add driver="$GUEST_DEVICE" id=hot bus=rp1 serial=sn-c0 drive=h0 "$@" &&
        wait_for 20 present $ns
}
unplug() {
    host device_del id=hot && host event DEVICE_DELETED && wait_for 10 gone $ns
}
for i in 1 2 3; do
    t "plugged in, time $i" plug $HOTPLUG_PROPS
    verify "fio verify on it, time $i" $ns --size=4m
    if [ $i != 1 ]; then
        fio --eta=never --name=w --filename=$ns --direct=1 --ioengine=libaio --iodepth=64 \
            --rw=randwrite --bs=16k --time_based --runtime=30 >/dev/null 2>&1 &
        sleep 0.5
    fi
    t "unplugged$([ $i = 1 ] || echo ' with writes in flight'), time $i" unplug
    wait
done
t "plugged in for good" plug $HOTPLUG_PROPS

size() { blockdev --getsize64 $ns; }
has_size() { [ "$(size)" = "$1" ]; }
resize() { host block_resize node-name=h0 size=$1 && wait_for 10 has_size $1; }
t "the drive grows and the guest sees it" resize 134217728
t "the new end is readable and writable" sh -c \
    "dd if=/dev/urandom of=/tmp/a bs=64k count=1 2>/dev/null &&
     dd if=/tmp/a of=$ns bs=64k seek=2047 oflag=direct 2>/dev/null &&
     dd if=$ns bs=64k skip=2047 iflag=direct 2>/dev/null | cmp - /tmp/a"
t "the drive shrinks and the guest sees it" resize 50331648
tf "a read past the new end fails" nvme read $ns -s 98304 -c 0 -z 4096 -d /tmp/x
verify "fio verify after the resizes" $ns
clean_log 'I/O error, dev nvme0'
