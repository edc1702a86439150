// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parse.c: what people type, to values; and values to what people read.
 */
#include "parse.h"

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

void *cli_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		errx(1, "out of memory");
	return p;
}

char *cli_strdup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(cli_alloc(size), text, size);
}

const char *cli_name_check(const char *name)
{
	size_t len = strlen(name);
	const char *c;

	if (!len)
		return "is empty; a name has 1 to 63 characters";
	if (len > SUPERDEV_NAME_LEN)
		return "is too long; a name has at most 63 characters";
	if (strchr(name, '/'))
		return "has a slash; a name has letters, digits, '.', '_' and '-'";
	for (c = name; *c; c++)
		if (!isascii(*c) || (!isalnum((unsigned char)*c) && !strchr("._-", *c)))
			return "is no name; a name has letters, digits, '.', '_' and '-'";
	if (!isalnum((unsigned char)*name))
		return "is no name; a name begins with a letter or a digit";
	return NULL;
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void cli_key_format(const uint8_t key[SUPERDEV_KEY_LEN], char text[CLI_KEY_TEXT])
{
	unsigned int bits = 0, n = 0, i;
	char *out = text;

	for (i = 0; i < SUPERDEV_KEY_LEN; i++) {
		bits = bits << 8 | key[i];
		n += 8;
		while (n >= 6) {
			n -= 6;
			*out++ = base64[bits >> n & 63];
		}
	}
	/* 256 bits: 42 characters, 4 bits left, and one '=' to fill up. */
	*out++ = base64[bits << (6 - n) & 63];
	*out++ = '=';
	*out = 0;
}

const char *cli_key_parse(const char *text, uint8_t ret_key[SUPERDEV_KEY_LEN])
{
	static const char why[] =
		"is no key; a key is 44 characters of base64, as 'superdev key' prints it at the other machine";
	unsigned int bits = 0, n = 0, i, out = 0, any = 0;
	uint8_t key[SUPERDEV_KEY_LEN];
	const char *digit;

	if (strlen(text) != CLI_KEY_TEXT - 1 || text[CLI_KEY_TEXT - 2] != '=')
		return why;
	for (i = 0; i < CLI_KEY_TEXT - 2; i++) {
		digit = memchr(base64, text[i], sizeof(base64) - 1);
		if (!digit)
			return why;
		bits = bits << 6 | (unsigned int)(digit - base64);
		n += 6;
		if (n >= 8) {
			n -= 8;
			key[out++] = bits >> n & 255;
		}
	}
	/* One text per key: the bits that say nothing are zero. */
	if (bits & ((1U << n) - 1))
		return why;
	for (i = 0; i < SUPERDEV_KEY_LEN; i++)
		any |= key[i];
	if (!any)
		return "is no key: it is all zero";
	memcpy(ret_key, key, sizeof(key));
	return NULL;
}

static bool is_port(const char *text)
{
	uint32_t port;

	return !cli_number_parse(text, 1, 65535, &port);
}

static bool is_host(const char *text, size_t len)
{
	size_t i;

	if (!len || *text == '-' || *text == '.')
		return false;
	for (i = 0; i < len; i++)
		if (!isascii(text[i]) || (!isalnum((unsigned char)text[i]) && !strchr("._-", text[i])))
			return false;
	return true;
}

/* Shape only: hexadecimal digits, colons, dots, and a zone after '%'. */
static bool is_ipv6(const char *text, size_t len)
{
	size_t i, colons = 0;

	for (i = 0; i < len && text[i] != '%'; i++) {
		if (text[i] == ':')
			colons++;
		else if (!isascii(text[i]) || (!isxdigit((unsigned char)text[i]) && text[i] != '.'))
			return false;
	}
	if (colons < 2)
		return false;
	return i == len || is_host(text + i + 1, len - i - 1);
}

const char *cli_address_check(const char *address)
{
	static const char why[] =
		"is no address; it is HOST, HOST:PORT, an IPv4 or IPv6 address, or [IPv6]:PORT";
	size_t len = strlen(address);
	const char *end, *colon;

	if (len >= SDV_TEXT_SIZE)
		return "is too long; an address has at most 255 characters";
	if (*address == '[') {
		end = strchr(address, ']');
		if (!end || !is_ipv6(address + 1, end - address - 1))
			return why;
		return !end[1] || (end[1] == ':' && is_port(end + 2)) ? NULL : why;
	}
	if (is_ipv6(address, len))
		return NULL;
	colon = strchr(address, ':');
	if (colon)
		return is_host(address, colon - address) && is_port(colon + 1) ? NULL : why;
	return is_host(address, len) ? NULL : why;
}

void cli_address_name(const char *address, char name[SDV_NAME_SIZE])
{
	size_t len, i, used;
	bool is_numeric;

	if (*address == '[')
		address++;
	len = strcspn(address, "]%");
	if (!is_ipv6(address, len)) {
		len = strcspn(address, ":");
		is_numeric = strspn(address, "0123456789.") == len;
		if (!is_numeric)
			len = strcspn(address, ":.");
	}
	/* "::1": a name does not begin with a dash. */
	used = *address == ':' ? 2 : 0;
	memcpy(name, "ip", used);
	if (len > SUPERDEV_NAME_LEN - used)
		len = SUPERDEV_NAME_LEN - used;
	for (i = 0; i < len; i++)
		name[used + i] = address[i] == ':' ? '-' : address[i];
	name[used + len] = 0;
}

const char *cli_pair_split(const char *text, char peer[SDV_NAME_SIZE], char offer[SDV_NAME_SIZE])
{
	const char *slash = strchr(text, '/'), *why;
	char half[SDV_NAME_SIZE];

	if (!slash || slash == text || !slash[1] || strchr(slash + 1, '/'))
		return "is no lease; it is PEER/OFFER, with one slash";
	if (slash - text > SUPERDEV_NAME_LEN || strlen(slash + 1) > SUPERDEV_NAME_LEN)
		return "is too long; the names on both sides of the slash have at most 63 characters";
	memcpy(half, text, slash - text);
	half[slash - text] = 0;
	why = cli_name_check(half);
	if (!why)
		why = cli_name_check(slash + 1);
	if (why)
		return why;
	stpcpy(peer, half);
	stpcpy(offer, slash + 1);
	return NULL;
}

const char *cli_number_parse(const char *text, uint32_t min, uint32_t max, uint32_t *ret_number)
{
	static char why[64];
	uint64_t number = 0;
	const char *c;

	for (c = text; *c >= '0' && *c <= '9' && number <= UINT32_MAX; c++)
		number = 10 * number + (*c - '0');
	if (!*text || *c || number < min || number > max) {
		snprintf(why, sizeof(why), "is no number from %" PRIu32 " to %" PRIu32, min, max);
		return why;
	}
	*ret_number = number;
	return NULL;
}

const char *cli_size_parse(const char *text, uint64_t *ret_bytes)
{
	static const char why[] = "is no size; a size is a number of bytes, or of K, M, G or T: 512M";
	static const char units[] = "KMGT";
	uint64_t bytes = 0;
	const char *c, *unit;
	unsigned int shift = 0;

	for (c = text; *c >= '0' && *c <= '9'; c++) {
		if (bytes > (UINT64_MAX - 9) / 10)
			return why;
		bytes = 10 * bytes + (uint64_t)(*c - '0');
	}
	if (c == text)
		return why;
	if (*c) {
		unit = strchr(units, *c);
		if (!unit || c[1])
			return why;
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	if (bytes > (uint64_t)INT64_MAX >> shift)
		return why;
	*ret_bytes = bytes << shift;
	return NULL;
}

bool cli_code_normalise(const char *text, char code[CLI_CODE_DIGITS + 1])
{
	size_t n = 0;

	for (; *text; text++) {
		if (*text == ' ' || *text == '-')
			continue;
		if (*text < '0' || *text > '9' || n == CLI_CODE_DIGITS)
			return false;
		code[n++] = *text;
	}
	code[n] = 0;
	return n == CLI_CODE_DIGITS;
}

bool cli_code_equal(const char *a, const char *b)
{
	char x[CLI_CODE_DIGITS + 1], y[CLI_CODE_DIGITS + 1];

	return cli_code_normalise(a, x) && cli_code_normalise(b, y) && !strcmp(x, y);
}

int cli_path_absolute(const char *path, char *ret_path, size_t size)
{
	char *here = NULL;
	int n;

	/* Not resolved: /dev/disk/by-id/… stays what the person meant. */
	if (*path != '/') {
		here = get_current_dir_name();
		if (!here)
			return -errno;
	}
	n = snprintf(ret_path, size, "%s%s%s", here ? here : "", here && here[1] ? "/" : "", path);
	free(here);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int cli_program_find(const char *name, char *ret_path, size_t size)
{
	const char *dirs = getenv("PATH"), *end;
	struct stat st;
	int n;

	if (strchr(name, '/') || !*name)
		return *name ? cli_path_absolute(name, ret_path, size) : -ENOENT;
	for (; dirs && *dirs; dirs = *end ? end + 1 : end) {
		end = strchrnul(dirs, ':');
		n = snprintf(ret_path, size, "%.*s/%s", (int)(end - dirs), dirs, name);
		if (n > 0 && (size_t)n < size && *ret_path == '/' && !stat(ret_path, &st) &&
		    S_ISREG(st.st_mode) && !access(ret_path, X_OK))
			return 0;
	}
	return -ENOENT;
}

void cli_size_format(uint64_t bytes, char text[CLI_SIZE_TEXT])
{
	static const char unit[] = "KMGTPE";
	/* Tenths, rounded, in integers: a disk of exactly 1 GiB says "1.0 GiB". */
	uint64_t whole = bytes, rest = 0;
	int i = -1;

	if (bytes < 1024) {
		snprintf(text, CLI_SIZE_TEXT, "%" PRIu64 " B", bytes);
		return;
	}
	while (whole >= 1024 || (whole == 1023 && rest >= 973)) {
		rest = whole % 1024;
		whole /= 1024;
		i++;
	}
	rest = (rest * 10 + 512) / 1024;
	if (rest == 10) {
		rest = 0;
		whole++;
	}
	snprintf(text, CLI_SIZE_TEXT, "%" PRIu64 ".%" PRIu64 " %ciB", whole, rest, unit[i]);
}

void cli_rtt_format(uint32_t rtt_us, char text[CLI_SIZE_TEXT])
{
	if (rtt_us < 1000000)
		snprintf(text, CLI_SIZE_TEXT, "%u.%02u ms", rtt_us / 1000, rtt_us % 1000 / 10);
	else
		snprintf(text, CLI_SIZE_TEXT, "%u.%02u s", rtt_us / 1000000, rtt_us % 1000000 / 10000);
}

/* Bytes of the printable character at @text, or 0. */
static size_t printable(const char *text, size_t len, int *ret_width)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n = mbrtowc(&c, text, len, &state);

	if (n == (size_t)-1 || n == (size_t)-2 || !n)
		return 0;
	/* Of no width: marks that reorder or hide what stands beside them. */
	*ret_width = iswprint(c) ? wcwidth(c) : 0;
	return *ret_width > 0 ? n : 0;
}

char *cli_escape(const char *text)
{
	size_t len = strlen(text), n;
	char *escaped = cli_alloc(4 * len + 1), *out = escaped;
	int width;

	while (len) {
		n = printable(text, len, &width);
		if (*text == '\\')
			out = stpcpy(out, "\\\\");
		else if (n)
			out = mempcpy(out, text, n);
		else
			out += sprintf(out, "\\x%02x", (unsigned char)*text);
		n = n ? n : 1;
		text += n;
		len -= n;
	}
	*out = 0;
	return escaped;
}

size_t cli_width(const char *text)
{
	size_t len = strlen(text), n, total = 0;
	int width;

	while (len) {
		width = 1;
		n = printable(text, len, &width);
		total += n ? (size_t)width : 1;
		n = n ? n : 1;
		text += n;
		len -= n;
	}
	return total;
}

/* Insertions, deletions, changes and swaps of neighbours that make one of the other. */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), i, j, best;
	size_t d[3][SDV_NAME_SIZE + 1];

	if (la > SUPERDEV_NAME_LEN || lb > SUPERDEV_NAME_LEN)
		return SIZE_MAX;
	for (j = 0; j <= lb; j++)
		d[0][j] = j;
	for (i = 1; i <= la; i++) {
		d[i % 3][0] = i;
		for (j = 1; j <= lb; j++) {
			best = d[(i - 1) % 3][j - 1] + (a[i - 1] != b[j - 1]);
			if (best > d[(i - 1) % 3][j] + 1)
				best = d[(i - 1) % 3][j] + 1;
			if (best > d[i % 3][j - 1] + 1)
				best = d[i % 3][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    best > d[(i - 2) % 3][j - 2] + 1)
				best = d[(i - 2) % 3][j - 2] + 1;
			d[i % 3][j] = best;
		}
	}
	return d[la % 3][lb];
}

const char *cli_nearest(const char *text, const char *const *candidates, size_t nr)
{
	size_t i, near, best = strlen(text) < 4 ? 2 : 3;
	const char *nearest = NULL;

	/* Fewer than two changes for short words, than three for others. */
	for (i = 0; i < nr; i++) {
		near = distance(text, candidates[i]);
		if (near < best && near < strlen(candidates[i])) {
			best = near;
			nearest = candidates[i];
		}
	}
	return nearest;
}
