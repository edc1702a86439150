// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * grammar.c: arguments are read by the usage line that people see.
 */
#include "grammar.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"

/* A word of a usage line, up to a blank or bracket. */
static const char *take_word(const char *at, char word[CLI_MAX_WORD])
{
	size_t len = strcspn(at, " []");

	assert(len && len < CLI_MAX_WORD);
	memcpy(word, at, len);
	word[len] = 0;
	return at + len;
}

static bool is_value(const char *at)
{
	size_t len = strcspn(at, " []");

	return isupper((unsigned char)*at) || memchr(at, '|', len);
}

void cli_grammar_read(const char *usage, struct cli_grammar *ret_grammar)
{
	struct cli_grammar grammar = { 0 };
	struct cli_arg *arg;
	const char *at = usage;

	while (*at) {
		if (*at == ' ') {
			at++;
			continue;
		}
		assert(grammar.nr < CLI_MAX_ARGS);
		arg = &grammar.arg[grammar.nr++];
		if (*at == '[') {
			arg->is_optional = true;
			at++;
		}
		if (is_value(at)) {
			at = take_word(at, arg->value);
		} else {
			at = take_word(at, arg->word);
			if (at[0] == ' ' && at[1] == '[' && isupper((unsigned char)at[2]) &&
			    arg->is_optional) {
				arg->is_value_optional = true;
				at = take_word(at + 2, arg->value);
				assert(*at == ']');
				at++;
			} else if (at[0] == ' ' && is_value(at + 1)) {
				at = take_word(at + 1, arg->value);
			}
		}
		if (arg->is_optional) {
			assert(*at == ']');
			at++;
		}
	}
	*ret_grammar = grammar;
}

static int find_word(const struct cli_grammar *grammar, const char *word)
{
	unsigned int i;

	for (i = 0; i < grammar->nr; i++)
		if (*grammar->arg[i].word && !strcmp(grammar->arg[i].word, word))
			return (int)i;
	return -1;
}

/* Whether the last argument takes all words that are left. */
static bool has_rest(const struct cli_grammar *grammar)
{
	const char *value = grammar->nr ? grammar->arg[grammar->nr - 1].value : "";
	size_t len = strlen(value);

	return len > 3 && !strcmp(value + len - 3, "...");
}

/* The first value in its place that was not given yet. */
static int find_place(const struct cli_args *args)
{
	unsigned int i;

	for (i = 0; i < args->grammar.nr && !*args->grammar.arg[i].word; i++)
		if (!args->given[i])
			return (int)i;
	return -1;
}

/* Whether @value is among "a|b"; any is where the usage has a name for it. */
static bool is_among(const char *alternatives, const char *value)
{
	size_t len = strlen(value), n;
	const char *at = alternatives;

	if (isupper((unsigned char)*at))
		return true;
	for (;; at += n + 1) {
		n = strcspn(at, "|");
		if (n == len && !memcmp(at, value, n))
			return true;
		if (!at[n])
			return false;
	}
}

static void explain_unknown(const struct cli_args *args, const char *word, char why[CLI_WHY_SIZE])
{
	const char *candidates[CLI_MAX_ARGS] = { NULL }, *near;
	char list[256] = "";
	size_t nr = 0, used = 0;
	unsigned int i;

	for (i = 0; i < args->grammar.nr; i++)
		if (*args->grammar.arg[i].word && !args->given[i])
			candidates[nr++] = args->grammar.arg[i].word;
	near = cli_nearest(word, candidates, nr);
	if (near) {
		snprintf(why, CLI_WHY_SIZE, "'%.64s' is unknown here; did you mean '%s'?", word, near);
		return;
	}
	for (i = 0; i < nr && used < sizeof(list); i++)
		used += snprintf(list + used, sizeof(list) - used, "%s'%s'",
				 !i           ? ""
				 : i + 1 < nr ? ", "
					      : " or ",
				 candidates[i]);
	snprintf(why, CLI_WHY_SIZE, "'%.64s' is unknown here; %s%s", word,
		 nr ? "what may follow is " : "nothing more may follow", list);
}

int cli_args_read(const char *usage, int nr, char *const *words, struct cli_args *ret_args,
		  char why[CLI_WHY_SIZE])
{
	struct cli_args args = { 0 };
	const struct cli_arg *arg;
	unsigned int i;
	int at, k;

	cli_grammar_read(usage, &args.grammar);
	for (at = 0; at < nr; at++) {
		if (has_rest(&args.grammar)) {
			k = find_word(&args.grammar, words[at]);
			if (k < 0 || args.given[k]) {
				at += !strcmp(words[at], "--");
				args.nr_rest = nr - at;
				args.rest = words + at;
				args.given[args.grammar.nr - 1] = nr > at ? words[at] : NULL;
				break;
			}
		}
		k = find_place(&args);
		/* A word that may follow ends the values that may be left out. */
		if (k >= 0 &&
		    !(args.grammar.arg[k].is_optional && find_word(&args.grammar, words[at]) >= 0)) {
			args.given[k] = words[at];
			continue;
		}
		k = find_word(&args.grammar, words[at]);
		if (k < 0) {
			explain_unknown(&args, words[at], why);
			return -EINVAL;
		}
		arg = &args.grammar.arg[k];
		if (args.given[k]) {
			snprintf(why, CLI_WHY_SIZE, "'%s' is given twice", arg->word);
			return -EINVAL;
		}
		args.given[k] = "";
		if (!*arg->value)
			continue;
		if (at + 1 == nr ||
		    (arg->is_value_optional && find_word(&args.grammar, words[at + 1]) >= 0)) {
			if (arg->is_value_optional)
				continue;
			snprintf(why, CLI_WHY_SIZE, "after '%s' comes %s", arg->word, arg->value);
			return -EINVAL;
		}
		if (!is_among(arg->value, words[at + 1])) {
			snprintf(why, CLI_WHY_SIZE, "'%s' can't be '%.64s'; it is %s", arg->word,
				 words[at + 1], arg->value);
			return -EINVAL;
		}
		args.given[k] = words[++at];
	}
	for (i = 0; i < args.grammar.nr; i++) {
		arg = &args.grammar.arg[i];
		if (args.given[i] || arg->is_optional)
			continue;
		snprintf(why, CLI_WHY_SIZE, "%s%s%s is missing", arg->word,
			 *arg->word && *arg->value ? " " : "", arg->value);
		return -EINVAL;
	}
	*ret_args = args;
	return 0;
}

const char *cli_arg(const struct cli_args *args, const char *name)
{
	const struct cli_arg *arg;
	unsigned int i;

	for (i = 0; i < args->grammar.nr; i++) {
		arg = &args->grammar.arg[i];
		if (!strcmp(*arg->word ? arg->word : arg->value, name))
			return args->given[i];
	}
	assert(!"an argument that the usage does not have");
	return NULL;
}

size_t cli_grammar_next(const struct cli_grammar *grammar, int nr, char *const *words,
			struct cli_next ret_next[CLI_MAX_ARGS + 1])
{
	struct cli_args args = { .grammar = *grammar };
	const struct cli_arg *arg;
	unsigned int i;
	size_t n = 0;
	int at, k;

	for (at = 0; at < nr; at++) {
		if (has_rest(grammar)) {
			k = find_word(grammar, words[at]);
			if (k < 0 || args.given[k]) {
				ret_next[0] = (struct cli_next){ .arg = &grammar->arg[grammar->nr - 1],
								 .is_value = true };
				return 1;
			}
		}
		k = find_place(&args);
		if (k >= 0 && !(grammar->arg[k].is_optional && find_word(grammar, words[at]) >= 0)) {
			args.given[k] = words[at];
			continue;
		}
		k = find_word(grammar, words[at]);
		if (k < 0)
			return 0;
		arg = &grammar->arg[k];
		args.given[k] = "";
		if (!*arg->value)
			continue;
		if (at + 1 == nr) {
			ret_next[n++] = (struct cli_next){ .arg = arg, .is_value = true };
			if (!arg->is_value_optional)
				return n;
			break;
		}
		if (!(arg->is_value_optional && find_word(grammar, words[at + 1]) >= 0))
			at++;
	}
	k = find_place(&args);
	if (k >= 0) {
		ret_next[n++] = (struct cli_next){ .arg = &grammar->arg[k], .is_value = true };
		if (!grammar->arg[k].is_optional)
			return n;
	}
	if (has_rest(grammar))
		ret_next[n++] = (struct cli_next){ .arg = &grammar->arg[grammar->nr - 1], .is_value = true };
	for (i = 0; i < grammar->nr; i++)
		if (*grammar->arg[i].word && !args.given[i])
			ret_next[n++] = (struct cli_next){ .arg = &grammar->arg[i] };
	return n;
}
