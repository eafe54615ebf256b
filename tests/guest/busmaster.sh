# SPDX-License-Identifier: GPL-2.0-or-later
# Bus Master cleared and set while the kernel's driver does I/O: nothing may
# be lost, nothing written wrongly, and no reset may be needed.
ns=/dev/nvme0n1
t "the namespace appears" wait_for 10 present $ns
pci=$(pci_of nvme0)
off() { setpci -s "$pci" COMMAND=0:4; }
on() { setpci -s "$pci" COMMAND=4:4; }
finished() { awk '{ print $1 + $5 }' /sys/block/nvme0n1/stat; }
quiet() { sleep 0.2; a=$(finished); sleep 0.5; b=$(finished); echo "$a then $b"; [ "$a" = "$b" ]; }
csts_ready() {
    csts=$(uio-nvme csts "$pci")
    echo "CSTS: $csts"
    [ "$csts" = "RDY=1 CFS=0" ]
}
moved() { [ "$(finished)" -gt "$1" ]; }

fio_bg() {
    fio --eta=never --name=v --filename=$ns --direct=1 --ioengine=libaio --iodepth=32 \
        --rw=randwrite --bs=4k --size=32m --verify=crc32c --verify_fatal=1 \
        --verify_dump=0 --loops=3 --output=/tmp/fio.out &
    fio=$!
}
fio_bg
sleep 1
off
t "I/O stops" quiet
t "CSTS is ready and not failed" csts_ready
n=$(finished)
on
t "I/O goes on" wait_for 10 moved "$n"
rounds=0
while kill -0 $fio 2>/dev/null && [ $rounds -lt 100 ]; do
    off
    sleep 0.1
    on
    sleep 0.1
    rounds=$((rounds + 1))
done
wait $fio
rc=$?
t "fio verify while Bus Master was toggled $rounds times" [ $rc = 0 ]
t "it was toggled at least 5 times" [ $rounds -ge 5 ]

# An admin command that meets a clear Bus Master waits for it.
off
nvme id-ctrl /dev/nvme0 >/tmp/id &
id=$!
sleep 0.5
t "an admin command waits while the bit is clear" kill -0 $id
on
wait $id
rc=$?
t "and is answered when it is set" [ $rc = 0 ]
t "rightly" grep -q '^sn ' /tmp/id

verify "fio verify afterwards" $ns
clean_log
