/* SPDX-License-Identifier: BSD-3-Clause */
/* supervise.c - see supervise.h. */
#include "tool/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tool/socket.h"

#define KNOCK_AGAIN_MS 100 /* the socket's queue is full, or the server went while it greeted */

/* One run of supervise(). */
struct watch {
    const struct supervised *what;
    int signals;    /* signalfd */
    sigset_t mask;  /* what was blocked before: the server's */
    pid_t server;   /* 0: none */
    int herald;     /* a connection that waits for the greeting, or -1 */
    bool ready;     /* this server greeted */
    bool was_ready; /* one of them did */
    bool asked;     /* to stop */
    int status;     /* how the last server ended */
    int64_t started_ms;
    int64_t restarts_ms[SUPERVISE_RESTARTS_MAX]; /* when; a ring */
    unsigned restart_count;
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Always, not only with -v: it is what an operator looks for in the log. */
static void say(const struct watch *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(const struct watch *w, const char *format, ...)
{
    char line[512];
    va_list list;

    va_start(list, format);
    (void)vsnprintf(line, sizeof line, format, list);
    va_end(list);
    fprintf(stderr, "hostftl: %s: %s: %s\n", w->what->tool->verb, w->what->name, line);
}

/* ---- signals --------------------------------------------------------------------------------- */

/* From here on they come through a descriptor. Who started us with nohup(1) gets what that says. */
static bool take_signals(struct watch *w)
{
    struct sigaction hangup;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(&set, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN); /* a daemon's messages have no reader later on */
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, the kernel would throw the server's end away */
    if (sigprocmask(SIG_BLOCK, &set, &w->mask) != 0)
        return false;
    w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return w->signals >= 0;
}

/* A hangup goes on as SIGTERM: nbdkit would die of it, and not close the device. */
static void obey_signals(struct watch *w)
{
    struct signalfd_siginfo signal;

    while (read(w->signals, &signal, sizeof signal) == (ssize_t)sizeof signal) {
        if (signal.ssi_signo == SIGCHLD)
            continue;
        w->asked = true;
        if (w->server > 0)
            (void)kill(w->server, SIGTERM);
    }
    if (w->server > 0 && waitpid(w->server, &w->status, WNOHANG) == w->server)
        w->server = 0;
}

/* ---- one server's life ----------------------------------------------------------------------- */

static _Noreturn void be_server(const struct watch *w, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(TOOL_FAILED);
    /* A terminal that goes away tells everybody in it: the server hears of it from its parent. */
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &w->mask, NULL);
    w->what->become(w->what->arg);
    _exit(SUPERVISE_NO_EXEC);
}

static bool start(struct watch *w)
{
    pid_t parent = getpid();

    (void)fflush(NULL);
    w->ready = false;
    w->started_ms = now_ms();
    w->server = fork();
    if (w->server == 0)
        be_server(w, parent);
    if (w->server < 0)
        w->server = 0;
    return w->server > 0;
}

static void hang_up(struct watch *w)
{
    if (w->herald >= 0)
        (void)close(w->herald);
    w->herald = -1;
}

static void hear_greeting(struct watch *w)
{
    bool greeted = socket_greeted(w->herald);

    hang_up(w);
    if (!greeted)
        return; /* the server is about to be gone, which SIGCHLD tells */
    w->ready = true;
    if (w->was_ready)
        say(w, "ready again after %lld ms", (long long)(now_ms() - w->started_ms));
    else
        w->what->ready(w->what->arg);
    w->was_ready = true;
}

/* Until this server has ended. */
static void watch(struct watch *w)
{
    struct pollfd fds[2] = {{.fd = w->signals, .events = POLLIN}, {.events = POLLIN}};
    bool knock = true;

    while (w->server > 0) {
        if (knock && !w->ready && w->herald < 0)
            w->herald = socket_connect_now(w->what->socket);
        knock = false;
        fds[1].fd = w->herald;
        int n = poll(fds, 2, w->ready || w->herald >= 0 ? -1 : KNOCK_AGAIN_MS);
        if (n == 0)
            knock = true;
        if (n > 0 && fds[1].fd >= 0 && fds[1].revents != 0)
            hear_greeting(w);
        obey_signals(w);
    }
    hang_up(w);
}

/* ---- what comes after its end ---------------------------------------------------------------- */

static void describe(int status, char *text, size_t bytes)
{
    if (WIFSIGNALED(status))
        (void)snprintf(text, bytes, "the server was ended by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    else
        (void)snprintf(text, bytes, "the server ended with exit code %d", WEXITSTATUS(status));
}

/* nbdkit that ends with 0 has closed the device. */
static const char *consequence(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? "unasked; nothing is lost"
               : "writes that were not flushed are lost, as in a crash; what was flushed is safe";
}

static int stopped(const struct watch *w)
{
    char how[128];

    if (WIFEXITED(w->status) && WEXITSTATUS(w->status) == 0)
        return TOOL_OK;
    if (!w->ready && WIFSIGNALED(w->status) && WTERMSIG(w->status) == SIGTERM)
        return TOOL_OK; /* it was stopped before it could take it in */
    describe(w->status, how, sizeof how);
    say(w, "%s while it was stopping: %s", how, consequence(w->status));
    return TOOL_FAILED;
}

static int not_started(const struct watch *w)
{
    if (w->was_ready) {
        say(w, "the server could not be started again, see the messages above: given up");
        return TOOL_FAILED;
    }
    if (w->what->untold || WEXITSTATUS(w->status) == SUPERVISE_NO_EXEC)
        return TOOL_FAILED;
    return tool_fail(w->what->tool, &(struct failure){
                                        HFTL_IO,
                                        "the server ended before it was ready",
                                        w->what->name,
                                        "see the messages above",
                                    });
}

/* Says what happened. False: it happened too often. */
static bool may_restart(struct watch *w)
{
    int64_t now = now_ms();
    unsigned slot = w->restart_count % SUPERVISE_RESTARTS_MAX;
    unsigned recent = 0;
    char how[128];

    describe(w->status, how, sizeof how);
    for (unsigned i = 0; i < SUPERVISE_RESTARTS_MAX && i < w->restart_count; i++)
        recent += now - w->restarts_ms[i] < SUPERVISE_SECONDS * 1000;
    if (recent == SUPERVISE_RESTARTS_MAX) {
        say(w, "%s: %s", how, consequence(w->status));
        say(w, "the server was started again %u times within %d seconds: given up", recent,
            SUPERVISE_SECONDS);
        return false;
    }
    w->restarts_ms[slot] = now;
    w->restart_count++;
    say(w, "%s: %s; starting it again (%u of at most %u in %d seconds)", how,
        consequence(w->status), recent + 1, SUPERVISE_RESTARTS_MAX, SUPERVISE_SECONDS);
    return true;
}

int supervise(const struct supervised *what, int listening)
{
    struct watch w = {.what = what, .signals = -1, .herald = -1};
    int code = -1;

    if (!take_signals(&w))
        code = tool_fail(what->tool,
                         &(struct failure){tool_status_of_errno(errno), "cannot wait for signals",
                                           NULL, strerror(errno)});
    while (code < 0) {
        if (!start(&w)) {
            code = tool_fail(what->tool,
                             &(struct failure){tool_status_of_errno(errno),
                                               "cannot start a process", NULL, strerror(errno)});
            break;
        }
        watch(&w);
        if (w.asked)
            code = stopped(&w);
        else if (WIFEXITED(w.status) && !w.ready)
            code = not_started(&w);
        else if (!may_restart(&w))
            code = TOOL_FAILED;
    }
    /* While it is still listened to, nobody else can have put another one there. */
    (void)unlink(what->socket);
    (void)close(listening);
    if (w.signals >= 0)
        (void)close(w.signals);
    return code;
}
