/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parse.h: what people type, to values; and values to what people read.
 *
 * Pure functions, for the unit tests' sake.  Those that refuse return NULL on
 * success, else why, as the end of a sentence that begins with the input.
 */
#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nl.h"

#define CLI_KEY_TEXT    45 /* base64 of a key, with its zero */
#define CLI_SIZE_TEXT   16
#define CLI_CODE_DIGITS 6

const char *cli_name_check(const char *name);
const char *cli_key_parse(const char *text, uint8_t ret_key[SUPERDEV_KEY_LEN]);
void cli_key_format(const uint8_t key[SUPERDEV_KEY_LEN], char text[CLI_KEY_TEXT]);
/* HOST, HOST:PORT, ADDRESS, [ADDRESS]:PORT. */
const char *cli_address_check(const char *address);
/* A peer's name made of an address: the first label of a host name, or the address. */
void cli_address_name(const char *address, char name[SDV_NAME_SIZE]);
/* PEER/OFFER. */
const char *cli_pair_split(const char *text, char peer[SDV_NAME_SIZE], char offer[SDV_NAME_SIZE]);
/* Decimal digits alone. */
const char *cli_number_parse(const char *text, uint32_t min, uint32_t max, uint32_t *ret_number);
/* Bytes, or so many K, M, G or T of 1024 each: "512M". */
const char *cli_size_parse(const char *text, uint64_t *ret_bytes);
/* "123 456", "123456" and "123-456" are the same code; true if it is one. */
bool cli_code_normalise(const char *text, char code[CLI_CODE_DIGITS + 1]);
bool cli_code_equal(const char *a, const char *b);
/* 0, or -ENAMETOOLONG, or getcwd()'s. */
int cli_path_absolute(const char *path, char *ret_path, size_t size);
/* The file that a shell would run: what has no slash is looked for in PATH.  0, -ENOENT, or as above. */
int cli_program_find(const char *name, char *ret_path, size_t size);

/* "10.0 GiB", "512 B". */
void cli_size_format(uint64_t bytes, char text[CLI_SIZE_TEXT]);
/* "0.31 ms", "1.20 s". */
void cli_rtt_format(uint32_t rtt_us, char text[CLI_SIZE_TEXT]);

/**
 * cli_escape - a text that may come from a stranger, made fit for a terminal
 * @text:	anything
 *
 * All that is not printable in this locale becomes \xNN, a backslash is
 * doubled; so no byte of an escape sequence is left.
 *
 * Return: to be freed; never NULL, memory is taken to be there.
 */
char *cli_escape(const char *text);
/* Columns that an escaped text takes. */
size_t cli_width(const char *text);

/* The nearest of @candidates to a mistyped @text, or NULL. */
const char *cli_nearest(const char *text, const char *const *candidates, size_t nr);

void *cli_alloc(size_t size);
char *cli_strdup(const char *text);

#endif
