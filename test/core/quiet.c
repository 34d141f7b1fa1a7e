/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine at work allocates nothing and calls the system for nothing: writes, overwrites,
 * trims, reads and flushes with cleaning under way, on every shape.
 *
 * The linker sends each allocation of the program here (--wrap). System calls are forbidden to a
 * child of this process by a filter of the kernel, which kills it at the first. Both watchers are
 * shown to notice what is planted.
 */
#define _GNU_SOURCE
#include "test/core/stand.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUEUE 16u
#define BLOCKS_MAX 4u
#define BLOCK_BYTES 512u
#define HEAP_BYTES (32 << 20)

/* Volatile: compilers know that an allocation looks at nothing of the program. */
static volatile bool watching;
static volatile uint64_t allocations;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    allocations = allocations + watching;
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    allocations = allocations + watching;
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    allocations = allocations + watching;
    return __real_realloc(memory, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    allocations = allocations + watching;
    return __real_aligned_alloc(alignment, bytes);
}

/* What the medium allocates is not the engine's: memory for chunks, the guard's notes. Nothing
 * lands inside a submission (M1). */
static void submit_unwatched(struct hftl_media *media, struct hftl_media_op **ops, unsigned count);
static unsigned reap_watched(struct hftl_media *media, unsigned max);

static struct hftl_media *inner;
static const struct hftl_media_ops aside_ops = {
    .name = "aside", .submit = submit_unwatched, .reap = reap_watched};
static struct hftl_media aside = {.ops = &aside_ops};

static void submit_unwatched(struct hftl_media *media, struct hftl_media_op **ops, unsigned count)
{
    bool before = watching;
    (void)media;
    watching = false;
    inner->ops->submit(inner, ops, count);
    watching = before;
}

static unsigned reap_watched(struct hftl_media *media, unsigned max)
{
    (void)media;
    return inner->ops->reap(inner, max);
}

static struct ask asks[QUEUE];
static uint8_t memory[QUEUE][BLOCKS_MAX * BLOCK_BYTES];

static void ask_something(struct stand *stand, uint32_t slot)
{
    static const enum hftl_verb verbs[] = {HFTL_WRITE, HFTL_WRITE, HFTL_WRITE,  HFTL_WRITE,
                                           HFTL_WRITE, HFTL_WRITE, HFTL_READ,   HFTL_READ,
                                           HFTL_READ,  HFTL_TRIM,  HFTL_EXTENTS};
    uint64_t blocks = 1 + prng_below(&stand->prng, BLOCKS_MAX);
    uint64_t lba = prng_below(&stand->prng, device_blocks(stand->device) - blocks + 1);
    enum hftl_verb verb = verbs[prng_below(&stand->prng, sizeof verbs / sizeof verbs[0])];
    static struct hftl_extent extents[QUEUE][BLOCKS_MAX];

    asks[slot].answered = false;
    asks[slot].iov[0] = (struct iovec){memory[slot], blocks * BLOCK_BYTES};
    asks[slot].request = (struct hftl_request){.verb = verb,
                                               .lba = lba,
                                               .blocks = blocks,
                                               .iov = asks[slot].iov,
                                               .iov_count = 1,
                                               .extents = extents[slot],
                                               .extent_count = BLOCKS_MAX,
                                               .arg = &asks[slot]};
    if (prng_below(&stand->prng, 100) == 0) {
        asks[slot].request.verb = HFTL_FLUSH;
        asks[slot].request.lba = asks[slot].request.blocks = 0;
    }
    device_submit(stand->device, &asks[slot].request);
}

/* As many requests as would fill the device `times` times. No assertions in between: they are
 * cmocka's, which may do anything. */
static bool work(struct stand *stand, uint64_t times)
{
    uint64_t left = times * device_blocks(stand->device) / 2;
    bool good = true;

    for (uint32_t i = 0; i < QUEUE; i++)
        ask_something(stand, i);
    for (uint32_t idle = 0; left > 0 && idle < 4;) {
        idle = device_step(stand->device) ? 0 : idle + 1;
        for (uint32_t i = 0; i < QUEUE && left > 0; i++) {
            if (!asks[i].answered)
                continue;
            good = good && asks[i].request.status == HFTL_OK;
            ask_something(stand, i);
            left--;
            idle = 0;
        }
    }
    while (device_step(stand->device))
        ;
    return good && left == 0;
}

static void begin(struct stand *stand, unsigned shape)
{
    stand_begin(stand, stand_shape(shape)->name);
    stand->unchecked = true;
    prng_seed(&stand->prng, shape + 1);
    assert_int_equal(stand->device->geometry.block_bytes, BLOCK_BYTES);
    assert_true(work(stand, 3));
}

static void allocates_nothing_while_it_works(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        struct stand stand;
        begin(&stand, shape);
        uint64_t lent = stand.allocations;
        struct hftl_stats before = stand.device->stats;
        inner = stand.device->medium;
        aside.facts = inner->facts;
        stand.device->medium = &aside;
        allocations = 0;
        watching = true;
        bool good = work(&stand, 3);
        watching = false;
        stand.device->medium = inner;
        assert_true(good);
        assert_int_equal(allocations, 0);
        assert_int_equal(stand.allocations, lent);
        assert_true(stand.device->stats.victims > before.victims + 10);
        assert_true(stand.device->stats.media_resets > before.media_resets + 10);
        stand_end(&stand);
    }
}

static void an_allocation_is_noticed(void **state)
{
    (void)state;
    allocations = 0;
    watching = true;
    void *volatile planted = calloc(1, 16);
    watching = false;
    assert_int_equal(allocations, 1);
    free(planted);
}

/* From now on the process may end, and nothing else. False: this kernel has no such filter. */
static bool forbid_system_calls(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* How a child ends that works under the filter; `planted`: with a system call at its end. */
static int end_of_child(unsigned shape, bool planted)
{
    struct stand stand;
    begin(&stand, shape);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!forbid_system_calls())
            _exit(77);
        bool good = work(&stand, 3);
        if (planted)
            (void)getppid();
        _exit(good ? 0 : 1);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    stand_end(&stand);
    return status;
}

static void calls_the_system_for_nothing_while_it_works(void **state)
{
    (void)state;
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    skip(); /* the memory that the medium takes for chunks comes from the system then */
#endif
    for (unsigned shape = 0; shape < stand_shapes(); shape++) {
        int status = end_of_child(shape, false);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            skip();
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("%s: the child ended with %#x", stand_shape(shape)->name, (unsigned)status);
    }
}

static void a_system_call_is_noticed(void **state)
{
    (void)state;
    int status = end_of_child(0, true);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

int main(void)
{
    /* What the medium takes comes from what the process has. */
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_BYTES);
    (void)mallopt(M_TOP_PAD, HEAP_BYTES);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocates_nothing_while_it_works),
        cmocka_unit_test(an_allocation_is_noticed),
        cmocka_unit_test(calls_the_system_for_nothing_while_it_works),
        cmocka_unit_test(a_system_call_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
