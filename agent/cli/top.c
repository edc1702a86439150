// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * top.c: the super device live: machines, leases, and programs that are elsewhere.
 *
 * A sample a second, and notifications in between, as a pause may be shorter.
 * On a terminal it takes the whole screen; otherwise it prints one sample, with
 * rates over a second.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "output.h"

#define PERIOD_MS 1000
/* Programs that are read; of more, only how many there are is shown. */
#define TASKS_MAX 1024

/* A lease, and what was seen of it since the beginning. */
struct seen {
	uint32_t id;
	bool is_present;
	uint64_t rx_bytes, tx_bytes; /* of its lanes when last sampled */
	uint64_t rx_rate, tx_rate;   /* bytes a second */
	unsigned int pauses;
	uint64_t paused_ms; /* pauses that are over */
	uint64_t since_ms;  /* of the pause that it is in, or 0 */
};

struct top {
	struct cli *cli;
	struct cli_registry registry;
	struct seen *seen;
	size_t nr_seen;
	struct sdv_task_info *tasks;
	size_t nr_tasks, nr_tasks_all;
	uint64_t sampled_ms;
	bool is_first;
	int error;
};

static struct seen *seen_of(struct top *top, uint32_t id)
{
	struct seen *more;

	for (size_t i = 0; i < top->nr_seen; i++)
		if (top->seen[i].id == id)
			return &top->seen[i];
	more = cli_alloc((top->nr_seen + 1) * sizeof(*more));
	if (top->nr_seen)
		memcpy(more, top->seen, top->nr_seen * sizeof(*more));
	free(top->seen);
	top->seen = more;
	more[top->nr_seen] = (struct seen){ .id = id };
	return &more[top->nr_seen++];
}

/* A device without lanes waits, and with it whoever uses it. */
static void note_state(struct top *top, const struct sdv_lease_info *lease)
{
	struct seen *seen = seen_of(top, lease->id);
	bool is_paused = lease->state == SUPERDEV_LEASE_STATE_SUSPENDED;

	if (is_paused && !seen->since_ms) {
		seen->since_ms = cli_now_ms();
		seen->pauses++;
	} else if (!is_paused && seen->since_ms) {
		seen->paused_ms += cli_now_ms() - seen->since_ms;
		seen->since_ms = 0;
	}
}

static uint64_t paused_ms(const struct seen *seen)
{
	return seen->paused_ms + (seen->since_ms ? cli_now_ms() - seen->since_ms : 0);
}

static void on_event(void *arg, const struct sdv_event *event)
{
	struct top *top = arg;

	if (event->cmd == SUPERDEV_CMD_LEASE_NTF)
		note_state(top, &event->lease);
}

static void take_task(void *arg, const struct sdv_event *event)
{
	struct top *top = arg;

	if (top->nr_tasks < TASKS_MAX)
		top->tasks[top->nr_tasks++] = event->task;
	top->nr_tasks_all++;
}

/* Lanes that were made anew count from zero. */
static uint64_t rate(uint64_t now, uint64_t before, uint64_t elapsed_ms)
{
	uint64_t bytes = now >= before ? now - before : now;

	return elapsed_ms ? bytes * 1000 / elapsed_ms : 0;
}

static int sample(struct top *top)
{
	uint64_t now = cli_now_ms(), elapsed = now - top->sampled_ms;
	int r;

	cli_registry_free(&top->registry);
	r = cli_registry_load(top->cli, CLI_AGENT | CLI_PEERS | CLI_LEASES | CLI_LANES, &top->registry);
	if (r) {
		top->registry = (struct cli_registry){ 0 };
		return r;
	}
	top->nr_tasks = top->nr_tasks_all = 0;
	r = sdv_nl_dump(top->cli->nl, SUPERDEV_CMD_TASK_GET, take_task, top);
	if (r)
		return r;
	for (size_t i = 0; i < top->registry.nr_leases; i++) {
		const struct sdv_lease_info *lease = &top->registry.leases[i];
		struct seen *seen = seen_of(top, lease->id);
		uint64_t rx = 0, tx = 0;

		note_state(top, lease);
		for (size_t n = 0; n < top->registry.nr_lanes; n++) {
			const struct sdv_lane_info *lane = &top->registry.lanes[n];

			if (lane->lease != lease->id)
				continue;
			rx += lane->rx_bytes;
			tx += lane->tx_bytes;
		}
		/* What came before the first sample came at an unknown time. */
		seen->rx_rate = seen->is_present ? rate(rx, seen->rx_bytes, elapsed) : 0;
		seen->tx_rate = seen->is_present ? rate(tx, seen->tx_bytes, elapsed) : 0;
		seen->rx_bytes = rx;
		seen->tx_bytes = tx;
		seen->is_present = true;
	}
	top->sampled_ms = now;
	return 0;
}

/* Sums over what is held of a peer. */
struct sums {
	uint32_t cpus, load, tasks;
	uint64_t used_us, rx_rate, tx_rate, paused_ms;
	unsigned int leases, pauses;
	bool has_figures;
};

static struct sums sums_of(struct top *top, const char *peer)
{
	struct sums sums = { 0 };

	for (size_t i = 0; i < top->registry.nr_leases; i++) {
		const struct sdv_lease_info *lease = &top->registry.leases[i];
		const struct seen *seen;

		if (lease->role != SUPERDEV_ROLE_HELD || strcmp(lease->peer, peer) != 0)
			continue;
		seen = seen_of(top, lease->id);
		sums.leases++;
		sums.rx_rate += seen->rx_rate;
		sums.tx_rate += seen->tx_rate;
		sums.pauses += seen->pauses;
		sums.paused_ms += paused_ms(seen);
		if (!SDV_HAS(lease, SUPERDEV_A_LEASE_CPUS))
			continue;
		sums.has_figures = true;
		sums.cpus += lease->cpus;
		sums.load += lease->load;
		sums.tasks += lease->tasks;
		sums.used_us += lease->used_us;
	}
	return sums;
}

/* Tasks that want a processor of this machine on average, in thousandths. */
static uint32_t own_load(void)
{
	double load[1];

	return getloadavg(load, 1) == 1 ? (uint32_t)(load[0] * 1000 + 0.5) : 0;
}

static uint32_t own_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus > 0 ? (uint32_t)cpus : 1;
}

static const char *own_name(const struct top *top, char *text, size_t size)
{
	if (*top->registry.agent.name)
		return top->registry.agent.name;
	if (gethostname(text, size) < 0)
		return "this machine";
	text[size - 1] = 0;
	return text;
}

/* Text ------------------------------------------------------------------- */

static void rate_cell(struct cli_table *table, uint64_t bytes)
{
	char text[CLI_SIZE_TEXT];

	cli_size_format(bytes, text);
	cli_cell(table, CLI_PLAIN, "%s/s", text);
}

static void pauses_cell(struct cli_table *table, unsigned int pauses, uint64_t ms)
{
	if (pauses)
		cli_cell(table, CLI_WAITING, "%u, %" PRIu64 ".%" PRIu64 " s", pauses, ms / 1000,
			 ms % 1000 / 100);
	else
		cli_cell(table, CLI_PLAIN, "0");
}

static void figure_cells(struct cli_table *table, uint32_t load, uint32_t tasks, uint64_t used_us)
{
	char text[CLI_SIZE_TEXT];

	cli_load_format(load, text);
	cli_cell(table, CLI_PLAIN, "%s", text);
	cli_cell(table, CLI_PLAIN, "%" PRIu32, tasks);
	cli_used_format(used_us, text);
	cli_cell(table, CLI_PLAIN, "%s", text);
}

static void heading(struct cli_table *table, const char *const *names)
{
	for (; *names; names++)
		cli_cell(table, CLI_STRONG, "%s", *names);
	cli_row(table);
}

/* Return: lines that were printed. */
static unsigned int print_machines(struct top *top)
{
	static const char *const names[] = { "MACHINE", "STATE",    "CPUS", "LOAD",   "TASKS",
					     "USED",    "RECEIVED", "SENT", "PAUSES", NULL };
	struct cli_table *table = cli_table_new(top->cli);
	char text[CLI_SIZE_TEXT], name[SDV_NAME_SIZE];
	unsigned int lines = 2;

	heading(table, names);
	cli_cell(table, CLI_STRONG, "%s", own_name(top, name, sizeof(name)));
	cli_cell(table, CLI_GOOD, "here");
	cli_cell(table, CLI_PLAIN, "%" PRIu32, own_cpus());
	cli_load_format(own_load(), text);
	cli_cell(table, CLI_PLAIN, "%s", text);
	for (int i = 0; i < 5; i++)
		cli_cell(table, CLI_PLAIN, "-");
	cli_row(table);
	for (size_t i = 0; i < top->registry.nr_peers; i++) {
		const struct sdv_peer_info *peer = &top->registry.peers[i];
		struct sums sums = sums_of(top, peer->name);

		cli_cell(table, CLI_PLAIN, "%s", peer->name);
		cli_cell(table, cli_peer_tint(peer), "%s", cli_peer_word(peer->state));
		if (sums.has_figures) {
			cli_cell(table, CLI_PLAIN, "%" PRIu32, sums.cpus);
			figure_cells(table, sums.load, sums.tasks, sums.used_us);
		} else {
			for (int n = 0; n < 4; n++)
				cli_cell(table, CLI_PLAIN, "-");
		}
		rate_cell(table, sums.rx_rate);
		rate_cell(table, sums.tx_rate);
		pauses_cell(table, sums.pauses, sums.paused_ms);
		cli_row(table);
		lines++;
	}
	cli_table_print(table);
	return lines;
}

static unsigned int print_leases(struct top *top)
{
	static const char *const names[] = { "LEASE", "CLASS",    "STATE", "LANES",  "LOAD", "TASKS",
					     "USED",  "RECEIVED", "SENT",  "PAUSES", NULL };
	struct cli_table *table = cli_table_new(top->cli);
	unsigned int lines = 0;

	heading(table, names);
	for (size_t i = 0; i < top->registry.nr_leases; i++) {
		const struct sdv_lease_info *lease = &top->registry.leases[i];
		const struct seen *seen = seen_of(top, lease->id);

		if (lease->role == SUPERDEV_ROLE_HELD)
			cli_cell(table, CLI_PLAIN, "%s/%s", lease->peer, lease->offer);
		else
			cli_cell(table, CLI_PLAIN, "%s to %s", lease->offer, lease->peer);
		cli_cell(table, CLI_PLAIN, "%s", *lease->class_name ? lease->class_name : "-");
		cli_cell(table, cli_lease_tint(lease), "%s", cli_lease_word(lease->state));
		cli_cell(table, CLI_PLAIN, "%" PRIu32, lease->lanes);
		if (SDV_HAS(lease, SUPERDEV_A_LEASE_CPUS)) {
			figure_cells(table, lease->load, lease->tasks, lease->used_us);
		} else {
			for (int n = 0; n < 3; n++)
				cli_cell(table, CLI_PLAIN, "-");
		}
		/* What lanes of a lender carry, its workers know, and nobody else. */
		if (lease->role == SUPERDEV_ROLE_HELD) {
			rate_cell(table, seen->rx_rate);
			rate_cell(table, seen->tx_rate);
		} else {
			cli_cell(table, CLI_PLAIN, "-");
			cli_cell(table, CLI_PLAIN, "-");
		}
		pauses_cell(table, seen->pauses, paused_ms(seen));
		cli_row(table);
		lines++;
	}
	cli_table_print(table);
	return lines ? lines + 1 : 0;
}

static void print_tasks(struct top *top, size_t most)
{
	static const char *const names[] = { "PID", "PROGRAM", "WHERE", "FOR", "WHY", NULL };
	struct cli_table *table = cli_table_new(top->cli);
	size_t nr = top->nr_tasks < most ? top->nr_tasks : most;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	heading(table, names);
	for (size_t i = 0; i < nr; i++) {
		const struct sdv_task_info *task = &top->tasks[i];
		uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
		char text[CLI_SIZE_TEXT];

		cli_used_format(now_ns > task->since_ns ? (now_ns - task->since_ns) / 1000 : 0, text);
		cli_cell(table, CLI_PLAIN, "%" PRIu32, task->pid);
		cli_cell(table, CLI_PLAIN, "%s", task->program);
		cli_cell(table, CLI_PLAIN, "%s/%s", task->peer, task->offer);
		cli_cell(table, CLI_PLAIN, "%s", text);
		cli_cell(table, CLI_PLAIN, "%s", task->why);
		cli_row(table);
	}
	cli_table_print(table);
	if (top->nr_tasks_all > nr)
		printf("and %zu more\n", top->nr_tasks_all - nr);
}

/* @height: lines that there are, 0: any number. */
static void print_all(struct top *top, unsigned int height)
{
	unsigned int lines = print_machines(top), left;
	size_t most = TASKS_MAX;

	if (top->registry.nr_leases) {
		putchar('\n');
		lines += print_leases(top) + 1;
	}
	if (!top->nr_tasks)
		return;
	if (height) {
		/* A blank line, the heading, and how many more there are. */
		left = height > lines + 4 ? height - lines - 4 : 0;
		most = left;
	}
	if (!most)
		return;
	putchar('\n');
	print_tasks(top, most);
}

/* JSON ------------------------------------------------------------------- */

static void add_count(json_object *json, const char *key, uint64_t value)
{
	json_object_object_add(json, key, json_object_new_int64((int64_t)value));
}

static json_object *json_own(struct top *top)
{
	json_object *json = json_object_new_object();
	char name[SDV_NAME_SIZE];

	json_object_object_add(json, "name", cli_json_text(own_name(top, name, sizeof(name))));
	json_object_object_add(json, "state", json_object_new_string("here"));
	add_count(json, "cpus", own_cpus());
	add_count(json, "load", own_load());
	return json;
}

static void json_traffic(json_object *json, uint64_t rx, uint64_t tx, unsigned int pauses, uint64_t ms)
{
	add_count(json, "rx_bytes_per_s", rx);
	add_count(json, "tx_bytes_per_s", tx);
	add_count(json, "pauses", pauses);
	add_count(json, "paused_ms", ms);
}

static json_object *json_machine(struct top *top, const struct sdv_peer_info *peer)
{
	json_object *json = json_object_new_object();
	struct sums sums = sums_of(top, peer->name);

	json_object_object_add(json, "name", cli_json_text(peer->name));
	json_object_object_add(json, "state", json_object_new_string(cli_peer_word(peer->state)));
	if (sums.has_figures) {
		add_count(json, "cpus", sums.cpus);
		add_count(json, "load", sums.load);
		add_count(json, "tasks", sums.tasks);
		add_count(json, "used_us", sums.used_us);
	}
	json_traffic(json, sums.rx_rate, sums.tx_rate, sums.pauses, sums.paused_ms);
	return json;
}

static void print_json(struct top *top)
{
	json_object *all = json_object_new_object(), *machines = json_object_new_array(),
		    *leases = json_object_new_array(), *tasks = json_object_new_array();

	json_object_array_add(machines, json_own(top));
	for (size_t i = 0; i < top->registry.nr_peers; i++)
		json_object_array_add(machines, json_machine(top, &top->registry.peers[i]));
	for (size_t i = 0; i < top->registry.nr_leases; i++) {
		const struct seen *seen = seen_of(top, top->registry.leases[i].id);
		json_object *lease = cli_json_lease(&top->registry.leases[i]);

		json_traffic(lease, seen->rx_rate, seen->tx_rate, seen->pauses, paused_ms(seen));
		json_object_array_add(leases, lease);
	}
	for (size_t i = 0; i < top->nr_tasks; i++)
		json_object_array_add(tasks, cli_json_task(&top->tasks[i]));
	json_object_object_add(all, "machines", machines);
	json_object_object_add(all, "leases", leases);
	json_object_object_add(all, "tasks", tasks);
	cli_json_print(all);
}

/* The terminal ------------------------------------------------------------- */

static struct termios modes_before;

/* On a screen of its own, long lines cut, no cursor. */
static void screen_begin(void)
{
	struct termios modes;

	tcgetattr(STDIN_FILENO, &modes_before);
	modes = modes_before;
	/* ISIG stays: ^C ends it, and ^Z is not taken. */
	modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	modes.c_cc[VSUSP] = _POSIX_VDISABLE;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
	fputs("\033[?1049h\033[?25l\033[?7l", stdout);
}

static void screen_end(void)
{
	fputs("\033[?7h\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &modes_before);
}

/* What fits; tables know no height.  The last line has no end, or the screen would move. */
static void print_cut(struct top *top, unsigned int height)
{
	FILE *screen = stdout;
	char *text = NULL, *end;
	size_t len;

	/* The C library lets stdout be assigned to. */
	stdout = open_memstream(&text, &len);
	if (!stdout) {
		stdout = screen;
		return;
	}
	print_all(top, height);
	fclose(stdout);
	stdout = screen;
	for (end = text; height; height--) {
		end += strcspn(end, "\n");
		if (!*end)
			break;
		if (height > 1)
			end++;
	}
	fwrite(text, 1, (size_t)(end - text), stdout);
	free(text);
}

static void draw(struct top *top)
{
	struct winsize size = { .ws_row = 24 };
	char clock[16];
	time_t now = time(NULL);
	struct tm tm;

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	localtime_r(&now, &tm);
	strftime(clock, sizeof(clock), "%T", &tm);
	printf("\033[H\033[2Jsuperdev  %s  %zu elsewhere  (q: quit)\n\n", clock, top->nr_tasks_all);
	if (top->error)
		printf("%s\n", cli_strerror(top->error));
	else
		print_cut(top, size.ws_row > 3 ? size.ws_row - 2u : 1);
	fflush(stdout);
}

/* Until the next sample is due; false: the user wants to leave. */
static bool wait_for_more(struct top *top)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = sdv_nl_watch_fd(top->cli->nl), .events = POLLIN },
	};
	uint64_t due = top->sampled_ms + PERIOD_MS;
	char key;

	for (;;) {
		uint64_t now = cli_now_ms();

		if (cli_is_interrupted())
			return false;
		if (now >= due)
			return true;
		if (poll(fds, 2, (int)(due - now)) < 0)
			continue;
		if (fds[1].revents)
			sdv_nl_watch_read(top->cli->nl, on_event, top);
		if (fds[0].revents && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q'))
			return false;
	}
}

static void live(struct top *top)
{
	screen_begin();
	do {
		/* The module may go and come back while somebody looks. */
		top->error = sample(top);
		if (top->error)
			top->sampled_ms = cli_now_ms();
		draw(top);
	} while (wait_for_more(top));
	screen_end();
}

static int once(struct top *top)
{
	struct pollfd fd = { .fd = sdv_nl_watch_fd(top->cli->nl), .events = POLLIN };
	uint64_t due;
	int r = sample(top);

	due = cli_now_ms() + PERIOD_MS;
	while (!r && !cli_is_interrupted() && cli_now_ms() < due)
		if (poll(&fd, 1, (int)(due - cli_now_ms())) > 0)
			sdv_nl_watch_read(top->cli->nl, on_event, top);
	if (!r)
		r = sample(top);
	if (r)
		return r;
	if (top->cli->is_json)
		print_json(top);
	else
		print_all(top, 0);
	return 0;
}

int cli_top(struct cli *cli, const struct cli_args *args)
{
	struct top top = { .cli = cli };
	int r;

	r = cli_watch(cli);
	if (r)
		return cli_refused(cli, NULL, r);
	top.tasks = cli_alloc(TASKS_MAX * sizeof(*top.tasks));
	cli_interrupt_begin();
	if (cli_arg(args, "once") || cli->is_json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		r = once(&top);
	else
		live(&top);
	cli_interrupt_end();
	cli_registry_free(&top.registry);
	free(top.seen);
	free(top.tasks);
	return r ? cli_refused(cli, NULL, r) : 0;
}
