// SPDX-License-Identifier: GPL-2.0-or-later
/* cpu_machine.c: what kind of machine this is.  See cpu_machine.h. */
#include "cpu_machine.h"

#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef __x86_64__
#include <cpuid.h>

/* Levels of the psABI, chapter 3.1.1; registers by the SDM, volume 1, chapter 13. */
static void x86_look(struct sdv_cpu_machine *machine)
{
	unsigned int eax, ebx, ecx, edx;

	machine->x86_level = 1;
	if (__builtin_cpu_supports("x86-64-v2"))
		machine->x86_level = 2;
	if (__builtin_cpu_supports("x86-64-v3"))
		machine->x86_level = 3;
	if (__builtin_cpu_supports("x86-64-v4"))
		machine->x86_level = 4;
	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
		return;
	__asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	machine->xcr0 = (uint64_t)edx << 32 | eax;
	if (__get_cpuid_count(13, 0, &eax, &ebx, &ecx, &edx))
		machine->xsave_size = ebx;
}
#else
static void x86_look(struct sdv_cpu_machine *machine)
{
	(void)machine;
}
#endif

int sdv_cpu_machine_look(struct sdv_cpu_machine *ret_machine)
{
	struct sdv_cpu_machine machine = { 0 };
	long page = sysconf(_SC_PAGESIZE);
	struct utsname name;

	if (uname(&name) || page <= 0)
		return -errno;
	snprintf(machine.architecture, sizeof(machine.architecture), "%.63s", name.machine);
	snprintf(machine.kernel, sizeof(machine.kernel), "%.63s", name.release);
	machine.page_size = (uint32_t)page;
	x86_look(&machine);
	/* One without the other says nothing. */
	if (!machine.xsave_size)
		machine.xcr0 = 0;
	*ret_machine = machine;
	return 0;
}
