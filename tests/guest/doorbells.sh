# SPDX-License-Identifier: GPL-2.0-or-later
# Verified I/O over every way to ring a doorbell, with and without threads of
# the controller's own; a controller's serial number says which way it is. The
# rings are so small that they wrap with every few commands, which is counted.
count() { ls -d /dev/nvme*n1 2>/dev/null | wc -l; }
all_there() { [ "$(count)" = "$GUEST_NAMESPACES" ]; }
t "$GUEST_NAMESPACES namespaces appear" wait_for 15 all_there
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
    jobs="$jobs --name=$name --filename=/dev/${name}n1"
done
t "verify: all of them at once" timeout 100 fio --eta=never --direct=1 --ioengine=libaio \
    --iodepth=8 --rw=randwrite --bs=4k --size=2m --verify=crc32c --verify_fatal=1 \
    --verify_dump=0 --output=/tmp/fio.out $jobs
# What was written and read above, 256 blocks twice and 512 once, if nothing of it
# was merged; it need not be all.
least=$(((2 * 2 * 256 + 2 * 512) / 8 * 3 / 4))
for c in /sys/class/nvme/nvme*; do
    serial=$(tr -d ' ' <$c/serial)
    set -- $(cat /sys/block/$(basename $c)n1/stat)
    entries=$(($(cat $c/sqsize) + 1))
    t "$serial: rings of $entries entries have wrapped $((($1 + $5) / entries)) times" \
        test "$entries" = 8 -a $((($1 + $5) / entries)) -ge $least
done
clean_log
