// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * homefs_build_test.c: a project of 60 sources is built through a mount of
 * home's tree, and every object is what a build at home makes.
 */
#include "homefs_rig.h"

#define SOURCES 60
#define HEADERS 12

static const char makefile[] = "OBJECTS := $(patsubst %.c,%.o,$(wildcard src/*.c))\n"
			       "all: lib.a\n"
			       "lib.a: $(OBJECTS)\n"
			       "\trm -f $@ && ar rcsD $@ $^\n"
			       "%.o: %.c\n"
			       "\tcc -O1 -Iinc -MMD -c -o $@ $<\n"
			       "clean:\n"
			       "\trm -f lib.a src/*.o src/*.d\n"
			       "-include $(wildcard src/*.d)\n";

static void header_make(const char *dir, int number)
{
	char name[64], text[4096];
	int len;

	len = snprintf(text, sizeof(text), "#ifndef H%d\n#define H%d\n", number, number);
	if (number)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "#include \"h%d.h\"\n", number / 2);
	for (int i = 0; i < 8; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
				"static inline int h%d_%d(int x)\n{\n\treturn x * %d + %d;\n}\n", number, i,
				number * 31 + 7, i);
	snprintf(text + len, sizeof(text) - (size_t)len, "#endif\n");
	snprintf(name, sizeof(name), "inc/h%d.h", number);
	put(path_of(dir, name), text);
}

static void source_make(const char *dir, int number)
{
	char name[64], text[4096];
	int len;

	len = snprintf(text, sizeof(text), "#include <stdio.h>\n#include <string.h>\n#include \"h%d.h\"\n",
		       number % HEADERS);
	for (int i = 0; i < 8; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
				"int f%d_%d(int a, const char *s)\n{\n\tint r = h%d_%d(a);\n\n"
				"\tfor (int j = 0; j < a; j++)\n\t\tr += (int)strlen(s) * j;\n"
				"\tprintf(\"%%d %%s\\n\", r, s);\n\treturn r;\n}\n",
				number, i, number % HEADERS, i);
	snprintf(name, sizeof(name), "src/f%d.c", number);
	put(path_of(dir, name), text);
}

static int run(const char *dir, const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s", dir, command);
	return system(line);
}

TEST("a project is built through the mount, object by object the same as at home")
{
	char project[160], copy[160], line[512];
	unsigned long cold, warm;

	rig_prepare();
	snprintf(project, sizeof(project), "%s/project", rig.home);
	snprintf(copy, sizeof(copy), "%s/copy", rig.home);
	CHECK(!mkdir(project, 0755) && !mkdir(path_of(project, "inc"), 0755) &&
	      !mkdir(path_of(project, "src"), 0755));
	put(path_of(project, "Makefile"), makefile);
	for (int i = 0; i < HEADERS; i++)
		header_make(project, i);
	for (int i = 0; i < SOURCES; i++)
		source_make(project, i);
	snprintf(line, sizeof(line), "cp -a %s %s", project, copy);
	CHECK(!system(line) && !run(copy, "make -s -j2"));
	rig_begin(0, NULL);
	CHECK(!run(here("project"), "make -s -j2"));
	cold = round_trips();
	snprintf(line, sizeof(line), "diff -r %s %s", project, copy);
	CHECK(!system(line));
	/* And through the mount as well. */
	snprintf(line, sizeof(line), "diff -r %s %s", here("project"), here("copy"));
	CHECK(!system(line));
	CHECK(!run(here("project"), "make -s clean"));
	warm = round_trips();
	CHECK(!run(here("project"), "make -s -j2"));
	warm = round_trips() - warm;
	snprintf(line, sizeof(line), "diff -r %s %s", project, copy);
	CHECK(!system(line));
	printf("# round trips per compile: %.1f cold, %.1f warm\n", (double)cold / SOURCES,
	       (double)warm / SOURCES);
	/* Creating and closing two files, and a few. */
	CHECK(warm < 20 * SOURCES);
}

TEST("make finds nothing to do after a build, and what home has touched")
{
	char project[160], line[512];

	rig_prepare();
	snprintf(project, sizeof(project), "%s/project", rig.home);
	CHECK(!mkdir(project, 0755) && !mkdir(path_of(project, "inc"), 0755) &&
	      !mkdir(path_of(project, "src"), 0755));
	put(path_of(project, "Makefile"), makefile);
	for (int i = 0; i < HEADERS; i++)
		header_make(project, i);
	for (int i = 0; i < 6; i++)
		source_make(project, i);
	rig_begin(0, NULL);
	CHECK(!run(here("project"), "make -s -j2") && !run(here("project"), "make -q"));
	CHECK(!run(project, "make -q"));
	snprintf(line, sizeof(line), "touch %s/inc/h0.h", project);
	CHECK(!system(line));
	sync_here();
	CHECK(WEXITSTATUS(run(here("project"), "make -q")) == 1);
	CHECK(!run(here("project"), "make -s") && !run(project, "make -q"));
}

/* In the namespaces of a process that mounted without any privilege. */
static int child_looks(pid_t mounter, const char *dir, const char *name)
{
	char path[64], cwd[256];
	int user, mnt;

	if (!getcwd(cwd, sizeof(cwd)))
		return 1;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", mounter);
	user = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", mounter);
	mnt = open(path, O_RDONLY);
	if (user < 0 || mnt < 0 || setns(user, CLONE_NEWUSER) || setns(mnt, CLONE_NEWNS) || chdir(cwd))
		return 2;
	/* Home's user, who is the only one that is mapped there. */
	if (setgid(65534) || setuid(65534))
		return 4;
	if (strcmp(get(path_of(dir, name)), "text"))
		return 3;
	put(path_of(dir, "made"), "made");
	return 0;
}

/* The kernel lets nobody in a chroot make a user namespace. */
static bool can_unshare(void)
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(setuid(65534) || unshare(CLONE_NEWUSER));
	waitpid(child, &status, 0);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

TEST("a process without privileges mounts in namespaces of its own, and others enter")
{
	const char *const args[] = { "mount", rig.here, NULL };
	int pair[2], control[2], status;
	char node[96];
	struct stat st;
	pid_t child;

	if (!can_unshare()) {
		printf("# skipped: a user may not make user namespaces here\n");
		return;
	}
	rig_prepare();
	/* Where udev has not made it everybody's: a node that is, in this mount namespace. */
	if (!stat("/dev/fuse", &st) && (st.st_mode & 0006) != 0006) {
		snprintf(node, sizeof(node), "%s/fuse", rig.dir);
		CHECK(!mknod(node, S_IFCHR | 0666, st.st_rdev) && !chmod(node, 0666));
		CHECK(!mount(node, "/dev/fuse", NULL, MS_BIND, NULL));
	}
	rig.is_prepared = false;
	put(home("file"), "text");
	CHECK(!chmod(rig.home, 0777));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control));
	rig.serve = serve_begin(65534, pair[0], NULL);
	rig.mount = run_end(65534, pair[1], control[1], args);
	close(pair[0]);
	close(pair[1]);
	close(control[1]);
	rig.control = control[0];
	CHECK(!strcmp(control_line(), "ready"));
	child = fork();
	if (!child)
		_exit(child_looks(rig.mount, rig.here, "file"));
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status));
	CHECK(!strcmp(get(home("made")), "made") && access(here("file"), F_OK));
}

int main(void)
{
	int failed = rig_open();

	if (failed)
		return failed;
	failed = test_main("homefs-build");
	return rig_remove() || failed;
}
