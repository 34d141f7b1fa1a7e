/* SPDX-License-Identifier: BSD-3-Clause */
/* A socket of mode 0600 from its first moment; a stale one replaced, a live one never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/socket.h"

static char folder[] = "/tmp/hostftl-socket-XXXXXX";
static char path[64];
static char why[256];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/s", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static void makes_a_socket_of_mode_0600(void **state)
{
    enum hftl_status status;
    struct stat stat_;
    mode_t mask = umask(0);
    int fd = socket_listen(path, &status, why, sizeof why);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(umask(mask), 0); /* as it was */
    assert_int_equal(stat(path, &stat_), 0);
    assert_int_equal(stat_.st_mode & 07777, 0600);
    (void)close(fd);
}

static void replaces_a_stale_socket_and_refuses_a_live_one(void **state)
{
    enum hftl_status status;
    struct stat stat_;

    (void)state;
    assert_int_equal(lstat(path, &stat_), 0); /* left by the test before: nobody listens */
    int first = socket_listen(path, &status, why, sizeof why);
    assert_true(first >= 0);
    assert_int_equal(socket_listen(path, &status, why, sizeof why), -1);
    assert_int_equal(status, HFTL_BUSY);
    assert_non_null(strstr(why, "socket path in use"));
    assert_int_equal(fcntl(first, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(accept(first, NULL, NULL), -1); /* who listens was not bothered */
    assert_int_equal(errno, EAGAIN);
    int client = socket_connect(path); /* the live one still works */
    assert_true(client >= 0);
    (void)close(client);
    (void)close(first);
}

static void refuses_what_is_no_socket_and_paths_that_do_not_fit(void **state)
{
    enum hftl_status status;
    char file[80];
    char longest[200];

    (void)state;
    (void)snprintf(file, sizeof file, "%s/f", folder);
    (void)close(open(file, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(socket_listen(file, &status, why, sizeof why), -1);
    assert_int_equal(status, HFTL_INVALID);
    assert_int_equal(access(file, F_OK), 0);
    (void)unlink(file);

    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(socket_listen(longest, &status, why, sizeof why), -1);
    assert_int_equal(status, HFTL_INVALID);
    assert_int_equal(socket_listen("/nowhere/at/all", &status, why, sizeof why), -1);
    assert_int_equal(status, HFTL_ABSENT);
}

static void *greet(void *arg)
{
    static const char greeting[18] = "NBDMAGICIHAVEOPT\0\3";
    int fd = *(int *)arg;
    char answer[20];

    (void)!write(fd, greeting, sizeof greeting);
    (void)!read(fd, answer, sizeof answer);
    (void)close(fd);
    return NULL;
}

static void knows_a_greeting_from_silence_and_from_other_words(void **state)
{
    int pair[2];
    pthread_t thread;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pthread_create(&thread, NULL, greet, &pair[1]), 0);
    assert_true(socket_greeted(pair[0]));
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)close(pair[0]);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], "HTTP/1.1 400 Bad Request", 24), 24);
    assert_false(socket_greeted(pair[0]));
    (void)close(pair[0]);
    (void)close(pair[1]);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    (void)close(pair[1]);
    assert_false(socket_greeted(pair[0]));
    (void)close(pair[0]);
}

static void escapes_what_a_uri_cannot_have(void **state)
{
    char uri[64];

    (void)state;
    assert_true(socket_uri("/tmp/a b&c", uri, sizeof uri));
    assert_string_equal(uri, "nbd+unix:///?socket=/tmp/a%20b%26c");
    assert_false(socket_uri("/tmp/a b&c", uri, 30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_a_socket_of_mode_0600),
        cmocka_unit_test(replaces_a_stale_socket_and_refuses_a_live_one),
        cmocka_unit_test(refuses_what_is_no_socket_and_paths_that_do_not_fit),
        cmocka_unit_test(knows_a_greeting_from_silence_and_from_other_words),
        cmocka_unit_test(escapes_what_a_uri_cannot_have),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
