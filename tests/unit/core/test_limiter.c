/* How many events clients may emit: by client, by address, by topic, against a model that counts every microsecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "core/state.h"
#include "support/gate.h"

#define CONFIG                                                                                                         \
    "{\"canary_ms\":600000,\"ping_ms\":3600000,\"emit_timeout_ms\":3600000,\"emits_per_session_max\":100000,"          \
    "\"emits_max\":1000000,%s\"topics\":[{\"match\":\"st.*\",\"source\":\"stream\",\"emit_rate\":%u},"                 \
    "{\"match\":\"free.*\",\"source\":\"stream\"}]}"

static struct hgt_gate gate;
static unsigned next_ref;

static void open_with(const char *settings, unsigned topic_rate)
{
    char config[1024];
    snprintf(config, sizeof(config), CONFIG, settings, topic_rate);
    hgt_gate_open(&gate, config);
}

static int close_gate(void **state)
{
    (void)state;
    hgt_gate_close(&gate);
    return 0;
}

/* The limit that refused it; NULL: it came in. */
static const char *emit(struct hgt_client *client, const char *topic, unsigned *ret_retry_ms)
{
    static const char *const limits[] = {"emit_rate_session ", "emit_rate_principal ", "emit_rate "};
    char command[256], refused[64];
    next_ref++;
    hg_buf_clear(&client->said);
    snprintf(command, sizeof(command), "{\"op\":\"emit\",\"ref\":%u,\"topic\":\"%s\",\"id\":\"%u\",\"event\":1}",
             next_ref, topic, next_ref);
    hgt_say(&gate, client, command);
    hgt_turn(&gate, 0);
    snprintf(refused, sizeof(refused), "{\"op\":\"error\",\"ref\":%u,\"code\":111,", next_ref);
    if (!hgt_said(client, refused)) {
        assert_false(hgt_said(client, "\"error\""));
        return NULL;
    }
    const char *retry = strstr(client->said.ptr, "\"retry_ms\":");
    assert_non_null(retry);
    *ret_retry_ms = (unsigned)strtoul(retry + strlen("\"retry_ms\":"), NULL, 10);
    assert_true(*ret_retry_ms > 0);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        if (hgt_said(client, limits[i]))
            return limits[i];
    fail_msg("it does not say which limit: %s", client->said.ptr);
    return NULL;
}

/* ---- against the model ------------------------------------------------------------------------------------------- */

enum { CLIENTS = 3, TOPICS = 3 };

/* Tokens in millionths; a second brings `rate` of them. */
struct model {
    uint64_t rate, burst, credit, at;
};

static struct model model_of(uint64_t rate, uint64_t burst_ms)
{
    uint64_t burst = rate * burst_ms / 1000;
    return (struct model){rate, burst > 0 ? burst : 1, (burst > 0 ? burst : 1) * 1000000, gate.now.us};
}

static bool model_has(struct model *model)
{
    model->credit += (gate.now.us - model->at) * model->rate;
    model->at = gate.now.us;
    if (model->credit > model->burst * 1000000)
        model->credit = model->burst * 1000000;
    return model->credit >= 1000000;
}

static void test_against_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct hg_prng prng;
        hg_prng_init(&prng, seed);
        uint64_t burst_ms = 100 + hg_prng_below(&prng, 3000);
        unsigned rates[3];
        for (int i = 0; i < 3; i++)
            rates[i] = hg_prng_chance(&prng, 25) ? 0 : 1 + (unsigned)hg_prng_below(&prng, 20);
        char settings[200];
        snprintf(settings, sizeof(settings),
                 "\"emit_rate_session\":%u,\"emit_rate_principal\":%u,\"emit_burst_ms\":%u,", rates[0], rates[1],
                 (unsigned)burst_ms);
        open_with(settings, rates[2]);
        struct hgt_client *clients[CLIENTS];
        struct model models[3][CLIENTS > TOPICS ? CLIENTS : TOPICS];
        for (int i = 0; i < CLIENTS; i++) {
            clients[i] = hgt_gate_connect(&gate); /* each with an address of its own */
            for (int kind = 0; kind < 3; kind++)
                models[kind][i] = model_of(rates[kind] ? rates[kind] : 1, burst_ms);
        }
        for (int step = 0; step < 300; step++) {
            unsigned who = (unsigned)hg_prng_below(&prng, CLIENTS), what = (unsigned)hg_prng_below(&prng, TOPICS),
                     retry_ms;
            unsigned index[3] = {who, who, what};
            static const char *const limits[] = {"emit_rate_session ", "emit_rate_principal ", "emit_rate "};
            if (hg_prng_chance(&prng, 30))
                hgt_turn(&gate, hg_prng_below(&prng, 400));
            const char *expected = NULL;
            for (int kind = 0; kind < 3; kind++)
                if (rates[kind] > 0 && !model_has(&models[kind][index[kind]]) && !expected)
                    expected = limits[kind];
            for (int kind = 0; kind < 3 && !expected; kind++)
                models[kind][index[kind]].credit -= rates[kind] > 0 ? 1000000 : 0;
            char topic[16];
            snprintf(topic, sizeof(topic), "st.%u", what);
            const char *refused = emit(clients[who], topic, &retry_ms);
            if (expected != refused && !(expected && refused && strcmp(expected, refused) == 0))
                fail_msg("seed %u, step %d: %s, not %s", (unsigned)seed, step, refused ? refused : "it came in",
                         expected ? expected : "to come in");
        }
        hgt_gate_close(&gate);
    }
}

/* ---- what the model does not show -------------------------------------------------------------------------------- */

static void test_retry_ms_is_when_it_comes_in(void **state)
{
    (void)state;
    open_with("\"emit_rate_session\":2,\"emit_burst_ms\":500,", 0);
    struct hgt_client *a = hgt_gate_connect(&gate);
    unsigned retry_ms = 0, again;
    assert_null(emit(a, "st.x", &retry_ms));
    assert_string_equal(emit(a, "st.x", &retry_ms), "emit_rate_session ");
    assert_in_range(retry_ms, 500, 501);
    hgt_turn(&gate, 498);
    assert_non_null(emit(a, "st.x", &again));
    hgt_turn(&gate, retry_ms - 498);
    assert_null(emit(a, "st.x", &again));
}

/* One that is refused by the last limit costs nothing of those before it. */
static void test_all_or_none(void **state)
{
    (void)state;
    open_with("\"emit_rate_session\":2,\"emit_rate_principal\":2,", 1);
    struct hgt_client *a = hgt_gate_connect(&gate);
    unsigned retry_ms;
    assert_null(emit(a, "st.x", &retry_ms));
    for (int i = 0; i < 5; i++)
        assert_string_equal(emit(a, "st.x", &retry_ms), "emit_rate ");
    assert_null(emit(a, "free.x", &retry_ms));
    assert_string_equal(emit(a, "free.x", &retry_ms), "emit_rate_session ");
}

/* The bucket of the address is new, thus full, when that of the topic is looked for. */
static void test_a_bucket_is_not_forgotten_while_it_is_asked(void **state)
{
    (void)state;
    open_with("\"emit_rate_principal\":1,", 1);
    struct hgt_client *a = hgt_gate_connect(&gate);
    unsigned retry_ms;
    assert_null(emit(a, "st.x", &retry_ms));
    assert_int_equal(gate.core->emitter.limiter.by_use.count, 2);
    assert_string_equal(emit(a, "st.x", &retry_ms), "emit_rate_principal ");
    assert_string_equal(emit(a, "st.y", &retry_ms), "emit_rate_principal ");
}

static void test_full_buckets_are_forgotten(void **state)
{
    (void)state;
    open_with("", 100);
    struct hgt_client *a = hgt_gate_connect(&gate);
    const struct hg_limiter *limiter = &gate.core->emitter.limiter;
    unsigned retry_ms;
    char topic[16];
    for (int i = 0; i < 500; i++) {
        snprintf(topic, sizeof(topic), "st.%d", i);
        assert_null(emit(a, topic, &retry_ms));
    }
    assert_int_equal(limiter->by_use.count, 500); /* none is full: no time has passed */
    hgt_turn(&gate, 10);
    for (int i = 0; i < 500 / 7; i++) {
        assert_null(emit(a, "st.0", &retry_ms));
        hgt_turn(&gate, 10);
    }
    assert_in_range(limiter->by_use.count, 1, 8);
    assert_int_equal(limiter->by_use.count, limiter->buckets.count);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, close_gate)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_model),
        T(test_retry_ms_is_when_it_comes_in),
        T(test_all_or_none),
        T(test_a_bucket_is_not_forgotten_while_it_is_asked),
        T(test_full_buckets_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
