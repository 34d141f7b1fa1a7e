/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/list.h"
#include "test/unit.h"

struct member {
    int number;
    struct list_link link;
};

static void prepare(struct list *list, struct member *members, int count)
{
    list_init(list);
    for (int i = 0; i < count; i++) {
        members[i].number = i;
        link_init(&members[i].link);
    }
}

/* Reads the list both ways; `expected` ends with -1. */
static void expect(const struct list *list, const int *expected)
{
    const struct list_link *before = &list->head;
    for (struct list_link *at = list_first(list); at; at = list_next(list, at)) {
        assert_int_equal(list_of(at, struct member, link)->number, *expected++);
        assert_ptr_equal(at->prev, before);
        before = at;
    }
    assert_int_equal(*expected, -1);
    assert_ptr_equal(list->head.prev, before);
}

static void keeps_the_order_of_pushes(void **state)
{
    (void)state;
    struct list list;
    struct member m[3];
    prepare(&list, m, 3);
    assert_true(list_is_empty(&list));
    list_push_back(&list, &m[1].link);
    list_push_back(&list, &m[2].link);
    list_push_front(&list, &m[0].link);
    assert_false(list_is_empty(&list));
    expect(&list, (int[]){0, 1, 2, -1});
}

static void pops_from_the_front_until_empty(void **state)
{
    (void)state;
    struct list list;
    struct member m[2];
    prepare(&list, m, 2);
    list_push_back(&list, &m[0].link);
    list_push_back(&list, &m[1].link);
    assert_ptr_equal(list_pop_front(&list), &m[0].link);
    assert_false(link_is_linked(&m[0].link));
    assert_ptr_equal(list_pop_front(&list), &m[1].link);
    assert_null(list_pop_front(&list));
    assert_null(list_first(&list));
    assert_true(list_is_empty(&list));
}

static void removes_from_the_middle_and_takes_back(void **state)
{
    (void)state;
    struct list list;
    struct member m[3];
    prepare(&list, m, 3);
    for (int i = 0; i < 3; i++)
        list_push_back(&list, &m[i].link);
    list_remove(&m[1].link);
    assert_false(link_is_linked(&m[1].link));
    expect(&list, (int[]){0, 2, -1});
    list_push_front(&list, &m[1].link);
    expect(&list, (int[]){1, 0, 2, -1});
}

static void moves_to_the_end_of_another_list_and_of_its_own(void **state)
{
    (void)state;
    struct list from, to;
    struct member m[4];
    prepare(&from, m, 4);
    list_init(&to);
    for (int i = 0; i < 4; i++)
        list_push_back(&from, &m[i].link);
    list_move_back(&to, &m[1].link);
    list_move_back(&to, &m[0].link);
    expect(&from, (int[]){2, 3, -1});
    expect(&to, (int[]){1, 0, -1});
    list_move_back(&from, &m[2].link);
    list_move_back(&from, &m[2].link); /* the last one too */
    expect(&from, (int[]){3, 2, -1});
    assert_true(link_is_linked(&m[0].link));
}

static void lets_the_current_member_leave_during_a_walk(void **state)
{
    (void)state;
    struct list list;
    struct member m[5];
    prepare(&list, m, 5);
    for (int i = 0; i < 5; i++)
        list_push_back(&list, &m[i].link);
    for (struct list_link *at = list_first(&list), *next; at; at = next) {
        next = list_next(&list, at);
        if (list_of(at, struct member, link)->number % 2 == 0)
            list_remove(at);
    }
    expect(&list, (int[]){1, 3, -1});
}

static void splices_all_and_leaves_the_source_empty(void **state)
{
    (void)state;
    struct list dst, src;
    struct member m[4];
    prepare(&dst, m, 4);
    list_init(&src);
    list_splice_back(&dst, &src);
    expect(&dst, (int[]){-1});

    list_push_back(&src, &m[0].link);
    list_push_back(&src, &m[1].link);
    list_splice_back(&dst, &src);
    expect(&dst, (int[]){0, 1, -1});
    expect(&src, (int[]){-1});

    list_push_back(&src, &m[2].link);
    list_push_back(&src, &m[3].link);
    list_splice_back(&dst, &src);
    expect(&dst, (int[]){0, 1, 2, 3, -1});
    assert_true(list_is_empty(&src));
}

static void link_itself_twice(void *arg)
{
    static struct list list;
    list_init(&list);
    list_push_back(&list, arg);
    list_push_back(&list, arg);
}

static void remove_it(void *arg)
{
    list_remove(arg);
}

static void stops_a_second_push_and_a_second_removal(void **state)
{
    (void)state;
    struct list_link link;
    link_init(&link);
    assert_true(aborts(link_itself_twice, &link)); /* L2 */
    assert_true(aborts(remove_it, &link));         /* L2 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_order_of_pushes),
        cmocka_unit_test(pops_from_the_front_until_empty),
        cmocka_unit_test(removes_from_the_middle_and_takes_back),
        cmocka_unit_test(moves_to_the_end_of_another_list_and_of_its_own),
        cmocka_unit_test(lets_the_current_member_leave_during_a_walk),
        cmocka_unit_test(stops_a_second_push_and_a_second_removal),
        cmocka_unit_test(splices_all_and_leaves_the_source_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
