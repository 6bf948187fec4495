/* fuzz_main.c – drives a fuzzer where libFuzzer is not at hand: runs the corpus as it is, then a number of seeded
 * mutants of it. The same seed gives the same inputs on every machine. No coverage guides it: it smoke-tests, clang's
 * lane searches.
 *
 *     fuzz_name [-runs=N] [-seed=N] [-max_len=N] [file or folder …]
 */
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/prng.h"

#define INPUTS_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    uint8_t *bytes;
    size_t len;
};

static struct input inputs[INPUTS_MAX];
static size_t input_count, max_len = 4096;
static struct input now; /* what runs at this moment, for the handler of crashes */

/* A sanitizer's runtime tells us before it ends the process; without one the symbol is absent. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void save_input(void)
{
    fprintf(stderr, "fuzz: failed; the input is in ./crash-input\n");
    FILE *file = fopen("crash-input", "wb");
    if (file) {
        fwrite(now.bytes, 1, now.len, file);
        fclose(file);
    }
}

/* stdio has no place in a handler, but this process is lost anyway and the input is worth the try. */
static void save_and_die(int signal_number)
{
    signal(signal_number, SIG_DFL);
    save_input();
    raise(signal_number);
}

/* Each input gets memory of exactly its size, so that a sanitizer sees a read past its end. */
static void run(const uint8_t *bytes, size_t len)
{
    now.bytes = malloc(len > 0 ? len : 1);
    if (!now.bytes)
        abort();
    now.len = len;
    if (len > 0)
        memcpy(now.bytes, bytes, len);
    LLVMFuzzerTestOneInput(now.bytes, len);
    free(now.bytes);
    now = (struct input){0};
}

static void load_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "fuzz: cannot read %s\n", path);
        exit(2);
    }
    uint8_t *bytes = malloc(max_len);
    if (!bytes)
        abort();
    size_t len = fread(bytes, 1, max_len, file);
    fclose(file);
    if (input_count == INPUTS_MAX) {
        fprintf(stderr, "fuzz: more than %d inputs\n", INPUTS_MAX);
        exit(2);
    }
    inputs[input_count++] = (struct input){bytes, len};
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void load(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        fprintf(stderr, "fuzz: there is no %s\n", path);
        exit(2);
    }
    if (!S_ISDIR(st.st_mode)) {
        load_file(path);
        return;
    }
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, by_name); /* sorted: the order must not depend on the file system */
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            char *name = NULL;
            if (asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0)
                abort();
            load(name);
            free(name);
        }
        free(entries[i]);
    }
    free(entries);
}

static size_t mutate(struct hg_prng *prng, uint8_t *bytes, size_t len)
{
    static const char interesting[] = "{}[]\",:\\*./$~-+0123456789\0\t\n\r\x7f\x80\xc0\xff";
    for (uint64_t steps = 1 + hg_prng_below(prng, 6); steps > 0; steps--) {
        size_t at = len > 0 ? (size_t)hg_prng_below(prng, len) : 0;
        switch (hg_prng_below(prng, 7)) {
        case 0: /* flip a bit */
            if (len > 0)
                bytes[at] ^= (uint8_t)(1u << hg_prng_below(prng, 8));
            break;
        case 1: /* another byte */
            if (len > 0)
                bytes[at] = (uint8_t)hg_prng_below(prng, 256);
            break;
        case 2: /* a byte that means something to parsers */
            if (len > 0)
                bytes[at] = (uint8_t)interesting[hg_prng_below(prng, sizeof(interesting) - 1)];
            break;
        case 3: /* insert */
            if (len < max_len) {
                memmove(bytes + at + 1, bytes + at, len - at);
                bytes[at] = (uint8_t)interesting[hg_prng_below(prng, sizeof(interesting) - 1)];
                len++;
            }
            break;
        case 4: /* cut out */
            if (len > 0) {
                size_t cut = 1 + (size_t)hg_prng_below(prng, len - at);
                memmove(bytes + at, bytes + at + cut, len - at - cut);
                len -= cut;
            }
            break;
        case 5: /* repeat a piece */
            if (len > 0) {
                size_t piece = 1 + (size_t)hg_prng_below(prng, len - at);
                if (piece > max_len - len)
                    piece = max_len - len;
                memmove(bytes + at + piece, bytes + at, len - at);
                len += piece;
            }
            break;
        case 6: /* the tail of another input */
            if (input_count > 0) {
                const struct input *other = &inputs[hg_prng_below(prng, input_count)];
                if (other->len > 0) {
                    size_t from = (size_t)hg_prng_below(prng, other->len), take = other->len - from;
                    if (take > max_len - at)
                        take = max_len - at;
                    memcpy(bytes + at, other->bytes + from, take);
                    len = at + take;
                }
            }
            break;
        }
    }
    return len;
}

static bool option(const char *arg, const char *name, uint64_t *ret_value)
{
    size_t len = strlen(name);
    if (strncmp(arg, name, len) != 0)
        return false;
    char *end = NULL;
    *ret_value = strtoull(arg + len, &end, 10);
    if (end == arg + len || *end != '\0') {
        fprintf(stderr, "fuzz: %s is not a number\n", arg);
        exit(2);
    }
    return true;
}

int main(int argc, char **argv)
{
    uint64_t runs = 10000, seed = 1, number = max_len;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && !option(argv[i], "-runs=", &runs) && !option(argv[i], "-seed=", &seed) &&
            !option(argv[i], "-max_len=", &number)) {
            fprintf(stderr, "fuzz: unknown option %s\n", argv[i]);
            return 2;
        }
    }
    max_len = number > 0 && number < 1u << 24 ? (size_t)number : max_len;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-')
            load(argv[i]);
    }
    signal(SIGABRT, save_and_die);
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(save_input);
    } else {
        signal(SIGSEGV, save_and_die);
        signal(SIGBUS, save_and_die);
        signal(SIGFPE, save_and_die);
    }

    uint8_t *bytes = malloc(max_len);
    if (!bytes)
        abort();
    struct hg_prng prng;
    hg_prng_init(&prng, seed);
    run(bytes, 0);
    for (size_t i = 0; i < input_count; i++)
        run(inputs[i].bytes, inputs[i].len);
    for (uint64_t i = 0; i < runs; i++) {
        size_t len = 0;
        if (input_count > 0 && !hg_prng_chance(&prng, 5)) {
            const struct input *from = &inputs[hg_prng_below(&prng, input_count)];
            len = from->len;
            memcpy(bytes, from->bytes, len);
        }
        run(bytes, mutate(&prng, bytes, len));
    }
    printf("Done %" PRIu64 " runs of %zu inputs, seed %" PRIu64 "\n", runs + input_count + 1, input_count, seed);
    free(bytes);
    for (size_t i = 0; i < input_count; i++)
        free(inputs[i].bytes);
    return 0;
}
