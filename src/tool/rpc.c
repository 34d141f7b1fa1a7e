/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc.c - see rpc.h. */
#include "tool/rpc.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <hostftl/observe.h>

#include "tool/socket.h"

#define DIALS_PER_SECOND 20

struct rpc_link {
    int fd;
    FILE *in;
    char *line;
    size_t line_room;
    json_int_t id;
    char path[PATH_MAX];
};

static struct rpc_link *refuse(const struct tool *tool, enum hftl_status status, const char *what,
                               const char *where, const char *todo)
{
    (void)tool_fail(tool, &(struct failure){status, what, where, todo});
    return NULL;
}

/* Why there is no connection, in a way that says what to do. */
static struct rpc_link *not_connected(const struct tool *tool, const char *device, const char *path,
                                      int err)
{
    char todo[PATH_MAX + 96];

    if (err == ENOENT || err == ECONNREFUSED) {
        (void)snprintf(todo, sizeof todo, "start it: 'hostftl serve %s --nbd unix:SOCKET'", device);
        return refuse(tool, HFTL_ABSENT, "nobody serves this device", device, todo);
    }
    if (err == EACCES || err == EPERM)
        return refuse(tool, HFTL_FORBIDDEN, "the management socket refuses", path,
                      "it is for the user who serves the device");
    return refuse(tool, tool_status_of_errno(err), strerror(err), path, NULL);
}

/* The place of the socket; false after a complaint. */
static bool find_socket(const struct tool *tool, const char *device, const char *socket, char *path,
                        size_t path_bytes)
{
    enum hftl_status status;

    if (socket != NULL) {
        (void)snprintf(path, path_bytes, "%s", socket);
        return true;
    }
    status = hftl_rpc_path(device, path, path_bytes);
    if (status == HFTL_OK)
        return true;
    if (status == HFTL_RANGE)
        (void)refuse(tool, status, "the path of its management socket would be too long", device,
                     "serve it with --rpc PATH, and give the same here");
    else
        (void)refuse(tool, status, hftl_status_text(status), device, NULL);
    return false;
}

/* A server with a queue of clients before the door is given time. */
static int dial(const char *path)
{
    static const struct timespec pause = {.tv_nsec = 1000000000 / DIALS_PER_SECOND};
    int fd = socket_connect_now(path);

    for (int i = 0; fd < 0 && errno == EAGAIN && i < RPC_PATIENCE_SECONDS * DIALS_PER_SECOND; i++) {
        (void)nanosleep(&pause, NULL);
        fd = socket_connect_now(path);
    }
    return fd;
}

struct rpc_link *rpc_connect(const struct tool *tool, const char *device, const char *socket)
{
    static const struct timeval patience = {.tv_sec = RPC_PATIENCE_SECONDS};
    struct rpc_link *link = tool_made(calloc(1, sizeof *link));

    if (!find_socket(tool, device, socket, link->path, sizeof link->path)) {
        free(link);
        return NULL;
    }
    link->fd = dial(link->path);
    if (link->fd < 0) {
        (void)not_connected(tool, device, link->path, errno);
        free(link);
        return NULL;
    }
    (void)setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(link->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    link->in = tool_made(fdopen(link->fd, "r"));
    return link;
}

void rpc_close(struct rpc_link *link)
{
    if (link == NULL)
        return;
    (void)fclose(link->in);
    free(link->line);
    free(link);
}

static bool send_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes += n;
        count -= (size_t)n;
    }
    return true;
}

static bool ask(struct rpc_link *link, const char *method, json_t *params)
{
    json_t *request = tool_made(json_object());
    char *line;
    bool sent;

    tool_put(request, "jsonrpc", json_string("2.0"));
    tool_put(request, "id", json_integer(++link->id));
    tool_put(request, "method", tool_text(method));
    if (params != NULL)
        tool_put(request, "params", params);
    line = tool_made(json_dumps(request, JSON_COMPACT));
    sent = send_all(link->fd, line, strlen(line)) && send_all(link->fd, "\n", 1);
    free(line);
    json_decref(request);
    return sent;
}

/* The whole answer, or NULL and errno (0: the server ended the connection). */
static json_t *listen_to(struct rpc_link *link)
{
    json_error_t where;
    ssize_t n;

    errno = 0;
    n = getline(&link->line, &link->line_room, link->in);
    if (n <= 0)
        return NULL;
    return json_loadb(link->line, (size_t)n, 0, &where);
}

static enum hftl_status status_named(const char *name)
{
    for (unsigned i = 0; name != NULL && i < HFTL_STATUS_COUNT; i++)
        if (strcmp(hftl_status_name((enum hftl_status)i), name) == 0)
            return (enum hftl_status)i;
    return HFTL_IO;
}

json_t *rpc_call(const struct tool *tool, struct rpc_link *link, const char *method, json_t *params)
{
    json_t *answer = ask(link, method, params) ? listen_to(link) : NULL;
    json_t *result = json_incref(json_object_get(answer, "result"));
    const json_t *error = json_object_get(answer, "error");
    const char *message = json_string_value(json_object_get(error, "message"));

    if (result == NULL && error == NULL) {
        int err = errno;

        (void)refuse(tool, HFTL_IO,
                     err == EAGAIN ? "the server does not answer" : "the server went away",
                     link->path, NULL);
    } else if (result == NULL) {
        const json_t *data = json_object_get(error, "data");
        const char *status = json_string_value(json_object_get(data, "status"));

        (void)refuse(tool, status_named(status), message != NULL ? message : "refused", method,
                     NULL);
    }
    json_decref(answer);
    return result;
}
