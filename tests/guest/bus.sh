# SPDX-License-Identifier: GPL-2.0-or-later
# A drive behind a PCIe port with native hot-plug and AER: what Linux does when
# the bus fails. See scenarios-lib.sh.
dev=/sys/bus/pci/devices/$bdf
unsaid() { ! said "$1"; }

# ---- host memory

scenario bus-master-off
t "$now: 30 reads" many r 30
sleep 5
t "$now: nobody notices" unsaid 'nvme.*(timeout|reset|abort)'
t "$now: the verdict is passed" wait_for 5 verdict passed
over

scenario slow-dma
t "$now: 60 reads" many r 60
t "$now: nobody notices" unsaid 'nvme.*(timeout|reset|abort)'
over

scenario dma-error
t "$now: 40 writes" many w 40
t "$now: the verdict is passed" wait_for 5 verdict passed
over

# ---- errors

scenario pcie-correctable
t "$now: 10 reads" many r 10
t "$now: the port got a message" wait_for 10 said 'AER: .*[Cc]orrect(ed|able).* (received|message)'
t "$now: the log says which" wait_for 10 said 'severity=Correct(ed|able)'
t "$now: Receiver Error" said 'RxErr'
t "$now: Bad TLP" said 'BadTLP'
t "$now: I/O goes on" works
t "$now: the verdict is passed" wait_for 10 verdict passed
over

scenario pcie-nonfatal
t "$now: 10 reads" many r 10
t "$now: the log says which" wait_for 10 said 'severity=Uncorrect(ed|able) \(Non-Fatal\)'
t "$now: Completion Timeout" said 'CmpltTO'
t "$now: the device recovers" wait_for 30 said 'device recovery successful'
over

scenario pcie-fatal
many r 10 >/dev/null 2>&1
t "$now: the log says which" wait_for 10 said 'severity=Uncorrect(ed|able) \(Fatal\)'
t "$now: the driver is stopped" wait_for 10 said 'frozen state error detected'
t "$now: the link is reset" wait_for 30 said 'restart after slot reset'
t "$now: the device recovers" wait_for 30 said 'device recovery successful'
t "$now: the verdict is passed" wait_for 10 verdict passed
over

# ---- resets that take their time

freset() { echo $1 >$dev/reset_method && echo 1 >$dev/reset; }
scenario flr-hangs
t "$now: the reset" freset flr
t "$now: the kernel waits" said 'not ready [0-9]+ms after FLR; waiting'
t "$now: and goes on" said ' ready [0-9]+ms after FLR'
t "$now: the verdict is passed" wait_for 20 verdict passed
over

scenario d3-hangs
t "$now: the reset" freset pm
t "$now: the kernel waits" said 'not ready [0-9]+ms after PM D3hot->D0; waiting'
t "$now: and goes on" said ' ready [0-9]+ms after PM D3hot->D0'
t "$now: the verdict is passed" wait_for 20 verdict passed
over

# ---- out and in again

scenario surprise-removal
stream() { timeout 60 dd if=/dev/zero of=$d bs=4096 count=4000 oflag=direct; }
tf "$now: writes fail" stream
t "$now: the port saw it" said 'pciehp: Slot\(1\): (Link Down|Card not present)'
t "$now: the disk is gone" wait_for 20 gone $d
t "$now: the port sees a card" wait_for 30 said 'pciehp: Slot\(1\): (Card present|Link Up)'
t "$now: the disk is back" wait_for 60 there
t "$now: the verdict is passed" wait_for 20 verdict passed
over
verify "$now: fio verify" $d --size=4m

# ---- for ever

scenario flr-never-ends
tf "$now: the reset fails" freset flr
t "$now: the kernel gives up" said 'not ready [0-9]+ms after FLR; giving up'
# A dead disk has no blocks: what is read is nothing, and without an error.
read_block() { [ "$(timeout 60 dd if=$d bs=4096 count=1 iflag=direct 2>/dev/null | wc -c)" = 4096 ]; }
tf "$now: no I/O" read_block
t "$now: the verdict is passed" wait_for 40 verdict passed
host faults off >/dev/null
echo 1 >$dev/remove
wait_for 20 gone /dev/nvme0
sleep 1
echo 1 >/sys/bus/pci/rescan
t "$now: it is found again" wait_for 30 there
t "$now: I/O afterwards" works
t "no kernel bug" sh -c "! dmesg | grep -E 'BUG:|WARNING:|Oops|blocked for'"
