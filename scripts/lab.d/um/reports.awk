# SPDX-License-Identifier: GPL-2.0-or-later
#
# awk -f reports.awk known-reports CONSOLE: prints the kernel's reports on that console, but for
# known ones; exit status 1 when there was one.  A report goes from its first line to the next
# report's, or as far as a long one with two stacks is.

function is_start(line)
{
	return line ~ /^(BUG|UBSAN|WARNING|ODEBUG|refcount_t|Oops):/ ||
	       line ~ /^INFO: (task |rcu|trying to register non-static key|possible|lockdep)/ ||
	       line ~ /^rcu: INFO: .*(stall|starved)/ ||
	       line ~ /^(kernel BUG at|general protection|Kernel panic|list_(add|del)|plist_)/ ||
	       line ~ /^(Unable to handle|Segfault with no mm|Kernel mode (fault|signal))/ ||
	       line ~ /^Pid: [0-9]+, comm: / ||
	       line ~ /(Objects remaining|Slab cache still has objects)/ ||
	       line ~ /(sleeping function called|scheduling while atomic|unbalanced|bad unlock)/ ||
	       line ~ /(possible (circular|recursive)|inconsistent lock state|suspicious RCU)/ ||
	       line ~ /(Poison overwritten|Redzone overwritten|Object already free|Freepointer corrupt)/ ||
	       line ~ /(unregister_netdevice: waiting for|workqueue lockup|leaked reference)/ ||
	       line ~ /(ref_tracker: .*has [0-9]+ user)/
}

# Ends the present report: prints it, unless a line of it is of a known one.
function finish(    i, j)
{
	if (!lines)
		return
	for (i = 1; i <= known; i++)
		for (j = 1; j <= lines; j++)
			if (report[j] ~ pattern[i]) {
				seen_known = 1
				lines = 0
				return
			}
	for (j = 1; j <= lines; j++)
		print report[j]
	print ""
	found = 1
	lines = 0
}

FILENAME == ARGV[1] {
	if (!/^#/ && NF)
		pattern[++known] = $0
	next
}

{
	text = $0
	sub(/\r$/, "", text)
	sub(/^\[ *[0-9]+\.[0-9]+\]( \[[TC ]*[0-9]+\])? /, "", text)
}

# The kernel's own record of the past, written by init at the end: a report that none of the
# patterns knew.
/um init: tainted/ {
	finish()
	# B bad page, D died, W warned, L locked up: bits 5, 7, 9, 14.
	taint = $NF
	if (!found && !seen_known &&
	    (int(taint / 32) % 2 || int(taint / 128) % 2 || int(taint / 512) % 2 ||
	     int(taint / 16384) % 2)) {
		print "the kernel is tainted (" taint ") by a report that nobody recognised:"
		print "see the console"
		found = 1
	}
	next
}

is_start(text) {
	# Second headlines of the same report come within its first lines.
	if (!lines || lines > 3)
		finish()
	budget = 120
}

budget > 0 {
	report[++lines] = text
	budget--
	if (text ~ /---\[ end trace/)
		budget = 0
}

END {
	finish()
	exit found
}
