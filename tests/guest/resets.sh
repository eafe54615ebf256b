# SPDX-License-Identifier: GPL-2.0-or-later
# Resets of every kind with writes in flight.
ns=/dev/nvme0n1
t "the namespace appears" wait_for 10 present $ns
pci=$(pci_of nvme0)
echo flr >/sys/bus/pci/devices/$pci/reset_method
fio --eta=never --name=v --filename=$ns --direct=1 --ioengine=libaio --iodepth=64 \
    --rw=randwrite --bs=4k --size=64m --verify=crc32c --verify_fatal=1 \
    --verify_dump=0 --loops=1000 --output=/tmp/fio.out &
fio=$!
sleep 0.5
bad= rounds=0
while kill -0 $fio 2>/dev/null && [ $rounds -lt ${GUEST_ROUNDS:-12} ]; do
    nvme reset /dev/nvme0 || bad="$bad nvme-reset-$rounds"
    echo 1 >/sys/bus/pci/devices/$pci/reset || bad="$bad flr-$rounds"
    rounds=$((rounds + 1))
done
t "fio was at work all the time" kill -0 $fio
t "$rounds controller resets and as many function level resets under load" [ -z "$bad" ]
kill -INT $fio
wait $fio
rc=$?
t "fio found no error" grep -q 'err= 0' /tmp/fio.out
verify "fio verify afterwards" $ns

# Removing and adding the driver with commands in flight.
fio --eta=never --name=w --filename=$ns --direct=1 --ioengine=libaio --iodepth=64 \
    --rw=randwrite --bs=64k --time_based --runtime=10 >/dev/null 2>&1 &
sleep 0.5
t "the driver lets go under load" sh -c "echo $pci >/sys/bus/pci/drivers/nvme/unbind"
wait
t "the driver comes back" sh -c "echo $pci >/sys/bus/pci/drivers/nvme/bind"
t "and the namespace" wait_for 10 present $ns
verify "fio verify after that" $ns
# A reset may meet the kernel while it looks for namespaces.
clean_log 'I/O error, dev nvme0|Identify NS List failed .status=0xfffffff'
