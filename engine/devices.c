/* engine/devices.c - worker processes, one for each device. A worker runs on cores of its own or sees one card only, is
 * in a process group of its own (Ctrl-C reaches the coordinator alone), and is killed by the kernel when the
 * coordinator ends.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "train/backend_cuda_load.h"

extern char **environ;

enum { EARLY_DEATHS = 4, CLIMB_FROM = 4 };

int64_t oom_kills(void)
{
	char line[128];
	long long n = 0;
	FILE *f = fopen("/proc/vmstat", "re");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "oom_kill %lld", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* ---- places --------------------------------------------------------------------------------------------- */

static int assign_cores(struct engine *g, struct device *d, struct err *e)
{
	int number = atoi(strchr(d->name, ':') + 1), n = 0;
	cpu_set_t set;

	d->cores = ARENA_ARRAY(g->arena, int, g->threads);
	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 0; /* it then runs where the system puts it */
	for (int core = 0; core < CPU_SETSIZE; core++) {
		if (!CPU_ISSET(core, &set))
			continue;
		if (n / g->threads == number)
			d->cores[d->n_cores++] = core;
		n++;
	}
	if (d->n_cores < g->threads)
		return ERR(e, ERR_RUNTIME, d->name,
			   "there is no such slot: this process may use %d cores, a slot takes %d; leave \"devices\" "
			   "out to use what is there",
			   n, g->threads);
	return 0;
}

/* By its number among those that this process sees, or by its own name. -1: not there. */
static int find_card(const struct cuda_found *found, const char *name)
{
	const char *which = strchr(name, ':') + 1;

	for (int i = 0; i < found->n_devices; i++)
		if (strcmp(found->device[i].uuid, which) == 0)
			return i;
	return isdigit((unsigned char)which[0]) && atoi(which) < found->n_devices ? atoi(which) : -1;
}

/* A card's own name goes to its worker: numbers mean another thing where other cards are hidden. */
static int assign_card(struct engine *g, struct device *d, const struct cuda_found *found, struct err *e)
{
	int k = find_card(found, d->name);

	if (k < 0)
		return ERR(e, ERR_RUNTIME, d->name, "there is no such device here, but %d other%s: see `nab doctor`",
			   found->n_devices, found->n_devices == 1 ? "" : "s");
	d->visible =
	    found->device[k].uuid[0] ? arena_strdup(g->arena, found->device[k].uuid) : arena_printf(g->arena, "%d", k);
	for (const struct device *o = g->devices; o < d; o++)
		if (o->visible && strcmp(o->visible, d->visible) == 0)
			return ERR(e, ERR_INVALID, d->name, "is the same card as %s", o->name);
	return 0;
}

static struct opt_strs default_cards(const struct cuda_found *found, struct arena *a)
{
	struct opt_strs out = { .v = ARENA_ARRAY(a, const char *, found->n_devices + 1) };

	for (int i = 0; i < found->n_devices; i++)
		if (!found->device[i].too_old)
			out.v[out.n++] = arena_printf(a, "cuda:%d", i);
	return out;
}

/* What is wanted, and whether it is there: before anything is stored. */
static int choose_devices(struct opt_strs *out, struct cuda_found *found, const struct study *y, struct arena *a,
			  struct err *e)
{
	bool none = y->devices.n == 0, card = none && study_kind(y) == DEVICE_CUDA;

	*out = y->devices;
	for (int i = 0; i < out->n; i++)
		card = card || study_device_kind(out->v[i]) == DEVICE_CUDA;
	if (card && cuda_find(found, e) < 0)
		return -1;
	if (none)
		*out = card ? default_cards(found, a) : study_default_devices(y->threads, a);
	return 0;
}

static void add_slots(struct engine *g, struct device *d, const struct study *y)
{
	int cards = y->in_flight ? y->in_flight : STUDY_IN_FLIGHT, n = d->kind == DEVICE_CUDA ? cards : 1;

	d->n_slots = g->conf->lanes ? g->conf->lanes : n;
	d->climb = (struct climb){ .open = d->n_slots < CLIMB_FROM ? d->n_slots : CLIMB_FROM, .most = d->n_slots };
	d->climb.step = d->climb.open;
	g->n_slots += d->n_slots;
}

/* When no device is added any more: slots do not move. */
static void link_slots(struct engine *g)
{
	int n = 0;

	g->slots = ARENA_ARRAY(g->arena, struct slot, g->n_slots);
	for (int i = 0; i < g->n_devices; i++) {
		g->devices[i].slots = &g->slots[n];
		for (int k = 0; k < g->devices[i].n_slots; k++, n++)
			g->slots[n] = (struct slot){ .index = n, .device = &g->devices[i], .loss = (double)NAN };
	}
}

int devices_open(struct engine *g, const struct study *y, struct err *e)
{
	struct cuda_found *found = mem_new(sizeof *found);
	struct opt_strs names;
	int rc = -1;

	g->threads = y->threads;
	TRY(choose_devices(&names, found, y, g->arena, e));
	g->devices = ARENA_ARRAY(g->arena, struct device, names.n);
	for (int i = 0; i < names.n; i++) {
		struct device *d = &g->devices[i];

		*d = (struct device){ .name = arena_strdup(g->arena, names.v[i]),
				      .kind = study_device_kind(names.v[i]),
				      .channel = { .fd = -1 } };
		TRY(d->kind == DEVICE_CUDA ? assign_card(g, d, found, e) : assign_cores(g, d, e));
		add_slots(g, d, y);
		g->n_devices++;
	}
	link_slots(g);
	rc = 0;
out:
	mem_free(found);
	return rc;
}

/* ---- starting and ending -------------------------------------------------------------------------------- */

static bool replaced(const char *variable)
{
	static const char *const names[] = { "OMP_NUM_THREADS=", "CUDA_VISIBLE_DEVICES=" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* A worker of a card sees this one alone, as number 0. */
static char **environment(struct engine *g, const struct device *d)
{
	char **env;
	int n = 0, k = 0;

	while (environ[n])
		n++;
	env = mem_new((size_t)(n + 3) * sizeof *env);
	for (int i = 0; i < n; i++)
		if (!replaced(environ[i]))
			env[k++] = environ[i];
	env[k++] = arena_printf(g->arena, "OMP_NUM_THREADS=%d", g->threads);
	if (d->kind == DEVICE_CUDA)
		env[k++] = arena_printf(g->arena, "CUDA_VISIBLE_DEVICES=%s", d->visible);
	env[k] = NULL;
	return env;
}

static int spawn(struct engine *g, struct device *d, int fd, struct err *e)
{
	char *argv[] = { (char *)(uintptr_t)g->conf->program, (char *)(uintptr_t) "worker", NULL };
	short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	char **env = environment(g, d);
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&files, fd, 3);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_setflags(&attr, flags);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	rc = posix_spawn(&d->pid, g->conf->program, &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	mem_free(env);
	return rc ? ERR(e, ERR_RUNTIME, g->conf->program, "a worker cannot be started: %s", strerror(rc)) : 0;
}

static struct json *setup_body(const struct device *d)
{
	struct json *body = json_object(), *cores = json_array();

	for (int i = 0; i < d->n_cores; i++)
		json_push(cores, json_num(d->cores[i]));
	json_put(body, "device", json_str(d->name));
	json_put(body, "cores", cores);
	json_put(body, "lanes", json_num(d->n_slots));
	if (d->kind == DEVICE_CUDA)
		json_put(body, "probe", json_str(device_kind_names[d->kind]));
	return body;
}

static bool has_pinned(const struct engine *g, const struct device *d)
{
	for (int i = 0; i < g->n_works; i++)
		for (int k = g->works[i]->settled; k < g->works[i]->n; k++) {
			const struct candidate *c = g->works[i]->candidates[k];

			if (c->device && strcmp(c->device, d->name) == 0 && !candidate_final(c))
				return true;
		}
	return false;
}

/* A card that does not come up any more leaves its runs to the others. */
static int give_up(struct engine *g, struct device *d, struct err *e)
{
	char text[400];

	snprintf(text, sizeof text, "its worker ended %d times before it was ready%s%s; see `nab doctor`",
		 d->early_deaths, d->why[0] ? ": " : "", d->why);
	d->gone = true;
	for (int i = 0; i < g->n_devices && !has_pinned(g, d); i++) {
		if (g->devices[i].gone || g->devices[i].kind != d->kind)
			continue;
		engine_note(g, ENGINE_NOTE, "%s: %s; the others go on without it", d->name, text);
		return 0;
	}
	return ERR(e, ERR_RUNTIME, d->name, "%s", text);
}

int device_start(struct engine *g, struct device *d, struct err *e)
{
	int pair[2];

	if (d->early_deaths >= EARLY_DEATHS)
		return give_up(g, d, e);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return ERR(e, ERR_RUNTIME, d->name, "no socket for a worker: %s", strerror(errno));
	if (spawn(g, d, pair[1], e) < 0) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	close(pair[1]);
	d->channel = (struct channel){ .fd = pair[0] };
	d->state = DEVICE_STARTING;
	d->heard = clock_mono();
	d->silent = false;
	d->why[0] = 0;
	/* a worker that ends at once is noticed when its socket is read */
	message_send(d->channel.fd, MESSAGE_SETUP, setup_body(d), NULL, 0, NULL);
	return 0;
}

void slot_stop(struct slot *s)
{
	struct json *body = json_object();

	s->stopping = true;
	json_put(body, "attempt", json_i64(s->attempt.id));
	message_send(s->device->channel.fd, MESSAGE_STOP, body, NULL, 0, NULL);
}

void device_kill(struct device *d)
{
	if (d->state != DEVICE_DOWN)
		kill(d->pid, SIGKILL);
}

int device_reap(struct device *d)
{
	int status = 0;

	kill(d->pid, SIGKILL); /* its socket may have closed before it has ended */
	while (waitpid(d->pid, &status, 0) < 0 && errno == EINTR)
		;
	channel_release(&d->channel);
	d->state = DEVICE_DOWN;
	return status;
}

void devices_close(struct engine *g)
{
	for (int i = 0; i < g->n_devices; i++)
		device_kill(&g->devices[i]);
	for (int i = 0; i < g->n_devices; i++)
		if (g->devices[i].state != DEVICE_DOWN)
			device_reap(&g->devices[i]);
}
