// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spread.c: commands on cgroups whose programs may run elsewhere, on programs that do, and on
 * why.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bpf.h"
#include "cgroup.h"
#include "output.h"

void cli_count_borrowed(struct cli *cli, const char *cgroup, bool is_on)
{
	char folder[2 * CLI_CGROUP_SIZE];
	struct cli_registry registry;
	uint32_t cpus = 0;
	struct stat st;
	size_t i;

	if (cli_cgroup_mount(folder, CLI_CGROUP_SIZE))
		return;
	snprintf(folder + strlen(folder), CLI_CGROUP_SIZE, "%s", cgroup);
	if (stat(folder, &st))
		return;
	if (is_on && !cli_registry_load(cli, CLI_LEASES, &registry)) {
		for (i = 0; i < registry.nr_leases; i++)
			if (registry.leases[i].role == SUPERDEV_ROLE_HELD &&
			    registry.leases[i].state == SUPERDEV_LEASE_STATE_ACTIVE)
				cpus += registry.leases[i].cpus;
		cli_registry_free(&registry);
	}
	/* Without it, programs see the processors of this machine, and that is all. */
	sdv_bpf_affinity_set(st.st_ino, cpus);
}

int cli_set_spread(struct cli *cli, const struct cli_args *args)
{
	const char *name = cli_arg(args, "CGROUP"), *state = cli_arg(args, "on|off"), *why;
	char cgroup[CLI_CGROUP_SIZE];
	bool is_on = !strcmp(state, "on");
	int r;

	if (!is_on && strcmp(state, "off") != 0)
		return cli_misuse(cli, "'%s' is neither 'on' nor 'off'", state);
	why = cli_cgroup_parse(name, cgroup, sizeof(cgroup));
	if (why)
		return cli_fail(cli, name, "%s", why);
	r = sdv_nl_spread(cli->nl, is_on ? SUPERDEV_CMD_SPREAD_ADD : SUPERDEV_CMD_SPREAD_DEL, cgroup);
	if (r)
		return cli_refused(cli, name, r);
	if (is_on)
		cli_policy_default(cli);
	cli_count_borrowed(cli, cgroup, is_on);
	return 0;
}

int cli_set_show(struct cli *cli, const struct cli_args *args)
{
	struct cli_registry registry;
	struct cli_table *table;
	json_object *array;
	size_t i;
	int r;

	(void)args;
	r = cli_registry_load(cli, CLI_SPREAD, &registry);
	if (r)
		return cli_refused(cli, NULL, r);
	if (cli->is_json) {
		array = json_object_new_array();
		for (i = 0; i < registry.nr_spread; i++)
			json_object_array_add(array, cli_json_spread(&registry.spread[i]));
		cli_json_print(array);
	} else {
		table = cli_table_new(cli);
		cli_cell(table, CLI_STRONG, "SET");
		cli_cell(table, CLI_STRONG, "CGROUP");
		cli_row(table);
		for (i = 0; i < registry.nr_spread; i++) {
			cli_cell(table, CLI_PLAIN, "spread");
			cli_cell(table, CLI_PLAIN, "%s", registry.spread[i].cgroup);
			cli_row(table);
		}
		cli_table_print(table);
	}
	cli_registry_free(&registry);
	return 0;
}

/* Tasks ------------------------------------------------------------------ */

/* Processor time of the process at home, which is but a deputy's; false: unknown. */
static bool deputy_cpu_us(uint32_t pid, uint64_t *ret_us)
{
	unsigned long long user, system;
	char file[64], text[1024], *at;
	FILE *in;
	size_t n;

	snprintf(file, sizeof(file), "/proc/%" PRIu32 "/stat", pid);
	in = fopen(file, "re");
	if (!in)
		return false;
	n = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[n] = 0;
	/* Behind the name, which may have anything in it. */
	at = strrchr(text, ')');
	if (!at ||
	    sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2)
		return false;
	*ret_us = (user + system) * 1000000 / (unsigned long long)sysconf(_SC_CLK_TCK);
	return true;
}

static void since_text(uint64_t since_ns, char *text, size_t size)
{
	time_t when = (time_t)(since_ns / 1000000000);
	struct tm tm;

	if (!localtime_r(&when, &tm) || !strftime(text, size, "%F %T", &tm))
		snprintf(text, size, "-");
}

static void where_text(const struct sdv_task_info *task, char *text, size_t size)
{
	if (SDV_HAS(task, SUPERDEV_A_TASK_LEASE))
		snprintf(text, size, "%s/%s", task->peer, task->offer);
	else
		snprintf(text, size, "here");
}

struct list {
	struct cli_table *table;
	json_object *array;
};

static void take(void *arg, const struct sdv_event *event)
{
	const struct sdv_task_info *task = &event->task;
	char where[2 * SDV_NAME_SIZE], since[64], used[CLI_SIZE_TEXT] = "-";
	struct list *list = arg;
	uint64_t cpu_us = 0;
	bool has_cpu = deputy_cpu_us(task->pid, &cpu_us);
	json_object *json;

	if (list->array) {
		json = cli_json_task(task);
		json_object_object_add(json, "deputy_cpu_us",
				       has_cpu ? json_object_new_int64((int64_t)cpu_us) : NULL);
		json_object_array_add(list->array, json);
		return;
	}
	where_text(task, where, sizeof(where));
	since_text(task->since_ns, since, sizeof(since));
	cli_cell(list->table, CLI_PLAIN, "%" PRIu32, task->pid);
	cli_cell(list->table, CLI_PLAIN, "%s", task->program);
	cli_cell(list->table, CLI_PLAIN, "%s", where);
	cli_cell(list->table, CLI_PLAIN, "%s", since);
	if (SDV_HAS(task, SUPERDEV_A_TASK_UTIME_US))
		cli_used_format(task->utime_us + task->stime_us, used);
	cli_cell(list->table, CLI_PLAIN, "%s", used);
	cli_cell(list->table, CLI_PLAIN, "%s", task->why);
	cli_row(list->table);
}

static int list(struct cli *cli, int cmd)
{
	struct list all = { 0 };
	int r;

	if (cli->is_json) {
		all.array = json_object_new_array();
	} else {
		all.table = cli_table_new(cli);
		cli_cell(all.table, CLI_STRONG, "PID");
		cli_cell(all.table, CLI_STRONG, "PROGRAM");
		cli_cell(all.table, CLI_STRONG, "WHERE");
		cli_cell(all.table, CLI_STRONG, "SINCE");
		cli_cell(all.table, CLI_STRONG, "CPU");
		cli_cell(all.table, CLI_STRONG, "WHY");
		cli_row(all.table);
	}
	r = sdv_nl_dump(cli->nl, cmd, take, &all);
	if (all.array && r)
		json_object_put(all.array);
	else if (all.array)
		cli_json_print(all.array);
	else
		cli_table_print(all.table);
	return r ? cli_refused(cli, NULL, r) : 0;
}

int cli_task_list(struct cli *cli, const struct cli_args *args)
{
	(void)args;
	return list(cli, SUPERDEV_CMD_TASK_GET);
}

int cli_task_recent(struct cli *cli, const struct cli_args *args)
{
	(void)args;
	return list(cli, SUPERDEV_CMD_DECISION_GET);
}

/* One decision ----------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void fact(struct cli_table *table, const char *name,
						       const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cli_cell(table, CLI_STRONG, "%s", name);
	cli_cell(table, CLI_PLAIN, "%s", text);
	cli_row(table);
}

static void candidate_fact(struct cli_table *table, const struct sdv_candidate *candidate)
{
	char name[2 * SDV_NAME_SIZE], text[256], rtt[CLI_SIZE_TEXT];
	size_t n;

	snprintf(name, sizeof(name), "%s/%s", candidate->peer, candidate->offer);
	n = snprintf(text, sizeof(text), "%s, %" PRIu32 " lanes", cli_lease_word(candidate->state),
		     candidate->lanes);
	if (SDV_HAS(candidate, SUPERDEV_A_CANDIDATE_CPUS))
		n += snprintf(text + n, sizeof(text) - n, ", %" PRIu32 " cpus", candidate->cpus);
	if (SDV_HAS(candidate, SUPERDEV_A_CANDIDATE_LOAD))
		n += snprintf(text + n, sizeof(text) - n,
			      ", wanted by %" PRIu32 ".%02" PRIu32 " tasks %" PRIu32 " s before",
			      candidate->load / 100, candidate->load % 100, candidate->load_age_s);
	n += snprintf(text + n, sizeof(text) - n, ", %" PRIu32 " programs of this home", candidate->tasks);
	if (SDV_HAS(candidate, SUPERDEV_A_CANDIDATE_RTT_US)) {
		cli_rtt_format(candidate->rtt_us, rtt);
		snprintf(text + n, sizeof(text) - n, ", round trip %s", rtt);
	}
	fact(table, name, "%s", text);
}

static void figures_facts(struct cli_table *table, const struct sdv_task_info *task)
{
	char text[CLI_SIZE_TEXT];
	unsigned int i;

	if (!SDV_HAS(task, SUPERDEV_A_TASK_CPUS))
		return;
	fact(table, "this machine", "%" PRIu32 " cpus, load %" PRIu32 ".%02" PRIu32, task->cpus,
	     task->load / 100, task->load % 100);
	if (SDV_HAS(task, SUPERDEV_A_TASK_RUNS)) {
		cli_used_format(task->wall_us, text);
		fact(table, "runs here", "%" PRIu32 ", on average in %s", task->runs, text);
	}
	if (SDV_HAS(task, SUPERDEV_A_TASK_REMOTE_RUNS)) {
		cli_used_format(task->remote_us, text);
		fact(table, "runs elsewhere", "%" PRIu32 ", on average in %s", task->remote_runs, text);
	}
	if (SDV_HAS(task, SUPERDEV_A_TASK_CPU_US)) {
		cli_used_format(task->cpu_us, text);
		fact(table, "processor time", "on average %s", text);
	} else {
		fact(table, "cost", "no run of it was seen yet");
	}
	for (i = 0; i < task->nr_candidates; i++)
		candidate_fact(table, &task->candidate[i]);
	if (task->leases > task->nr_candidates)
		fact(table, "leases", "%" PRIu32 " more", task->leases - task->nr_candidates);
}

static void decision_print(const struct cli *cli, const struct sdv_task_info *task)
{
	struct cli_table *table = cli_table_new(cli);
	char where[2 * SDV_NAME_SIZE], since[64], used[CLI_SIZE_TEXT];

	where_text(task, where, sizeof(where));
	since_text(task->since_ns, since, sizeof(since));
	fact(table, "program", "%s", task->program);
	fact(table, task->ended ? "ran" : "runs", "%s", where);
	fact(table, "why", "%s", task->why);
	fact(table, "since", "%s%s", since, task->ended ? ", and has ended" : "");
	if (*task->policy)
		fact(table, "policy", "%s, in %" PRIu64 ".%03" PRIu64 " us", task->policy,
		     task->took_ns / 1000, task->took_ns % 1000);
	if (SDV_HAS(task, SUPERDEV_A_TASK_UTIME_US)) {
		cli_used_format(task->utime_us + task->stime_us, used);
		fact(table, "used there", "%s", used);
	}
	figures_facts(table, task);
	cli_facts_print(table);
}

/* Whether @cgroup is @above, or below it. */
static bool is_below(const char *cgroup, const char *above)
{
	size_t len = strlen(above);

	return !strncmp(cgroup, above, len) && (!cgroup[len] || cgroup[len] == '/');
}

/* Of a process on which nothing was decided. */
static int explain_none(struct cli *cli, const char *text, uint32_t pid)
{
	char cgroup[CLI_CGROUP_SIZE], why[CLI_CGROUP_SIZE + 256];
	struct cli_registry registry;
	struct cli_table *table;
	bool is_spread = false;
	json_object *json;
	size_t i;
	int r;

	r = cli_cgroup_of((pid_t)pid, cgroup, sizeof(cgroup));
	if (r == -ESRCH)
		return cli_fail(cli, text, "there is no such process, and no decision on one is known");
	if (r)
		stpcpy(cgroup, "/");
	r = cli_registry_load(cli, CLI_SPREAD, &registry);
	if (r)
		return cli_refused(cli, text, r);
	for (i = 0; i < registry.nr_spread; i++)
		is_spread = is_spread || is_below(cgroup, registry.spread[i].cgroup);
	cli_registry_free(&registry);
	if (is_spread)
		snprintf(why, sizeof(why),
			 "its cgroup is set to spread, but it started no program since, or too long ago");
	else
		snprintf(why, sizeof(why), "its cgroup is not set to spread: %s", cgroup);
	if (cli->is_json) {
		json = json_object_new_object();
		json_object_object_add(json, "pid", json_object_new_int64(pid));
		json_object_object_add(json, "lease", NULL);
		json_object_object_add(json, "why", cli_json_text(why));
		json_object_object_add(json, "decided", json_object_new_boolean(false));
		cli_json_print(json);
		return 0;
	}
	table = cli_table_new(cli);
	fact(table, "runs", "here");
	fact(table, "why", "%s", why);
	cli_facts_print(table);
	return 0;
}

int cli_explain(struct cli *cli, const struct cli_args *args)
{
	const char *text = cli_arg(args, "PID"), *why;
	struct sdv_task_info task;
	json_object *json;
	uint32_t pid;
	int r;

	why = cli_number_parse(text, 1, INT_MAX, &pid);
	if (why)
		return cli_fail(cli, text, "%s", why);
	r = sdv_nl_task_get(cli->nl, SUPERDEV_CMD_TASK_GET, pid, &task);
	if (r == -ENOENT)
		r = sdv_nl_task_get(cli->nl, SUPERDEV_CMD_DECISION_GET, pid, &task);
	if (r == -ENOENT)
		return explain_none(cli, text, pid);
	if (r)
		return cli_refused(cli, text, r);
	if (cli->is_json) {
		json = cli_json_task(&task);
		json_object_object_add(json, "decided", json_object_new_boolean(true));
		cli_json_print(json);
	} else {
		decision_print(cli, &task);
	}
	return 0;
}
