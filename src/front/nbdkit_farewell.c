/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "front/nbdkit_farewell.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_MS 100 /* a connection may have been on its way in: look once more */
#define PATIENCE_MS 5000
#define SIGNALS 3

static const int signals[SIGNALS] = {SIGTERM, SIGINT, SIGQUIT};
static struct sigaction before[SIGNALS]; /* nbdkit's */
static pthread_t thread;
static int event = -1; /* readable: told to end, or stopped */
static _Atomic bool stopped;
static void (*give_up)(void);

static void tell_thread(void)
{
    uint64_t one = 1;
    ssize_t written = write(event, &one, sizeof one);
    (void)written; /* never full; nobody to tell if it were */
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int error = errno;

    tell_thread();
    for (int i = 0; i < SIGNALS; i++) {
        if (signals[i] != number)
            continue;
        if (before[i].sa_flags & SA_SIGINFO)
            before[i].sa_sigaction(number, info, context);
        else if (before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN)
            before[i].sa_handler(number);
    }
    errno = error;
}

static bool is_connected(int fd)
{
    struct sockaddr_storage peer;
    socklen_t peer_bytes = sizeof peer, type_bytes = sizeof(int);
    int type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_bytes) == 0 && type == SOCK_STREAM &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_bytes) == 0;
}

/* `how` as for shutdown(2). */
static void shut_connections(int how)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;

    if (!folder)
        return;
    while ((entry = readdir(folder))) {
        int fd = atoi(entry->d_name); /* "." and "..": 0, which may be a connection too */
        if (is_connected(fd))
            shutdown(fd, how);
    }
    closedir(folder);
}

/* nbdkit 1.32, cut off while several of its threads write to a client, ends by an assertion. All is
 * done by then. */
static void end_as_told(int number)
{
    (void)number;
    _exit(0);
}

static void *wait_for_the_end(void *arg)
{
    struct pollfd told = {.fd = event, .events = POLLIN};

    while (poll(&told, 1, -1) < 0 && errno == EINTR)
        ;
    for (int ms = 0; !stopped && ms < PATIENCE_MS; ms += AGAIN_MS) {
        shut_connections(SHUT_RD);
        poll(NULL, 0, AGAIN_MS);
    }
    if (!stopped) {
        give_up();
        signal(SIGABRT, end_as_told);
    }
    while (!stopped) {
        shut_connections(SHUT_RDWR);
        poll(NULL, 0, AGAIN_MS);
    }
    return arg;
}

/* Signals are for nbdkit's own threads: this one takes none. */
static int start_thread(void)
{
    sigset_t all, mask;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    error = pthread_create(&thread, NULL, wait_for_the_end, NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return error;
}

int farewell_start(void (*when_given_up)(void))
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    int error;

    give_up = when_given_up;
    event = eventfd(0, EFD_CLOEXEC);
    if (event < 0)
        return errno;
    error = start_thread();
    if (error != 0) {
        close(event);
        event = -1;
        return error;
    }
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], NULL, &before[i]); /* known before the handler may need it */
        if (before[i].sa_flags & SA_SIGINFO || before[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
    return 0;
}

void farewell_stop(void)
{
    if (event < 0)
        return;
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &before[i], NULL); /* the plugin's code goes away */
    stopped = true;
    tell_thread();
    pthread_join(thread, NULL);
    close(event);
    event = -1;
}
