#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Borrowed processors side by side: superdev against ssh, distcc, icecc, NFS and 9p on the same
# machines in one run.  Called by scripts/bench, which has booted them with one capped processor
# each and made the project ready to be built.  Where a system could not do its part, its place
# in the result says why.

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from common import Failed, Machines, bars, busy_us, markdown, write_results
from spread_systems import SSH, SSH_SHARED, SUPERDEV_ON, Nfs, NineP, Ssh, Superdev, spreaders

PARTS = ("start", "build", "path", "owner")
SYSTEMS = ("superdev", "distcc", "icecc")
PROJECT = "/srv/project"
NAMES = ("lender", "second")
STARTS = 100            # of every program; p99 of fewer would be a maximum
STARTS_SSH_EVERY = 5    # but where each takes seconds
OWNER_WAKES = 1500
OWNER_PERIOD_US = 10000
OWNER_SHARE = 100       # of one processor: a cap would be felt as the guests' doing
LIMIT_S = 1500          # for a build, before home's own time is known
IDLE_SHARE = 0.1        # of the time: a lender that was busy for less has not helped


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def tell(args, number, text):
    print(f"[{time.monotonic() - args.began:6.1f} s] round {number + 1}/{args.rounds}  {text}",
          file=sys.stderr, flush=True)


def attempt(record, name, measure, args, number):
    """record[name] becomes what measure returns, or why it could not."""
    try:
        record[name] = measure()
    except Failed as failed:
        record[name] = {"failed": str(failed)}
    args.save()
    shown = {k: v for k, v in record[name].items() if not isinstance(v, (list, dict))}
    tell(args, number, f"{name:22} " + ", ".join(f"{k} {v}" for k, v in shown.items()))


def clock_rate(machines, machine):
    """Seconds that pass on a machine's clock in one of ours; emulated ones measure their clock badly."""
    def read():
        began = time.monotonic()
        there = int(machines.run(machine, "cut -d' ' -f1 /proc/uptime | tr -d .")) / 100
        return there, (began + time.monotonic()) / 2

    there, here = read()
    time.sleep(8)
    there_later, here_later = read()
    return round((there_later - there) / (here_later - here), 3)


def start_up(args, machines, number, record):
    """A trivial program, from its start to its end as home sees it."""
    ssh, superdev = Ssh(machines), Superdev(machines, 1)
    ways = {"local": "/bin/true", "superdev": SUPERDEV_ON.format(lender="lender", command="/bin/true"),
            "ssh, shared connection": f"{SSH_SHARED} lender /bin/true",
            "ssh": f"{STARTS_SSH_EVERY}:{SSH} -o ControlPath=none lender /bin/true"}
    reasons = {}
    for name, up in (("ssh", lambda: ssh.up("lender")), ("superdev", lambda: superdev.up(["lender"]))):
        try:
            up()
        except Failed as failed:
            reasons[name] = str(failed)
    commands = " ".join(f"'{command}'" for command in ways.values())
    machines.run("home", f"/srv/launch 2 {commands} >/dev/null", check=False)  # warms all caches
    lines = machines.run("home", f"/srv/launch {args.starts} {commands}").splitlines()
    for index, (name, line) in enumerate(zip(ways, lines)):
        def result(name=name, line=line, index=index):
            if line.startswith("failed"):
                said = machines.run("home", f"tail -n 1 /tmp/launch.{index}", check=False)
                raise Failed(reasons.get(name.split(",")[0]) or f"{said} ({line.replace('failed', 'status')})")
            us = [round(float(word) / args.clock_rates["home"]) for word in line.split()]
            return {"median_us": statistics.median(us), "p99_us": percentile(us, 99), "samples": len(us), "us": us}
        attempt(record, name, result, args, number)
    superdev.down(["lender"])


def fresh(machines):
    machines.run("home", f"rm -rf {PROJECT} && cp -a {PROJECT}.ready {PROJECT} && sync")


def objects(machines):
    """{object: hash} of what was built."""
    lines = machines.run("home", f"cd {PROJECT} && find . -name '*.o' -print0 | xargs -0r sha256sum").splitlines()
    return {name: digest for digest, name in (line.split(None, 1) for line in lines)}


def build(args, machines, where, command, lenders):
    """Builds the project by command on a machine; checks what came out, and who worked for it."""
    watched = ("home", *lenders)
    before = {m: busy_us(machines, m) for m in watched}
    log = "/tmp/bench-build.log"
    # make's own last word is that there was an error; the line before it says which.
    began = time.monotonic()  # of this machine: the clocks of two others are not the same
    machines.attempt(where, f"cd {PROJECT} || exit; ({command}) >{log} 2>&1 </dev/null || "
                            f"{{ r=$?; grep -v '^make' {log} | tail -n 1 >&2; exit $r; }}", args.limit_s)
    got = {"seconds": round(time.monotonic() - began, 2)}
    for m in watched:
        got[f"busy_{m}"] = round((busy_us(machines, m) - before[m]) / 1e6 / got["seconds"], 2)
    made = objects(machines)
    if not made:
        raise Failed(f"no objects after {got['seconds']:.1f} s")
    if args.reference is None:
        args.reference = made
    different = sorted(name for name in made.keys() | args.reference.keys()
                       if made.get(name) != args.reference.get(name))
    got.update(objects=len(made), differ=len(different), different=different[:10])
    return got


def helped(got, lenders):
    idle = [lender for lender in lenders if got[f"busy_{lender}"] < IDLE_SHARE]
    if idle:
        raise Failed(f"{' and '.join(idle)} did nothing in {got['seconds']:.1f} s")
    return got


def spread(args, machines, number, record):
    """make -j over home and lenders, by each system."""
    for system in spreaders(machines, args.lenders, args.systems):
        lenders = NAMES[:system.nr]
        jobs = 2 * (1 + system.nr)

        def measure(system=system, lenders=lenders, jobs=jobs):
            fresh(machines)
            system.up(lenders)
            return helped(build(args, machines, "home", system.build(f"make -j{jobs} {args.target}"), lenders),
                          lenders)
        attempt(record, system.name, measure, args, number)
        system.down(lenders)
        if system.nr == 0:
            args.limit_s = max(120, 4 * record[system.name].get("seconds", LIMIT_S))


def paths(args, machines, number, record):
    """The same build wholly at the lender, in home's tree."""
    make = f"make -j2 {args.target}"
    superdev = Superdev(machines, 1)
    try:
        superdev.up(["lender"])
        reason = None
    except Failed as failed:
        reason = str(failed)
    for name in ("superdev, cold", "superdev, warm"):
        def measure():
            if reason:
                raise Failed(reason)
            fresh(machines)
            return helped(build(args, machines, "home", SUPERDEV_ON.format(lender="lender", command=make),
                                ["lender"]), ["lender"])
        attempt(record, name, measure, args, number)
    superdev.down(["lender"])
    for system in (Nfs(machines), NineP(machines), NineP(machines, "loose")):
        def measure(system=system):
            fresh(machines)
            system.up("lender", PROJECT)
            return build(args, machines, "lender", make, ["lender"])
        attempt(record, system.name, measure, args, number)
        system.down("lender", PROJECT)


def owner(args, machines, number, record):
    """How late a periodic task of the lender's owner is, idle and with guests that use all there is."""
    ssh, superdev = Ssh(machines), Superdev(machines, 1)
    burn = "sh -c 'while :; do :; done'"

    def late():
        out = machines.attempt("lender", f"/srv/periodic {OWNER_WAKES} {OWNER_PERIOD_US}", 300)
        us = [round(float(word) / args.clock_rates["lender"]) for word in out.split()]
        return {"median_us": statistics.median(us), "p99_us": percentile(us, 99), "samples": len(us)}

    def while_runs(command):
        """late() while home runs a command that keeps the lender busy."""
        machines.attempt("home", f"setsid {command} >/tmp/burn.log 2>&1 </dev/null & echo $! >/tmp/burn.pid")
        try:
            time.sleep(3)
            machines.attempt("home", "kill -0 $(cat /tmp/burn.pid) 2>/dev/null || { tail -n 1 /tmp/burn.log >&2; exit 1; }")
            began, before = time.monotonic(), busy_us(machines, "lender")
            got = late()
            got["busy_lender"] = round((busy_us(machines, "lender") - before) / 1e6 / (time.monotonic() - began), 2)
            if got["busy_lender"] < 0.5:
                raise Failed(f"the lender was busy for {got['busy_lender']:.0%} only")
            return got
        finally:
            machines.run("home", "kill -- -$(cat /tmp/burn.pid); sleep 1; kill -9 -- -$(cat /tmp/burn.pid)", check=False)

    def with_superdev():
        superdev.up(["lender"])
        return while_runs(SUPERDEV_ON.format(lender="lender", command=burn))

    def with_ssh():
        ssh.up("lender")
        try:
            return while_runs(f"{SSH} -o ControlPath=none -tt lender nice -n 19 sh -c \"'while :; do :; done'\"")
        finally:
            machines.run("lender", "pkill -x -f \"sh -c while :; do :; done\"", check=False)

    args.share_set(OWNER_SHARE)
    attempt(record, "idle", late, args, number)
    attempt(record, "superdev guest", with_superdev, args, number)
    superdev.down(["lender"])
    attempt(record, "ssh, nice 19", with_ssh, args, number)
    args.share_set(args.share)


def measure(args, machines):
    result = {"kernel": machines.run("home", "uname -r"), "share_percent": args.share, "lenders": args.lenders,
              "project": args.project, "host_cpus": os.cpu_count(), "rounds": []}
    for machine in ("home", *NAMES[:args.lenders]):
        # The compiler from the disk into the cache, before anybody is measured.
        machines.run(machine, "echo 'int x;' >/tmp/warm.c; gcc -c -o /tmp/warm.o /tmp/warm.c")

    def save():
        """After every measurement: what a run that is cut short has found can be had by --from."""
        result["run_seconds"] = round(time.monotonic() - args.began)
        with open(os.path.join(args.out, "spread.json"), "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    args.save = save
    args.clock_rates = {m: clock_rate(machines, m) for m in ("home", *NAMES[:args.lenders])}
    result["clock_rates"] = args.clock_rates
    for number in range(args.rounds):
        result["rounds"].append({})
        for part, function in zip(PARTS, (start_up, spread, paths, owner)):
            if part in args.only:
                function(args, machines, number, result["rounds"][-1].setdefault(part, {}))
    return result


def worked(result, part, name):
    """Its records of the rounds in which it worked."""
    found = [r.get(part, {}).get(name, {"failed": "not measured"}) for r in result["rounds"]]
    return [got for got in found if "failed" not in got]


def median(result, part, name, key):
    return statistics.median(got[key] for got in worked(result, part, name))


def ratio(result, over, under, key):
    """Median of the ratios within the rounds; over and under are (part, name)."""
    found = []
    for r in result["rounds"]:
        one, other = (r.get(part, {}).get(name, {}).get(key) for part, name in (over, under))
        if one and other and not any("failed" in r[part][name] for part, name in (over, under)):
            found.append(one / other)
    return statistics.median(found) if found else None


def rows(result, part, cells, width):
    """A row for each name; one that never worked says why in its first cell, one that did not always how often."""
    out = []
    for name in result["rounds"][0][part]:
        failed = [r[part][name]["failed"] for r in result["rounds"] if "failed" in r.get(part, {}).get(name, {})]
        if worked(result, part, name):
            label = name if not failed else f"{name} (failed in {len(failed)} of {len(result['rounds'])} rounds)"
            out.append([label, *cells(name)])
        else:
            out.append([name, f"failed: {failed[0]}".replace("|", "/"), *["-"] * (width - 1)])
    return out


def shown(value, form="{:.2f}"):
    return "-" if value is None else form.format(value)


def identical(result, part, name):
    differ = max(got["differ"] for got in worked(result, part, name))
    return f"{median(result, part, name, 'objects'):.0f} identical" if not differ else f"{differ} differ"


def table(result):
    first = result["rounds"][0]
    lines = [f"Kernel {result['kernel']}, machines with one processor each, capped at {result['share_percent']} % of "
             f"one of the host's; {result['project']}; {len(result['rounds'])} round(s), "
             f"{result['run_seconds'] // 60} minutes in all.", ""]
    if "start" in first:
        def cells(name):
            return [f"{median(result, 'start', name, 'median_us') / 1000:.1f}",
                    f"{median(result, 'start', name, 'p99_us') / 1000:.1f}",
                    f"{sum(got['samples'] for got in worked(result, 'start', name))}",
                    *(shown(ratio(result, ("start", name), ("start", to), "median_us"), "{:.3f}")
                      for to in ("ssh, shared connection", "ssh"))]
        lines += ["Start of `/bin/true`, milliseconds:", ""]
        lines += markdown(["by", "median", "p99", "samples", "of ssh, shared", "of ssh"],
                          rows(result, "start", cells, 5)) + [""]
    if "build" in first:
        def cells(name):
            return [f"{median(result, 'build', name, 'seconds'):.1f}",
                    "**" + shown(ratio(result, ("build", "home alone"), ("build", name), "seconds")) + "**",
                    " / ".join(f"{median(result, 'build', name, key):.2f}"
                               for key in worked(result, "build", name)[0] if key.startswith("busy_")),
                    identical(result, "build", name)]
        lines += ["`make -j` of the project, by system and number of lenders:", ""]
        lines += markdown(["by", "seconds", "speed-up", "busy: home / lenders", "objects"],
                          rows(result, "build", cells, 4)) + [""]
    if "path" in first:
        def cells(name):
            return [f"{median(result, 'path', name, 'seconds'):.1f}",
                    shown(ratio(result, ("path", name), ("build", "home alone"), "seconds")),
                    identical(result, "path", name)]
        lines += ["The same build wholly at the lender, in home's tree:", ""]
        lines += markdown(["by", "seconds", "of home alone", "objects"], rows(result, "path", cells, 3)) + [""]
    if "owner" in first:
        def cells(name):
            return [f"{median(result, 'owner', name, 'median_us'):.0f}", f"{median(result, 'owner', name, 'p99_us'):.0f}",
                    shown(ratio(result, ("owner", name), ("owner", "idle"), "p99_us"))]
        lines += [f"A periodic task of the lender's owner, every {OWNER_PERIOD_US // 1000} ms, microseconds late "
                  f"(machines at {OWNER_SHARE} % of a processor):", ""]
        lines += markdown(["lender", "median", "p99", "p99 of idle"], rows(result, "owner", cells, 3)) + [""]
    return "\n".join(lines)


def plot(result):
    groups = []
    for nr in range(1, result["lenders"] + 1):
        names = [f"{system}, {nr}" for system in SYSTEMS]
        found = [ratio(result, ("build", "home alone"), ("build", name), "seconds") for name in names]
        groups.append((f"{nr} lender{'s'[:nr - 1]}", [value if value else "failed" for value in found]))
    return bars(f"make -j: speed-up over home alone ({result['kernel']})", SYSTEMS, groups)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--from", dest="source", help="a result measured before, to be written out again")
    parser.add_argument("--out", default="build/bench")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--lenders", type=int, choices=(1, 2), default=2)
    parser.add_argument("--share", type=int, default=60)
    parser.add_argument("--starts", type=int, default=STARTS)
    parser.add_argument("--only", default=",".join(PARTS), type=lambda text: text.split(","))
    parser.add_argument("--systems", default=",".join(SYSTEMS), type=lambda text: text.split(","),
                        help="that are compared in builds")
    parser.add_argument("--project", default="the project", help="what it is, for the table")
    parser.add_argument("--target", default="")
    args = parser.parse_args()
    unknown = [part for part in args.only if part not in PARTS]
    if unknown:
        parser.error(f"--only: '{unknown[0]}' is none of {', '.join(PARTS)}")
    unknown = [system for system in args.systems if system not in SYSTEMS]
    if unknown:
        parser.error(f"--systems: '{unknown[0]}' is none of {', '.join(SYSTEMS)}")
    args.began, args.limit_s, args.reference = time.monotonic(), LIMIT_S, None
    args.share_set = lambda percent: subprocess.run(["scripts/lab", "share", str(percent)], check=True)
    if args.source:
        with open(args.source, encoding="utf-8") as file:
            result = json.load(file)
    else:
        result = measure(args, Machines(["scripts/lab", "exec", "MACHINE", "--"]))
    texts = {".json": json.dumps(result, indent=1) + "\n", ".md": table(result)}
    if "build" in result["rounds"][0]:
        texts[".svg"] = plot(result)
    write_results(os.path.join(args.out, "spread"), texts)


main()
