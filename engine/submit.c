/* engine/submit.c - work handed to a running coordinator over a UNIX socket beside the store.
 *
 * The socket is <store>.sock, mode 0600; the other end must belong to the same user. A request is one message with a
 * study document and models; the answer says which runs they became. Whoever asked then follows the store.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/internal.h"
#include "engine/submit.h"

static const double answer_s = 60;
static const int greet_tries = 250, greet_pause_us = 20000; /* a coordinator listens soon after it has the lock */

/* -1 if the path is too long for a socket. */
static int address(struct sockaddr_un *sun, const char *store)
{
	int n;

	memset(sun, 0, sizeof *sun);
	sun->sun_family = AF_UNIX;
	n = snprintf(sun->sun_path, sizeof sun->sun_path, "%s.sock", store);
	return n > 0 && n < (int)sizeof sun->sun_path ? 0 : -1;
}

static bool same_user(int fd)
{
	struct ucred peer;
	socklen_t n = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && peer.uid == geteuid();
}

/* ---- the coordinator's side ----------------------------------------------------------------------------- */

int submit_listen(struct engine *g, struct err *e)
{
	struct sockaddr_un sun;
	mode_t mask;
	int rc;

	(void)e;
	g->listen_fd = -1;
	for (int i = 0; i < CLIENTS; i++)
		g->clients[i].fd = -1;
	if (address(&sun, g->store_path) < 0) {
		engine_note(g, ENGINE_NOTE, "the store's path is too long for a socket: no work can be handed over");
		return 0;
	}
	unlink(sun.sun_path); /* of a coordinator that was killed: we hold the store's lock */
	g->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(077);
	rc = g->listen_fd < 0 ? -1 : bind(g->listen_fd, (struct sockaddr *)&sun, sizeof sun);
	umask(mask);
	if (rc < 0 || listen(g->listen_fd, CLIENTS) < 0) {
		engine_note(g, ENGINE_NOTE, "%s: %s; no work can be handed over", sun.sun_path, strerror(errno));
		if (g->listen_fd >= 0)
			close(g->listen_fd);
		g->listen_fd = -1;
	}
	return 0;
}

int submit_accept(struct engine *g)
{
	int fd = accept4(g->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return 0;
	for (int i = 0; same_user(fd) && i < CLIENTS; i++) {
		if (g->clients[i].fd >= 0)
			continue;
		g->clients[i] = (struct channel){ .fd = fd };
		return 1;
	}
	close(fd);
	return 0;
}

void submit_close(struct engine *g)
{
	struct sockaddr_un sun;

	for (int i = 0; i < CLIENTS; i++)
		channel_release(&g->clients[i]);
	if (g->listen_fd < 0)
		return;
	close(g->listen_fd);
	g->listen_fd = -1;
	if (address(&sun, g->store_path) == 0)
		unlink(sun.sun_path);
}

static struct work *open_work(struct engine *g, const char *name)
{
	for (int i = 0; i < g->n_works; i++)
		if (strcmp(g->works[i]->study.study, name) == 0)
			return g->works[i];
	return NULL;
}

/* The work of a request's study: one that is open already, else opened. */
static int work_of(struct work **out, struct engine *g, const struct json *body, struct arena *a, struct err *e)
{
	const char *kind = json_string(json_get(body, "kind"));
	struct str difference = { 0 };
	struct diag d = { 0 };
	struct study y;
	struct json_in in = { json_get(body, "study"), &d, NULL };
	int rc = study_read(&y, json_get(body, "study"), NULL, NULL, false, a, &in);

	if (rc < 0)
		diag_check(&d, ERR_INVALID, "study", e);
	diag_release(&d);
	if (rc < 0 || !kind)
		return rc < 0 ? -1 : ERR(e, ERR_INVALID, "study", "the kind of work is not said");
	*out = open_work(g, y.study);
	if (!*out) {
		if (work_open(out, g, &y, kind, e) < 0)
			return -1;
		g->works = mem_resize(g->works, (size_t)(g->n_works + 1) * sizeof *g->works);
		g->works[g->n_works++] = *out;
		return 0;
	}
	if (strcmp((*out)->kind, kind) != 0)
		return ERR(e, ERR_INVALID, y.study, "is the name of a study of another kind (%s): give another name",
			   (*out)->kind);
	study_difference(&difference, (*out)->study.doc, y.doc);
	if (difference.len)
		rc = ERR(e, ERR_INVALID, y.study, "runs with another configuration; use another name:\n%s",
			 difference.s);
	str_release(&difference);
	return rc;
}

static int read_graph(struct graph **out, const struct json *item, const char *key, struct arena *a, struct err *e)
{
	struct diag d = { 0 };
	struct json_in in = { json_get(item, key), &d, key };
	int rc = model_read(out, in.root, NULL, NULL, a, &in);

	if (rc < 0)
		diag_check(&d, ERR_INVALID, NULL, e);
	diag_release(&d);
	return rc;
}

static int read_item(struct engine_item *item, const struct json *v, struct arena *a, struct err *e)
{
	double replicates = json_get_real(v, "replicates"), start = json_get_real(v, "start_item");
	struct graph *graph = NULL, *made_from = NULL;

	if (read_graph(&graph, v, "model", a, e) < 0)
		return -1;
	if (json_get(v, "made_from") && read_graph(&made_from, v, "made_from", a, e) < 0)
		return -1;
	*item = (struct engine_item){
		.graph = graph,
		.recipe = json_get(v, "recipe"),
		.label = json_string(json_get(v, "label")),
		.made_from = made_from,
		.change = json_get(v, "change"),
		.replicates = replicates >= 1 && replicates <= 1000 ? (int)replicates : 0,
		.start_run = json_get_i64(v, "start_run"),
		.start_item = start >= 1 && start <= INT_MAX ? (int)start : 0,
		.weights = json_string(json_get(v, "weights")),
		.edits = json_get(v, "edits"),
	};
	return 0;
}

static int take_work(struct engine *g, const struct json *body, struct json *runs, struct err *e)
{
	const struct json *list = json_get(body, "items");
	struct arena *a = arena_new();
	struct engine_item *items = ARENA_ARRAY(a, struct engine_item, json_count(list) + 1);
	int64_t *ids = ARENA_ARRAY(a, int64_t, json_count(list) + 1);
	struct work *w;
	int n = 0, rc = -1;

	TRY(work_of(&w, g, body, a, e));
	JSON_EACH(v, list)
		TRY(read_item(&items[n++], v, a, e));
	TRY(work_add_items(g, w, items, n, ids, e));
	for (int i = 0; i < n; i++)
		json_push(runs, json_i64(ids[i]));
	rc = 0;
out:
	arena_free(a);
	return rc;
}

int submit_serve(struct engine *g, struct channel *c, struct err *e)
{
	struct message m;
	int rc = channel_fill(c, false);

	(void)e;
	if (rc >= 0)
		rc = channel_next(c, &m);
	if (rc < 0) {
		channel_release(c);
		return 0;
	}
	while (rc == 1) {
		struct json *body = json_object(), *runs = json_array();
		struct err bad = { 0 };
		bool ok = m.type == MESSAGE_SUBMIT && take_work(g, m.body, runs, &bad) == 0;

		if (ok) {
			json_put(body, "runs", runs);
		} else {
			json_free(runs);
			json_put(body, "code", json_num(bad.code ? bad.code : ERR_USAGE));
			json_put(body, "where", json_str(bad.where));
			json_put(body, "text", json_str(bad.msg));
		}
		message_send(c->fd, ok ? MESSAGE_ACCEPTED : MESSAGE_REFUSED, body, NULL, 0, NULL);
		message_release(&m);
		rc = channel_next(c, &m);
	}
	return 0;
}

/* ---- the other side ------------------------------------------------------------------------------------- */

static struct json *write_item(const struct engine_item *item)
{
	struct json *v = json_object();
	char full[PATH_MAX];

	json_put(v, "model", model_write(item->graph));
	if (item->recipe)
		json_put(v, "recipe", json_copy(item->recipe));
	if (item->label)
		json_put(v, "label", json_str(item->label));
	if (item->made_from)
		json_put(v, "made_from", model_write(item->made_from));
	if (item->change)
		json_put(v, "change", json_copy(item->change));
	if (item->start_run)
		json_put(v, "start_run", json_i64(item->start_run));
	if (item->start_item)
		json_put(v, "start_item", json_num(item->start_item));
	if (item->weights) /* the other process may be at home in another folder */
		json_put(v, "weights", json_str(realpath(item->weights, full) ? full : item->weights));
	if (item->edits)
		json_put(v, "edits", json_copy(item->edits));
	json_put(v, "replicates", json_num(item->replicates));
	return v;
}

static struct json *request(const struct study *y, const char *kind, const struct engine_item *items, int n)
{
	struct json *body = json_object(), *list = json_array();

	for (int i = 0; i < n; i++)
		json_push(list, write_item(&items[i]));
	json_put(body, "study", json_copy(y->doc));
	json_put(body, "kind", json_str(kind));
	json_put(body, "items", list);
	return body;
}

static int read_answer(struct message *m, int64_t *runs, int n, const char *store, struct err *e)
{
	int rc, i = 0;

	if (m->type == MESSAGE_ACCEPTED) {
		JSON_EACH(v, json_get(m->body, "runs"))
			if (i < n)
				runs[i++] = json_string(v) ? strtoll(json_string(v), NULL, 10) : 0;
		rc = i == n ? 0 : ERR(e, ERR_BUSY, store, "the coordinator took only %d of %d models", i, n);
	} else {
		const char *where = json_string(json_get(m->body, "where")),
			   *text = json_string(json_get(m->body, "text"));
		double code = json_get_real(m->body, "code");

		rc = ERR(e, code == ERR_INVALID ? ERR_INVALID : ERR_BUSY, where, "%s", text ? text : "was refused");
	}
	message_release(m);
	return rc;
}

/* Connects to the coordinator that holds the store: -1 if it does not listen, or has gone. */
static int greet(const char *store)
{
	struct sockaddr_un sun;
	char who[160];

	if (address(&sun, store) < 0)
		return -1;
	for (int i = 0; i < greet_tries && store_holder(store, who, sizeof who); i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			return -1;
		if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0 && same_user(fd))
			return fd;
		close(fd);
		usleep(greet_pause_us);
	}
	return -1;
}

/* 1 if the store is free (a coordinator that closes its socket lets go of the store soon), 0 with an error. */
static int has_gone(const char *store, bool soon, struct err *e)
{
	char who[160];

	for (int i = 0; store_holder(store, who, sizeof who); i++) {
		if (!soon || i == greet_tries)
			return ERR(e, ERR_BUSY, store,
				   "is being written by %s, which takes no work: wait for it, or stop it", who);
		usleep(greet_pause_us);
	}
	return 1;
}

int submit_work(const char *store, const struct study *y, const char *kind, const struct engine_item *items, int n,
		int64_t *runs, struct err *e)
{
	struct channel c = { .fd = greet(store) };
	struct message m;
	int rc;

	if (c.fd < 0)
		return has_gone(store, false, e);
	rc = message_send(c.fd, MESSAGE_SUBMIT, request(y, kind, items, n), NULL, 0, NULL);
	if (rc == 0)
		rc = channel_wait(&c, &m, answer_s);
	if (rc == 1)
		rc = read_answer(&m, runs, n, store, e);
	else if (rc == 0)
		rc = ERR(e, ERR_BUSY, store, "the coordinator that holds the store does not answer");
	else
		rc = has_gone(store, true, e);
	channel_release(&c);
	return rc;
}
