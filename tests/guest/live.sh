# SPDX-License-Identifier: GPL-2.0-or-later
# What a running machine goes through under I/O: it is stopped and continued,
# its drive grows, and at last QEMU ends without asking.
all_there() { [ -b /dev/nvme0n1 ] && [ -b /dev/nvme1n1 ]; }
t "the namespaces appear" wait_for 10 all_there
load() {
    fio --eta=never --direct=1 --ioengine=libaio --iodepth=32 --rw=randwrite \
        --bs=4k --size=24m --verify=crc32c --verify_fatal=1 --verify_dump=0 \
        --loops=1000 --output=/tmp/fio.out --name=a --filename=/dev/nvme0n1 \
        --name=b --filename=/dev/nvme1n1 &
    fio=$!
    sleep 0.7
}
load
for i in 1 2 3 4 5; do
    t "the machine is stopped and continued, time $i" host pause 0.2
    sleep 0.3
done
has_size() { [ "$(blockdev --getsize64 "$(grown)")" = "$1" ]; }
grown() { grep -l sn-c0 /sys/class/nvme/nvme*/serial | sed 's,.*/\(nvme[0-9]*\)/.*,/dev/\1n1,'; }
resize() { host block_resize node-name=h0 size=$1 && wait_for 10 has_size $1; }
for i in 1 2 3 4 5; do
    t "the drive grows under load, time $i" resize $((67108864 + i * 1048576))
done
t "fio was at work all the time" kill -0 $fio
kill -INT $fio
wait $fio
t "fio verified what it wrote" sh -c "cat /tmp/fio.out; [ \$(grep -c 'err= 0' /tmp/fio.out) = 2 ]"
clean_log
load
host quit
