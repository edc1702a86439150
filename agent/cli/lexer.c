// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lexer.c: a line of a batch file to words, and a word to how it is written there.
 */
#include "lexer.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* After a backslash within "…": the bytes it took, 0 for none that is known. */
static size_t unescape(const char *at, size_t len, char *ret_c)
{
	if (!len)
		return 0;
	switch (*at) {
	case 'n': *ret_c = '\n'; return 1;
	case 't': *ret_c = '\t'; return 1;
	case '\\':
	case '"':
	case '\'':
	case ' ':
	case '#': *ret_c = *at; return 1;
	case 'x':
		if (len < 3 || hex(at[1]) < 0 || hex(at[2]) < 0)
			return 0;
		*ret_c = (char)(hex(at[1]) << 4 | hex(at[2]));
		/* A word ends with a zero byte and so has none. */
		return *ret_c ? 3 : 0;
	default: return 0;
	}
}

const char *cli_lex(const char *line, size_t len, struct cli_words *ret_words)
{
	struct cli_words words = { 0 };
	const char *end = line + len, *why;
	char *out, c;
	size_t n;

	if (memchr(line, 0, len))
		return "a zero byte";

	words.text = out = cli_alloc(len + 1);
	for (;;) {
		while (line < end && is_blank(*line))
			line++;
		if (line == end || *line == '#')
			break;
		if (words.nr == CLI_MAX_WORDS) {
			why = "too many words";
			goto err_free;
		}
		words.word[words.nr++] = out;
		while (line < end && !is_blank(*line)) {
			c = *line++;
			if (c == '\'') {
				for (; line < end && *line != '\''; line++)
					*out++ = *line;
				if (line++ == end) {
					why = "a ' without its other half";
					goto err_free;
				}
			} else if (c == '"') {
				while (line < end && *line != '"') {
					c = *line++;
					if (c == '\\') {
						n = unescape(line, end - line, &c);
						if (!n) {
							why = "a backslash before what it can't change";
							goto err_free;
						}
						line += n;
					}
					*out++ = c;
				}
				if (line++ == end) {
					why = "a \" without its other half";
					goto err_free;
				}
			} else if (c == '\\') {
				if (line == end) {
					why = "a backslash at the end";
					goto err_free;
				}
				*out++ = *line++;
			} else {
				*out++ = c;
			}
		}
		/* Room is there: of a word and the blank after it, one byte was not copied. */
		*out++ = 0;
	}
	*ret_words = words;
	return NULL;

err_free:
	free(words.text);
	return why;
}

void cli_words_free(struct cli_words *words)
{
	free(words->text);
	*words = (struct cli_words){ 0 };
}

char *cli_quote(const char *word)
{
	char *quoted = cli_alloc(4 * strlen(word) + 3), *out = quoted;
	const char *c;

	for (c = word; *c; c++)
		if (!isascii(*c) || (!isalnum((unsigned char)*c) && !strchr("-_./:@%+=,[]", *c)))
			break;
	if (*word && !*c) {
		stpcpy(quoted, word);
		return quoted;
	}
	*out++ = '"';
	for (c = word; *c; c++) {
		if (*c == '"' || *c == '\\') {
			*out++ = '\\';
			*out++ = *c;
		} else if (*c == '\n') {
			out = stpcpy(out, "\\n");
		} else if (*c == '\t') {
			out = stpcpy(out, "\\t");
		} else if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f) {
			out += sprintf(out, "\\x%02x", (unsigned char)*c);
		} else {
			*out++ = *c;
		}
	}
	*out++ = '"';
	*out = 0;
	return quoted;
}
