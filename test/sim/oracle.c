/* SPDX-License-Identifier: BSD-3-Clause */
#define _POSIX_C_SOURCE 200809L

#include "sim/oracle.h"

#include "test/unit.h"

#include <string.h>

#define BLOCK 512u

/* A history in a few lines: requests by name, each of one block at lba 3. */
struct play {
    struct oracle *oracle;
    struct failure failure;
    struct oracle_ticket tickets[128]; /* by the letter that names the request */
    uint8_t block[BLOCK];
};

static void setup(struct play *p)
{
    memset(p, 0, sizeof *p);
    p->oracle = oracle_create(16, BLOCK, 5);
}

/* What a read of lba 3 would hand over: 0 zeros, else what request `name` wrote. */
static void load(struct play *p, char seen)
{
    memset(p->block, 0, BLOCK);
    if (seen != '0')
        oracle_fill(p->oracle, &p->tickets[(int)seen], 0, p->block);
}

/*
 * The script, a word a step:  a+ issues a write named a, a= answers it; capital letters are trims;
 * a! issues it with FUA; f+ f= a flush (any of f g h); r+ issues a read (r s t), r=a answers it
 * with what a wrote; x a crash; c a close.
 */
static void step(struct play *p, const char *word)
{
    char name = word[0], verb = word[1];
    struct oracle_ticket *t = &p->tickets[(int)name];
    if (name == 'x' || name == 'c') {
        (name == 'x' ? oracle_crash : oracle_close)(p->oracle);
        return;
    }
    bool flush = strchr("fgh", name) != NULL, read = strchr("rst", name) != NULL;
    bool trim = name >= 'A' && name <= 'Z';
    enum hftl_verb what = flush ? HFTL_FLUSH : read ? HFTL_READ : trim ? HFTL_TRIM : HFTL_WRITE;
    if (verb == '+' || verb == '!') {
        oracle_issue(p->oracle, t, what, verb == '!' ? HFTL_FUA : 0, flush ? 0 : 3, flush ? 0 : 1);
        return;
    }
    if (read)
        load(p, word[2]);
    oracle_answer(p->oracle, t, verb == '?' ? HFTL_IO : HFTL_OK, p->block,
                  verb == '?' ? ORACLE_STRUCK | ORACLE_FAILED : 0, &p->failure);
}

/* NULL: every read was fine. Otherwise the first violation. */
static const char *run(struct play *p, const char *script)
{
    char words[400], *rest = words;
    setup(p);
    assert_true(strlen(script) < sizeof words);
    strcpy(words, script);
    for (char *word; (word = strtok_r(rest, " ", &rest));)
        step(p, word);
    oracle_destroy(p->oracle);
    return p->failure.failed ? p->failure.text : NULL;
}

static void accepts(const char *script)
{
    static struct play p;
    const char *wrong = run(&p, script);
    if (wrong)
        fail_msg("\"%s\": %s", script, wrong);
}

static void refuses(const char *script)
{
    static struct play p;
    if (!run(&p, script))
        fail_msg("\"%s\" passes", script);
}

static void a_crash_shows_the_durable_version_or_a_later_one(void **state)
{
    (void)state;
    accepts("x r+ r=0");
    accepts("a+ a= x r+ r=0");
    accepts("a+ a= x r+ r=a");
    accepts("a+ x r+ r=a"); /* in flight */
    accepts("a+ a= f+ f= x r+ r=a");
    refuses("a+ a= f+ f= x r+ r=0"); /* a lost flushed write */
    refuses("a! a= x r+ r=0");
    accepts("a! a= b+ b= x r+ r=a");
    accepts("a! a= b+ b= x r+ r=b");
    accepts("a! a= b+ b= d+ d= x r+ r=b"); /* one of several */
    refuses("a! a= b! b= x r+ r=a");       /* older than durable */
    refuses("a+ a= c x r+ r=0");           /* closed is durable */
}

static void a_flush_promises_only_what_was_answered_before_it_was_asked(void **state)
{
    (void)state;
    accepts("a+ f+ a= f= x r+ r=0");
    accepts("a+ f+ f= a= x r+ r=0");
    accepts("a+ a= f+ x r+ r=0");          /* not answered */
    refuses("a+ a= f+ b+ b= f= x r+ r=0"); /* a is covered, b is not */
    accepts("a+ a= f+ b+ b= f= x r+ r=b");
    refuses("a+ f+ a= g+ g= f= x r+ r=0"); /* the second covers it */
    accepts("a+ a= f+ f? x r+ r=0");       /* a failed flush promises nothing */
}

static void trims_are_versions(void **state)
{
    (void)state;
    accepts("a! a= T! T= x r+ r=0");
    refuses("a! a= T! T= x r+ r=a"); /* a resurrected block */
    accepts("a! a= T+ T= x r+ r=a");
    accepts("a! a= T+ T= x r+ r=0");
    refuses("a! a= T! T= b! b= x r+ r=0");
}

static void what_was_seen_after_a_crash_stays(void **state)
{
    (void)state;
    refuses("a! a= b+ b= x r+ r=a x s+ s=b");
    refuses("a! a= b+ b= x r+ r=b x s+ s=a");
    accepts("a! a= b+ b= x x r+ r=b x s+ s=b");
    refuses("a! a= T+ T= x r+ r=0 x s+ s=a");
    accepts("a! a= b+ b= x d+ d= x r+ r=b x s+ s=b");
    refuses("a! a= b+ b= x d! d= x r+ r=b"); /* a write of the next life rules */
}

static void reads_are_linearizable_while_the_device_runs(void **state)
{
    (void)state;
    accepts("a+ a= r+ r=a");
    refuses("a+ a= r+ r=0");
    refuses("a+ a= b+ b= r+ r=a");
    accepts("a+ r+ a= r=0"); /* overlapping */
    accepts("a+ r+ r=a a=");
    refuses("a+ r+ r=a s+ s=0 a="); /* seen once, seen for ever */
    accepts("a+ b+ a= b= r+ r=a");  /* either may win */
    accepts("b+ a+ a= b= r+ r=a s+ s=a");
    refuses("b+ a+ a= b= r+ r=a s+ s=b"); /* but not both in turn */
    accepts("a+ a= r+ b+ b= d+ d= r=a");  /* a long read sees what there was */
    accepts("a+ a= r+ b+ b= d+ d= r=b");
    accepts("a+ a= r+ b! b= r=a"); /* even what a crash could not show any more */
    refuses("a+ a= b+ b= r+ d+ d= r=a");
    accepts("r+ a+ a= T+ r=0 s+ s=a"); /* the zeros were those of old, not of the trim */
    refuses("r+ a+ a= T+ T= r=0 s+ s=a");
    refuses("a+ a= T+ r+ r=0 s+ s=a"); /* there are no others */
}

static void a_failed_write_happened_or_not(void **state)
{
    (void)state;
    accepts("a! a= b+ b? r+ r=a s+ s=a");
    accepts("a! a= b+ b? r+ r=b");
    accepts("a! a= b+ b? r+ r=b x s+ s=a"); /* seen, but never durable */
    refuses("a! a= b+ b? r+ r=0");
}

static void tells_contents_apart(void **state)
{
    (void)state;
    struct play p;
    setup(&p);
    step(&p, "a+");
    step(&p, "a=");
    step(&p, "b+");
    struct oracle_ticket other, read;
    oracle_issue(p.oracle, &other, HFTL_WRITE, 0, 4, 1);
    uint8_t a[BLOCK], b[BLOCK], c[BLOCK];
    oracle_fill(p.oracle, &p.tickets['a'], 0, a);
    oracle_fill(p.oracle, &p.tickets['b'], 0, b);
    oracle_fill(p.oracle, &other, 0, c);
    for (int kind = 0; kind < 6; kind++) {
        uint8_t seen[BLOCK];
        struct failure failure = {0};
        memcpy(seen, a, BLOCK);
        if (kind == 1)
            memcpy(seen + BLOCK / 2, b + BLOCK / 2, BLOCK / 2); /* a mix */
        if (kind == 2)
            seen[BLOCK - 1] ^= 1; /* rot */
        if (kind == 3)
            memcpy(seen, c, BLOCK); /* another lba's */
        if (kind == 4)
            memset(seen, 0xff, BLOCK);
        if (kind == 5)
            memset(seen, 0, 24); /* a head of zeros */
        oracle_issue(p.oracle, &read, HFTL_READ, 0, 3, 1);
        oracle_answer(p.oracle, &read, HFTL_OK, seen, 0, &failure);
        assert_int_equal(failure.failed, kind != 0);
    }
    oracle_destroy(p.oracle);
}

static void a_copy_goes_its_own_way(void **state)
{
    (void)state;
    struct play p;
    setup(&p);
    step(&p, "a+");
    step(&p, "a=");
    struct oracle *copy = oracle_copy(p.oracle), *own = p.oracle;
    step(&p, "f+");
    step(&p, "f=");
    assert_int_equal(oracle_candidates(own, 3), 1);
    assert_int_equal(oracle_candidates(copy, 3), 2);
    p.oracle = copy;
    step(&p, "x");
    step(&p, "r+");
    step(&p, "r=0");
    assert_false(p.failure.failed);
    assert_true(oracle_may_be_written(own, 3));
    assert_false(oracle_may_be_written(copy, 3));
    oracle_destroy(copy);
    oracle_destroy(own);
}

static bool is_accepted(enum hftl_verb verb, enum hftl_status status, unsigned causes)
{
    struct play p;
    struct oracle_ticket *t;
    setup(&p);
    t = &p.tickets['a'];
    oracle_issue(p.oracle, t, verb, 0, 3, verb == HFTL_FLUSH || verb == HFTL_FLUSH_BANDS ? 0 : 1);
    oracle_answer(p.oracle, t, status, p.block, causes, &p.failure);
    oracle_destroy(p.oracle);
    return !p.failure.failed;
}

static void each_error_needs_a_cause_of_its_own(void **state)
{
    (void)state;
    static const struct {
        enum hftl_verb verb;
        enum hftl_status status;
        unsigned causes; /* any of these, and no other */
    } rows[] = {
        {HFTL_READ, HFTL_LOST, ORACLE_HARMED},
        {HFTL_READ, HFTL_IO, ORACLE_STRUCK},
        {HFTL_READ, HFTL_MISMATCH, ORACLE_STRUCK},
        {HFTL_READ, HFTL_CORRUPT, ORACLE_STRUCK},
        {HFTL_READ, HFTL_FOREIGN, 0},
        {HFTL_READ, HFTL_SPACE, 0},
        {HFTL_READ, HFTL_READ_ONLY, 0},
        {HFTL_WRITE, HFTL_IO, ORACLE_FAILED},
        {HFTL_TRIM, HFTL_READ_ONLY, ORACLE_READ_ONLY},
        {HFTL_WRITE, HFTL_SPACE, ORACLE_READ_ONLY},
        {HFTL_WRITE, HFTL_LOST, 0},
        {HFTL_FLUSH, HFTL_FLUSH_FAILED, ORACLE_FAILED | ORACLE_READ_ONLY},
        {HFTL_FLUSH_BANDS, HFTL_SPACE, ORACLE_READ_ONLY | ORACLE_NO_BANDS},
        {HFTL_FLUSH_BANDS, HFTL_FLUSH_FAILED, 0},
    };
    static const enum hftl_status never[] = {HFTL_BUSY, HFTL_MEMORY, HFTL_AGAIN, HFTL_RULE_ORDER,
                                             HFTL_CLOSING};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(is_accepted(rows[i].verb, rows[i].status, 0));
        assert_true(is_accepted(rows[i].verb, HFTL_OK, 0));
        for (unsigned cause = 1; cause <= ORACLE_NO_BANDS; cause <<= 1)
            assert_int_equal(is_accepted(rows[i].verb, rows[i].status, cause),
                             (rows[i].causes & cause) != 0);
    }
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        for (unsigned verb = 0; verb < HFTL_VERB_COUNT; verb++)
            assert_false(is_accepted((enum hftl_verb)verb, never[i], 31));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_shows_the_durable_version_or_a_later_one),
        cmocka_unit_test(a_flush_promises_only_what_was_answered_before_it_was_asked),
        cmocka_unit_test(trims_are_versions),
        cmocka_unit_test(what_was_seen_after_a_crash_stays),
        cmocka_unit_test(reads_are_linearizable_while_the_device_runs),
        cmocka_unit_test(a_failed_write_happened_or_not),
        cmocka_unit_test(tells_contents_apart),
        cmocka_unit_test(a_copy_goes_its_own_way),
        cmocka_unit_test(each_error_needs_a_cause_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
