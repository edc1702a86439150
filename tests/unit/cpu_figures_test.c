// SPDX-License-Identifier: GPL-2.0-or-later
/* cpu_figures_test.c: the kernel's texts become figures (agent/worker/cpu_figures.c). */
// LINK: agent/worker/cpu_figures.c
#include <stdio.h>
#include <string.h>

#include "../../agent/worker/cpu_figures.h"
#include "harness.h"

static struct sdv_cpu_figures figures;
static char stat_text[256], pressure_text[256], loadavg_text[64], usage_text[64];
static unsigned int used_us = 1234567;

/* Ticks since boot: those that were busy, and those that were not. */
static void take(unsigned int busy, unsigned int idle, int stalled_us, unsigned int running,
		 const char *online)
{
	const char *texts[SDV_CPU_FILES] = {
		[SDV_CPU_STAT] = stat_text,
		[SDV_CPU_PRESSURE] = stalled_us < 0 ? NULL : pressure_text,
		[SDV_CPU_LOADAVG] = loadavg_text,
		[SDV_CPU_MEMINFO] = "MemTotal:  2048 kB\nMemFree:  512 kB\nMemAvailable:    1024 kB\n",
		[SDV_CPU_ONLINE] = online,
		[SDV_CPU_USAGE] = usage_text,
	};

	snprintf(usage_text, sizeof(usage_text), "usage_usec %u\nuser_usec 1\nsystem_usec 2\n", used_us);
	/* Spread over the columns that count as busy, and the two that do not. */
	snprintf(stat_text, sizeof(stat_text), "cpu  %u 0 %u %u %u 0 0 0 7 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n",
		 busy / 2, busy - busy / 2, idle / 2, idle - idle / 2);
	snprintf(
		pressure_text, sizeof(pressure_text),
		"some avg10=1.00 avg60=2.00 avg300=3.00 total=%d\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=77\n",
		stalled_us);
	snprintf(loadavg_text, sizeof(loadavg_text), "0.10 0.20 0.30 %u/123 4567\n", running);
	sdv_cpu_figures_take(&figures, texts);
}

static void begin(void)
{
	figures = (struct sdv_cpu_figures){ .ticks_per_s = 100 };
	used_us = 1234567;
}

TEST("memory, processors and the lease's time are what the kernel says")
{
	begin();
	take(100, 100, 0, 1, "0-3,8,10-11\n");
	CHECK(figures.online == 7);
	CHECK(figures.memory == 1024 * 1024);
	CHECK(figures.used_us == 1234567);
}

TEST("the load is the busy part of the time since the last look, and not of that before")
{
	begin();
	take(1000000, 0, 0, 1, "0\n");
	take(1000000, 100, 0, 1, "0\n");
	CHECK(figures.load == 0);
	take(1000025, 175, 0, 1, "0\n");
	CHECK(figures.load == 250);
	take(1000125, 175, 0, 1, "0\n");
	CHECK(figures.load == 1000);
}

TEST("time in which a task waited for a processor comes on top, as long as there is such time")
{
	begin();
	take(0, 0, 0, 1, "0-1\n");
	/* 200 ticks of two processors are one second. */
	take(200, 0, 500000, 1, "0-1\n");
	CHECK(figures.load == 1500);
	take(400, 0, 9500000, 1, "0-1\n");
	CHECK(figures.load == 2000);
	take(600, 0, 9500000, 1, "0-1\n");
	CHECK(figures.load == 1000);
}

TEST("of the load the lease's own part is as much as it had of the time")
{
	begin();
	take(0, 0, 0, 1, "0-1\n");
	/* A second of two processors, all of it the lease's, while some of it waited. */
	used_us += 2000000;
	take(200, 0, 500000, 1, "0-1\n");
	CHECK(figures.load == 1500 && figures.own == 1500);
	/* A quarter of what was busy, and the same of who waited. */
	used_us += 500000;
	take(400, 0, 1000000, 1, "0-1\n");
	CHECK(figures.load == 1500 && figures.own == 375);
	/* Nothing. */
	take(600, 0, 1500000, 1, "0-1\n");
	CHECK(figures.load == 1500 && figures.own == 0);
	/* Idle, but for the lease. */
	used_us += 200000;
	take(620, 180, 1500000, 1, "0-1\n");
	CHECK(figures.load == 100 && figures.own == 100);
	/* Ticks are coarser than what the cgroup counts: no more than there is. */
	used_us += 900000;
	take(640, 360, 1500000, 1, "0-1\n");
	CHECK(figures.load == 100 && figures.own == 100);
	take(640, 560, 1500000, 1, "0-1\n");
	CHECK(figures.load == 0 && figures.own == 0);
}

TEST("a kernel without PSI has its running tasks counted, without the reader")
{
	begin();
	take(0, 0, -1, 1, "0-3\n");
	take(400, 0, -1, 5, "0-3\n");
	CHECK(figures.load == 1000);
	take(800, 0, -1, 7, "0-3\n");
	CHECK(figures.load == 1500);
	take(1200, 0, -1, 100, "0-3\n");
	CHECK(figures.load == 2000);
}

TEST("before there is anything to compare with, the load is what runs now")
{
	begin();
	take(123, 456, 0, 3, "0-3\n");
	CHECK(figures.load == 500);
	begin();
	take(123, 456, 0, 1, "0-3\n");
	CHECK(figures.load == 0);
}

TEST("counters that stand still or step back make no load")
{
	begin();
	take(1000, 1000, 5000000, 1, "0\n");
	take(1050, 1050, 5000000, 1, "0\n");
	CHECK(figures.load == 500);
	take(1050, 1050, 5000000, 1, "0\n");
	CHECK(figures.load == 500);
	take(1040, 1160, 4000000, 1, "0\n");
	CHECK(figures.load == 0);
}

TEST("a text that is not understood, or not there, leaves its figure as it was")
{
	const char *texts[SDV_CPU_FILES] = {
		[SDV_CPU_STAT] = "cpus 1 2 3\n", [SDV_CPU_PRESSURE] = "",
		[SDV_CPU_LOADAVG] = "what",      [SDV_CPU_MEMINFO] = "MemAvailable: lots\n",
		[SDV_CPU_ONLINE] = "3-1\n",      [SDV_CPU_USAGE] = NULL,
	};
	const char *none[SDV_CPU_FILES] = { NULL };
	struct sdv_cpu_figures before;

	begin();
	take(0, 0, 0, 1, "0-1\n");
	take(100, 100, 0, 1, "0-1\n");
	before = figures;
	sdv_cpu_figures_take(&figures, texts);
	CHECK(!memcmp(&before, &figures, sizeof(figures)));
	sdv_cpu_figures_take(&figures, none);
	CHECK(!memcmp(&before, &figures, sizeof(figures)));
	begin();
	sdv_cpu_figures_take(&figures, none);
	CHECK(figures.online == 1 && figures.load == 0);
}

TEST("texts that are cut off anywhere harm nobody")
{
	static const char whole[] =
		"cpu  1 2 3 4 5 6 7 8 9 10\n0-3,5,7-9 some total=12 MemAvailable: 4 usage_usec 9 1/2 ";
	char cut[sizeof(whole)];

	for (size_t len = 0; len < sizeof(whole); len++) {
		const char *texts[SDV_CPU_FILES] = { cut, cut, cut, cut, cut, cut };

		snprintf(cut, sizeof(cut), "%.*s", (int)len, whole);
		begin();
		sdv_cpu_figures_take(&figures, texts);
		CHECK(figures.online >= 1 && figures.load <= 2000);
	}
}

int main(void)
{
	return test_main("cpu_figures");
}
