/* engine/slot.c - worker processes, one for each device slot. A worker runs on cores of its own, in a process group of
 * its own (Ctrl-C reaches the coordinator alone), and is killed by the kernel when the coordinator ends.
 */
#include <errno.h>
#include <fcntl.h>
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

extern char **environ;

enum { EARLY_DEATHS = 4 };

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

static int assign_cores(struct engine *g, struct slot *s, struct err *e)
{
	int number = atoi(strchr(s->device, ':') + 1), n = 0;
	cpu_set_t set;

	if (strncmp(s->device, "cpu:", 4) != 0)
		return 0;
	s->cores = ARENA_ARRAY(g->arena, int, g->threads);
	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 0; /* it then runs where the system puts it */
	for (int core = 0; core < CPU_SETSIZE; core++) {
		if (!CPU_ISSET(core, &set))
			continue;
		if (n / g->threads == number)
			s->cores[s->n_cores++] = core;
		n++;
	}
	if (s->n_cores < g->threads)
		return ERR(e, ERR_RUNTIME, s->device,
			   "there is no such slot: this process may use %d cores, a slot takes %d; leave \"devices\" "
			   "out to use what is there",
			   n, g->threads);
	return 0;
}

int slots_open(struct engine *g, const struct study *y, struct err *e)
{
	struct opt_strs devices = y->devices;

	g->threads = y->threads;
	if (!devices.n)
		devices = study_default_devices(y->threads, g->arena);
	g->slots = ARENA_ARRAY(g->arena, struct slot, devices.n);
	g->n_slots = devices.n;
	for (int i = 0; i < devices.n; i++) {
		g->slots[i] = (struct slot){ .index = i, .device = arena_strdup(g->arena, devices.v[i]) };
		g->slots[i].channel.fd = -1;
		if (assign_cores(g, &g->slots[i], e) < 0)
			return -1;
	}
	return 0;
}

/* ---- starting and ending -------------------------------------------------------------------------------- */

static char **environment(struct engine *g)
{
	char **env;
	int n = 0, k = 0;

	while (environ[n])
		n++;
	env = mem_new((size_t)(n + 2) * sizeof *env);
	for (int i = 0; i < n; i++)
		if (strncmp(environ[i], "OMP_NUM_THREADS=", 16) != 0)
			env[k++] = environ[i];
	env[k] = arena_printf(g->arena, "OMP_NUM_THREADS=%d", g->threads);
	return env;
}

static int spawn(struct engine *g, pid_t *pid, int fd, struct err *e)
{
	char *argv[] = { (char *)(uintptr_t)g->conf->program, (char *)(uintptr_t) "worker", NULL };
	short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	char **env = environment(g);
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
	rc = posix_spawn(pid, g->conf->program, &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	mem_free(env);
	return rc ? ERR(e, ERR_RUNTIME, g->conf->program, "a worker cannot be started: %s", strerror(rc)) : 0;
}

static struct json *setup_body(const struct slot *s)
{
	struct json *body = json_object(), *cores = json_array();

	for (int i = 0; i < s->n_cores; i++)
		json_push(cores, json_num(s->cores[i]));
	json_put(body, "device", json_str(s->device));
	json_put(body, "cores", cores);
	return body;
}

int slot_start(struct engine *g, struct slot *s, struct err *e)
{
	int pair[2];

	if (s->early_deaths >= EARLY_DEATHS)
		return ERR(e, ERR_RUNTIME, s->device, "its worker ended %d times before it was ready; see `nab doctor`",
			   s->early_deaths);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return ERR(e, ERR_RUNTIME, s->device, "no socket for a worker: %s", strerror(errno));
	if (spawn(g, &s->pid, pair[1], e) < 0) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	close(pair[1]);
	s->channel = (struct channel){ .fd = pair[0] };
	s->state = SLOT_STARTING;
	s->heard = clock_mono();
	s->stopping = s->silent = false;
	/* a worker that ends at once is noticed when its socket is read */
	message_send(s->channel.fd, MESSAGE_SETUP, setup_body(s), NULL, 0, NULL);
	return 0;
}

void slot_kill(struct slot *s)
{
	if (s->state != SLOT_DOWN)
		kill(s->pid, SIGKILL);
}

int slot_reap(struct slot *s)
{
	int status = 0;

	kill(s->pid, SIGKILL); /* its socket may have closed before it has ended */
	while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
		;
	channel_release(&s->channel);
	s->state = SLOT_DOWN;
	return status;
}

void slots_close(struct engine *g)
{
	for (int i = 0; i < g->n_slots; i++)
		slot_kill(&g->slots[i]);
	for (int i = 0; i < g->n_slots; i++)
		if (g->slots[i].state != SLOT_DOWN)
			slot_reap(&g->slots[i]);
}
