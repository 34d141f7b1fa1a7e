/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fibres.c - the engine's thread, clients and visitors in any order, by a seed (fibre.h): at each
 * atomic operation, lock and call of the system in the front another may go on. Devices are opened
 * and closed there, with requests in flight too; channels come and go.
 *
 *      owner     opens the device, makes the others, closes it: when all are done, or in the midst,
 *                as soon as nobody is in a call
 *      engine    the library's own thread, helped by clients that wait or not, or one that calls
 *                hftl_step
 *      clients   open a channel, keep its few places full, sleep until its descriptor is readable,
 *                close it, open another
 *      visitors  ask and change what there is to ask and to change
 *
 *   P1  who sleeps is woken: never do all sleep
 *   P2  an accepted request is answered once, with its own status; a refused one never
 *   P3  AGAIN is said when all places of the channel are in flight, and only then
 *   P4  nothing is answered on a closed channel, and no freed memory is touched
 *   P5  the engine gets each channel's requests in the order of their submission, once each
 *   P6  no request waits more rounds than the turns of all channels take (rounds_most)
 *   P7  a visit is done once, while nobody else is with the engine; during the close it is refused
 *   P8  the medium is closed once, also when the engine does not open
 *   P9  who waits for the lock is overtaken by each client once at most: helpers make room
 *
 *      test-front-fibres [--seed FIRST] [--runs N] [--expect FAILURE]
 *
 * --expect: of a front with a bug planted (planted/). It succeeds when a run fails in these words.
 */
#include "base/must.h"
#include "front/channel.h"
#include "front/host.h"
#include "test/front/fibre.h"
#include "test/front/stand.h"

#include <hostftl/observe.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#define CLIENTS_MAX 3u
#define VISITORS_MAX 2u
#define DEPTH_MAX 8u
#define LIVES_MAX 3u   /* of channels, one after the other */
#define ERRANDS_MAX 30 /* of one channel's life */
#define VISITS_MAX 8u
#define PATIENCE_MAX 3000u /* points, until the device is closed in the midst */
#define DELAY_NS_MAX 60000u
#define BAD_LBA 7u

#define REPLAYED 20u /* every so many'th run is done twice, and must be the same */

enum errand_state { IDLE, SENT, TAKEN };

struct errand {
    struct hftl_request request;
    struct client *client;
    enum errand_state state;
    bool accepted;
    uint64_t number;      /* in its channel (P5) */
    uint64_t accepted_at; /* round */
    unsigned in_flight;   /* when it was accepted, itself too */
    enum hftl_status expected;
};

struct client {
    struct hftl_channel *channel;
    struct errand errands[DEPTH_MAX];
    unsigned depth, in_flight, left;
    uint64_t sent, taken;
};

static struct {
    struct hftl_device *device;
    struct client clients[CLIENTS_MAX];
    unsigned client_count, visitor_count;
    unsigned at_work;  /* clients and visitors */
    unsigned in_calls; /* and of these, who must not be disturbed by a close */
    bool threaded, helped, stopping, closing, step_over;
    bool in_run[FIBRES_MAX];    /* a client, in a synchronous call */
    uint64_t calls[FIBRES_MAX]; /* of the engine, by each fibre */
} world;

/* Of all runs: what never happened was not tested. */
#define COUNT_LIST(X)                                                                              \
    X(requests)            /* accepted */                                                          \
    X(full)                /* refused, with AGAIN */                                               \
    X(failed)              /* answered with an error */                                            \
    X(from_callbacks)      /* submitted there */                                                   \
    X(waits)               /* of clients */                                                        \
    X(visits)              /* visits */                                                            \
    X(visits_refused)      /* during a close */                                                    \
    X(channels)            /* opened */                                                            \
    X(left_open)           /* to the close */                                                      \
    X(closed_in_the_midst) /* devices */                                                           \
    X(answered_by_close)   /* requests */                                                          \
    X(failed_opens)        /* failed opens */                                                      \
    X(threaded)            /* devices with a thread */                                             \
    X(helped)              /* and helpers */                                                       \
    X(stepped)             /* devices without one */                                               \
    X(by_helpers)          /* requests, taken by who waits */                                      \
    X(synchronous)         /* calls */

#define COUNT_MEMBER(name) uint64_t name;
static struct {
    COUNT_LIST(COUNT_MEMBER)
} counts;

/* ---- calls ----------------------------------------------------------------------------------- */

/* Between the two, the device is there. False: it will soon not be. */
static bool begin_call(void)
{
    if (world.stopping)
        return false;
    world.in_calls++;
    return true;
}

static void end_call(void)
{
    world.in_calls--;
}

static bool is_readable(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return (poll)(&ready, 1, 0) == 1;
}

static bool has_something(const void *arg)
{
    const struct client *client = arg;
    return world.stopping || is_readable(hftl_channel_fd(client->channel));
}

static bool wait_for_landing(struct client *client)
{
    counts.waits++;
    fibre_sleep_until(has_something, client);
    return !world.stopping;
}

/* ---- visits ---------------------------------------------------------------------------------- */

static void note_call(void)
{
    world.calls[fibre_current()]++;
    fibre_point();
}

static void check_status(const char *what, enum hftl_status status, enum hftl_status also)
{
    if (world.closing ? status != HFTL_CLOSING : status != HFTL_OK && status != also)
        fibre_fail("%s says %s", what, hftl_status_name(status));
}

static enum hftl_status set_limits(void)
{
    struct hftl_limits limits = {.size = sizeof limits};
    char why[64];
    return hftl_set_limits(world.device, &limits, why, sizeof why);
}

static void look(unsigned which)
{
    struct hftl_info info = {.size = sizeof info};
    struct hftl_stats stats = {.size = sizeof stats};
    struct hftl_bands bands = {.size = sizeof bands};
    struct hftl_latency latency = {.size = sizeof latency};

    if (which == 0)
        hftl_get_info(world.device, &info);
    else if (which == 1)
        hftl_get_stats(world.device, &stats);
    else if (which == 2)
        hftl_get_bands(world.device, &bands);
    else
        hftl_get_latency(world.device, HFTL_TRIM, &latency);
}

/* P7 */
static void visit(void)
{
    char why[64];
    uint64_t before = world.calls[fibre_current()];

    switch (fibre_below(5)) {
    case 0:
        check_status("set_limits", set_limits(), HFTL_OK);
        break;
    case 1:
        check_status("pause_cleaning", hftl_pause_cleaning(world.device, fibre_chance(1, 2)),
                     HFTL_OK);
        break;
    case 2:
        check_status("set_policy", hftl_set_policy(world.device, "greedy"), HFTL_OK);
        break;
    case 3: /* the fake finds fault with having work */
        check_status("check", hftl_check(world.device, why, sizeof why), HFTL_CORRUPT);
        break;
    default:
        look((unsigned)fibre_below(4));
    }
    uint64_t done = world.calls[fibre_current()] - before;
    if (done != (world.closing ? 0 : 1))
        fibre_fail("a visit was done %d times", (int)done);
    counts.visits++;
    counts.visits_refused += world.closing;
}

static void be_visitor(void *arg)
{
    (void)arg;
    for (uint64_t i = fibre_below(VISITS_MAX); i > 0 && begin_call(); i--) {
        visit();
        end_call();
    }
    world.at_work--;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* Any channel's turn: as many requests as go in one, and all of them in rounds; and a round under
 * way at either end (P6). */
static uint64_t rounds_most(const struct errand *errand)
{
    uint64_t turns = (errand->in_flight + CHANNEL_BATCH_MAX - 1) / CHANNEL_BATCH_MAX;
    uint64_t rounds =
        (world.client_count * CHANNEL_BATCH_MAX + HOST_ROUND_MAX - 1) / HOST_ROUND_MAX;
    return turns * rounds + 2;
}

static void answered(struct hftl_request *request);

static void note_taken(struct hftl_request *request)
{
    struct errand *errand = request->arg;

    if (world.in_run[fibre_current()])
        counts.by_helpers++;
    if (request->done != answered)
        return; /* a synchronous one */
    struct client *client = errand->client;
    if (errand->state != SENT)
        fibre_fail("the engine was given a request twice");
    if (errand->number != client->taken)
        fibre_fail("the engine was given request %d before %d", (int)errand->number,
                   (int)client->taken);
    client->taken++;
    errand->state = TAKEN;
    uint64_t waited = errand->accepted ? host_rounds(world.device) - errand->accepted_at : 0;
    if (waited > rounds_most(errand))
        fibre_fail("a request waited %d rounds, more than %d", (int)waited,
                   (int)rounds_most(errand));
}

static void draw_request(struct client *client, struct errand *errand)
{
    static uint8_t page[HFTL_BLOCK_BYTES];
    static const struct iovec iov = {page, sizeof page};
    struct hftl_request *request = &errand->request;

    *request = (struct hftl_request){.done = answered, .arg = errand};
    errand->client = client;
    errand->expected = HFTL_OK;
    switch (fibre_below(4)) {
    case 0:
        request->verb = HFTL_FLUSH;
        break;
    case 1: /* it fails on its way */
        request->verb = HFTL_READ;
        request->lba = BAD_LBA;
        request->blocks = 1;
        request->iov = &iov;
        request->iov_count = 1;
        errand->expected = HFTL_IO;
        break;
    default:
        request->verb = HFTL_TRIM;
        request->lba = fibre_below(BAD_LBA);
        request->blocks = 1;
    }
}

static enum hftl_status submit(struct client *client, struct errand *errand)
{
    draw_request(client, errand);
    errand->state = SENT;
    errand->accepted = false;
    errand->number = client->sent++;
    client->in_flight++;
    errand->in_flight = client->in_flight;
    enum hftl_status status = hftl_submit(client->channel, &errand->request);
    errand->accepted_at = host_rounds(world.device);
    errand->accepted = status == HFTL_OK;
    if (status == HFTL_OK) {
        counts.requests++;
        return status;
    }
    if (errand->state != SENT)
        fibre_fail("the engine was given a refused request");
    errand->state = IDLE;
    client->sent--;
    client->in_flight--;
    return status;
}

static struct errand *find_idle(struct client *client)
{
    for (unsigned i = 0; i < client->depth; i++)
        if (client->errands[i].state == IDLE)
            return &client->errands[i];
    return NULL;
}

/* All places are taken, so that one more is refused: P3. */
static void submit_too_many(struct client *client)
{
    static struct errand more[CLIENTS_MAX];
    struct errand *errand = &more[client - world.clients];
    enum hftl_status status = submit(client, errand);

    if (status != HFTL_AGAIN)
        fibre_fail("a full channel says %s", hftl_status_name(status));
    counts.full++;
}

/* One, when there is something left to do. */
static void submit_next(struct client *client)
{
    struct errand *errand = find_idle(client);
    enum hftl_status expected = world.closing ? HFTL_CLOSING : HFTL_OK;

    if (errand == NULL) {
        submit_too_many(client);
        return;
    }
    if (client->left == 0)
        return;
    client->left--;
    enum hftl_status status = submit(client, errand);
    if (status != expected)
        fibre_fail("a channel with room says %s", hftl_status_name(status));
}

static void answered(struct hftl_request *request)
{
    struct errand *errand = request->arg;
    struct client *client = errand->client;

    if (client->channel == NULL)
        fibre_fail("a request was answered after its channel closed");
    if (errand->state != TAKEN)
        fibre_fail("a request was answered twice, or before the engine had it");
    if (request->status != errand->expected)
        fibre_fail("a request was answered with %s", hftl_status_name(request->status));
    errand->state = IDLE;
    client->in_flight--;
    counts.failed += request->status != HFTL_OK;
    counts.answered_by_close += world.closing;
    if (fibre_chance(1, 4)) {
        counts.from_callbacks += client->left > 0;
        submit_next(client);
    }
    if (fibre_chance(1, 8))
        visit();
    if (fibre_chance(1, 8))
        (void)hftl_reap(client->channel, 1);
}

/* ---- clients --------------------------------------------------------------------------------- */

/* Waits inside the library, as one who has nothing else to do. */
static void call_synchronously(struct client *client)
{
    struct hftl_request request = {.verb = HFTL_TRIM, .lba = fibre_below(BAD_LBA), .blocks = 1};
    unsigned self = fibre_current();
    enum hftl_status status;

    world.in_run[self] = true;
    status = fibre_chance(1, 2) ? hftl_flush(client->channel) : hftl_run(client->channel, &request);
    world.in_run[self] = false;
    if (status != HFTL_OK)
        fibre_fail("a call says %s", hftl_status_name(status));
    counts.synchronous++;
}

/* What a program does between two sleeps. */
static void wake(struct client *client)
{
    if (fibre_chance(7, 8))
        (void)hftl_reap(client->channel, (unsigned)fibre_below(4));
    for (uint64_t i = fibre_below(client->depth + 2); i > 0; i--)
        submit_next(client);
    if (world.threaded && client->in_flight < client->depth &&
        fibre_chance(1, world.helped ? 2 : 8))
        call_synchronously(client);
}

static bool open_channel(struct client *client)
{
    if (!begin_call())
        return false;
    memset(client, 0, sizeof *client);
    client->depth = 1u << fibre_below(4);
    client->left = 1 + (unsigned)fibre_below(ERRANDS_MAX);
    client->channel = hftl_channel_open(world.device, client->depth);
    if (client->channel == NULL)
        fibre_fail("no channel is to be had");
    counts.channels++;
    end_call();
    return true;
}

/* False: the device is being closed. */
static bool use_channel(struct client *client)
{
    while (client->left > 0 || client->in_flight > 0) {
        if (!begin_call())
            return false;
        wake(client);
        end_call();
        if (client->in_flight > 0 && !wait_for_landing(client))
            return false;
    }
    return begin_call();
}

/* The caller is in a call. */
static void close_channel(struct client *client)
{
    struct hftl_channel *channel = client->channel;

    client->channel = NULL;
    hftl_channel_close(channel);
}

static void be_client(void *arg)
{
    struct client *client = arg;

    for (uint64_t life = fibre_below(LIVES_MAX + 1); life > 0; life--) {
        if (!open_channel(client) || !use_channel(client))
            break;
        if (life > 1 || fibre_chance(1, 2))
            close_channel(client);
        else
            counts.left_open++;
        end_call();
    }
    world.at_work--;
}

/* ---- the owner, and the engine without a thread of its own ----------------------------------- */

static bool has_steps(const void *arg)
{
    (void)arg;
    return world.stopping || is_readable(hftl_fd(world.device));
}

static void be_engine(void *arg)
{
    (void)arg;
    while (!world.stopping)
        if (!hftl_step(world.device))
            fibre_sleep_until(has_steps, NULL);
    world.step_over = true;
}

static bool is_quiet(const void *arg)
{
    (void)arg;
    return world.in_calls == 0 && (world.threaded || world.step_over);
}

static bool is_all_done(const void *arg)
{
    (void)arg;
    return world.at_work == 0;
}

static void draw_world(void)
{
    memset(&world, 0, sizeof world);
    memset((void *)&stand, 0, sizeof stand);
    world.client_count = 1 + (unsigned)fibre_below(CLIENTS_MAX);
    world.visitor_count = (unsigned)fibre_below(VISITORS_MAX + 1);
    world.at_work = world.client_count + world.visitor_count;
    world.threaded = fibre_chance(2, 3);
    world.helped = world.threaded && fibre_chance(1, 2);
    stand.called = note_call;
    stand.taken = note_taken;
    stand.bad_lba_first = BAD_LBA;
    stand.bad_lba_count = 1;
    stand.delay_ns = fibre_chance(1, 2) ? 0 : 1 + fibre_below(DELAY_NS_MAX);
    stand.shuffle = fibre_chance(1, 2);
    stand.always_ready = fibre_chance(1, 8);
    stand.open_fails = fibre_chance(1, 16) ? HFTL_IO : HFTL_OK;
}

/* False: it was told to fail, and did. */
static bool open_device(void)
{
    struct hftl_open_options options;
    char why[256];

    hftl_open_options_init(&options);
    options.flags = (world.threaded ? HFTL_OPEN_THREAD : 0) | (world.helped ? HFTL_OPEN_HELP : 0);
    enum hftl_status status =
        hftl_open_media(stand_medium(1), &options, &world.device, why, sizeof why);
    if (status != stand.open_fails)
        fibre_fail("the open says %s", hftl_status_name(status));
    counts.failed_opens += status != HFTL_OK;
    return status == HFTL_OK;
}

static void close_device(void)
{
    world.closing = true;
    if (hftl_close(world.device) != HFTL_OK)
        fibre_fail("the close fails");
    for (unsigned i = 0; i < world.client_count; i++) {
        struct client *client = &world.clients[i];
        client->channel = NULL;
        if (client->in_flight > 0)
            fibre_fail("%u requests were never answered", client->in_flight);
    }
}

static void be_owner(void *arg)
{
    unsigned closes = stand_closes();

    (void)arg;
    draw_world();
    if (open_device()) {
        for (unsigned i = 0; i < world.client_count; i++)
            fibre_spawn(be_client, &world.clients[i]);
        for (unsigned i = 0; i < world.visitor_count; i++)
            fibre_spawn(be_visitor, NULL);
        if (!world.threaded)
            fibre_spawn(be_engine, NULL);
        *(world.threaded ? &counts.threaded : &counts.stepped) += 1;
        counts.helped += world.helped;
        if (fibre_chance(1, 2)) {
            for (uint64_t i = fibre_below(PATIENCE_MAX); i > 0; i--)
                fibre_point();
            counts.closed_in_the_midst += world.at_work > 0;
        } else {
            fibre_sleep_until(is_all_done, NULL);
        }
        world.stopping = true;
        fibre_sleep_until(is_quiet, NULL);
        close_device();
    }
    if (fibre_overtaken() > 1)
        fibre_fail("a helper overtook who waited %u times", fibre_overtaken()); /* P9 */
    if (stand_closes() != closes + 1)
        fibre_fail("the medium was closed %u times", stand_closes() - closes); /* P8 */
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* NULL, or what was wrong. */
static const char *run(uint64_t seed, bool twice)
{
    const char *failure = fibre_run(seed, be_owner, NULL);
    uint64_t hash = fibre_hash(), points = fibre_points();

    if (failure != NULL || !twice)
        return failure;
    failure = fibre_run(seed, be_owner, NULL);
    if (failure == NULL && (hash != fibre_hash() || points != fibre_points()))
        return "the same seed ran otherwise";
    return failure;
}

/* True: each of them is more than 0. */
static bool show_counts(void)
{
    bool all = true;
#define COUNT_SHOW(name)                                                                           \
    printf("%-20s %llu\n", #name, (unsigned long long)counts.name);                                \
    all = all && counts.name > 0;
    COUNT_LIST(COUNT_SHOW)
    return all;
}

static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return NULL;
}

static bool are_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || (strcmp(argv[i], "--seed") != 0 && strcmp(argv[i], "--runs") != 0 &&
                              strcmp(argv[i], "--expect") != 0))
            return false;
    return true;
}

#define RUNS 2000u

int main(int argc, char **argv)
{
    const char *first = option(argc, argv, "--seed"), *many = option(argc, argv, "--runs");
    const char *expected = option(argc, argv, "--expect"), *failure = NULL;
    uint64_t seed = first == NULL ? 1 : strtoull(first, NULL, 0), points = 0;
    unsigned runs = many == NULL ? RUNS : (unsigned)strtoul(many, NULL, 0), i;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    puts("skipped: sanitizers do not follow one thread from stack to stack");
    return 77;
#endif
    if (!are_options(argc, argv)) {
        puts("options: --seed FIRST, --runs N, --expect FAILURE");
        return 2;
    }
    for (i = 0; i < runs && failure == NULL; i++) {
        failure = run(seed + i, i % REPLAYED == 0);
        points += fibre_points();
    }
    if (failure != NULL)
        printf("%s\nthis again: --seed %llu --runs 1\n", failure, (unsigned long long)seed + i - 1);
    if (expected != NULL && (failure == NULL || strstr(failure, expected) == NULL)) {
        printf("it was to be: %s\n", expected);
        return 1;
    }
    if (expected != NULL || failure != NULL)
        return expected == NULL;
    printf("%u runs, %llu points\n", runs, (unsigned long long)points);
    if (!show_counts() && runs >= RUNS) {
        puts("some of that never happened");
        return 1;
    }
    return 0;
}
