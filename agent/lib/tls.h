/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls.h: the machine's key, TLS 1.3 with raw public keys, and kernel TLS.
 *
 * The only file that knows GnuTLS.  Used by the daemon, for one connection at
 * a time and never blocking: the caller waits for the socket.
 */
#ifndef SDV_TLS_H
#define SDV_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "superdev.h"

/* A key as text: base64 with padding, and the final zero. */
#define SDV_KEY_TEXT_SIZE 45
#define SDV_HASH_SIZE     32

struct sdv_key;
struct sdv_tls;

/**
 * sdv_key_load - reads the machine's private key, or makes it
 * @path:	file, PKCS#8 in PEM, mode 0600
 * @ret_key:	the key
 * @ret_is_new:	the file was not there and has been written
 * @error:	at least 256 bytes; why not, naming the file
 *
 * A new key is on stable storage, whole, before it is used for anything.
 * Return: 0, -EPERM others may read the file, -EBADMSG it is no Ed25519 key,
 * -errno of the file.
 */
int sdv_key_load(const char *path, struct sdv_key **ret_key, bool *ret_is_new, char *error,
		 size_t error_size);
void sdv_key_free(struct sdv_key *key);
const uint8_t *sdv_key_public(const struct sdv_key *key);

void sdv_key_to_text(const uint8_t key[SUPERDEV_KEY_LEN], char ret_text[SDV_KEY_TEXT_SIZE]);
/* Return: 0 or -EINVAL. */
int sdv_key_from_text(const char *text, uint8_t ret_key[SUPERDEV_KEY_LEN]);

/* SHA-256.  Return: 0 or -EIO. */
int sdv_hash(const void *data, size_t len, uint8_t ret_hash[SDV_HASH_SIZE]);

/**
 * sdv_tls_open - a session on a connected socket that does not block
 * @ret_tls:	the session; it neither owns nor closes @fd
 * @key:	our key; outlives the session
 * @fd:		the socket
 * @is_server:	we accepted the connection
 * @pin:	the only key that the other end may have; NULL: any, the caller
 *		decides by sdv_tls_peer_key()
 *
 * Return: 0 or -ENOMEM.
 */
int sdv_tls_open(struct sdv_tls **ret_tls, const struct sdv_key *key, int fd, bool is_server,
		 const uint8_t *pin);
void sdv_tls_close(struct sdv_tls *tls);

/*
 * All three: 0 (or bytes), -EAGAIN: wait for what sdv_tls_wants_write() tells
 * and call again; -EKEYREJECTED: not the pinned key; -EPROTO and others: over,
 * sdv_tls_error() says why.
 */
int sdv_tls_handshake(struct sdv_tls *tls);
int sdv_tls_send(struct sdv_tls *tls, const void *data, size_t len); /* all or nothing, one record */
int sdv_tls_recv(struct sdv_tls *tls, void *data, size_t size);      /* 0: end of stream */
bool sdv_tls_wants_write(const struct sdv_tls *tls);
const char *sdv_tls_error(const struct sdv_tls *tls);

/* After the handshake. */
const uint8_t *sdv_tls_peer_key(const struct sdv_tls *tls);

/**
 * sdv_tls_arm - kernel TLS, both directions, with the keys of this session
 * @tls:	a session whose handshake is done and which has no data pending;
 *		only to be closed afterwards
 *
 * Return: 0; -ENOTCONN the other end has closed; -ENOPROTOOPT no kernel TLS;
 * -errno.  On any error the socket must not be used further: it may be armed
 * in one direction.
 */
int sdv_tls_arm(struct sdv_tls *tls);

#endif
