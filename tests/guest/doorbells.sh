# SPDX-License-Identifier: GPL-2.0-or-later
# Verified I/O over every way to ring a doorbell, with and without threads of
# the controller's own; a controller's serial number says which way it is. The
# rings are so small that they wrap with every few commands, which is counted. And
# interrupts, coalesced, counted against completions.
count() { ls -d /dev/nvme*n1 2>/dev/null | wc -l; }
all_there() { [ "$(count)" = "$GUEST_NAMESPACES" ]; }
t "$GUEST_NAMESPACES namespaces appear" wait_for 15 all_there
# Of a controller: interrupts of its I/O queues, completions of its namespace.
irqs() {
    awk -v queue="^$1q[1-9]" '$NF ~ queue {
        for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i
    } END { print n + 0 }' /proc/interrupts
}
completions() { awk '{ print $1 + $5 }' /sys/block/$1n1/stat; }
now_ms() { awk '{ print int($1 * 1000) }' /proc/uptime; }
# counted NAME CONTROLLER COMMAND...: a check that the command works, and what it
# took, in $ios, $ints and $ms.
counted() {
    local name=$1 ctrl=$2
    shift 2
    ios=$(completions $ctrl) ints=$(irqs $ctrl) ms=$(now_ms)
    t "$name" "$@"
    ms=$(($(now_ms) - ms)) ints=$(($(irqs $ctrl) - ints))
    ios=$(($(completions $ctrl) - ios))
}
deep() {
    timeout 60 fio --eta=never --name=r --filename=/dev/$1n1 --direct=1 --ioengine=libaio \
        --rw=randread --bs=4k --iodepth=32 --size=8m --output=/tmp/fio.out
}
# 16 completions or 25.5 ms, whichever comes first, in each of the queues: this
# bounds interrupts from above and the time of one command at a time from below,
# however slow or fast anything is. 20 ms, because clocks may differ.
coalesced() {
    local ctrl=$1 serial=$2 queues
    queues=$(grep -c "${1}q[1-9]" /proc/interrupts)
    t "$serial: coalescing on" nvme set-feature /dev/$ctrl -f 8 -V $((255 << 8 | 15))
    counted "$serial: 2,048 reads, 32 at a time" $ctrl deep $ctrl
    t "$serial: $ints interrupts for $ios completions in $ms ms" test $ios -ge 2048 -a \
        $ints -gt 0 -a $ints -le $((ios / 16 + queues * (ms / 20 + 2)))
    counted "$serial: 60 reads, one at a time" $ctrl \
        dd if=/dev/${ctrl}n1 of=/dev/null bs=4k count=60 iflag=direct
    t "$serial: each has waited, $ms ms in all" test $ms -ge 1200
    t "$serial: $ints interrupts for $ios completions" test $ios -ge 60 -a $ints -gt 0 \
        -a $ints -le $ios
    t "$serial: coalescing off" nvme set-feature /dev/$ctrl -f 8 -V 0
    t "$serial: it is off" sh -c "nvme get-feature /dev/$ctrl -f 8 | grep -qi 'value: *\(0x\)\?0*\$'"
    counted "$serial: 2,048 reads, 32 at a time" $ctrl deep $ctrl
    t "$serial: $ints interrupts for $ios completions in $ms ms" test $ios -ge 2048 -a \
        $ints -gt 0 -a $ints -le $ios
}
jobs=
for c in /sys/class/nvme/nvme*; do
    serial=$(tr -d ' ' <$c/serial)
    name=$(basename $c)
    dbcs=$(($(nvme id-ctrl /dev/$name | sed -n 's/^oacs *: *//p') >> 8 & 1))
    want=0
    case $serial in sn-shadow* | sn-each*) want=1 ;; esac
    t "$serial: shadow doorbells are offered: $want" test "$dbcs" = "$want"
    # Bursts with pauses: doorbells turn into memory and back again.
    for pause in 0 1ms; do
        verify "$serial: verify, thinktime $pause" /dev/${name}n1 --size=1m \
            --thinktime=$pause --thinktime_blocks=64
    done
    turns=$(host property ${serial#sn-} turns-on-vcpus)
    case $serial in
    sn-main*) t "$serial: the main loop served it" test "$turns" = 0 ;;
    *) t "$serial: vCPUs served it $turns times" test "$turns" -gt 0 ;;
    esac
    # Now and then it is tried, whatever comes of it; on lane 0 only.
    gathers=$(host property ${serial#sn-} waits-on-vcpus)
    case $serial in
    sn-shadow-0 | sn-trapped-0 | sn-mapped-0)
        t "$serial: vCPUs waited for more commands $gathers times" test "$gathers" -gt 0 ;;
    *-0) t "$serial: vCPUs did not wait for more commands" test "$gathers" = 0 ;;
    esac
    case $serial in
    sn-mapped*)
        # Pauses after which they are registers again.
        verify "$serial: verify, thinktime 100ms" /dev/${name}n1 --size=4m \
            --thinktime=100ms --thinktime_blocks=200
        times=$(host property ${serial#sn-} doorbells-mapped)
        t "$serial: doorbells were memory $times times" test "$times" -ge 4 ;;
    esac
    # Where vCPUs do not wait for more commands, which batches them, too.
    case $serial in sn-each-0 | sn-trapped-1) coalesced $name $serial ;; esac
    jobs="$jobs --name=$name --filename=/dev/${name}n1"
done
t "verify: all of them at once" timeout 100 fio --eta=never --direct=1 --ioengine=libaio \
    --iodepth=8 --rw=randwrite --bs=4k --size=2m --verify=crc32c --verify_fatal=1 \
    --verify_dump=0 --output=/tmp/fio.out $jobs
# What was written and read above, 256 blocks twice and 512 once, if nothing of it
# was merged; it need not be all.
least=$(((2 * 2 * 256 + 2 * 512) * 3 / 4))
for c in /sys/class/nvme/nvme*; do
    serial=$(tr -d ' ' <$c/serial)
    entries=$(($(cat $c/sqsize) + 1))
    wraps=$(($(completions $(basename $c)) / entries))
    # Coalescing needs more at a time.
    case $serial in sn-each-0 | sn-trapped-1) want=32 ;; *) want=8 ;; esac
    t "$serial: rings of $entries entries have wrapped $wraps times" \
        test $entries = $want -a $wraps -ge $((least / want))
done
clean_log
