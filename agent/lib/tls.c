// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tls.c: the machine's key, TLS 1.3 with raw public keys, and kernel TLS.
 */
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __aarch64__
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#define SPKI_SIZE    44
#define PKCS8_SIZE   48
#define PEM_SIZE_MAX 4096
#define PEM_LABEL    "PRIVATE KEY"

/* What precedes the 32 bytes of an Ed25519 key in DER: RFC 8410, sections 4 and 7. */
static const uint8_t spki_prefix[SPKI_SIZE - SUPERDEV_KEY_LEN] = {
	0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
};
static const uint8_t pkcs8_prefix[PKCS8_SIZE - SUPERDEV_KEY_LEN] = {
	0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
};

struct sdv_key {
	uint8_t public[SUPERDEV_KEY_LEN];
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
};

struct sdv_tls {
	gnutls_session_t session;
	int fd;
	bool is_pinned;
	bool is_rejected;
	bool is_sending; /* a record is half out: go on with it */
	uint8_t pin[SUPERDEV_KEY_LEN];
	uint8_t peer_key[SUPERDEV_KEY_LEN];
	char error[192];
};

/* The machine's key ------------------------------------------------------ */

static bool has_aes(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_cpu_supports("aes");
#elif defined(__aarch64__)
	return getauxval(AT_HWCAP) & HWCAP_AES;
#else
	return false;
#endif
}

/* Both ciphers are always offered; the one that is quick here comes first. */
static int set_priority(struct sdv_key *key)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "NONE:+VERS-TLS1.3:%s:+AEAD:+SIGN-EDDSA-ED25519:+GROUP-X25519:"
		 "+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK",
		 has_aes() ? "+AES-128-GCM:+CHACHA20-POLY1305" : "+CHACHA20-POLY1305:+AES-128-GCM");
	return gnutls_priority_init(&key->priority, text, NULL) < 0 ? -EINVAL : 0;
}

static int find_public(const gnutls_datum_t *pkcs8, uint8_t ret_public[SUPERDEV_KEY_LEN])
{
	gnutls_datum_t x = { 0 }, y = { 0 }, k = { 0 };
	gnutls_ecc_curve_t curve;
	gnutls_privkey_t privkey;
	int r = -EBADMSG;

	if (gnutls_privkey_init(&privkey) < 0)
		return -ENOMEM;
	if (gnutls_privkey_import_x509_raw(privkey, pkcs8, GNUTLS_X509_FMT_DER, NULL, 0) >= 0 &&
	    gnutls_privkey_export_ecc_raw(privkey, &curve, &x, &y, &k) >= 0) {
		if (curve == GNUTLS_ECC_CURVE_ED25519 && x.size == SUPERDEV_KEY_LEN) {
			memcpy(ret_public, x.data, SUPERDEV_KEY_LEN);
			r = 0;
		}
		explicit_bzero(k.data, k.size);
	}
	gnutls_free(x.data);
	gnutls_free(y.data);
	gnutls_free(k.data);
	gnutls_privkey_deinit(privkey);
	return r;
}

/* The key of a raw public key certificate, or -EBADMSG. */
static int key_of_spki(const gnutls_datum_t *spki, uint8_t ret_key[SUPERDEV_KEY_LEN])
{
	if (spki->size != SPKI_SIZE || memcmp(spki->data, spki_prefix, sizeof(spki_prefix)) != 0)
		return -EBADMSG;
	memcpy(ret_key, spki->data + sizeof(spki_prefix), SUPERDEV_KEY_LEN);
	return 0;
}

static int verify_peer(gnutls_session_t session)
{
	struct sdv_tls *tls = gnutls_session_get_ptr(session);
	const gnutls_datum_t *certificate;
	unsigned int count = 0;

	certificate = gnutls_certificate_get_peers(session, &count);
	if (!certificate || count != 1 ||
	    gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS) != GNUTLS_CRT_RAWPK ||
	    gnutls_certificate_type_get2(session, GNUTLS_CTYPE_OURS) != GNUTLS_CRT_RAWPK ||
	    key_of_spki(certificate, tls->peer_key) < 0)
		return GNUTLS_E_CERTIFICATE_ERROR;
	if (tls->is_pinned && memcmp(tls->pin, tls->peer_key, SUPERDEV_KEY_LEN) != 0) {
		tls->is_rejected = true;
		return GNUTLS_E_CERTIFICATE_ERROR;
	}
	return 0;
}

static int key_use(struct sdv_key *key, const gnutls_datum_t *pkcs8)
{
	uint8_t spki_data[SPKI_SIZE];
	gnutls_datum_t spki = { spki_data, sizeof(spki_data) };
	int r;

	r = find_public(pkcs8, key->public);
	if (r < 0)
		return r;
	memcpy(spki_data, spki_prefix, sizeof(spki_prefix));
	memcpy(spki_data + sizeof(spki_prefix), key->public, SUPERDEV_KEY_LEN);
	if (gnutls_certificate_allocate_credentials(&key->credentials) < 0)
		return -ENOMEM;
	if (gnutls_certificate_set_rawpk_key_mem(key->credentials, &spki, pkcs8, GNUTLS_X509_FMT_DER, NULL, 0,
						 NULL, 0, 0) < 0)
		return -EBADMSG;
	gnutls_certificate_set_verify_function(key->credentials, verify_peer);
	return set_priority(key);
}

static int read_pem(int fd, gnutls_datum_t *ret_pkcs8)
{
	unsigned char text[PEM_SIZE_MAX];
	gnutls_datum_t pem = { text, 0 };
	ssize_t n;
	int r;

	do {
		n = read(fd, text + pem.size, sizeof(text) - pem.size);
		if (n < 0)
			return -errno;
		pem.size += n;
	} while (n && pem.size < sizeof(text));
	r = gnutls_pem_base64_decode2(PEM_LABEL, &pem, ret_pkcs8) < 0 ? -EBADMSG : 0;
	explicit_bzero(text, sizeof(text));
	return r;
}

/* Written whole under another name, synced, then linked to its name, which must not exist. */
static int write_pem(const char *path, const gnutls_datum_t *pkcs8)
{
	gnutls_datum_t label = { (unsigned char *)PEM_LABEL, strlen(PEM_LABEL) }, pem;
	char temporary[4096], directory[4096], *slash;
	int fd, r = 0;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.new", path) >= sizeof(temporary))
		return -ENAMETOOLONG;
	snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory] = '\0';
	if (gnutls_pem_base64_encode2((char *)label.data, pkcs8, &pem) < 0)
		return -ENOMEM;
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		r = -errno;
		goto out;
	}
	if (write(fd, pem.data, pem.size) != (ssize_t)pem.size)
		r = errno ? -errno : -EIO;
	else if (fsync(fd) < 0 || link(temporary, path) < 0)
		r = -errno;
	close(fd);
	unlink(temporary);
	if (!r) {
		fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || fsync(fd) < 0)
			r = -errno;
		if (fd >= 0)
			close(fd);
	}
out:
	explicit_bzero(pem.data, pem.size);
	gnutls_free(pem.data);
	return r;
}

static int make_pem(const char *path)
{
	uint8_t pkcs8_data[PKCS8_SIZE];
	gnutls_datum_t pkcs8 = { pkcs8_data, sizeof(pkcs8_data) };
	int r;

	memcpy(pkcs8_data, pkcs8_prefix, sizeof(pkcs8_prefix));
	if (getrandom(pkcs8_data + sizeof(pkcs8_prefix), SUPERDEV_KEY_LEN, 0) != SUPERDEV_KEY_LEN)
		return -EIO;
	r = write_pem(path, &pkcs8);
	explicit_bzero(pkcs8_data, sizeof(pkcs8_data));
	return r;
}

static int open_key(const char *path, bool *ret_is_new)
{
	int fd, r;

	*ret_is_new = false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	r = make_pem(path);
	if (r < 0)
		return r;
	*ret_is_new = true;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int sdv_key_load(const char *path, struct sdv_key **ret_key, bool *ret_is_new, char *error, size_t error_size)
{
	gnutls_datum_t pkcs8 = { 0 };
	struct sdv_key *key;
	struct stat st;
	int fd, r;

	fd = open_key(path, ret_is_new);
	if (fd < 0) {
		snprintf(error, error_size, "key %s: %s", path, strerror(-fd));
		return fd;
	}
	key = calloc(1, sizeof(*key));
	if (!key)
		r = -ENOMEM;
	else if (fstat(fd, &st) < 0)
		r = -errno;
	else if (st.st_mode & 077)
		r = -EPERM;
	else
		r = read_pem(fd, &pkcs8);
	close(fd);
	if (!r)
		r = key_use(key, &pkcs8);
	if (pkcs8.data) {
		explicit_bzero(pkcs8.data, pkcs8.size);
		gnutls_free(pkcs8.data);
	}
	if (r < 0) {
		snprintf(error, error_size, "key %s: %s", path,
			 r == -EPERM     ? "others may read it: give it mode 0600, or a new key"
			 : r == -EBADMSG ? "is no Ed25519 private key in PEM"
					 : strerror(-r));
		sdv_key_free(key);
		return r;
	}
	*ret_key = key;
	return 0;
}

void sdv_key_free(struct sdv_key *key)
{
	if (!key)
		return;
	if (key->credentials)
		gnutls_certificate_free_credentials(key->credentials);
	if (key->priority)
		gnutls_priority_deinit(key->priority);
	free(key);
}

const uint8_t *sdv_key_public(const struct sdv_key *key)
{
	return key->public;
}

void sdv_key_to_text(const uint8_t key[SUPERDEV_KEY_LEN], char ret_text[SDV_KEY_TEXT_SIZE])
{
	gnutls_datum_t in = { (unsigned char *)key, SUPERDEV_KEY_LEN }, out;

	ret_text[0] = '\0';
	if (gnutls_base64_encode2(&in, &out) < 0)
		return;
	if (out.size == SDV_KEY_TEXT_SIZE - 1) {
		memcpy(ret_text, out.data, out.size);
		ret_text[out.size] = '\0';
	}
	gnutls_free(out.data);
}

int sdv_key_from_text(const char *text, uint8_t ret_key[SUPERDEV_KEY_LEN])
{
	gnutls_datum_t in = { (unsigned char *)text, strlen(text) }, out;
	int r = -EINVAL;

	if (in.size != SDV_KEY_TEXT_SIZE - 1 || gnutls_base64_decode2(&in, &out) < 0)
		return -EINVAL;
	if (out.size == SUPERDEV_KEY_LEN) {
		memcpy(ret_key, out.data, out.size);
		r = 0;
	}
	gnutls_free(out.data);
	return r;
}

int sdv_hash(const void *data, size_t len, uint8_t ret_hash[SDV_HASH_SIZE])
{
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, data, len, ret_hash) < 0 ? -EIO : 0;
}

/* Sessions --------------------------------------------------------------- */

int sdv_tls_open(struct sdv_tls **ret_tls, const struct sdv_key *key, int fd, bool is_server,
		 const uint8_t *pin)
{
	/* No tickets: they would arrive as records of another type under kernel TLS. */
	unsigned int flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_ENABLE_RAWPK | GNUTLS_NO_TICKETS |
			     GNUTLS_NO_AUTO_REKEY | GNUTLS_NO_STATUS_REQUEST;
	struct sdv_tls *tls;

	tls = calloc(1, sizeof(*tls));
	if (!tls)
		return -ENOMEM;
	tls->fd = fd;
	if (pin) {
		memcpy(tls->pin, pin, SUPERDEV_KEY_LEN);
		tls->is_pinned = true;
	}
	if (gnutls_init(&tls->session, (is_server ? GNUTLS_SERVER : GNUTLS_CLIENT) | flags) < 0) {
		free(tls);
		return -ENOMEM;
	}
	gnutls_session_set_ptr(tls->session, tls);
	if (gnutls_priority_set(tls->session, key->priority) < 0 ||
	    gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, key->credentials) < 0) {
		sdv_tls_close(tls);
		return -ENOMEM;
	}
	if (is_server)
		gnutls_certificate_server_set_request(tls->session, GNUTLS_CERT_REQUIRE);
	gnutls_transport_set_int(tls->session, fd);
	/* The caller has its own deadline. */
	gnutls_handshake_set_timeout(tls->session, GNUTLS_INDEFINITE_TIMEOUT);
	*ret_tls = tls;
	return 0;
}

void sdv_tls_close(struct sdv_tls *tls)
{
	if (!tls)
		return;
	gnutls_deinit(tls->session);
	free(tls);
}

static int fail(struct sdv_tls *tls, int code)
{
	if (code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED)
		return -EAGAIN;
	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED || code == GNUTLS_E_WARNING_ALERT_RECEIVED) {
		const char *name = gnutls_alert_get_name(gnutls_alert_get(tls->session));

		snprintf(tls->error, sizeof(tls->error), "the other end ended TLS: %s",
			 name ? name : "unknown alert");
	} else if (tls->is_rejected) {
		snprintf(tls->error, sizeof(tls->error), "the other end has another key");
		return -EKEYREJECTED;
	} else if (code == GNUTLS_E_PREMATURE_TERMINATION || code == GNUTLS_E_PULL_ERROR ||
		   code == GNUTLS_E_PUSH_ERROR) {
		snprintf(tls->error, sizeof(tls->error), "the other end closed the connection");
		return -ECONNRESET;
	} else {
		snprintf(tls->error, sizeof(tls->error), "TLS: %s", gnutls_strerror(code));
	}
	return -EPROTO;
}

int sdv_tls_handshake(struct sdv_tls *tls)
{
	int r;

	do {
		r = gnutls_handshake(tls->session);
	} while (r == GNUTLS_E_INTERRUPTED || (r < 0 && r != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(r)));
	if (r >= 0)
		return 0;
	if (r != GNUTLS_E_AGAIN)
		gnutls_alert_send_appropriate(tls->session, r);
	return fail(tls, r);
}

int sdv_tls_send(struct sdv_tls *tls, const void *data, size_t len)
{
	ssize_t r;

	r = gnutls_record_send(tls->session, tls->is_sending ? NULL : data, tls->is_sending ? 0 : len);
	tls->is_sending = r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED;
	if (r < 0)
		return fail(tls, r);
	return (size_t)r == len ? 0 : -EMSGSIZE;
}

int sdv_tls_recv(struct sdv_tls *tls, void *data, size_t size)
{
	ssize_t r;

	r = gnutls_record_recv(tls->session, data, size);
	return r < 0 ? fail(tls, r) : r;
}

bool sdv_tls_wants_write(const struct sdv_tls *tls)
{
	return gnutls_record_get_direction(tls->session);
}

const char *sdv_tls_error(const struct sdv_tls *tls)
{
	return tls->error;
}

const uint8_t *sdv_tls_peer_key(const struct sdv_tls *tls)
{
	return tls->peer_key;
}

/* Kernel TLS ------------------------------------------------------------- */

union crypto_info {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 gcm;
	struct tls12_crypto_info_chacha20_poly1305 chacha;
};

static int set_direction(struct sdv_tls *tls, bool is_rx)
{
	gnutls_cipher_algorithm_t cipher = gnutls_cipher_get(tls->session);
	gnutls_datum_t mac, iv, key;
	union crypto_info crypto;
	unsigned char seq[8];
	socklen_t len;
	int r = 0;

	if (gnutls_record_get_state(tls->session, is_rx, &mac, &iv, &key, seq) < 0)
		return -EINVAL;
	memset(&crypto, 0, sizeof(crypto));
	crypto.info.version = TLS_1_3_VERSION;
	if (cipher == GNUTLS_CIPHER_AES_128_GCM &&
	    iv.size == sizeof(crypto.gcm.salt) + sizeof(crypto.gcm.iv) &&
	    key.size == sizeof(crypto.gcm.key)) {
		crypto.info.cipher_type = TLS_CIPHER_AES_GCM_128;
		memcpy(crypto.gcm.salt, iv.data, sizeof(crypto.gcm.salt));
		memcpy(crypto.gcm.iv, iv.data + sizeof(crypto.gcm.salt), sizeof(crypto.gcm.iv));
		memcpy(crypto.gcm.key, key.data, sizeof(crypto.gcm.key));
		memcpy(crypto.gcm.rec_seq, seq, sizeof(crypto.gcm.rec_seq));
		len = sizeof(crypto.gcm);
	} else if (cipher == GNUTLS_CIPHER_CHACHA20_POLY1305 && iv.size == sizeof(crypto.chacha.iv) &&
		   key.size == sizeof(crypto.chacha.key)) {
		crypto.info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		memcpy(crypto.chacha.iv, iv.data, sizeof(crypto.chacha.iv));
		memcpy(crypto.chacha.key, key.data, sizeof(crypto.chacha.key));
		memcpy(crypto.chacha.rec_seq, seq, sizeof(crypto.chacha.rec_seq));
		len = sizeof(crypto.chacha);
	} else {
		return -EINVAL;
	}
	if (setsockopt(tls->fd, SOL_TLS, is_rx ? TLS_RX : TLS_TX, &crypto, len) < 0)
		r = -errno;
	explicit_bzero(&crypto, sizeof(crypto));
	return r;
}

int sdv_tls_arm(struct sdv_tls *tls)
{
	int r;

	/* Data that GnuTLS has already decrypted, or keys that it set itself, cannot be handed over. */
	if (gnutls_record_check_pending(tls->session) || gnutls_transport_is_ktls_enabled(tls->session) ||
	    gnutls_protocol_get_version(tls->session) != GNUTLS_TLS1_3)
		return -EINVAL;
	if (setsockopt(tls->fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0)
		return errno == ENOENT ? -ENOPROTOOPT : -errno;
	r = set_direction(tls, false);
	return r < 0 ? r : set_direction(tls, true);
}
