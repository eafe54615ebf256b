# SPDX-License-Identifier: GPL-2.0-or-later
# The machine is reset while the controller writes, and boots again.
ns=/dev/nvme0n1
t "the namespace appears" wait_for 10 present $ns
if [ "$(dd if=$ns bs=512 skip=8 count=1 2>/dev/null | head -c 6)" != second ]; then
    dd if=/dev/urandom of=/tmp/a bs=1M count=4 2>/dev/null
    sha256sum </tmp/a | cut -c1-64 >/tmp/sum
    dd if=/tmp/a of=$ns bs=64k seek=16 oflag=direct conv=fsync 2>/dev/null
    { printf 'second'; dd if=/dev/zero bs=4090 count=1 2>/dev/null; cat /tmp/sum
      dd if=/dev/zero bs=4031 count=1 2>/dev/null; } >/tmp/marker
    dd if=/tmp/marker of=$ns bs=4096 seek=1 conv=fsync 2>/dev/null
    fio --eta=never --name=w --filename=$ns --offset=16m --size=32m --direct=1 --ioengine=libaio \
        --iodepth=64 --rw=randwrite --bs=16k --time_based --runtime=30 >/dev/null 2>&1 &
    sleep 1
    host system_reset
    sleep 30
    exit 1
fi
want=$(dd if=$ns bs=4096 skip=2 count=1 2>/dev/null | head -n 1)
got=$(dd if=$ns bs=64k skip=16 count=64 iflag=direct 2>/dev/null | sha256sum | cut -c1-64)
t "what was flushed before the reset is there" [ "$want" = "$got" ]
verify "fio verify after the reset" $ns
clean_log
