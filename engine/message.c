/* engine/message.c - see message.h. */
#include "engine/message.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

enum { MAGIC = 0x3162616e, HEAD = 16, CHUNK = 1 << 16 }; /* "nab1" */

static void put_word(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t word(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static int send_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t put = send(fd, p, n, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN) {
			struct pollfd w = { .fd = fd, .events = POLLOUT };

			poll(&w, 1, 1000);
			continue;
		}
		if (put <= 0)
			return -1;
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

int message_send(int fd, enum message_type type, struct json *body, const void *blob, size_t blob_len, struct err *e)
{
	unsigned char head[HEAD];
	struct str text = { 0 };
	int rc = -1;

	json_print(&text, body);
	json_free(body);
	if (text.len > MESSAGE_BODY_MAX || blob_len > MESSAGE_BLOB_MAX) {
		ERR(e, ERR_RUNTIME, NULL, "a message of %zu bytes is too large", text.len + blob_len);
		goto out;
	}
	put_word(head, MAGIC);
	put_word(head + 4, (uint32_t)type);
	put_word(head + 8, (uint32_t)text.len);
	put_word(head + 12, (uint32_t)blob_len);
	if (send_all(fd, head, sizeof head) == 0 && send_all(fd, text.s, text.len) == 0 &&
	    send_all(fd, blob, blob_len) == 0)
		rc = 0;
	else
		ERR(e, ERR_RUNTIME, NULL, "the other process has ended: %s", strerror(errno));
out:
	str_release(&text);
	return rc;
}

int channel_fill(struct channel *c, bool wait)
{
	char buf[CHUNK];
	ssize_t n;

	do
		n = recv(c->fd, buf, sizeof buf, wait ? 0 : MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n <= 0)
		return -1;
	str_addn(&c->in, buf, (size_t)n);
	return 1;
}

static void drop_used(struct channel *c)
{
	if (!c->used)
		return;
	memmove(c->in.s, c->in.s + c->used, c->in.len - c->used);
	c->in.len -= c->used;
	c->used = 0;
}

int channel_next(struct channel *c, struct message *out)
{
	size_t body, blob;

	memset(out, 0, sizeof *out);
	drop_used(c);
	if (c->in.len < HEAD)
		return 0;
	body = word(c->in.s + 8);
	blob = word(c->in.s + 12);
	if (word(c->in.s) != MAGIC || word(c->in.s + 4) >= MESSAGE_COUNT || body > MESSAGE_BODY_MAX ||
	    blob > MESSAGE_BLOB_MAX)
		return -1;
	if (c->in.len < HEAD + body + blob)
		return 0;
	out->type = (enum message_type)word(c->in.s + 4);
	if (json_parse(&out->body, c->in.s + HEAD, body, "message", NULL) < 0)
		return -1;
	if (json_type(out->body) != JSON_OBJECT) {
		message_release(out);
		return -1;
	}
	out->blob = c->in.s + HEAD + body;
	out->blob_len = blob;
	c->used = HEAD + body + blob;
	return 1;
}

int channel_wait(struct channel *c, struct message *out, double seconds)
{
	double until = clock_mono() + seconds;

	for (;;) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		double left = until - clock_mono();
		int rc = channel_next(c, out);

		if (rc)
			return rc;
		if (seconds >= 0 && left <= 0)
			return 0;
		poll(&p, 1, seconds < 0 ? -1 : (int)(left * 1000) + 1);
		if (channel_fill(c, false) < 0)
			return channel_next(c, out) == 1 ? 1 : -1;
	}
}

void channel_release(struct channel *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->used = 0;
	str_release(&c->in);
}

void message_release(struct message *m)
{
	json_free(m->body);
	memset(m, 0, sizeof *m);
}

/* ---- numbers -------------------------------------------------------------------------------------------- */

struct json *json_i64(int64_t v)
{
	char buf[32];

	snprintf(buf, sizeof buf, "%" PRId64, v);
	return json_str(buf);
}

struct json *json_u64(uint64_t v)
{
	char buf[32];

	snprintf(buf, sizeof buf, "%" PRIu64, v);
	return json_str(buf);
}

int64_t json_get_i64(const struct json *object, const char *key)
{
	const char *s = json_string(json_get(object, key));

	return s ? strtoll(s, NULL, 10) : 0;
}

uint64_t json_get_u64(const struct json *object, const char *key)
{
	const char *s = json_string(json_get(object, key));
	uint64_t v = 0;

	return s && str_u64(&v, s) == 0 ? v : 0;
}

double json_get_real(const struct json *object, const char *key)
{
	const struct json *v = json_get(object, key);
	const char *s = json_string(v);

	return s ? strtod(s, NULL) : json_number(v);
}

struct json *json_real(double v)
{
	char buf[32];

	if (!isfinite(v))
		return json_null();
	/* our JSON refuses larger numbers, which may be seeds that lost their last digits */
	return fabs(v) > 9007199254740992.0 ? json_str(str_real(buf, v)) : json_num(v);
}
