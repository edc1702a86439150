# SPDX-License-Identifier: GPL-2.0-or-later
#
# The ways to use another machine's processor that scripts/bench spread compares.  Each is put up,
# used and taken down again; what it cannot do, it says by Failed.  Their daemons run in the lab's
# machines only.

from common import Failed, introduce

NETWORK = "10.83.0.0/24"
SSH = "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR"
SSH_SHARED = "ssh -S /run/bench-ssh"

# What superdev is asked to do, in one place.
SUPERDEV_SPREAD = "superdev run {command}"
SUPERDEV_ON = "superdev run on {lender} {command}"
SUPERDEV_OFFER = "superdev offer add cpu class cpu cpus 1 memory 600M"


class Ssh:
    """A daemon at the lender that home may log in to, and a connection that stays."""

    def __init__(self, machines):
        self.m = machines

    def up(self, lender):
        key = self.m.attempt("home", "[ -e /root/.ssh/id_ed25519 ] || ssh-keygen -qt ed25519 -N '' "
                                     "-f /root/.ssh/id_ed25519; cat /root/.ssh/id_ed25519.pub")
        self.m.attempt(lender, "mkdir -p /run/sshd /root/.ssh; chmod 700 /root/.ssh; ssh-keygen -A >/dev/null; "
                               f"echo '{key}' >/root/.ssh/authorized_keys; "
                               "[ -e /run/sshd.pid ] || /usr/sbin/sshd")
        self.m.attempt("home", f"{SSH} {lender} true; [ -S /run/bench-ssh ] || "
                               f"{SSH} -M -S /run/bench-ssh -o ControlPersist=yes -fN {lender} </dev/null "
                               ">/dev/null 2>&1", 60)


class Alone:
    label, name, nr = "home alone", "home alone", 0

    def up(self, lenders):
        pass

    def build(self, command):
        return command

    def down(self, lenders):
        pass


class Distcc:
    """As its manual has it: two jobs for each machine, preprocessed at home, sent as they are."""

    label = "distcc"

    def __init__(self, machines, nr):
        self.m, self.nr, self.name = machines, nr, f"distcc, {nr}"
        self.hosts = "localhost"

    def up(self, lenders):
        self.hosts = " ".join(["localhost/2", *(f"{lender}/2" for lender in lenders)])
        for lender in lenders:
            self.m.attempt(lender, "update-distcc-symlinks; distccd --daemon --jobs 4 "
                                   f"--log-file /tmp/distccd.log --allow {NETWORK}", 60)
        self.m.attempt("home", "update-distcc-symlinks", 60)

    def build(self, command):
        return f"DISTCC_HOSTS='{self.hosts}' PATH=/usr/lib/distcc:$PATH {command}"

    def down(self, lenders):
        for lender in lenders:
            self.m.run(lender, "killall distccd; while pidof distccd; do sleep 0.1; done", check=False)


class Icecc:
    """The scheduler at home; the compiler's archive is made before anything is measured."""

    label = "icecc"
    ENVIRONMENT = "/srv/icecc/compiler.tar"

    def __init__(self, machines, nr):
        self.m, self.nr, self.name = machines, nr, f"icecc, {nr}"

    def up(self, lenders):
        self.m.attempt("home", f"[ -e {self.ENVIRONMENT} ] || {{ rm -rf /srv/icecc; mkdir /srv/icecc; "
                               "cd /srv/icecc; ICECC_ENV_COMPRESSION=none icecc --build-native gcc >build.log 2>&1; "
                               f"mv *.tar {self.ENVIRONMENT}; }}", 300)
        self.m.attempt("home", "icecc-scheduler -d -n bench -l /tmp/icecc-scheduler.log")
        for machine in ("home", *lenders):
            # The port of the scheduler may be refused while it is being opened: iceccd tries again.
            self.m.attempt(machine, "mkdir -p /run/icecc; chown icecc /run/icecc; "
                                    "iceccd -d -vv -n bench -s home -m 2 -b /run/icecc -l /tmp/iceccd.log")
        for machine in ("home", *lenders):
            self.m.attempt(machine, "i=0; until grep -q 'Connected to scheduler' /tmp/iceccd.log; do i=$((i+1)); "
                                    "[ $i -lt 150 ] || { echo 'iceccd finds no scheduler' >&2; exit 1; }; "
                                    "sleep 0.2; done", 60)
        # Every lender gets and unpacks the archive with its first job.
        self.m.attempt("home", "cd /tmp && i=0; while [ $i -lt 12 ]; do echo \"int x$i;\" >warm$i.c; i=$((i+1)); done; "
                       + self.build("make -s -j6 -B CC=gcc $(seq -f warm%g.o 0 11)"), 180)

    def build(self, command):
        return f"ICECC_VERSION={self.ENVIRONMENT} PATH=/usr/lib/icecc/bin:$PATH {command}"

    def down(self, lenders):
        for machine in ("home", *lenders):
            self.m.run(machine, "killall iceccd; killall icecc-scheduler 2>/dev/null; "
                                "while pidof iceccd icecc-scheduler; do sleep 0.1; done >/dev/null; "
                                "rm -f /tmp/icecc*.log", check=False)


class Superdev:
    label = "superdev"

    def __init__(self, machines, nr):
        self.m, self.nr, self.name = machines, nr, f"superdev, {nr}"

    def up(self, lenders):
        for lender in lenders:
            introduce(self.m, "home", lender)
            self.m.attempt(lender, SUPERDEV_OFFER)
            self.m.attempt("home", f"i=0; until superdev offer show {lender}/cpu >/dev/null 2>&1; do i=$((i+1)); "
                                   "[ $i -lt 100 ] || { echo 'its offer does not come' >&2; exit 1; }; sleep 0.1; "
                                   f"done; superdev lease add {lender}/cpu", 60)

    def build(self, command):
        return SUPERDEV_SPREAD.format(command=command)

    def down(self, lenders):
        for lender in lenders:
            self.m.run("home", f"superdev lease del {lender}/cpu", check=False)
            self.m.run(lender, "superdev offer del cpu", check=False)


class Nfs:
    """Version 4.2 as it comes: close-to-open.  The project alone; the compiler is the lender's own."""

    name = "NFS"

    def __init__(self, machines):
        self.m = machines

    def up(self, lender, folder):
        self.m.attempt("home", f"""set -e
            modprobe nfsd; [ -e /proc/fs/nfsd/threads ] || mount -t nfsd nfsd /proc/fs/nfsd
            mkdir -p /var/lib/nfs/v4recovery /run/rpc_pipefs; touch /var/lib/nfs/etab /var/lib/nfs/rmtab
            echo 10 >/proc/fs/nfsd/nfsv4leasetime; echo 10 >/proc/fs/nfsd/nfsv4gracetime
            exportfs -o rw,no_root_squash,no_subtree_check,fsid=0,sec=sys {NETWORK}:{folder}
            pidof rpc.mountd >/dev/null || rpc.mountd -N 3
            rpc.nfsd -N 3 4 2>&1""", 60)
        self.m.attempt(lender, f"mkdir -p {folder} && mount -t nfs4 -o minorversion=2 home:/ {folder} && "
                               # Its grace period is over when the first file can be made.
                               f"touch {folder}/.grace && rm {folder}/.grace", 120)

    def down(self, lender, folder):
        self.m.run(lender, f"umount {folder}", check=False)
        self.m.run("home", "rpc.nfsd 0; exportfs -ua; killall rpc.mountd", check=False)


class NineP:
    """diod at home, the kernel's client as it comes: nothing is cached, so nothing is stale."""

    name = "9p"

    def __init__(self, machines, cache="none"):
        self.m, self.cache = machines, cache
        if cache != "none":
            self.name = f"9p, cache={cache}"

    def up(self, lender, folder):
        self.m.attempt("home", f"diod -n -l 0.0.0.0:5640 -e {folder} -L /tmp/diod.log >/dev/null 2>&1 </dev/null", 30)
        self.m.attempt(lender, f"mkdir -p {folder}; i=0; until mount -t 9p -o trans=tcp,port=5640,version=9p2000.L,"
                               f"uname=root,access=user,msize=131072,cache={self.cache},aname={folder} "
                               f"$(getent ahostsv4 home | awk 'NR==1 {{print $1}}') {folder}; do "
                               "i=$((i+1)); [ $i -lt 20 ] || exit 1; sleep 0.2; done", 60)

    def down(self, lender, folder):
        self.m.run(lender, f"umount {folder}", check=False)
        self.m.run("home", "killall diod", check=False)


def spreaders(machines, lenders, labels):
    """Home alone and those of these labels, in the order in which they take their turns."""
    systems = [Alone()]
    for nr in range(1, lenders + 1):
        systems += [s for s in (Superdev(machines, nr), Distcc(machines, nr), Icecc(machines, nr))
                    if s.label in labels]
    return systems


__all__ = ["Failed", "Nfs", "NineP", "SSH", "SSH_SHARED", "SUPERDEV_ON", "Ssh", "Superdev", "spreaders"]
