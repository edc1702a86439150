// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * table.c: every command of superdev(8), once.
 *
 * Dispatch, help, completion, the reading of arguments and the synopsis of the
 * manual page follow from it.
 */
#include "cli.h"

const struct cli_command cli_commands[] = {
	{ "peer", "list", cli_peer_list, "", "peers, their state and round trip" },
	{ "peer", "show", cli_peer_show, "NAME", "all about one peer" },
	{ "peer", "pair", cli_peer_pair, "ADDRESS [name NAME] [yes [CODE]]",
	  "get to know a machine: compare the code that both show" },
	{ "peer", "trust", cli_peer_trust, "NAME [CODE]", "say yes to a machine that wants to pair" },
	{ "peer", "add", cli_peer_add, "NAME key BASE64 [address HOST] [transport tls|clear]",
	  "trust a machine by its key, without pairing" },
	{ "peer", "set", cli_peer_set, "NAME [transport tls|clear] [address HOST]",
	  "change how a peer is reached" },
	{ "peer", "del", cli_peer_del, "NAME [force]", "forget a peer" },
	{ "offer", "list", cli_offer_list, "", "what this machine and its peers lend" },
	{ "offer", "show", cli_offer_show, "OFFER", "all about one offer: NAME, or PEER/NAME" },
	{ "offer", "add", cli_offer_add, "NAME class CLASS [path PATH] [ro] [cpus N] [memory SIZE]",
	  "lend something of this machine" },
	{ "offer", "del", cli_offer_del, "NAME [force]", "lend it no longer" },
	{ "offer", "revoke", cli_offer_revoke, "NAME",
	  "take it back at once from who has it, and offer it anew" },
	{ "lease", "list", cli_lease_list, "", "what is borrowed and lent" },
	{ "lease", "show", cli_lease_show, "PEER/OFFER", "all about one lease, with its lanes" },
	{ "lease", "add", cli_lease_add, "PEER/OFFER [ro] [lanes N] [paths DIRS] [timeout SECONDS]",
	  "borrow; print the path of the device once it is usable" },
	{ "lease", "set", cli_lease_set, "PEER/OFFER paths DIRS",
	  "what programs there see of files here: DIR:DIR..., or all" },
	{ "lease", "del", cli_lease_del, "PEER/OFFER [force]", "give back" },
	{ "device", "list", cli_device_list, "", "devices that leases became" },
	{ "device", "show", cli_device_show, "DEVICE", "one device: its path, or PEER/OFFER" },
	{ "policy", "show", cli_policy_show, "", "what decides where work goes, and what became of it" },
	{ "policy", "try", cli_policy_try, "PROGRAM [pid PID] [class CLASS]",
	  "where a program would run now, and why" },
	{ "policy", "load", cli_policy_load, "FILE", "have a BPF object decide from now on" },
	{ "policy", "unload", cli_policy_unload, "", "have the built-in default decide again" },
	{ "set", "show", cli_set_show, "", "cgroups whose programs may run at lenders" },
	{ "set", "spread", cli_set_spread, "CGROUP on|off",
	  "let the programs of a cgroup run at lenders, or not" },
	{ "task", "list", cli_task_list, "", "programs that run at lenders, since when and why" },
	{ "task", "recent", cli_task_recent, "", "the last decisions, also for here" },
	{ NULL, "run", cli_run, "[on PEER/OFFER] [COMMAND...]",
	  "run a command that may spread, or that runs there" },
	{ NULL, "explain", cli_explain, "PID", "why a process runs where it runs" },
	{ NULL, "top", cli_top, "[once]", "machines, leases and programs that are elsewhere, live" },
	{ NULL, "monitor", cli_monitor, "", "print what happens, until interrupted" },
	{ NULL, "save", cli_save, "", "print the commands that make all this anew" },
	{ NULL, "batch", cli_batch, "FILE", "run commands from a file; -: from standard input" },
	{ NULL, "key", cli_key, "", "print this machine's public key" },
	{ NULL, "version", cli_version, "", "print versions" },
	{ NULL, "help", cli_help_command, "[OBJECT] [COMMAND]", "explain" },
};

const size_t cli_nr_commands = sizeof(cli_commands) / sizeof(cli_commands[0]);
