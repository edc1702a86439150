// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * log.c: one line per event, to the journal or to a terminal.
 */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_SIZE 1024

static const char *log_program = "superdev";
static enum sdv_level log_max_level = SDV_LOG_INFO;
static bool has_journal, is_socket;

void sdv_log_open(const char *program, enum sdv_level max_level)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	log_program = program;
	log_max_level = max_level;
	has_journal = false;
	is_socket = false;
	if (fstat(STDERR_FILENO, &st) < 0)
		return;
	is_socket = S_ISSOCK(st.st_mode);
	/* The variable is inherited by programs whose stderr is another file. */
	if (stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2)
		has_journal = dev == st.st_dev && ino == st.st_ino;
}

static size_t put_escaped(char *line, size_t len, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	for (; *text && len < LINE_SIZE - 5; text++) {
		unsigned char c = *text;

		if (c >= ' ' && c < 0x7f) {
			line[len++] = c;
			continue;
		}
		line[len++] = '\\';
		line[len++] = 'x';
		line[len++] = hex[c >> 4];
		line[len++] = hex[c & 15];
	}
	return len;
}

void sdv_log(enum sdv_level level, const char *format, ...)
{
	char text[LINE_SIZE], line[LINE_SIZE];
	size_t len;
	va_list args;
	ssize_t n;

	if (level > log_max_level)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);

	if (has_journal)
		len = snprintf(line, sizeof(line), "<%d>", level);
	else
		len = snprintf(line, sizeof(line), "%s: ", log_program);
	len = put_escaped(line, len, text);
	line[len++] = '\n';
	if (is_socket)
		n = send(STDERR_FILENO, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = write(STDERR_FILENO, line, len);
	/* A log that cannot be written has nowhere to complain. */
	(void)n;
}
