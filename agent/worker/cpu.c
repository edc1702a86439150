// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpu.c: the worker of the cpu class: tells home how this machine fares.
 *
 * The files that tell it are opened before the sandbox closes, and read once a
 * second by the ring, however often home asks: a request costs a copy.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpu_figures.h"
#include "cpu_machine.h"
#include "lane.h"

_Static_assert(SDV_CPU_FILES <= SDV_WORKER_FILES, "each file has an entry of the table");

/* A process serves one lease, so there is one of these. */
static struct cpu {
	uint32_t cpus;
	uint64_t memory;
	struct sdv_cpu_machine machine;
	struct sdv_cpu_figures figures;
	unsigned int nr_reading;
	struct cpu_text {
		struct sdv_op op;
		bool is_read;
		char text[SDV_CPU_TEXT];
	} texts[SDV_CPU_FILES];
} cpu;

static void figures_take(void)
{
	const char *texts[SDV_CPU_FILES];

	for (unsigned int i = 0; i < SDV_CPU_FILES; i++)
		texts[i] = cpu.texts[i].is_read ? cpu.texts[i].text : NULL;
	sdv_cpu_figures_take(&cpu.figures, texts);
}

static void text_end(struct cpu_text *text, ssize_t len)
{
	text->is_read = len > 0;
	text->text[len > 0 ? len : 0] = 0;
}

/* How much is lent: the agent's word. */
static int terms_read(const struct sdv_worker *worker)
{
	struct sdv_attr attrs[SUPERDEV_A_CPU_CONFIG_MAX + 1];
	int r = sdv_attr_parse(&sdv_cpu_config_set, worker->terms, worker->terms_len, attrs, NULL);

	if (r)
		return r;
	cpu.cpus = sdv_get_u32(&attrs[SUPERDEV_A_CPU_CONFIG_CPUS]);
	cpu.memory = sdv_get_u64(&attrs[SUPERDEV_A_CPU_CONFIG_MEMORY]);
	return cpu.cpus && cpu.memory ? 0 : -EINVAL;
}

/* What is not there has no entry: PSI may be off, and so may cgroups. */
static void file_open(struct sdv_worker *worker, enum sdv_cpu_file file, int at, const char *path)
{
	struct cpu_text *text = &cpu.texts[file];
	int fd = openat(at, path, O_RDONLY | O_CLOEXEC);

	text_end(text, -1);
	worker->files[file] = fd;
	if (fd >= 0)
		text_end(text, pread(fd, text->text, sizeof(text->text) - 1, 0));
	/* PSI that was switched off at boot has a file, which can't be read. */
	if (fd >= 0 && !text->is_read) {
		close(fd);
		worker->files[file] = -1;
	}
}

static int cpu_open(struct sdv_worker *worker)
{
	int r = terms_read(worker);

	if (!r)
		r = sdv_cpu_machine_look(&cpu.machine);
	if (r)
		return r;
	worker->nr_files = SDV_CPU_FILES;
	/* The lease's cgroup, where the agent could make one; first, or another file has its number. */
	file_open(worker, SDV_CPU_USAGE, SDV_WORKER_FD_BACKING, "cpu.stat");
	file_open(worker, SDV_CPU_STAT, AT_FDCWD, "/proc/stat");
	file_open(worker, SDV_CPU_PRESSURE, AT_FDCWD, "/proc/pressure/cpu");
	file_open(worker, SDV_CPU_LOADAVG, AT_FDCWD, "/proc/loadavg");
	file_open(worker, SDV_CPU_MEMINFO, AT_FDCWD, "/proc/meminfo");
	file_open(worker, SDV_CPU_ONLINE, AT_FDCWD, "/sys/devices/system/cpu/online");
	cpu.figures = (struct sdv_cpu_figures){ .ticks_per_s = (uint32_t)sysconf(_SC_CLK_TCK) };
	figures_take();
	worker->kinds = 1u << SDV_OP_READ;
	return 0;
}

static int cpu_config(struct sdv_worker *worker, void *data, size_t size)
{
	const struct sdv_cpu_machine *machine = &cpu.machine;
	struct sdv_attr_writer w;

	(void)worker;
	sdv_attr_begin(&w, data, size);
	sdv_put_u32(&w, SUPERDEV_A_CPU_CONFIG_CPUS, cpu.cpus);
	sdv_put_u64(&w, SUPERDEV_A_CPU_CONFIG_MEMORY, cpu.memory);
	sdv_put_string(&w, SUPERDEV_A_CPU_CONFIG_ARCHITECTURE, machine->architecture);
	sdv_put_string(&w, SUPERDEV_A_CPU_CONFIG_KERNEL, machine->kernel);
	sdv_put_u32(&w, SUPERDEV_A_CPU_CONFIG_PAGE_SIZE, machine->page_size);
	if (machine->x86_level)
		sdv_put_u32(&w, SUPERDEV_A_CPU_CONFIG_X86_LEVEL, machine->x86_level);
	if (machine->xcr0) {
		sdv_put_u64(&w, SUPERDEV_A_CPU_CONFIG_XCR0, machine->xcr0);
		sdv_put_u32(&w, SUPERDEV_A_CPU_CONFIG_XSAVE_SIZE, machine->xsave_size);
	}
	return sdv_attr_end(&w);
}

static uint32_t cpu_check(struct sdv_worker *worker, struct sdv_request *request)
{
	const uint16_t flags = SUPERDEV_F_REPLAY | SUPERDEV_F_CSUM;
	const struct sdv_head *head = &request->head;

	(void)worker;
	if (head->op != SUPERDEV_CPU_STATUS)
		return SUPERDEV_ST_NOTSUPP;
	if (head->flags & ~flags || head->length || head->offset || head->count)
		return SUPERDEV_ST_INVAL;
	request->need = sizeof(struct superdev_cpu_status);
	return SUPERDEV_ST_OK;
}

static void cpu_run(struct sdv_worker *worker, struct sdv_request *request)
{
	const struct superdev_cpu_status status = {
		.load = htole32(cpu.figures.load),
		.cpus = htole32(cpu.figures.online),
		.own = htole32(cpu.figures.own),
		/* Of these home knows what it has started, and nobody counts the rest. */
		.tasks = 0,
		.memory = htole64(cpu.figures.memory),
		.used_us = htole64(cpu.figures.used_us),
	};

	(void)worker;
	memcpy(request->data, &status, sizeof(status));
	sdv_request_reply(request, SUPERDEV_ST_OK, sizeof(status));
}

static void text_read(struct sdv_op *op, int result, bool more)
{
	struct cpu_text *text = (struct cpu_text *)((char *)op - offsetof(struct cpu_text, op));

	(void)more;
	text_end(text, result);
	if (!--cpu.nr_reading)
		figures_take();
}

static bool cpu_tick(struct sdv_worker *worker)
{
	/* The kernel may be slow to tell; then the figures are of a longer time. */
	if (cpu.nr_reading)
		return false;
	for (unsigned int i = 0; i < SDV_CPU_FILES; i++) {
		struct cpu_text *text = &cpu.texts[i];

		if (worker->files[i] < 0)
			continue;
		text->op.done = text_read;
		if (!sdv_op_read(worker->loop, &text->op, SDV_FIXED(SDV_SLOT_FILES + i), text->text,
				 sizeof(text->text) - 1, 0))
			cpu.nr_reading++;
	}
	return false;
}

const struct sdv_worker_class sdv_cpu_class = {
	.name = "cpu",
	.wire_class = SUPERDEV_CLASS_CPU,
	.open = cpu_open,
	.config = cpu_config,
	.check = cpu_check,
	.run = cpu_run,
	.tick = cpu_tick,
};
