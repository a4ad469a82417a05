/* report/spawn.c - see program.h. */
#include "report/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/wait.h>

static void stream(posix_spawn_file_actions_t *actions, int fd, int from, int flags)
{
	if (from < 0)
		posix_spawn_file_actions_addopen(actions, fd, "/dev/null", flags, 0);
	else
		posix_spawn_file_actions_adddup2(actions, from, fd);
}

int spawn_run(const char *const *argv, const char *dir, int in, int out)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	int status, rc;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	if (dir)
		posix_spawn_file_actions_addchdir_np(&actions, dir);
	stream(&actions, 0, in, O_RDONLY);
	stream(&actions, 1, out, O_WRONLY);
	stream(&actions, 2, -1, O_WRONLY);
	rc = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc) {
		errno = rc;
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
