#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Borrowed disks side by side: superdev, nbd and nvme-tcp over one RAM disk of
# the lender, in turns, several rounds.  Called by scripts/bench, which has
# booted the machines.  What is compared is the median over the rounds of each
# system's rate divided by the rate of the peer named in the same round.

import argparse
import json
import os
import statistics
import sys
import time

from common import Machines, bars, busy_us, introduce, markdown, write_results

JOBS = {
    "randread 4k qd1": "--rw=randread --bs=4k --iodepth=1",
    "randread 4k qd32": "--rw=randread --bs=4k --iodepth=32",
    "randwrite 4k qd1": "--rw=randwrite --bs=4k --iodepth=1",
    "randwrite 4k qd32": "--rw=randwrite --bs=4k --iodepth=32",
    "read 128k qd8": "--rw=read --bs=128k --iodepth=8",
    "write 128k qd8": "--rw=write --bs=128k --iodepth=8",
}
NQN = "nqn.2026-11.superdev:bench"


class Superdev:
    def __init__(self, machines, transport):
        self.m, self.transport = machines, transport
        self.name = "superdev" if transport == "clear" else "superdev tls"

    def up(self):
        for machine, peer in (("home", "lender"), ("lender", "home")):
            self.m.run(machine, f"superdev peer set {peer} transport {self.transport}")
        self.m.run("lender", "superdev offer add bench class blk path /dev/ram0")
        self.m.run("home", "i=0; until superdev offer show lender/bench >/dev/null 2>&1; do "
                           "i=$((i+1)); [ $i -lt 100 ] || exit 1; sleep 0.1; done")
        began = time.monotonic()
        path = self.m.run("home", "s=$(date +%s%N); superdev lease add lender/bench; e=$(date +%s%N); "
                                  "echo $(((e-s)/1000)) >/tmp/lease-us")
        self.lease_us = int(self.m.run("home", "cat /tmp/lease-us"))
        return path or sys.exit(f"bench: no path after {time.monotonic() - began:.1f} s")

    def down(self):
        self.m.run("home", "superdev lease del lender/bench")
        self.m.run("lender", "superdev offer del bench")


class Nbd:
    name = "nbd"

    def __init__(self, machines):
        self.m = machines

    def up(self):
        self.m.run("lender", "printf '[generic]\nallowlist = false\n[bench]\nexportname = /dev/ram0\n' "
                             ">/tmp/nbd.conf; nbd-server -C /tmp/nbd.conf -p /tmp/nbd.pid >/dev/null 2>&1")
        time.sleep(1)
        # While udev looks at a device that just came, it is busy.
        self.m.run("home", "modprobe nbd 2>/dev/null; udevadm settle 2>/dev/null; "
                           "nbd-client -N bench -C 2 lender /dev/nbd0 >/dev/null")
        return "/dev/nbd0"

    def down(self):
        self.m.run("home", "nbd-client -d /dev/nbd0 >/dev/null")
        self.m.run("lender", "kill $(cat /tmp/nbd.pid)")


class NvmeTcp:
    """With TLS the kernel has tlshd do the handshake, by a key that both ends hold."""

    HOST_ID = "11111111-2222-3333-4444-555555555555"
    HOST_NQN = "nqn.2014-08.org.nvmexpress:uuid:" + HOST_ID

    def __init__(self, machines, transport):
        self.m, self.is_tls = machines, transport == "tls"
        self.name = "nvme-tcp tls" if self.is_tls else "nvme-tcp"

    def handshakes(self):
        """tlshd at both ends, with the key in the keyring that the drivers look at."""
        names = f"--subsysnqn={NQN} --hostnqn={self.HOST_NQN} --identity=1"
        for module in ("nvmet-tcp", "nvme-tcp"):
            for machine in ("home", "lender"):
                self.m.run(machine, f"modprobe {module} 2>/dev/null || true")
        key = self.m.run("home", f"nvme gen-tls-key {names}").split()[-1]
        for machine in ("home", "lender"):
            self.m.run(machine, f"""set -e
                nvme check-tls-key {names} --insert --keydata={key} >/dev/null
                printf '[authenticate]\nkeyrings=.nvme\n' >/tmp/tlshd-{machine}.conf
                setsid tlshd -c /tmp/tlshd-{machine}.conf >/dev/null 2>&1 </dev/null &
                echo $! >/tmp/tlshd-{machine}.pid""")

    def up(self):
        if self.is_tls:
            self.handshakes()
        self.m.run("lender", f"""set -e
            modprobe nvmet-tcp 2>/dev/null || true
            [ -d /sys/kernel/config/nvmet ] || mount -t configfs none /sys/kernel/config
            cd /sys/kernel/config/nvmet
            mkdir subsystems/{NQN}; echo 1 >subsystems/{NQN}/attr_allow_any_host
            mkdir subsystems/{NQN}/namespaces/1
            echo /dev/ram0 >subsystems/{NQN}/namespaces/1/device_path
            echo 1 >subsystems/{NQN}/namespaces/1/enable
            mkdir ports/1; cd ports/1
            echo tcp >addr_trtype; echo ipv4 >addr_adrfam; echo 4420 >addr_trsvcid
            getent ahostsv4 lender | awk 'NR==1 {{print $1}}' >addr_traddr
            {"echo tls1.3 >addr_tsas; echo required >addr_treq" if self.is_tls else ""}
            ln -s /sys/kernel/config/nvmet/subsystems/{NQN} subsystems/{NQN}""")
        self.m.run("home", "modprobe nvme-tcp 2>/dev/null; nvme connect -t tcp -s 4420 "
                           f"-a $(getent ahostsv4 lender | awk 'NR==1 {{print $1}}') -n {NQN} "
                           f"-q {self.HOST_NQN} --hostid {self.HOST_ID} {'--tls' if self.is_tls else ''} >/dev/null")
        path = self.m.run("home", "i=0; until ls /dev/nvme*n1 2>/dev/null | head -1 | grep .; do "
                                  "i=$((i+1)); [ $i -lt 100 ] || exit 1; sleep 0.1; done")
        return path.split()[-1]

    def down(self):
        self.m.run("home", f"nvme disconnect -n {NQN} >/dev/null")
        self.m.run("lender", f"""cd /sys/kernel/config/nvmet
            rm ports/1/subsystems/{NQN}; rmdir ports/1
            rmdir subsystems/{NQN}/namespaces/1 subsystems/{NQN}""")
        if self.is_tls:
            for machine in ("home", "lender"):
                self.m.run(machine, f"kill $(cat /tmp/tlshd-{machine}.pid)")


def fio(machines, path, options, seconds):
    out = machines.run("home", f"fio --name=b --filename={path} --direct=1 --ioengine=libaio --size=192m "
                               f"--time_based --runtime={seconds} --ramp_time=1 --output-format=json {options}")
    job = json.loads(out[out.index("{"):])["jobs"][0]
    side = job["read"] if job["read"]["total_ios"] else job["write"]
    return {"iops": side["iops"], "bytes_per_s": side["bw_bytes"], "ios": side["total_ios"],
            "latency_us": side["clat_ns"]["mean"] / 1000,
            "p99_us": side["clat_ns"].get("percentile", {}).get("99.000000", 0) / 1000}


def measure(args, machines):
    systems = [Superdev(machines, "clear"), Nbd(machines), NvmeTcp(machines, "clear"),
               Superdev(machines, "tls"), NvmeTcp(machines, "tls")]
    for machine in ("home", "lender"):
        machines.run(machine, "superdev peer list >/dev/null")
    introduce(machines, "home", "lender")
    machines.run("lender", "[ -b /dev/ram0 ] || modprobe brd rd_nr=1 rd_size=262144")
    machines.run("lender", "dd if=/dev/urandom of=/dev/ram0 bs=1M count=200 status=none")
    result = {"floor": args.floor, "kernel": machines.run("home", "uname -r"), "cpus": os.cpu_count(),
              "seconds": args.seconds, "lease_add_us": [], "rounds": []}
    ends = ("home", "lender") if args.floor == "lab" else ("home",)
    for number in range(args.rounds):
        this = {}
        # Each round begins with another: who is first pays for what an emulator has to translate anew.
        first = number % len(systems)
        for system in systems[first:] + systems[:first]:
            path = system.up()
            for job, options in JOBS.items():
                before = {m: busy_us(machines, m) for m in ends}
                got = fio(machines, path, options, args.seconds)
                # fio counts after its ramp of one second; the processors do not.
                share = args.seconds / (args.seconds + 1)
                for m in ends:
                    got[f"cpu_us_{m}"] = (busy_us(machines, m) - before[m]) * share / max(got["ios"], 1)
                this.setdefault(system.name, {})[job] = got
                print(f"round {number + 1}/{args.rounds}  {system.name:13} {job:18} {got['iops']:9.0f} IOPS "
                      f"{got['bytes_per_s'] / 1e6:8.1f} MB/s", file=sys.stderr, flush=True)
            system.down()
            if isinstance(system, Superdev):
                result["lease_add_us"].append(system.lease_us)
        result["rounds"].append(this)
    return result


def median(result, system, job, key):
    return statistics.median(r[system][job][key] for r in result["rounds"])


def ratio(result, job, peer, system="superdev"):
    return statistics.median(r[system][job]["iops"] / r[peer][job]["iops"] for r in result["rounds"])


SYSTEMS = ("superdev", "nbd", "nvme-tcp", "superdev tls", "nvme-tcp tls")
# Who is compared with whom: like with like.
RATIOS = (("superdev", "nbd"), ("superdev", "nvme-tcp"), ("superdev tls", "nvme-tcp tls"))


def table(result):
    def rate(system, job):
        if "128k" in job:
            return f"{median(result, system, job, 'bytes_per_s') / 1e6:.0f} MB/s"
        return f"{median(result, system, job, 'iops'):.0f} IOPS"

    cpu = [k for k in ("cpu_us_home", "cpu_us_lender") if k in result["rounds"][0]["superdev"]["read 128k qd8"]]
    lines = [f"Floor `{result['floor']}`, kernel {result['kernel']}, {len(result['rounds'])} rounds of "
             f"{result['seconds']} s; medians.", ""]
    lines += markdown(["job", *SYSTEMS], [[job, *(rate(s, job) for s in SYSTEMS)] for job in JOBS])
    lines += ["", "Ratios, medians of those within each round:", ""]
    lines += markdown(["job", *(f"{ours} / {peer}" for ours, peer in RATIOS), "superdev tls / superdev"],
                      [[job, *(f"**{ratio(result, job, peer, ours):.2f}**" for ours, peer in RATIOS),
                        f"{ratio(result, job, 'superdev', 'superdev tls'):.2f}"] for job in JOBS])
    lines += ["", "CPU time per request, microseconds" +
              (" (home / lender):" if len(cpu) == 2 else " (both ends, one kernel):"), ""]
    lines += markdown(["job", *SYSTEMS],
                      [[job, *(" / ".join(f"{median(result, s, job, k):.0f}" for k in cpu) for s in SYSTEMS)]
                       for job in JOBS])
    lines += ["", f"`lease add` to a usable device: median {statistics.median(result['lease_add_us']) / 1000:.0f} ms."]
    return "\n".join(lines) + "\n"


def plot(result):
    """Bars of superdev's rate over each peer's; the line is parity."""
    return bars(f"superdev relative to its peers ({result['floor']}, {result['kernel']})",
                [f"over {peer}" for _, peer in RATIOS],
                [(job, [ratio(result, job, peer, ours) for ours, peer in RATIOS]) for job in JOBS])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--floor", choices=("lab", "um"), default="lab")
    parser.add_argument("--from", dest="source", help="a result measured elsewhere, to be written out")
    parser.add_argument("--out", default="build/bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    args = parser.parse_args()
    if args.source:
        with open(args.source, encoding="utf-8") as file:
            result = json.loads(file.readline())
    else:
        prefix = (["scripts/lab", "exec", "MACHINE", "--"] if args.floor == "lab" else
                  ["bash", "scripts/bench.d/um-exec", "MACHINE"])
        result = measure(args, Machines(prefix))
    if args.floor == "um" and not args.source:
        print(json.dumps(result))
        return
    write_results(os.path.join(args.out, f"storage-{result['floor']}"),
                  {".json": json.dumps(result, indent=1) + "\n", ".md": table(result), ".svg": plot(result)})


main()
