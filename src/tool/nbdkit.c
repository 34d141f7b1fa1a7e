/* SPDX-License-Identifier: BSD-3-Clause */
/* nbdkit.c - see nbdkit.h. */
#include "tool/nbdkit.h"

#include "media/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/socket.h"
#include "tool/supervise.h"

#define HANDED_FD 3 /* where socket activation expects the first descriptor */
#define ARGS_MAX 32u
#define STOP_MS_MAX 30000 /* clients are given five seconds, then the device is closed */
#define STOP_LOOK_MS 20

const char *nbdkit_parse_address(struct tool *tool, const char *text)
{
    if (strncmp(text, "unix:", 5) == 0 && text[5] != '\0')
        return text + 5;
    (void)tool_usage(tool, "not an address to serve at", text, "write unix:PATH");
    return NULL;
}

/* An absolute path, so that it also holds for a daemon, whose folder is /. The caller frees. */
static char *absolute(const char *path)
{
    char folder[PATH_MAX];
    char *made = NULL;

    if (path[0] == '/' || getcwd(folder, sizeof folder) == NULL)
        return tool_made(strdup(path));
    if (asprintf(&made, "%s/%s", folder, path) < 0)
        tool_made(NULL);
    return made;
}

/* The same for what may be a stack of media. */
static char *absolute_drive(const char *text)
{
    char folder[PATH_MAX];

    if (getcwd(folder, sizeof folder) == NULL)
        return tool_made(strdup(text));
    return tool_made(stack_absolute(text, folder));
}

/* Next to this program (a build folder), or where nbdkit keeps its plugins. The caller frees. */
static char *find_plugin(const char *name)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *made = NULL;

    if (n > 0) {
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        if (asprintf(&made, "%s/%s", self, name) < 0)
            tool_made(NULL);
        if (access(made, R_OK) == 0)
            return made;
        free(made);
    }
    if (asprintf(&made, "%s/%s", TOOL_PLUGIN_DIR, name) < 0)
        tool_made(NULL);
    if (access(made, R_OK) == 0)
        return made;
    free(made);
    return NULL;
}

static void print_ready(const struct tool *tool, const struct nbdkit_service *service,
                        const char *socket, pid_t pid)
{
    char uri[512];

    if (!socket_uri(socket, uri, sizeof uri))
        return;
    if (tool->output == TOOL_JSON) {
        json_t *data = tool_made(json_object());

        tool_put(data, "drive", tool_text(service->drive));
        tool_put(data, "socket", tool_text(socket));
        tool_put(data, "uri", json_string(uri));
        tool_put(data, "pid", json_integer(pid));
        tool_put(data, "read_only", json_boolean(service->read_only));
        tool_print_json(tool, "data", data);
    } else if (!tool->quiet) {
        printf("serving %s at %s\n", service->drive, uri);
        (void)fflush(stdout);
    }
}

/* Leaves a process behind that tells when the server greets. It is nobody's child, because nbdkit
 * would not wait for it. */
static void send_herald(const struct tool *tool, const struct nbdkit_service *service,
                        const char *socket, int listening)
{
    pid_t server = getpid();
    pid_t child;

    (void)fflush(stdout);
    child = fork();
    if (child > 0)
        (void)waitpid(child, NULL, 0);
    if (child != 0)
        return; /* without a herald the server runs all the same */
    if (fork() != 0)
        _exit(0);
    int fd = socket_connect(socket);
    (void)close(listening); /* a herald that held it would not see the server go */
    if (fd >= 0 && socket_greeted(fd))
        print_ready(tool, service, socket, server);
    _exit(0);
}

/* Replaces this process. Returns when that failed, with errno. */
static void become(const struct nbdkit_service *service, const char *const paths[3], int listening)
{
    const char *args[ARGS_MAX] = {"nbdkit", "--foreground", "--log=stderr"};
    unsigned n = 3;
    char pid[24];
    char *drive = NULL;
    char *socket = NULL;

    if (service->read_only)
        args[n++] = "--readonly";
    args[n++] = paths[0];
    if (asprintf(&drive, "drive=%s", paths[1]) < 0 || asprintf(&socket, "socket=%s", paths[2]) < 0)
        tool_made(NULL);
    args[n++] = drive;
    if (service->removes_socket)
        args[n++] = socket;
    for (unsigned i = 0; i < NBDKIT_CONFIG_MAX && service->config[i] != NULL; i++)
        args[n++] = service->config[i];
    args[n] = NULL;

    /* dup2 to itself would keep the descriptor closing on exec. */
    if (listening == HANDED_FD)
        (void)fcntl(HANDED_FD, F_SETFD, 0);
    else
        (void)dup2(listening, HANDED_FD);
    (void)snprintf(pid, sizeof pid, "%ld", (long)getpid());
    (void)setenv("LISTEN_PID", pid, 1);
    (void)setenv("LISTEN_FDS", "1", 1);
    (void)execvp("nbdkit", (char *const *)(uintptr_t)args);
    free(socket);
    free(drive);
}

static int exec_failed(const struct tool *tool, int err)
{
    return tool_fail(tool, &(struct failure){
                               tool_status_of_errno(err),
                               err == ENOENT ? "nbdkit is not installed" : strerror(err),
                               "nbdkit",
                               "apt-get install nbdkit",
                           });
}

/* What the supervisor's callbacks need. */
struct errand {
    const struct tool *tool;
    const struct nbdkit_service *service;
    const char *const *paths; /* plugin, drive, socket */
    int listening;
};

static void become_in_child(void *arg)
{
    const struct errand *e = arg;

    become(e->service, e->paths, e->listening);
    (void)exec_failed(e->tool, errno);
}

static void tell_ready(void *arg)
{
    const struct errand *e = arg;

    if (!e->service->daemon) /* there, the process that was started tells */
        print_ready(e->tool, e->service, e->paths[2], getpid());
}

/* Serves until the end, as this process's own errand: an exit code. */
static int keep_serving(const struct tool *tool, const struct nbdkit_service *service,
                        const char *const paths[3], int listening)
{
    struct errand errand = {tool, service, paths, listening};
    const struct supervised supervised = {
        .tool = tool,
        .name = paths[1],
        .socket = paths[2],
        .untold = service->daemon,
        .become = become_in_child,
        .ready = tell_ready,
        .arg = &errand,
    };

    return supervise(&supervised, listening);
}

/* True: messages go to the log, or there is none. */
static bool redirect_log(const char *log)
{
    int fd;

    if (log == NULL)
        return true;
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    (void)dup2(fd, STDERR_FILENO);
    (void)close(fd);
    return true;
}

static int log_failed(const struct tool *tool, const struct nbdkit_service *service)
{
    return tool_fail(tool, &(struct failure){
                               tool_status_of_errno(errno),
                               "cannot write the log",
                               service->log,
                               strerror(errno),
                           });
}

/* Copies what the daemon says until it is ready or gone. */
static void relay(int from)
{
    char text[512];
    ssize_t n;

    while ((n = read(from, text, sizeof text)) > 0)
        (void)!write(STDERR_FILENO, text, (size_t)n);
}

/*
 * Who was to be told cannot hear that there is a daemon, nor which: better there is none. Its end
 * is awaited, so that the exit code holds; a daemon that takes too long is said to be there.
 */
static void take_back(const struct tool *tool, pid_t daemon)
{
    (void)kill(daemon, SIGTERM);
    for (int ms = 0; ms < STOP_MS_MAX && kill(daemon, 0) == 0; ms += STOP_LOOK_MS)
        (void)poll(NULL, 0, STOP_LOOK_MS);
    fprintf(stderr, "hostftl: %s: nobody can be told that the server is ready: %s (pid %ld)\n",
            tool->verb, kill(daemon, 0) == 0 ? "it is still being stopped" : "it was stopped",
            (long)daemon);
}

/* In the process that was started: waits for the daemon's greeting. */
static int await_daemon(const struct tool *tool, const struct nbdkit_service *service,
                        const char *socket, pid_t child, int messages)
{
    struct pollfd fds[2] = {{.fd = messages, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    char text[512];

    fds[1].fd = socket_connect(socket);
    while (fds[1].fd >= 0) {
        fds[1].revents = 0;
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if ((fds[0].revents & POLLIN) != 0) {
            ssize_t n = read(messages, text, sizeof text);
            (void)!write(STDERR_FILENO, text, n > 0 ? (size_t)n : 0);
        } else if ((fds[0].revents & POLLHUP) != 0) {
            fds[0].fd = -1;
        }
        if (fds[1].revents == 0)
            continue;
        bool greeted = socket_greeted(fds[1].fd);
        (void)close(fds[1].fd);
        if (greeted) {
            print_ready(tool, service, socket, child);
            if (ferror(stdout) == 0)
                return TOOL_OK;
            take_back(tool, child);
            return TOOL_FAILED;
        }
        fds[1].fd = socket_connect(socket); /* refused, unless the server is started again */
    }
    relay(messages);
    (void)unlink(socket);
    return tool_fail(tool, &(struct failure){
                               HFTL_IO,
                               "the server ended before it was ready",
                               service->drive,
                               service->log == NULL ? "see the messages above" : "see the log",
                           });
}

/*
 * Never returns. Forks once more, because nbdkit ends when its parent does (it asks the kernel to
 * be told so when it is handed a socket): its parent has to be gone before. The pid comes first in
 * the pipe, messages after it.
 */
static _Noreturn void be_daemon(const struct tool *tool, const struct nbdkit_service *service,
                                const char *const paths[3], int listening, int messages)
{
    pid_t session = setsid();
    pid_t pid = fork();
    if (pid != 0)
        _exit(0);
    while (getppid() == session)
        (void)usleep(100);
    pid = getpid();
    (void)!write(messages, &pid, sizeof pid);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO);
    /* Without a log, what it says after the start goes nowhere: the pipe's reader is gone then. */
    (void)dup2(messages, STDERR_FILENO);
    if (!redirect_log(service->log))
        _exit(log_failed(tool, service));
    (void)!chdir("/");
    if (service->restart)
        _exit(keep_serving(tool, service, paths, listening));
    become(service, paths, listening);
    _exit(exec_failed(tool, errno));
}

static int serve_as_daemon(const struct tool *tool, const struct nbdkit_service *service,
                           const char *const paths[3], int listening)
{
    int pipes[2];

    (void)fflush(NULL);
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return exec_failed(tool, errno);
    pid_t child = fork();
    if (child < 0)
        return exec_failed(tool, errno);
    if (child == 0)
        be_daemon(tool, service, paths, listening, pipes[1]);
    (void)waitpid(child, NULL, 0);
    (void)close(pipes[1]);
    (void)close(listening);
    if (read(pipes[0], &child, sizeof child) != (ssize_t)sizeof child)
        return exec_failed(tool, EAGAIN);
    return await_daemon(tool, service, paths[2], child, pipes[0]);
}

static int serve_here(const struct tool *tool, const struct nbdkit_service *service,
                      const char *const paths[3], int listening)
{
    if (!redirect_log(service->log))
        return log_failed(tool, service);
    if (service->restart) {
        /* As nbdkit itself does when it is handed a socket. */
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        return keep_serving(tool, service, paths, listening);
    }
    send_herald(tool, service, paths[2], listening);
    become(service, paths, listening);
    int err = errno;
    (void)close(listening);
    (void)unlink(paths[2]);
    return exec_failed(tool, err);
}

int nbdkit_serve(const struct tool *tool, const struct nbdkit_service *service)
{
    enum hftl_status status;
    char why[TOOL_WHY_BYTES] = "";
    int code;
    char *plugin = find_plugin(service->plugin);
    char *drive = absolute_drive(service->drive);
    char *socket = absolute(service->socket);
    const char *const paths[3] = {plugin, drive, socket};

    if (plugin == NULL) {
        code = tool_fail(tool, &(struct failure){
                                   HFTL_ABSENT,
                                   "nbdkit's plugin is not there",
                                   service->plugin,
                                   "it belongs next to this program or into " TOOL_PLUGIN_DIR,
                               });
        goto done;
    }
    int listening = socket_listen(socket, &status, why, sizeof why);
    if (listening < 0) {
        code = tool_fail(tool, &(struct failure){status, why, service->socket, NULL});
        goto done;
    }
    tool_note(tool, "nbdkit %s drive=%s", plugin, drive);
    code = service->daemon ? serve_as_daemon(tool, service, paths, listening)
                           : serve_here(tool, service, paths, listening);
done:
    free(socket);
    free(drive);
    free(plugin);
    return code;
}
