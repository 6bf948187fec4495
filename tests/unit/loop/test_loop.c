/* Turns of the loop, over real descriptors and libuv itself. Nothing here waits for a time to pass but for what the
 * loop reports; the one thing about time that is checked is that the loop sleeps until a deadline and no longer. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "loop/loop.h"
#include "support/oom.h"

/* What happened, a letter each: T turn_end, S stop, a b … a watch. */
struct world {
    struct hg_loop *loop;
    char log[256];
    size_t len;
    int turns, early;
    hg_time (*turn)(struct world *world, hg_time now); /* NULL: stop at the first */
    hg_time deadline, last;
    int pipes[2][2];
    struct hg_watch *watches[2];
    uv_timer_t foreign, slow;
    int foreign_closed;
};

static void note(struct world *world, char letter)
{
    if (world->len < sizeof(world->log) - 1)
        world->log[world->len++] = letter;
    world->log[world->len] = '\0';
}

static hg_time on_turn(void *context, hg_time now)
{
    struct world *world = context;
    note(world, 'T');
    world->turns++;
    assert_true(hg_loop_now(world->loop).us == now.us);
    assert_false(hg_time_before(now, world->last));
    world->last = now;
    if (!world->turn) {
        hg_loop_stop(world->loop);
        return HG_TIME_NEVER;
    }
    return world->turn(world, now);
}

static void on_stop(void *context, hg_time now)
{
    struct world *world = context;
    (void)now;
    note(world, 'S');
    hg_loop_stop(world->loop);
}

static void on_reload(void *context, hg_time now)
{
    struct world *world = context;
    (void)now;
    note(world, 'R');
    hg_loop_stop(world->loop);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct hg_loop_hooks hooks = {world, on_turn, on_stop, on_reload};
    if (!world || !hg_ok(hg_loop_new(hooks, &world->loop)) || pipe(world->pipes[0]) != 0 || pipe(world->pipes[1]) != 0)
        return -1;
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        hg_watch_close(world->watches[i]);
        close(world->pipes[i][0]);
        close(world->pipes[i][1]);
    }
    hg_loop_free(world->loop);
    free(world);
    return 0;
}

/* A byte read from the pipe is its letter. */
static void on_pipe(struct world *world, int index, hg_time now, int events)
{
    char letter;
    assert_int_equal(events, HG_READABLE);
    assert_true(hg_loop_now(world->loop).us == now.us);
    assert_false(hg_time_before(now, world->last));
    assert_int_equal(read(world->pipes[index][0], &letter, 1), 1);
    note(world, letter);
}

static void on_first(void *context, hg_time now, int events)
{
    on_pipe(context, 0, now, events);
}

static void on_second(void *context, hg_time now, int events)
{
    on_pipe(context, 1, now, events);
}

static void watch_pipes(struct world *world)
{
    assert_true(hg_ok(hg_watch_open(world->loop, world->pipes[0][0], on_first, world, &world->watches[0])));
    assert_true(hg_ok(hg_watch_open(world->loop, world->pipes[1][0], on_second, world, &world->watches[1])));
    hg_watch_set(world->watches[0], HG_READABLE);
    hg_watch_set(world->watches[1], HG_READABLE);
}

static void the_first_turn_does_not_sleep(void **state)
{
    struct world *world = *state;
    hg_loop_run(world->loop);
    assert_string_equal(world->log, "T");
    hg_loop_run(world->loop); /* and again */
    assert_string_equal(world->log, "TT");
    hg_loop_stop(world->loop);
    hg_loop_run(world->loop); /* stopped before it began */
    assert_string_equal(world->log, "TT");
}

static void one_turn_end_follows_all_that_was_ready(void **state)
{
    struct world *world = *state;
    watch_pipes(world);
    assert_int_equal(write(world->pipes[0][1], "a", 1), 1);
    assert_int_equal(write(world->pipes[1][1], "b", 1), 1);
    hg_loop_run(world->loop);
    assert_int_equal(world->len, 3);
    assert_int_equal(world->log[0] + world->log[1], 'a' + 'b');
    assert_int_equal(world->log[2], 'T');
}

static hg_time wait_once(struct world *world, hg_time now)
{
    if (world->turns == 1)
        return world->deadline = hg_time_add(now, hg_us(20500));
    if (!hg_time_reached(world->deadline, now)) { /* libuv may end the poll early when it is interrupted */
        world->turns--;
        world->early++;
        return world->deadline;
    }
    if (world->turns < 40) /* many short ones, some of them within one millisecond */
        return world->deadline = hg_time_add(now, hg_us((uint64_t)world->turns * 77));
    hg_loop_stop(world->loop);
    return HG_TIME_NEVER;
}

static void the_loop_sleeps_until_the_deadline(void **state)
{
    struct world *world = *state;
    world->turn = wait_once;
    hg_loop_run(world->loop);
    assert_int_equal(world->turns, 40);
    assert_in_range(world->early, 0, 400); /* a loop that does not sleep makes thousands */
}

static hg_time put_off(struct world *world, hg_time now)
{
    if (world->turns == 1) {
        world->deadline = hg_time_add(now, hg_ms(10));
        return now; /* another one first, which changes its mind */
    }
    if (world->turns == 2) {
        assert_int_equal(write(world->pipes[1][1], "x", 1), 1); /* the child's cue */
        return hg_time_add(now, hg_ms(3600 * 1000));
    }
    if (world->turns == 3) {
        assert_int_equal(world->log[world->len - 2], 'a');
        return hg_time_add(now, hg_ms(1));
    }
    hg_loop_stop(world->loop);
    return HG_TIME_NEVER;
}

static void a_later_and_a_sooner_deadline_replace_the_last(void **state)
{
    struct world *world = *state;
    world->turn = put_off;
    assert_true(hg_ok(hg_watch_open(world->loop, world->pipes[0][0], on_first, world, &world->watches[0])));
    hg_watch_set(world->watches[0], HG_READABLE);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        ssize_t n = read(world->pipes[1][0], &byte, 1);
        n += write(world->pipes[0][1], "a", 1);
        _exit(n == 2 ? 0 : 1);
    }
    assert_true(child > 0);
    hg_loop_run(world->loop);
    assert_string_equal(world->log, "TTaTT");
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static hg_time always_due(struct world *world, hg_time now)
{
    if (world->turns == 5)
        assert_int_equal(write(world->pipes[0][1], "a", 1), 1);
    if (world->turns == 10)
        hg_loop_stop(world->loop);
    return world->turns % 2 ? now : (hg_time){0};
}

static void a_busy_deadline_does_not_starve_descriptors(void **state)
{
    struct world *world = *state;
    world->turn = always_due;
    watch_pipes(world);
    hg_loop_run(world->loop);
    assert_string_equal(world->log, "TTTTTaTTTTT");
}

static hg_time signal_self(struct world *world, hg_time now)
{
    (void)now;
    if (world->turns == 1)
        raise(SIGTERM);
    return HG_TIME_NEVER;
}

static void signals_stop_and_reload(void **state)
{
    struct world *world = *state;
    world->turn = signal_self;
    hg_loop_run(world->loop);
    assert_string_equal(world->log, "TST");
    raise(SIGINT);
    world->turns = 1;
    hg_loop_run(world->loop);
    assert_non_null(strstr(world->log + 3, "S"));
    assert_null(strstr(world->log, "R"));
    raise(SIGHUP);
    hg_loop_run(world->loop);
    assert_non_null(strstr(world->log, "R"));
}

static void close_the_other(void *context, hg_time now, int events)
{
    struct world *world = context;
    (void)now;
    (void)events;
    note(world, 'c');
    for (int i = 0; i < 2; i++) {
        hg_watch_close(world->watches[i]);
        world->watches[i] = NULL;
        close(world->pipes[i][0]); /* at once */
        close(world->pipes[i][1]);
    }
    /* The numbers are used again at once. */
    assert_int_equal(pipe(world->pipes[0]), 0);
    assert_int_equal(pipe(world->pipes[1]), 0);
    watch_pipes(world);
    assert_int_equal(write(world->pipes[0][1], "n", 1), 1);
}

static hg_time two_turns(struct world *world, hg_time now)
{
    if (strchr(world->log, 'n'))
        hg_loop_stop(world->loop);
    (void)now;
    return HG_TIME_NEVER;
}

static void a_closed_watch_is_silent(void **state)
{
    struct world *world = *state;
    world->turn = two_turns;
    for (int i = 0; i < 2; i++) {
        assert_true(hg_ok(hg_watch_open(world->loop, world->pipes[i][0], close_the_other, world, &world->watches[i])));
        hg_watch_set(world->watches[i], HG_READABLE);
        assert_int_equal(write(world->pipes[i][1], "x", 1), 1);
    }
    hg_loop_run(world->loop);
    assert_string_equal(world->log, "cTnT");
}

static void on_writable(void *context, hg_time now, int events)
{
    struct world *world = context;
    (void)now;
    assert_int_equal(events, HG_WRITABLE);
    note(world, 'w');
    hg_watch_set(world->watches[0], 0);
}

static hg_time a_few_turns(struct world *world, hg_time now)
{
    if (world->turns == 3)
        hg_loop_stop(world->loop);
    return now;
}

static void a_watch_reports_what_is_asked_for(void **state)
{
    struct world *world = *state;
    world->turn = a_few_turns;
    assert_true(hg_ok(hg_watch_open(world->loop, world->pipes[0][1], on_writable, world, &world->watches[0])));
    hg_loop_run(world->loop);
    assert_string_equal(world->log, "TTT"); /* nothing was asked for */
    hg_watch_set(world->watches[0], HG_WRITABLE);
    hg_watch_set(world->watches[0], HG_WRITABLE);
    world->turns = 0;
    hg_loop_run(world->loop);
    assert_string_equal(world->log, "TTTwTTT");
}

static void on_broken(void *context, hg_time now, int events)
{
    struct world *world = context;
    (void)now;
    assert_int_equal(events, HG_READABLE | HG_WRITABLE);
    assert_int_equal(write(world->pipes[0][1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    note(world, 'e');
}

static void an_error_is_reported_once(void **state)
{
    struct world *world = *state;
    signal(SIGPIPE, SIG_IGN);
    world->turn = a_few_turns;
    assert_true(hg_ok(hg_watch_open(world->loop, world->pipes[0][1], on_broken, world, &world->watches[0])));
    hg_watch_set(world->watches[0], HG_READABLE | HG_WRITABLE);
    close(world->pipes[0][0]);
    world->pipes[0][0] = dup(world->pipes[1][0]);
    hg_loop_run(world->loop);
    assert_string_equal(world->log, "eTTT");
    hg_watch_set(world->watches[0], HG_READABLE | HG_WRITABLE);
    world->turns = 0;
    hg_loop_run(world->loop);
    assert_string_equal(world->log, "eTTTeTTT");
}

static void on_foreign(uv_timer_t *timer)
{
    struct world *world = timer->data;
    hg_time first = hg_loop_now(world->loop);
    assert_false(hg_time_before(first, world->last));
    assert_false(hg_time_before(hg_loop_now(world->loop), first));
    note(world, 'f');
}

static hg_time until_foreign(struct world *world, hg_time now)
{
    (void)now;
    if (strchr(world->log, 'f'))
        hg_loop_stop(world->loop);
    return HG_TIME_NEVER;
}

static void on_foreign_closed(uv_handle_t *handle)
{
    struct world *world = handle->data;
    world->foreign_closed++;
}

static void what_foreign_handles_do_is_followed_by_a_turn_end(void **state)
{
    struct world *world = *state;
    world->turn = until_foreign;
    uv_timer_init(hg_loop_native(world->loop), &world->foreign);
    world->foreign.data = world;
    uv_timer_start(&world->foreign, on_foreign, 5, 0);
    hg_loop_run(world->loop); /* would sleep for ever */
    assert_non_null(strstr(world->log, "fT"));
    uv_close((uv_handle_t *)&world->foreign, on_foreign_closed);
}

static void on_alarm(uv_timer_t *timer)
{
    (void)timer;
}

/* Takes until the deadline has passed, and does not ask the loop for the time. */
static void on_foreign_closed_slowly(uv_handle_t *handle)
{
    struct world *world = handle->data;
    while (uv_hrtime() / 1000 < world->deadline.us + 2000)
        ;
    note(world, 'f');
}

static hg_time close_the_foreign(struct world *world, hg_time now)
{
    if (world->turns == 1) {
        uv_close((uv_handle_t *)&world->slow, on_foreign_closed_slowly);
        return world->deadline = hg_time_add(now, hg_ms(2));
    }
    if (hg_time_reached(world->deadline, now))
        hg_loop_stop(world->loop);
    return world->deadline;
}

static void a_deadline_that_passes_before_the_sleep_is_not_slept_over(void **state)
{
    struct world *world = *state;
    world->turn = close_the_foreign;
    uv_timer_init(hg_loop_native(world->loop), &world->slow);
    uv_timer_init(hg_loop_native(world->loop), &world->foreign);
    world->slow.data = world->foreign.data = world;
    uv_timer_start(&world->foreign, on_alarm, 20000, 0); /* only this would end the sleep */
    hg_loop_run(world->loop);
    assert_string_equal(world->log, "TfT");
    assert_true(hg_time_before(world->last, hg_time_add(world->deadline, hg_ms(10000))));
    uv_close((uv_handle_t *)&world->foreign, on_foreign_closed);
}

static int tear_down_foreign(void **state)
{
    struct world *world = *state;
    world->foreign_closed = 0;
    hg_loop_stop(world->loop); /* a stop that no run has seen must not keep the closing from its end */
    struct hg_loop *loop = world->loop;
    hg_loop_free(loop);
    int closed = world->foreign_closed;
    struct hg_loop_hooks hooks = {world, on_turn, on_stop, NULL};
    return hg_ok(hg_loop_new(hooks, &world->loop)) && tear_down(state) == 0 && closed == 1 ? 0 : -1;
}

static void a_descriptor_that_cannot_be_watched_is_refused(void **state)
{
    struct world *world = *state;
    struct hg_watch *watch = NULL;
    assert_int_equal(hg_watch_open(world->loop, -1, on_first, world, &watch).code, HG_ERR_INTERNAL);
    assert_null(watch);
    hg_watch_close(NULL);
    hg_loop_free(NULL);
}

static bool open_and_free(void)
{
    struct hg_loop *loop = NULL;
    struct hg_watch *watch = NULL;
    struct hg_loop_hooks hooks = {NULL, on_turn, on_stop, NULL};
    hg_result r = hg_loop_new(hooks, &loop);
    if (!hg_ok(r))
        return r.code != HG_ERR_NOMEM;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    r = hg_watch_open(loop, ends[0], on_first, NULL, &watch);
    hg_watch_close(watch);
    close(ends[0]);
    close(ends[1]);
    hg_loop_free(loop);
    return hg_ok(r);
}

static bool is_taken(int number)
{
    struct sigaction now;
    assert_int_equal(sigaction(number, NULL, &now), 0);
    return now.sa_handler != SIG_DFL;
}

/* Of several loops in a process one takes them. */
static void a_loop_without_stop_leaves_the_signals(void **state)
{
    struct world *world = *state;
    assert_true(is_taken(SIGINT) && is_taken(SIGTERM));
    hg_loop_free(world->loop);
    assert_false(is_taken(SIGINT) || is_taken(SIGTERM));
    struct hg_loop_hooks hooks = {world, on_turn, NULL, NULL};
    assert_true(hg_ok(hg_loop_new(hooks, &world->loop)));
    assert_false(is_taken(SIGINT) || is_taken(SIGTERM));
    hg_loop_run(world->loop);
    assert_string_equal(world->log, "T");
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(open_and_free);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_turn_does_not_sleep),
        TEST(one_turn_end_follows_all_that_was_ready),
        TEST(the_loop_sleeps_until_the_deadline),
        TEST(a_later_and_a_sooner_deadline_replace_the_last),
        TEST(a_busy_deadline_does_not_starve_descriptors),
        TEST(signals_stop_and_reload),
        TEST(a_loop_without_stop_leaves_the_signals),
        TEST(a_closed_watch_is_silent),
        TEST(a_watch_reports_what_is_asked_for),
        TEST(an_error_is_reported_once),
        cmocka_unit_test_setup_teardown(what_foreign_handles_do_is_followed_by_a_turn_end, set_up, tear_down_foreign),
        cmocka_unit_test_setup_teardown(a_deadline_that_passes_before_the_sleep_is_not_slept_over, set_up,
                                        tear_down_foreign),
        TEST(a_descriptor_that_cannot_be_watched_is_refused),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
